/* ask.h: what people type: passwords, which are never shown and never stand on a command line, and answers to 'are
 * you sure?'. */
#ifndef ROSTER_CTL_ASK_H
#define ROSTER_CTL_ASK_H

#include "ctl/ctl.h"

/* Asks before something is destroyed. EXIT_DONE: go on. EXIT_REFUSED: no was the answer. EXIT_USAGE: nobody can be
 * asked, and --yes was not given (said on stderr). */
int ask_confirm(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of standard input, or of the terminal with echo switched off after `prompt`, without its end, in the arena;
 * to be wiped. EXIT_USAGE where there is none, or it is longer than 64 KiB (said on stderr). */
int ask_secret(struct invocation *invocation, const char *prompt, struct text *secret_r);

/* A new password by the options --password-stdin and --random-password, or from the terminal, twice; it satisfies the
 * rules of roster.conf. email and name may be null. */
int ask_new_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r,
                     bool *is_random_r);

#endif
