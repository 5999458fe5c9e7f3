/* ctl_completion.c: rosterctl completion and help: completions for shells, and usage, from commands.def. */
#include <stdio.h>
#include <string.h>

#include "base/permission_table.h"
#include "ctl/ctl.h"
#include "store/config_store.h"

/* Names of directives come from rosterctl itself, those of settings and permissions from their tables. The shell
 * completes FILE and DIRECTORY. Other arguments complete their choices, if they have any. */

static void print_names(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t length = strcspn(commands[i].words, " ");
        bool is_first = i == 0 || strncmp(commands[i].words, commands[i - 1].words,
                                          length + (commands[i].words[length] == ' ' ? 1 : 0)) != 0;
        if (is_first) {
            printf("%s%.*s", i == 0 ? "" : " ", (int)length, commands[i].words);
        }
    }
}

static void print_options_of(enum command_id id, const char *separator)
{
    const char *before = "";
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id || options[i].command == COMMAND_COUNT) {
            printf("%s--%s", before, option_words(&options[i]));
            before = separator;
        }
    }
}

/* Second words of a group: "user" → list show … */
static void print_second_words(const char *group, size_t length)
{
    const char *before = "";
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strncmp(commands[i].words, group, length) == 0 && commands[i].words[length] == ' ') {
            printf("%s%s", before, commands[i].words + length + 1);
            before = " ";
        }
    }
}

/* An argument as it stands in the usage: "[SETTING=VALUE". *is_assignment_r: an equals sign follows. */
static enum argument named_argument(const char *typed, bool *is_assignment_r)
{
    const char *start = typed + strspn(typed, "[");
    size_t length = strcspn(start, " ]=");
    char name[40];
    snprintf(name, sizeof name, "%.*s", (int)length, start);
    *is_assignment_r = start[length] == '=';
    return ctl_find_argument(name);
}

/* The valid values of an argument, or the names before an equals sign, as a word list of the shell. NULL: they are
 * unknown. */
static const char *choices_of(struct arena *arena, enum argument argument, bool is_assignment)
{
    const char *end = is_assignment ? "=" : "";
    struct buffer words;
    buffer_init(&words, arena);
    if (argument == ARGUMENT_DIRECTIVE) {
        return "$(rosterctl directive --quiet 2>/dev/null)";
    }
    if (argument == ARGUMENT_SETTING) {
        for (enum setting setting = 0; setting < SETTING_COUNT; setting++) {
            buffer_add_format(&words, "%s%s%s", setting > 0 ? " " : "", ctl_setting_name(arena, setting), end);
        }
        return buffer_text(&words).data;
    }
    if (argument == ARGUMENT_PERMISSION) {
        const struct permission_row *row;
        for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
            buffer_add_format(&words, "%s%s.%s%s", i > 0 ? " " : "", row->section, row->key, end);
        }
        return buffer_text(&words).data;
    }
    return argument_rows[argument].choices;
}

static void print_bash(struct arena *arena)
{
    printf("# rosterctl's completion for bash, made by `rosterctl completion bash'.\n"
           "_rosterctl() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= at words=\n"
           "    COMPREPLY=()\n"
           "    # The words of the command, without options and their values.\n"
           "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
           "        case ${COMP_WORDS[at]} in\n");
    printf("            -c");
    for (enum option option = OPTION_NONE + 1; option < OPTION_NAME_COUNT; option++) {
        if (option_names[option].value != ARGUMENT_NONE) {
            printf("|--%s", option_names[option].words);
        }
    }
    printf(") ((at++)) ;;\n"
           "            -*) ;;\n"
           "            *) command+=${command:+ }${COMP_WORDS[at]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case $before in\n");
    for (enum option option = OPTION_NONE + 1; option < OPTION_NAME_COUNT; option++) {
        enum argument argument = option_names[option].value;
        if (argument == ARGUMENT_NONE) {
            continue;
        }
        printf("        %s--%s) ", option == OPTION_config ? "-c|" : "", option_names[option].words);
        if (argument_rows[argument].choices != NULL) {
            printf("COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n", argument_rows[argument].choices);
        } else if (argument == ARGUMENT_FILE) {
            printf("COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
        } else if (argument == ARGUMENT_DIRECTORY) {
            printf("COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n");
        } else {
            printf("return ;;\n");
        }
    }
    printf("    esac\n"
           "    case $command in\n"
           "        '') words='");
    print_names();
    printf("' ;;\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t length = strcspn(commands[i].words, " ");
        if (commands[i].words[length] == ' ' &&
            (i == 0 || strncmp(commands[i].words, commands[i - 1].words, length + 1) != 0)) {
            printf("        %.*s) words='", (int)length, commands[i].words);
            print_second_words(commands[i].words, length);
            printf("' ;;\n");
        }
    }
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        bool is_assignment;
        enum argument argument = named_argument(commands[id].arguments, &is_assignment);
        const char *choices = choices_of(arena, argument, is_assignment);
        printf("        '%s'|'%s '*) [[ $word == -* ]] && words='", commands[id].words, commands[id].words);
        print_options_of(id, " ");
        printf("'");
        if (argument == ARGUMENT_DIRECTORY) {
            printf(" || { COMPREPLY=($(compgen -d -- \"$word\")); return; }");
        } else if (argument == ARGUMENT_FILE) {
            printf(" || { COMPREPLY=($(compgen -f -- \"$word\")); return; }");
        } else if (choices != NULL && is_assignment) {
            printf(" || { words=\"%s\"; compopt -o nospace 2>/dev/null; }", choices);
        } else if (choices != NULL) {
            printf(" || words=\"%s\"", choices);
        } else if (argument == ARGUMENT_COMMAND) {
            printf(" || words='");
            print_names();
            printf("'");
        } else if (id == COMMAND_user_role) {
            printf(" || words='%s'", argument_rows[ARGUMENT_ROLE].choices);
        }
        printf(" ;;\n");
    }
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -F _rosterctl rosterctl\n");
}

/* Escapes a text within single quotes for zsh's _arguments: quotes, colons and brackets are special. */
static void print_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            if (strchr(":[]\\", *text) != NULL) {
                putchar('\\');
            }
            putchar(*text);
        }
    }
}

/* ":message:action" of a value or an argument. */
static void print_zsh_action(struct arena *arena, const char *name)
{
    bool is_assignment;
    enum argument argument = named_argument(name, &is_assignment);
    const char *choices = choices_of(arena, argument, is_assignment);
    printf(":%s:", name);
    if (argument == ARGUMENT_FILE) {
        printf("_files");
    } else if (argument == ARGUMENT_DIRECTORY) {
        printf("_files -/");
    } else if (choices != NULL && is_assignment) {
        printf("{compadd -S \"\" %s}", choices);
    } else if (choices != NULL) {
        printf("(%s)", choices);
    }
}

static void print_zsh_option(struct arena *arena, const struct option_row *option)
{
    printf(" \\\n            '%s--%s%s[", option->command == COMMAND_COUNT ? "" : "*", option_words(option),
           option_value(option) != NULL ? "=" : "");
    print_zsh_text(option->text);
    printf("]");
    if (option_value(option) != NULL) {
        print_zsh_action(arena, option_value(option));
    }
    printf("'");
}

static void print_zsh_arguments(struct arena *arena, enum command_id id)
{
    const char *cursor = commands[id].arguments;
    char word[40];
    size_t position = 1;
    while (ctl_next_word(&cursor, word, sizeof word)) {
        const char *start = word + strspn(word, "[");
        bool is_optional = start != word;
        char name[40];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "]"), start);
        if (strncmp(start, "...", 3) == 0) {
            continue;
        }
        bool repeats = strstr(cursor, "...") != NULL && strchr(cursor, ' ') != NULL &&
                       strncmp(cursor + strspn(cursor, " "), "...", 3) == 0;
        if (repeats) {
            printf(" \\\n            '*");
        } else {
            printf(" \\\n            '%zu%s", position++, is_optional ? ":" : "");
        }
        print_zsh_action(arena, name);
        printf("'");
    }
}

static void print_zsh(struct arena *arena)
{
    printf("#compdef rosterctl\n"
           "# rosterctl's completion for zsh, made by `rosterctl completion zsh'.\n"
           "local -a names\n"
           "local first='' second=''\n"
           "integer at last=1\n"
           "for ((at = 2; at < CURRENT; at++)); do\n"
           "    case $words[at] in\n"
           "        -c|--config) ((at++)) ;;\n"
           "        -*) ;;\n"
           "        *) if [[ -z $first ]]; then first=$words[at]; last=$at; elif [[ -z $second ]]; then "
           "second=$words[at]; break; fi ;;\n"
           "    esac\n"
           "done\n"
           "case $first in\n");
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        size_t length = strcspn(commands[id].words, " ");
        bool has_second = commands[id].words[length] == ' ';
        bool is_first =
            id == 0 || strncmp(commands[id].words, commands[id - 1].words, length + (has_second ? 1 : 0)) != 0;
        if (is_first) {
            printf("%s    %.*s)\n", id == 0 ? "" : "        ;;\n", (int)length, commands[id].words);
        }
        if (has_second && is_first) {
            printf("        names=(");
            for (enum command_id other = id;
                 other < COMMAND_COUNT && strncmp(commands[other].words, commands[id].words, length + 1) == 0;
                 other++) {
                printf("\n            '%s:", commands[other].words + length + 1);
                print_zsh_text(commands[other].text);
                printf("'");
            }
            printf(")\n        if [[ -z $second ]]; then _describe 'command' names; return; fi\n");
        }
        if (has_second) {
            printf("        [[ $second == %s ]] && shift $((at - 1)) words && ((CURRENT -= at - 1)) && _arguments -S",
                   commands[id].words + length + 1);
        } else {
            printf("        shift $((last - 1)) words && ((CURRENT -= last - 1)) && _arguments -S");
        }
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if (options[i].command == id || options[i].command == COMMAND_COUNT) {
                print_zsh_option(arena, &options[i]);
            }
        }
        print_zsh_arguments(arena, id);
        printf(" && return\n");
    }
    printf("        ;;\n"
           "    '')\n"
           "        names=(");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t length = strcspn(commands[i].words, " ");
        bool has_second = commands[i].words[length] == ' ';
        if (i == 0 || strncmp(commands[i].words, commands[i - 1].words, length + (has_second ? 1 : 0)) != 0) {
            printf("\n            '%.*s:", (int)length, commands[i].words);
            print_zsh_text(has_second ? "" : commands[i].text);
            if (has_second) {
                print_second_words(commands[i].words, length);
            }
            printf("'");
        }
    }
    printf(")\n"
           "        if [[ $PREFIX == -* ]]; then\n"
           "            _arguments -S");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == COMMAND_COUNT) {
            print_zsh_option(arena, &options[i]);
        }
    }
    printf("\n"
           "        else\n"
           "            _describe 'command' names\n"
           "        fi\n"
           "        ;;\n"
           "esac\n");
}

int command_completion(struct invocation *invocation)
{
    if (strcmp(ctl_argument(invocation, 0), "bash") == 0) {
        print_bash(invocation->context.arena);
    } else {
        print_zsh(invocation->context.arena);
    }
    return EXIT_DONE;
}

int command_help(struct invocation *invocation)
{
    const char *first = ctl_argument(invocation, 0);
    const char *second = ctl_argument(invocation, 1);
    if (first == NULL) {
        ctl_print_overview();
        return EXIT_DONE;
    }
    size_t length = strlen(first);
    size_t shown = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *words = commands[i].words;
        bool same = strncmp(words, first, length) == 0 && (words[length] == '\0' || words[length] == ' ');
        if (same && (second == NULL || (words[length] == ' ' && strcmp(words + length + 1, second) == 0))) {
            if (shown++ > 0) {
                puts("\n");
            }
            ctl_print_usage(&commands[i]);
        }
    }
    return shown > 0 ? EXIT_DONE
                     : ctl_fail(EXIT_USAGE, "unknown command `%s%s%s'; `rosterctl help' lists all", first,
                                second != NULL ? " " : "", second != NULL ? second : "");
}
