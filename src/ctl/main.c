/* main.c: rosterctl, the administrator's hand: reads the command line by commands.def, prepares what the command
 * needs, runs it. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "store/database.h"
#include "store/redis.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static const char *next_command(size_t index, void *argument)
{
    (void)argument;
    return index < COMMAND_COUNT ? commands[index].words : NULL;
}

/* The option that `name` (of `length` bytes) means for a command; NULL: the command has none of this name. */
static const struct option_row *find_option(const struct command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool ours =
            options[i].command == COMMAND_COUNT || (command != NULL && commands + options[i].command == command);
        if (ours && strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0) {
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
            return options[i].name;
        }
    }
    return NULL;
}

/* Whether a value may stand for an argument or an option that has CHOICES. */
static bool is_choice(const char *argument, const char *value)
{
    const char *cursor = ctl_choices(argument);
    char word[40];
    while (cursor != NULL && ctl_next_word(&cursor, word, sizeof word)) {
        if (strcmp(word, value) == 0) {
            return true;
        }
    }
    return cursor == NULL;
}

static int check_choice(const char *argument, const char *value)
{
    return is_choice(argument, value)
               ? EXIT_DONE
               : ctl_fail(EXIT_USAGE, "`%s' is no %s: it is one of: %s", value, argument, ctl_choices(argument));
}

/* Takes one option at argv[*index], which starts with a dash. EXIT_DONE, or EXIT_USAGE with its message. */
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
            return near != NULL
                       ? ctl_fail(EXIT_USAGE, "there is no option --%s here; did you mean --%s?", name, near)
                       : ctl_fail(EXIT_USAGE, "there is no option --%s here; --help shows those that there are", name);
        }
    } else {
        option = find_letter(typed[1]);
        if (option == NULL) {
            return ctl_fail(EXIT_USAGE, "there is no option -%c; --help shows those that there are", typed[1]);
        }
        if (typed[2] != '\0') {
            if (option->value == NULL) {
                return ctl_fail(EXIT_USAGE, "`%s': give options one by one", typed);
            }
            value = typed + 2;
        }
    }
    if (option->value == NULL && value != NULL) {
        return ctl_fail(EXIT_USAGE, "--%s takes no value", option->name);
    }
    if (option->value != NULL && value == NULL) {
        if (*index + 1 >= argc) {
            return ctl_fail(EXIT_USAGE, "--%s needs a value: %s", option->name, option->value);
        }
        value = argv[++*index];
    }
    invocation->values[option - options] = value != NULL ? value : "";
    return option->value != NULL ? check_choice(option->value, value) : EXIT_DONE;
}

static bool given(const struct invocation *invocation, const char *global_option)
{
    return invocation->values[find_option(NULL, global_option, strlen(global_option)) - options] != NULL;
}

/* The command that starts at argv[*index]; *index moves to its last word. */
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
    return NULL;
}

static int no_such_command(int argc, char **argv, int index)
{
    char typed[80];
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
    snprintf(typed, sizeof typed, "%s%s%s", argv[index], has_second ? " " : "", has_second ? argv[index + 1] : "");
    const char *near = ctl_suggest(typed, next_command, NULL);
    near = near != NULL ? near : ctl_suggest(argv[index], next_command, NULL);
    return near != NULL ? ctl_fail(EXIT_USAGE, "there is no command `%s'; did you mean `%s'?", typed, near)
                        : ctl_fail(EXIT_USAGE, "there is no command `%s'; `rosterctl help' lists all", typed);
}

/* What stands for the argument at `index` in the manual: "[USER]" → USER, the last one where there are more. */
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
    if (invocation->argument_count < command->least || invocation->argument_count > command->most) {
        return ctl_fail(EXIT_USAGE, "usage: rosterctl %s%s%s; --help shows more", command->words,
                        command->arguments[0] != '\0' ? " " : "",
                        command->arguments[0] != '\0' ? command->arguments : "(no arguments)");
    }
    for (size_t i = 0; i < invocation->argument_count; i++) {
        char name[40];
        argument_name(command, i, name, sizeof name);
        int status = check_choice(name, invocation->arguments[i]);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == (enum command_id)(command - commands) && options[i].needed == OPTION_NEEDED &&
            invocation->values[i] == NULL) {
            return ctl_fail(EXIT_USAGE, "`%s' needs --%s %s: %s", command->words, options[i].name,
                            options[i].value != NULL ? options[i].value : "", options[i].text);
        }
    }
    return EXIT_DONE;
}

/* Reads the command line. EXIT_DONE with invocation->command set, or NULL where only --help or --version was asked
 * for. */
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

static int prepare(struct invocation *invocation)
{
    enum needs needs = invocation->command->needs;
    int status = EXIT_DONE;
    if (needs >= NEEDS_CONFIG) {
        status = ctl_load_config(invocation);
    }
    if (status == EXIT_DONE && needs >= NEEDS_STORE) {
        status = ctl_load_secrets(invocation);
        if (status == EXIT_DONE) {
            status = ctl_connect(invocation);
        }
    }
    return status;
}

/* What could not be written is a failure, but for a reader that has had enough. */
static int finish_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return errno == EPIPE ? status : ctl_fail(EXIT_FAILED, "standard output: %s", strerror(errno));
    }
    return status;
}

static int run(struct invocation *invocation)
{
    if (given(invocation, "version")) {
        puts("rosterctl " PACKAGE_VERSION);
        return EXIT_DONE;
    }
    if (given(invocation, "help")) {
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
    int status = check_arguments(invocation);
    if (status == EXIT_DONE) {
        status = prepare(invocation);
    }
    return status == EXIT_DONE ? invocation->command->run(invocation) : status;
}

int main(int argc, char **argv)
{
    const char *error;
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    log_set_process("rosterctl");
    if (!log_open("stderr", "off", LOG_SEVERITY_ERROR, LOG_FORMAT_TEXT, &error)) {
        return ctl_fail(EXIT_FAILED, "%s", error);
    }

    struct invocation invocation = {
        .context =
            {
                .arena = arena_new(0),
                .now_seconds = clock_wall_seconds(),
                .started_microseconds = clock_monotonic_microseconds(),
            },
        .config_path = SYSCONFDIR "/roster/roster.conf",
    };
    invocation.arguments = arena_zero(invocation.context.arena, (size_t)argc, sizeof *invocation.arguments);
    int status = parse(&invocation, argc, argv);
    if (status == EXIT_DONE) {
        invocation.json = given(&invocation, "json");
        invocation.quiet = given(&invocation, "quiet");
        invocation.yes = given(&invocation, "yes");
        if (given(&invocation, "config")) {
            invocation.config_path = invocation.values[find_option(NULL, "config", strlen("config")) - options];
        }
        status = run(&invocation);
    }
    status = finish_output(status);
    database_close();
    redis_close();
    arena_free(invocation.context.arena);
    config_free(invocation.config);
    return status;
}
