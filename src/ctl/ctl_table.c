/* ctl_table.c: commands.def as C, and the help that is printed from it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctl/ctl.h"

#define COMMAND(name, words, arguments, least, most, needs, text, more) \
    {#name, words, arguments, least, most, NEEDS_##needs, text, more, command_##name},
const struct command commands[COMMAND_COUNT] = {
#include "ctl/commands.def"
};

#define GLOBAL_OPTION(letter, name, value, text) {COMMAND_COUNT, letter, name, value, OPTION_OPTIONAL, text},
#define OPTION(command, name, value, needed, text) {COMMAND_##command, 0, name, value, OPTION_##needed, text},
const struct option_row options[OPTION_COUNT] = {
#include "ctl/commands.def"
};

#define CHOICES(argument, words) {argument, words},
const struct choice_row choices[] = {
#include "ctl/commands.def"
    {NULL, NULL},
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

const char *ctl_choices(const char *argument)
{
    for (const struct choice_row *row = choices; row->argument != NULL; row++) {
        if (strcmp(row->argument, argument) == 0) {
            return row->words;
        }
    }
    return NULL;
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

/* The number of letters to insert, remove, replace or exchange between both (optimal string alignment). */
static unsigned distance(const char *left, const char *right)
{
    enum { LENGTH_MOST = 40 };
    size_t left_length = strlen(left);
    size_t right_length = strlen(right);
    if (left_length > LENGTH_MOST || right_length > LENGTH_MOST) {
        return LENGTH_MOST;
    }
    unsigned rows[LENGTH_MOST + 1][LENGTH_MOST + 1];
    for (size_t i = 0; i <= left_length; i++) {
        rows[i][0] = (unsigned)i;
    }
    for (size_t j = 0; j <= right_length; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= left_length; i++) {
        for (size_t j = 1; j <= right_length; j++) {
            unsigned best = rows[i - 1][j - 1] + (left[i - 1] != right[j - 1] ? 1 : 0);
            best = rows[i - 1][j] + 1 < best ? rows[i - 1][j] + 1 : best;
            best = rows[i][j - 1] + 1 < best ? rows[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] &&
                rows[i - 2][j - 2] + 1 < best) {
                best = rows[i - 2][j - 2] + 1;
            }
            rows[i][j] = best;
        }
    }
    return rows[left_length][right_length];
}

const char *ctl_suggest(const char *typed, const char *(*next)(size_t index, void *argument), void *argument)
{
    const char *nearest = NULL;
    unsigned least = (unsigned)(strlen(typed) / 3 + 1);
    const char *name;
    for (size_t i = 0; (name = next(i, argument)) != NULL; i++) {
        unsigned here = distance(typed, name);
        if (here <= least && (nearest == NULL || here < least)) {
            nearest = name;
            least = here;
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
    char shown[80];
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    int length = snprintf(shown, sizeof shown, "  %s--%s%s%s", letter, option->name, option->value != NULL ? " " : "",
                          option->value != NULL ? option->value : "");
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
            printf(" %s--%s%s%s%s", needed ? "" : "[", option->name, option->value != NULL ? " " : "",
                   option->value != NULL ? option->value : "", needed ? "" : "]");
        }
    }
    printf("%s%s\n\n", command->arguments[0] != '\0' ? " " : "", command->arguments);
    printf("%s.\n", command->text);
    if (command->more[0] != '\0') {
        print_wrapped(command->more, 0, 100);
    }
    putchar('\n');
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id) {
            print_option(&options[i]);
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == COMMAND_COUNT) {
            print_option(&options[i]);
        }
    }
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
    puts("\n`rosterctl help COMMAND' shows the options of a command; rosterctl(8) has everything.");
}
