#include "ctl/ask.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/token.h"

enum { SECRET_LENGTH_MOST = 65536, RANDOM_LENGTH = 20, RANDOM_TRIES = 100 };

/* Letters and digits that nobody takes for another. */
static const char random_letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

int ask_confirm(const struct invocation *invocation, const char *format, ...)
{
    if (invocation->yes) {
        return EXIT_DONE;
    }
    if (!isatty(STDIN_FILENO)) {
        return ctl_fail(EXIT_USAGE, "`%s' destroys something, and there is no terminal to ask on: add --yes",
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
    if (tolower((unsigned char)answer[0]) == 'y') {
        return EXIT_DONE;
    }
    return ctl_fail(EXIT_REFUSED, "nothing was done");
}

/* Reads to the end of the line, byte by byte, so that what follows stays for others. */
static bool read_line(struct arena *arena, struct text *line_r)
{
    char *line = arena_alloc(arena, SECRET_LENGTH_MOST + 1);
    size_t length = 0;
    ssize_t got = 0;
    while (length < SECRET_LENGTH_MOST && (got = read(STDIN_FILENO, line + length, 1)) == 1 && line[length] != '\n') {
        length++;
    }
    bool whole = got >= 0 && length < SECRET_LENGTH_MOST && (length > 0 || got == 1);
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
                : ctl_fail(EXIT_USAGE, "standard input holds no line of at most %d bytes", SECRET_LENGTH_MOST);
}

static int check_password(struct invocation *invocation, struct text password, struct text email, struct text name)
{
    return password_check_rules(&invocation->context, password, email, name) == OK ? EXIT_DONE : EXIT_REFUSED;
}

static struct text random_password(struct invocation *invocation)
{
    int64_t least = invocation->config->password_length_least;
    size_t length = least > RANDOM_LENGTH ? (size_t)least : RANDOM_LENGTH;
    char *password = arena_alloc(invocation->context.arena, length + 1);
    unsigned letters = sizeof random_letters - 1;
    for (size_t i = 0; i < length;) {
        unsigned char byte;
        token_random_bytes(&byte, 1);
        if (byte < 256 / letters * letters) { /* no letter is likelier than another */
            password[i++] = random_letters[byte % letters];
        }
    }
    password[length] = '\0';
    return (struct text){password, length};
}

int ask_new_password(struct invocation *invocation, struct text email, struct text name, struct text *password_r,
                     bool *is_random_r)
{
    *is_random_r = ctl_has_option(invocation, "random-password");
    if (*is_random_r && ctl_has_option(invocation, "password-stdin")) {
        return ctl_fail(EXIT_USAGE, "--password-stdin and --random-password can't go together");
    }
    if (*is_random_r) {
        for (int i = 0; i < RANDOM_TRIES; i++) {
            *password_r = random_password(invocation);
            if (check_password(invocation, *password_r, email, name) == EXIT_DONE) {
                return EXIT_DONE;
            }
        }
        return ctl_fail(EXIT_REFUSED,
                        "no random password satisfies password_pattern of roster.conf; give one with --password-stdin");
    }

    if (!ctl_has_option(invocation, "password-stdin") && !isatty(STDIN_FILENO)) {
        return ctl_fail(EXIT_USAGE,
                        "there is no terminal to ask for the password on: add --password-stdin or --random-password");
    }
    int status = ask_secret(invocation, "New password", password_r);
    if (status != EXIT_DONE) {
        return status;
    }
    if (check_password(invocation, *password_r, email, name) != EXIT_DONE) {
        return ctl_problem(invocation, "the password");
    }
    if (!ctl_has_option(invocation, "password-stdin")) {
        struct text again;
        status = ask_secret(invocation, "The same again", &again);
        bool same = status == EXIT_DONE && text_equal(*password_r, again);
        password_wipe(again);
        if (status == EXIT_DONE && !same) {
            return ctl_fail(EXIT_USAGE, "these are two different passwords; nothing was done");
        }
    }
    return status;
}
