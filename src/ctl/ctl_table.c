/* ctl_table.c: the tables of commands.def, and the help that is printed from them. */
#include <stdio.h>
#include <string.h>

#include "base/edit_distance.h"
#include "ctl/ctl.h"

enum { SLIP = 1 }; /* the edit distance up to which somebody meant a command that removes something */

#define COMMAND(name, words, arguments, min, max, needs, text, more) \
    {words, arguments, min, max, NEEDS_##needs, text, more},
const struct command commands[COMMAND_COUNT] = {
#include "ctl/commands.def"
};

const struct argument_row argument_rows[ARGUMENT_COUNT] = {
#define ARGUMENT(name, choices) [ARGUMENT_##name] = {#name, choices},
#include "ctl/commands.def"
};

const struct option_name option_names[OPTION_NAME_COUNT] = {
#define OPTION_NAME(name, words, value) [OPTION_##name] = {words, ARGUMENT_##value},
#include "ctl/commands.def"
};

#define GLOBAL_OPTION(letter, name, text) {COMMAND_COUNT, letter, OPTION_##name, OPTION_OPTIONAL, text},
#define OPTION(command, name, needed, text) {COMMAND_##command, 0, OPTION_##name, OPTION_##needed, text},
const struct option_row options[OPTION_COUNT] = {
#include "ctl/commands.def"
};

#define EXIT_STATUS(name, number, text) {#name, number, text},
const struct exit_row exit_rows[] = {
#include "ctl/commands.def"
    {NULL, 0, NULL},
};

#define COMMAND_GROUP(title, first) {title, COMMAND_##first},
const struct command_group command_groups[] = {
#include "ctl/commands.def"
    {NULL, COMMAND_COUNT},
};

#define COMMAND_MEANT(words, command) {words, COMMAND_##command},
const struct command_meant commands_meant[] = {
#include "ctl/commands.def"
    {NULL, COMMAND_COUNT},
};

#define COMMAND_REMOVES(command) [COMMAND_##command] = true,
static const bool removes[COMMAND_COUNT] = {
#include "ctl/commands.def"
};

/* The only command that begins so; NULL: there is none, or there are several. */
static const char *only_command(const char *beginning)
{
    const char *found = NULL;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strncmp(commands[i].words, beginning, strlen(beginning)) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = commands[i].words;
        }
    }
    return found;
}

const char *ctl_suggest_command(const char *typed)
{
    for (const struct command_meant *meant = commands_meant; meant->words != NULL; meant++) {
        if (strcmp(meant->words, typed) == 0) {
            return commands[meant->command].words;
        }
    }
    const char *nearest = only_command(typed);
    if (nearest != NULL) {
        return nearest;
    }
    unsigned min = (unsigned)(strlen(typed) / 3 + 1);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        unsigned here = edit_distance(text_of(typed), text_of(commands[i].words));
        if (here <= (removes[i] && min > SLIP ? (unsigned)SLIP : min) && (nearest == NULL || here < min)) {
            nearest = commands[i].words;
            min = here;
        }
    }
    return nearest;
}

#define COMMAND_ALONE(word, command) {#word, COMMAND_##command},
const struct command_alone commands_alone[] = {
#include "ctl/commands.def"
    {NULL, COMMAND_COUNT},
};

enum argument ctl_find_argument(const char *name)
{
    for (enum argument argument = ARGUMENT_NONE + 1; argument < ARGUMENT_COUNT; argument++) {
        if (strcmp(argument_rows[argument].name, name) == 0) {
            return argument;
        }
    }
    return ARGUMENT_NONE;
}

bool ctl_next_word(const char **cursor, char *word, size_t size)
{
    const char *start = *cursor + strspn(*cursor, " ");
    size_t length = strcspn(start, " ");
    *cursor = start + length;
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(word, start, length);
    word[length] = '\0';
    return true;
}

const char *ctl_suggest(const char *typed, const char *(*next)(size_t index, void *argument), void *argument)
{
    const char *nearest = NULL;
    unsigned min = (unsigned)(strlen(typed) / 3 + 1);
    const char *name;
    for (size_t i = 0; (name = next(i, argument)) != NULL; i++) {
        unsigned here = edit_distance(text_of(typed), text_of(name));
        if (here <= min && (nearest == NULL || here < min)) {
            nearest = name;
            min = here;
        }
    }
    return nearest;
}

static void print_wrapped(const char *text, size_t indent, size_t width)
{
    size_t column = indent;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > indent && column + 1 + length > width) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_option(const struct option_row *option)
{
    const char *value = option_value(option);
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    char shown[80];
    int length = snprintf(shown, sizeof shown, "  %s--%s%s%s", letter, option_words(option), value != NULL ? " " : "",
                          value != NULL ? value : "");
    printf("%-32s", shown);
    if (length >= 32) {
        printf("\n%32s", "");
    }
    print_wrapped(option->text, 32, 100);
}

void ctl_print_usage(const struct command *command)
{
    enum command_id id = (enum command_id)(command - commands);
    printf("usage: rosterctl %s", command->words);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *option = &options[i];
        if (option->command == id) {
            bool needed = option->needed == OPTION_NEEDED;
            const char *value = option_value(option);
            printf(" %s--%s%s%s%s", needed ? "" : "[", option_words(option), value != NULL ? " " : "",
                   value != NULL ? value : "", needed ? "" : "]");
        }
    }
    printf("%s%s\n\n", command->arguments[0] != '\0' ? " " : "", command->arguments);
    printf("%s.\n", command->text);
    if (command->more[0] != '\0') {
        print_wrapped(command->more, 0, 100);
    }
    putchar('\n');
    bool has_options = false;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id) {
            print_option(&options[i]);
            has_options = true;
        }
    }
    printf("%s`rosterctl help' shows the options of every command.\n", has_options ? "\n" : "");
}

void ctl_print_overview(void)
{
    puts("usage: rosterctl [-c FILE] COMMAND [OPTION ...] [ARGUMENT ...]");
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        printf("\n%s\n", group->title);
        for (enum command_id id = group->first; id < group[1].first; id++) {
            char shown[80];
            const char *arguments = commands[id].arguments;
            int length = snprintf(shown, sizeof shown, "  %s%s%s", commands[id].words, arguments[0] != '\0' ? " " : "",
                                  arguments);
            printf("%-38s%s%s\n", shown, length >= 38 ? "  " : "", commands[id].text);
        }
    }
    puts("\nOptions of every command");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == COMMAND_COUNT) {
            print_option(&options[i]);
        }
    }
    puts("\n`rosterctl help COMMAND' shows the options of a command; see rosterctl(8) for details.");
}
