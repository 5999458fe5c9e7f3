/* ctl_completion.c: rosterctl completion, help: what a shell, and who sits before it, should know of commands.def. */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

/* Words that are names of directives are asked of rosterctl itself; FILE and DIRECTORY are the shell's; the rest are
 * known, or unknown. */

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
            printf("%s--%s", before, options[i].name);
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

/* The argument that a command's first word in capitals stands for, without brackets. */
static bool first_argument(enum command_id id, char *name, size_t size)
{
    const char *start = commands[id].arguments + strspn(commands[id].arguments, "[");
    snprintf(name, size, "%.*s", (int)strcspn(start, " ]"), start);
    return name[0] != '\0';
}

/* What may stand for an argument, as a word list of the shell; false where nothing is known. */
static bool print_choices(const char *argument)
{
    const char *words = ctl_choices(argument);
    if (words != NULL) {
        fputs(words, stdout);
    } else if (strcmp(argument, "DIRECTIVE") == 0) {
        fputs("$(rosterctl directive --quiet 2>/dev/null)", stdout);
    }
    return words != NULL || strcmp(argument, "DIRECTIVE") == 0;
}

static void print_bash(void)
{
    printf("# rosterctl's completion for bash, made by `rosterctl completion bash'.\n"
           "_rosterctl() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= at words=\n"
           "    COMPREPLY=()\n"
           "    # The words of the command: what is no option, nor an option's value.\n"
           "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
           "        case ${COMP_WORDS[at]} in\n");
    printf("            -c");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_new = options[i].value != NULL;
        for (size_t j = 0; j < i; j++) {
            is_new = is_new && strcmp(options[j].name, options[i].name) != 0;
        }
        if (is_new) {
            printf("|--%s", options[i].name);
        }
    }
    printf(") ((at++)) ;;\n"
           "            -*) ;;\n"
           "            *) command+=${command:+ }${COMP_WORDS[at]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case $before in\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_new = options[i].value != NULL;
        for (size_t j = 0; j < i; j++) {
            is_new = is_new && strcmp(options[j].name, options[i].name) != 0;
        }
        if (!is_new) {
            continue;
        }
        printf("        %s--%s) ", options[i].letter == 'c' ? "-c|" : "", options[i].name);
        if (ctl_choices(options[i].value) != NULL) {
            printf("COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n", ctl_choices(options[i].value));
        } else if (strcmp(options[i].value, "FILE") == 0) {
            printf("COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
        } else if (strcmp(options[i].value, "DIRECTORY") == 0) {
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
        char argument[40];
        printf("        '%s'|'%s '*) [[ $word == -* ]] && words='", commands[id].words, commands[id].words);
        print_options_of(id, " ");
        printf("'");
        if (first_argument(id, argument, sizeof argument)) {
            if (strcmp(argument, "DIRECTORY") == 0) {
                printf(" || { COMPREPLY=($(compgen -d -- \"$word\")); return; }");
            } else if (ctl_choices(argument) != NULL || strcmp(argument, "DIRECTIVE") == 0) {
                printf(" || words=\"");
                print_choices(argument);
                printf("\"");
            } else if (strcmp(argument, "COMMAND") == 0) {
                printf(" || words='");
                print_names();
                printf("'");
            } else if (strcmp(argument, "USER") == 0 && strcmp(commands[id].arguments, "USER ROLE") == 0) {
                printf(" || words='%s'", ctl_choices("ROLE"));
            }
        }
        printf(" ;;\n");
    }
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -F _rosterctl rosterctl\n");
}

/* A text within single quotes of zsh's _arguments: quotes, colons and brackets are special. */
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
static void print_zsh_action(const char *argument)
{
    printf(":%s:", argument);
    if (strcmp(argument, "FILE") == 0) {
        printf("_files");
    } else if (strcmp(argument, "DIRECTORY") == 0) {
        printf("_files -/");
    } else if (strcmp(argument, "DIRECTIVE") == 0) {
        printf("($(rosterctl directive --quiet 2>/dev/null))");
    } else if (ctl_choices(argument) != NULL) {
        printf("(%s)", ctl_choices(argument));
    }
}

static void print_zsh_option(const struct option_row *option)
{
    printf(" \\\n            '%s--%s%s[", option->command == COMMAND_COUNT ? "" : "*", option->name,
           option->value != NULL ? "=" : "");
    print_zsh_text(option->text);
    printf("]");
    if (option->value != NULL) {
        print_zsh_action(option->value);
    }
    printf("'");
}

static void print_zsh_arguments(enum command_id id)
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
        print_zsh_action(name);
        printf("'");
    }
}

static void print_zsh(void)
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
                print_zsh_option(&options[i]);
            }
        }
        print_zsh_arguments(id);
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
            print_zsh_option(&options[i]);
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
        print_bash();
    } else {
        print_zsh();
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
                     : ctl_fail(EXIT_USAGE, "there is no command `%s%s%s'; `rosterctl help' lists all", first,
                                second != NULL ? " " : "", second != NULL ? second : "");
}
