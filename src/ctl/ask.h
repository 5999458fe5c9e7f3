/* ask.h: input from the terminal or standard input: passwords, which are never echoed or taken from the command line,
 * and confirmations. */
#ifndef ROSTER_CTL_ASK_H
#define ROSTER_CTL_ASK_H

#include "ctl/ctl.h"

/* Asks for confirmation before data are deleted. `format`: the question.
 * EXIT_DONE: yes, or --yes was given.
 * EXIT_REFUSED: no.
 * EXIT_USAGE: standard input is no terminal, and --yes was not given.
 * Errors are printed to stderr. */
int ask_confirm(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a line of standard input. On a terminal it prints `prompt` first, and switches echo off.
 * *secret_r is the line without its newline, in the arena. The caller wipes it with password_wipe.
 * EXIT_USAGE: there is no line, or it has 64 KiB or more (printed to stderr). */
int ask_secret(struct invocation *invocation, const char *prompt, struct text *secret_r);

/* Generates a password that satisfies the rules of roster.conf for this user.
 * EXIT_REFUSED: none of many does (printed to stderr). */
int ask_random_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r);

/* Gets a new password: as --password-stdin, --random-password or --one-time-password say, else from the terminal, where
 * it is typed twice. It is checked against the rules of roster.conf, and against email and name, which may be null.
 * *password_r is in the arena. *is_random_r: it was generated.
 * Returns an exit status; errors are printed to stderr. */
int ask_new_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r,
                     bool *is_random_r);

#endif
