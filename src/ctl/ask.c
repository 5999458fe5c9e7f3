#include "ctl/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/ascii.h"
#include "base/random.h"

enum { SECRET_LENGTH_MAX = 65536, RANDOM_LENGTH = 20, RANDOM_TRIES = 100 };

/* Letters and digits that can't be mistaken for one another: no 0, O, 1, l, I. */
static const char random_letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

int ask_confirm(const struct invocation *invocation, const char *format, ...)
{
    if (invocation->yes) {
        return EXIT_DONE;
    }
    if (!isatty(STDIN_FILENO)) {
        return ctl_fail(EXIT_USAGE, "`%s' deletes data, and there is no terminal to ask for confirmation: add --yes",
                        invocation->command->words);
    }
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" [y/N] ", stderr);

    char answer[16] = "";
    if (fgets(answer, sizeof answer, stdin) == NULL) {
        fputc('\n', stderr);
    }
    if (ascii_to_lower(answer[0]) == 'y') {
        return EXIT_DONE;
    }
    return ctl_fail(EXIT_REFUSED, "nothing was done");
}

/* Reads one line byte by byte, so that the next reader of standard input gets the rest. */
static bool read_line(struct arena *arena, struct text *line_r)
{
    char *line = arena_alloc(arena, SECRET_LENGTH_MAX + 1);
    size_t length = 0;
    ssize_t got = 0;
    while (length < SECRET_LENGTH_MAX && (got = read(STDIN_FILENO, line + length, 1)) == 1 && line[length] != '\n') {
        length++;
    }
    bool whole = got >= 0 && length < SECRET_LENGTH_MAX && (length > 0 || got == 1);
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    line[length] = '\0';
    *line_r = (struct text){line, length};
    return whole;
}

int ask_secret(struct invocation *invocation, const char *prompt, struct text *secret_r)
{
    struct termios saved;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &saved) == 0;
    if (terminal) {
        struct termios silent = saved;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        silent.c_lflag |= ECHONL;
        fprintf(stderr, "%s: ", prompt);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool good = read_line(invocation->context.arena, secret_r);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    }
    return good ? EXIT_DONE
                : ctl_fail(EXIT_USAGE, "standard input has no line of less than %d bytes", SECRET_LENGTH_MAX);
}

static int check_password(struct invocation *invocation, struct text password, struct text email, struct text name)
{
    return password_check_rules(&invocation->context, password, email, name) == OK ? EXIT_DONE : EXIT_REFUSED;
}

static struct text random_password(struct invocation *invocation)
{
    int64_t min = invocation->config->password_length_least;
    size_t length = min > RANDOM_LENGTH ? (size_t)min : RANDOM_LENGTH;
    char *password = arena_alloc(invocation->context.arena, length + 1);
    unsigned letters = sizeof random_letters - 1;
    for (size_t i = 0; i < length;) {
        unsigned char byte;
        random_bytes(&byte, 1);
        if (byte < 256 / letters * letters) { /* all letters are equally likely */
            password[i++] = random_letters[byte % letters];
        }
    }
    password[length] = '\0';
    return (struct text){password, length};
}

int ask_random_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r)
{
    for (int i = 0; i < RANDOM_TRIES; i++) {
        *password_r = random_password(invocation);
        if (check_password(invocation, *password_r, email, name) == EXIT_DONE) {
            return EXIT_DONE;
        }
    }
    return ctl_fail(EXIT_REFUSED,
                    "no generated password matches password_pattern of roster.conf: give one of your own");
}

int ask_new_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r,
                     bool *is_random_r)
{
    bool is_random = ctl_has_option(invocation, OPTION_random_password);
    bool is_one_time = ctl_has_option(invocation, OPTION_one_time_password);
    *is_random_r = is_random || is_one_time;
    if (is_random + is_one_time + ctl_has_option(invocation, OPTION_password_stdin) > 1) {
        return ctl_fail(EXIT_USAGE,
                        "--password-stdin, --random-password and --one-time-password can't be used together");
    }
    if (*is_random_r) {
        return ask_random_password(invocation, email, name, password_r);
    }

    if (!ctl_has_option(invocation, OPTION_password_stdin) && !isatty(STDIN_FILENO)) {
        return ctl_fail(EXIT_USAGE,
                        "there is no terminal to ask for the password: add --password-stdin, --random-password or "
                        "--one-time-password");
    }
    int status = ask_secret(invocation, "New password", password_r);
    if (status != EXIT_DONE) {
        return status;
    }
    if (check_password(invocation, *password_r, email, name) != EXIT_DONE) {
        return ctl_problem(invocation, "the password");
    }
    if (!ctl_has_option(invocation, OPTION_password_stdin)) {
        struct text again;
        status = ask_secret(invocation, "The same password again", &again);
        bool same = status == EXIT_DONE && text_equal(*password_r, again);
        password_wipe(again);
        if (status == EXIT_DONE && !same) {
            return ctl_fail(EXIT_USAGE, "the two passwords are different; nothing was done");
        }
    }
    return status;
}
