/* ctl.h: a call of rosterctl: what was typed, checked against commands.def, and what a command may reach. */
#ifndef ROSTER_CTL_CTL_H
#define ROSTER_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/context.h"
#include "config/config.h"

enum exit_status {
#define EXIT_STATUS(name, number, text) EXIT_##name = number,
#include "ctl/commands.def"
};

enum needs { NEEDS_NOTHING, NEEDS_CONFIG, NEEDS_STORE };

enum needed { OPTION_OPTIONAL, OPTION_NEEDED };

struct invocation;

struct command {
    const char *name;      /* user_add */
    const char *words;     /* "user add" */
    const char *arguments; /* "USER [GROUP ...]": for people */
    size_t least, most;    /* number of arguments */
    enum needs needs;
    const char *text; /* one line */
    const char *more; /* further sentences, or "" */
    int (*run)(struct invocation *invocation);
};

enum command_id {
#define COMMAND(name, words, arguments, least, most, needs, text, more) COMMAND_##name,
#include "ctl/commands.def"
    COMMAND_COUNT
};

extern const struct command commands[COMMAND_COUNT];

struct option_row {
    enum command_id command; /* COMMAND_COUNT: every command takes it */
    char letter;             /* of a global option, else 0 */
    const char *name;        /* without the dashes */
    const char *value;       /* what stands for its value in the manual; NULL: a switch */
    enum needed needed;
    const char *text;
};

enum {
    OPTION_COUNT = 0
#define GLOBAL_OPTION(letter, name, value, text) +1
#define OPTION(command, name, value, needed, text) +1
#include "ctl/commands.def"
};

extern const struct option_row options[OPTION_COUNT];

/* What may stand for an argument or a value: {"ROLE", "pending user admin"}. */
struct choice_row {
    const char *argument;
    const char *words;
};
extern const struct choice_row choices[];

struct exit_row {
    const char *name;
    int number;
    const char *text;
};
extern const struct exit_row exit_rows[];

/* Titles of the manual's groups of commands, and the first command of each. */
struct command_group {
    const char *title;
    enum command_id first;
};
extern const struct command_group command_groups[];

/* A call. */
struct invocation {
    struct context context; /* first: memory and, where the command needs it, configuration */
    const struct command *command;
    const char *config_path;
    struct config *config; /* NULL where the command needs none */
    bool json, quiet, yes;
    const char **arguments;
    size_t argument_count;
    const char *values[OPTION_COUNT]; /* of each option that was given; "" for a switch */
};

#define COMMAND(name, words, arguments, least, most, needs, text, more) \
    int command_##name(struct invocation *invocation);
#include "ctl/commands.def"

/* The value of an option of the command that runs; NULL where it was not given. `name` must be one of its rows. */
const char *ctl_option(const struct invocation *invocation, const char *name);
bool ctl_has_option(const struct invocation *invocation, const char *name);

/* An argument; NULL behind the last. */
const char *ctl_argument(const struct invocation *invocation, size_t index);

/* The words of a choice, one by one: the next behind *cursor, copied into `word`; false at the end. */
bool ctl_next_word(const char **cursor, char *word, size_t size);

/* The words that may stand for `argument`; NULL where anything may. */
const char *ctl_choices(const char *argument);

/* The nearest of the names that `next` gives (NULL ends them) to what was typed; NULL where none is near. */
const char *ctl_suggest(const char *typed, const char *(*next)(size_t index, void *argument), void *argument);

/* Says on stderr what is wrong, and answers `status`, so that a command can `return ctl_fail(…)`. */
int ctl_fail(enum exit_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same from context.problem: its sentence, and the status that goes with its code. */
int ctl_problem(struct invocation *invocation, const char *what);

/* A remark on stdout (or on stderr, where stdout carries what was asked for); silent with --quiet and --json. */
void ctl_say(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ctl_say_aside(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints what a buffer holds, and a line end. */
void ctl_print(struct buffer *buffer);

/* Prints a JSON text, indented for people on a terminal and in one line otherwise. */
void ctl_print_json(struct invocation *invocation, struct text json);

/* Reads the configuration with its secrets and connects to MariaDB; done before a command that needs it. Exit status.
 * */
int ctl_load_config(struct invocation *invocation);
int ctl_load_secrets(struct invocation *invocation);
int ctl_connect(struct invocation *invocation);

/* Usage, from the table. */
void ctl_print_usage(const struct command *command);
void ctl_print_overview(void);

#endif
