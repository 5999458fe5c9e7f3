/* ctl.h: one invocation of rosterctl: its command line, checked against commands.def, and what a command may use:
 * configuration, MariaDB, output. */
#ifndef ROSTER_CTL_CTL_H
#define ROSTER_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "base/buffer.h"
#include "base/context.h"
#include "config/config.h"
#include "store/config_store.h"

enum exit_status {
#define EXIT_STATUS(name, number, text) EXIT_##name = number,
#include "ctl/commands.def"
};

/* The exit statuses of `rosterctl check', as the Monitoring Plugins number them. */
enum check_state { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

enum needs { NEEDS_NOTHING, NEEDS_CONFIG, NEEDS_STORE };

enum needed { OPTION_OPTIONAL, OPTION_NEEDED };

struct invocation;

struct command {
    const char *words;     /* "user add" */
    const char *arguments; /* "USER [GROUP ...]", for the usage */
    size_t min, max;       /* number of arguments */
    enum needs needs;
    const char *text; /* one line */
    const char *more; /* further sentences, or "" */
};

enum command_id {
#define COMMAND(name, words, arguments, min, max, needs, text, more) COMMAND_##name,
#include "ctl/commands.def"
    COMMAND_COUNT
};

extern const struct command commands[COMMAND_COUNT];

/* What a first word alone stands for. The last row has a NULL word. */
struct command_alone {
    const char *word;
    enum command_id command;
};
extern const struct command_alone commands_alone[];

/* Words that are no command, and the command that who types them means. The last row has NULL words. */
struct command_meant {
    const char *words;
    enum command_id command;
};
extern const struct command_meant commands_meant[];

/* Placeholders of arguments and of values of options. */
enum argument {
    ARGUMENT_NONE,
#define ARGUMENT(name, choices) ARGUMENT_##name,
#include "ctl/commands.def"
    ARGUMENT_COUNT
};

struct argument_row {
    const char *name;    /* "ROLE"; NULL for ARGUMENT_NONE */
    const char *choices; /* "pending user admin"; NULL: any value */
};
extern const struct argument_row argument_rows[ARGUMENT_COUNT];

/* All options, of all commands. */
enum option {
    OPTION_NONE,
#define OPTION_NAME(name, words, value) OPTION_##name,
#include "ctl/commands.def"
    OPTION_NAME_COUNT
};

struct option_name {
    const char *words;   /* "password-stdin"; NULL for OPTION_NONE */
    enum argument value; /* ARGUMENT_NONE: a switch */
};
extern const struct option_name option_names[OPTION_NAME_COUNT];

struct option_row {
    enum command_id command; /* COMMAND_COUNT: all commands take it */
    char letter;             /* of a global option, else 0 */
    enum option option;
    enum needed needed;
    const char *text;
};

enum {
    OPTION_COUNT = 0
#define GLOBAL_OPTION(letter, name, text) +1
#define OPTION(command, name, needed, text) +1
#include "ctl/commands.def"
};

extern const struct option_row options[OPTION_COUNT];

/* The name of an option without the dashes. */
static inline const char *option_words(const struct option_row *row)
{
    return option_names[row->option].words;
}

/* The placeholder of its value. NULL: a switch. */
static inline const char *option_value(const struct option_row *row)
{
    return argument_rows[option_names[row->option].value].name;
}

struct exit_row {
    const char *name;
    int number;
    const char *text;
};
extern const struct exit_row exit_rows[];

/* Groups of commands in the manual: title and first command. The last row has a NULL title. */
struct command_group {
    const char *title;
    enum command_id first;
};
extern const struct command_group command_groups[];

/* One invocation. */
struct invocation {
    struct context context; /* first member: arena and, if the command needs it, configuration */
    const struct command *command;
    const char *config_path;
    struct config *config; /* NULL: the command needs no configuration */
    bool json, quiet, yes;
    const char **arguments;
    size_t argument_count;
    const char *values[OPTION_NAME_COUNT]; /* by option; NULL: not given; "" for a switch */
};

#define COMMAND(name, words, arguments, min, max, needs, text, more) int command_##name(struct invocation *invocation);
#include "ctl/commands.def"

/* The value of an option of the running command. NULL: it was not given. */
const char *ctl_option(const struct invocation *invocation, enum option option);

/* The value of --compatibility, or the default of the directive. */
enum compatibility ctl_compatibility(const struct invocation *invocation);

/* Whether an option of the running command was given. */
bool ctl_has_option(const struct invocation *invocation, enum option option);

/* Parses the value of an option that is a duration: a number and a unit, at least a second.
 * EXIT_DONE, or EXIT_USAGE with a message. */
int ctl_take_duration(const struct invocation *invocation, enum option option, int64_t *seconds_r);

/* The argument at `index`. NULL after the last one. */
const char *ctl_argument(const struct invocation *invocation, size_t index);

/* Splits a list of words, as the choices of an argument.
 * Copies the next word after *cursor into `word`, truncated to `size`, and advances *cursor.
 * False at the end. */
bool ctl_next_word(const char **cursor, char *word, size_t size);

/* The argument with this name ("USER", without brackets). ARGUMENT_NONE: unknown name. */
enum argument ctl_find_argument(const char *name);

/* The known name that is most similar to a mistyped one.
 * `next` returns the names by index, and NULL after the last one.
 * NULL: no name is similar. */
const char *ctl_suggest(const char *typed, const char *(*next)(size_t index, void *argument), void *argument);

/* The words of the command that somebody may have meant by others: of COMMAND_MEANT, or similar ones. A command that
 * removes something is what was meant only where its own words are slightly mistyped: nobody is to be led there.
 * NULL: none. */
const char *ctl_suggest_command(const char *typed);

/* Prints an error message to stderr.
 * Returns `status`, so that a command can `return ctl_fail(…)`. */
int ctl_fail(enum exit_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the message of context.problem to stderr, after `what`: the thing that it is about.
 * Returns the exit status of its error code. */
int ctl_problem(struct invocation *invocation, const char *what);

/* The message of context->problem. */
const char *ctl_problem_words(const struct context *context);

/* What rosterctl calls a setting: "ENABLE_SIGNUP", "ldap.host". Static, or in the arena. */
const char *ctl_setting_name(struct arena *arena, enum setting setting);

/* Prints a remark to stdout. Silent with --quiet and --json. */
void ctl_say(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same to stderr, for commands whose stdout is the result. */
void ctl_say_aside(const struct invocation *invocation, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the content of a buffer and a newline. */
void ctl_print(struct buffer *buffer);

/* Prints a JSON text: indented on a terminal, else in one line.
 * Control characters are escaped, since a terminal would interpret them. */
void ctl_print_json(const struct invocation *invocation, struct text json);

/* Reads roster.conf into invocation->config. Called before a command that needs it.
 * Returns an exit status; errors are printed to stderr. So do the next three. */
int ctl_load_config(struct invocation *invocation);

/* Reads the secret files that roster.conf names. */
int ctl_load_secrets(struct invocation *invocation);

/* Sets who acts, for the audit: the system user who called rosterctl, and the command. */
void ctl_set_actor(struct invocation *invocation);

/* Connects to MariaDB. Called by root, it first switches to the service's user, if that user exists. */
int ctl_connect(struct invocation *invocation);

/* Both, and looks whether the tables are those of this program: for a command that first does something as the caller,
 * as reading a file that the service's user can't read. */
int ctl_open_store(struct invocation *invocation);

/* As ctl_connect. The service's user also gets the supplementary group `group`; (gid_t)-1: no group. */
int ctl_connect_in_group(struct invocation *invocation, gid_t group);

/* Runs a part of a command in a child process, which may become another user while this one stays root: to write a
 * file where the service's user may not, say. The child ends with what `run' returns; its connections are closed.
 * A signal that ends rosterctl ends the child, and then this returns EXIT_FAILED with a message, so that the caller can
 * tidy up. */
int ctl_run_child(struct invocation *invocation, int (*run)(struct invocation *invocation, void *argument),
                  void *argument);

/* Memory that a child of ctl_run_child shares with its parent. All zero; never NULL; never freed. */
void *ctl_shared_memory(size_t size);

/* Runs the migrations of `directory`, as the system user and with the account that may. The process must still be the
 * one that called rosterctl, and has no use of its connection afterwards. */
int ctl_migrate(struct invocation *invocation, const char *directory);

/* Usage of one command, and the overview of all commands, from commands.def. */
void ctl_print_usage(const struct command *command);
void ctl_print_overview(void);

#endif
