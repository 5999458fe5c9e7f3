/* rosterctl.c: rosterctl(8): parses the command line by commands.def, prepares what the command needs, and runs it. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config_read.h"
#include "ctl/ctl.h"
#include "store/database.h"
#include "store/redis.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* The option of a command by its name, of `length` bytes; NULL: unknown. */
static const struct option_row *find_option(const struct command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool ours =
            options[i].command == COMMAND_COUNT || (command != NULL && commands + options[i].command == command);
        if (ours && strlen(option_words(&options[i])) == length &&
            memcmp(option_words(&options[i]), name, length) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static const struct option_row *find_letter(char letter)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].letter == letter && letter != 0) {
            return &options[i];
        }
    }
    return NULL;
}

static const char *next_option(size_t index, void *argument)
{
    const struct command *command = argument;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool ours =
            options[i].command == COMMAND_COUNT || (command != NULL && commands + options[i].command == command);
        if (ours && index-- == 0) {
            return option_words(&options[i]);
        }
    }
    return NULL;
}

/* Whether the value is allowed for the argument. */
static bool is_choice(enum argument argument, const char *typed)
{
    const char *cursor = argument_rows[argument].choices;
    char word[40];
    while (cursor != NULL && ctl_next_word(&cursor, word, sizeof word)) {
        if (strcmp(word, typed) == 0) {
            return true;
        }
    }
    return cursor == NULL;
}

static int check_choice(enum argument argument, const char *typed)
{
    return is_choice(argument, typed) ? EXIT_DONE
                                      : ctl_fail(EXIT_USAGE, "`%s' is not a valid %s: use one of: %s", typed,
                                                 argument_rows[argument].name, argument_rows[argument].choices);
}

/* Parses the option at argv[*index], which starts with a dash; *index moves to its value. Returns EXIT_DONE, or
 * EXIT_USAGE with a message. */
static int take_option(struct invocation *invocation, int argc, char **argv, int *index)
{
    const char *typed = argv[*index];
    const struct option_row *option;
    const char *value = NULL;
    if (typed[1] == '-') {
        size_t length = strcspn(typed + 2, "=");
        option = find_option(invocation->command, typed + 2, length);
        value = typed[2 + length] == '=' ? typed + 2 + length + 1 : NULL;
        if (option == NULL) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", (int)length, typed + 2);
            const char *near = ctl_suggest(name, next_option, (void *)(uintptr_t)invocation->command);
            return near != NULL ? ctl_fail(EXIT_USAGE, "unknown option --%s; did you mean --%s?", name, near)
                                : ctl_fail(EXIT_USAGE, "unknown option --%s; --help lists the options", name);
        }
    } else {
        option = find_letter(typed[1]);
        if (option == NULL) {
            return ctl_fail(EXIT_USAGE, "unknown option -%c; --help lists the options", typed[1]);
        }
        if (typed[2] != '\0') {
            if (option_value(option) == NULL) {
                return ctl_fail(EXIT_USAGE, "`%s': give options one by one", typed);
            }
            value = typed + 2;
        }
    }
    if (option_value(option) == NULL && value != NULL) {
        return ctl_fail(EXIT_USAGE, "--%s takes no value", option_words(option));
    }
    if (option_value(option) != NULL && value == NULL) {
        if (*index + 1 >= argc) {
            return ctl_fail(EXIT_USAGE, "--%s needs a value: %s", option_words(option), option_value(option));
        }
        value = argv[++*index];
    }
    invocation->values[option->option] = value != NULL ? value : "";
    return value != NULL ? check_choice(option_names[option->option].value, value) : EXIT_DONE;
}

/* The command that starts at argv[*index], whose last word *index moves to; NULL: unknown. */
static const struct command *find_command(int argc, char **argv, int *index)
{
    const char *first = argv[*index];
    const char *second = *index + 1 < argc ? argv[*index + 1] : "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *words = commands[i].words;
        size_t length = strlen(first);
        if (strcmp(words, first) == 0) {
            return &commands[i];
        }
        if (strncmp(words, first, length) == 0 && words[length] == ' ' && strcmp(words + length + 1, second) == 0) {
            ++*index;
            return &commands[i];
        }
    }
    for (const struct command_alone *alone = commands_alone; alone->word != NULL; alone++) {
        if (strcmp(alone->word, first) == 0 && (second[0] == '\0' || second[0] == '-')) {
            return &commands[alone->command];
        }
    }
    return NULL;
}

static int no_such_command(int argc, char **argv, int index)
{
    bool is_group = false;
    size_t length = strlen(argv[index]);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strncmp(commands[i].words, argv[index], length) == 0 && commands[i].words[length] == ' ') {
            is_group = true;
        }
    }
    bool has_second = index + 1 < argc && argv[index + 1][0] != '-';
    if (is_group && !has_second) {
        fprintf(stderr, "rosterctl: `%s' needs another word:\n", argv[index]);
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            if (strncmp(commands[i].words, argv[index], length) == 0 && commands[i].words[length] == ' ') {
                fprintf(stderr, "  rosterctl %-28s %s\n", commands[i].words, commands[i].text);
            }
        }
        return EXIT_USAGE;
    }
    char typed[80];
    snprintf(typed, sizeof typed, "%s%s%s", argv[index], has_second ? " " : "", has_second ? argv[index + 1] : "");
    const char *near = ctl_suggest_command(typed);
    near = near != NULL ? near : ctl_suggest_command(argv[index]);
    return near != NULL ? ctl_fail(EXIT_USAGE, "unknown command `%s'; did you mean `%s'?", typed, near)
                        : ctl_fail(EXIT_USAGE, "unknown command `%s'; `rosterctl help' lists all", typed);
}

/* The name of the argument at `index`, as in the usage: "[USER]" → USER. Repeated arguments have the last name. */
static void argument_name(const struct command *command, size_t index, char *name, size_t size)
{
    const char *cursor = command->arguments;
    char word[40];
    name[0] = '\0';
    for (size_t i = 0; i <= index && ctl_next_word(&cursor, word, sizeof word); i++) {
        if (strncmp(word, "...", 3) != 0) {
            const char *start = word + strspn(word, "[");
            snprintf(name, size, "%.*s", (int)strcspn(start, "]"), start);
        }
    }
}

static int check_arguments(const struct invocation *invocation)
{
    const struct command *command = invocation->command;
    if (invocation->argument_count < command->min || invocation->argument_count > command->max) {
        return ctl_fail(EXIT_USAGE, "usage: rosterctl %s%s%s; --help shows more", command->words,
                        command->arguments[0] != '\0' ? " " : "",
                        command->arguments[0] != '\0' ? command->arguments : "(no arguments)");
    }
    for (size_t i = 0; i < invocation->argument_count; i++) {
        char name[40];
        argument_name(command, i, name, sizeof name);
        int status = check_choice(ctl_find_argument(name), invocation->arguments[i]);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == (enum command_id)(command - commands) && options[i].needed == OPTION_NEEDED &&
            !ctl_has_option(invocation, options[i].option)) {
            const char *value = option_value(&options[i]);
            return ctl_fail(EXIT_USAGE, "`%s' needs --%s %s: %s", command->words, option_words(&options[i]),
                            value != NULL ? value : "", options[i].text);
        }
    }
    return EXIT_DONE;
}

/* Parses the command line. Returns EXIT_DONE, with invocation->command NULL if no command was given; or EXIT_USAGE with
 * a message. */
static int parse(struct invocation *invocation, int argc, char **argv)
{
    bool only_arguments = false;
    for (int i = 1; i < argc; i++) {
        if (!only_arguments && strcmp(argv[i], "--") == 0) {
            only_arguments = true;
        } else if (!only_arguments && argv[i][0] == '-' && argv[i][1] != '\0') {
            int status = take_option(invocation, argc, argv, &i);
            if (status != EXIT_DONE) {
                return status;
            }
        } else if (invocation->command == NULL) {
            int word = i;
            invocation->command = find_command(argc, argv, &i);
            if (invocation->command == NULL) {
                return no_such_command(argc, argv, word);
            }
        } else {
            invocation->arguments[invocation->argument_count++] = argv[i];
        }
    }
    return EXIT_DONE;
}

/* The status for a wrong command line. Of `check' it is that of Icinga and Nagios, to which EXIT_USAGE would mean that
 * the service is down. */
static int usage_status(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && find_command(argc, argv, &i) == &commands[COMMAND_check]) {
            return CHECK_UNKNOWN;
        }
    }
    return EXIT_USAGE;
}

static int prepare(struct invocation *invocation)
{
    enum needs needs = invocation->command->needs;
    int status = EXIT_DONE;
    if (needs >= NEEDS_CONFIG) {
        status = ctl_load_config(invocation);
    }
    if (status == EXIT_DONE && needs >= NEEDS_STORE) {
        status = ctl_open_store(invocation);
    }
    return status;
}

/* Output that can't be written is a failure, except to a pipe that the reader has closed. */
static int finish_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return errno == EPIPE ? status : ctl_fail(EXIT_FAILED, "standard output: %s", strerror(errno));
    }
    return status;
}

/* What each command does, in the order of commands.def. */
static int (*const functions[COMMAND_COUNT])(struct invocation *invocation) = {
#define COMMAND(name, words, arguments, min, max, needs, text, more) command_##name,
#include "ctl/commands.def"
};

static int run(struct invocation *invocation)
{
    if (ctl_has_option(invocation, OPTION_version)) {
        puts("rosterctl " PACKAGE_VERSION);
        return EXIT_DONE;
    }
    if (ctl_has_option(invocation, OPTION_help)) {
        if (invocation->command != NULL) {
            ctl_print_usage(invocation->command);
        } else {
            ctl_print_overview();
        }
        return EXIT_DONE;
    }
    if (invocation->command == NULL) {
        return ctl_fail(EXIT_USAGE, "usage: rosterctl [-c FILE] COMMAND ...; `rosterctl help' lists the commands");
    }
    ctl_set_actor(invocation);
    int status = prepare(invocation);
    return status == EXIT_DONE ? functions[invocation->command - commands](invocation) : status;
}

int main(int argc, char **argv)
{
    memory_end_on_failure();
    memory_wipe_freed();
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    log_set_process("rosterctl");
    struct error error;
    if (!log_open("stderr", "off", LOG_SEVERITY_ERROR, LOG_FORMAT_TEXT, &error)) {
        return ctl_fail(EXIT_FAILED, "%s", error.text);
    }

    struct invocation invocation = {
        .context =
            {
                .arena = arena_new(0),
                .now_seconds = clock_wall_seconds(),
            },
        .config_path = SYSCONFDIR "/roster/roster.conf",
    };
    invocation.arguments = arena_zero(invocation.context.arena, (size_t)argc, sizeof *invocation.arguments);
    int status = parse(&invocation, argc, argv);
    if (status == EXIT_DONE) {
        invocation.json = ctl_has_option(&invocation, OPTION_json);
        invocation.quiet = ctl_has_option(&invocation, OPTION_quiet);
        invocation.yes = ctl_has_option(&invocation, OPTION_yes);
        if (ctl_has_option(&invocation, OPTION_config)) {
            invocation.config_path = ctl_option(&invocation, OPTION_config);
        }
        bool is_asked = invocation.command != NULL && !ctl_has_option(&invocation, OPTION_help) &&
                        !ctl_has_option(&invocation, OPTION_version);
        status = is_asked ? check_arguments(&invocation) : EXIT_DONE;
    }
    status = status == EXIT_DONE ? run(&invocation) : status == EXIT_USAGE ? usage_status(argc, argv) : status;
    status = finish_output(status);
    database_close();
    redis_close();
    arena_free(invocation.context.arena);
    config_free(invocation.config);
    return status;
}
