/* manual_ctl.c: the parts of roster.conf(5) and rosterctl(8) that are generated from the tables. */
#include <stdio.h>
#include <string.h>

#include "base/mail_table.h"
#include "config/config_table.h"
#include "config/config_value.h"
#include "ctl/ctl.h"
#include "ctl/manual.h"
#include "ctl/mdoc.h"

/* Names of the types of directives.def, and whether their range is a length. */
static const struct {
    const char *name; /* NULL: its words */
    bool is_length;
} types[] = {
    [DIRECTIVE_TEXT] = {"text", true},
    [DIRECTIVE_PATH] = {"path", true},
    [DIRECTIVE_SECRET_PATH] = {"path of a file with a secret", true},
    [DIRECTIVE_INTEGER] = {"number", false},
    [DIRECTIVE_SIZE] = {"size", false},
    [DIRECTIVE_SECONDS] = {"time", false},
    [DIRECTIVE_MILLISECONDS] = {"time", false},
    [DIRECTIVE_BOOLEAN] = {NULL, false},
    [DIRECTIVE_ENUM] = {NULL, false},
    [DIRECTIVE_ADDRESSES] = {"addresses and networks", true},
    [DIRECTIVE_LIST] = {"words", true},
};

/* "Default: 4m. From 1k to 1g." */
static void print_facts(struct buffer *out, const struct directive *row)
{
    const bool is_length = types[row->type].is_length;
    buffer_add_literal(out, ".br\n");
    if (!config_has_one_default(row)) {
        buffer_add_literal(out, "Default:\n");
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            const char *value = config_default(row, (unsigned)pool);
            const char *end = pool + 1 < POOL_COUNT ? "," : ".";
            if (value[0] == '\0') {
                mdoc_format(out, "unset in [%s]%s", pool_names[pool], end);
            } else {
                mdoc_macro(out, ".Li %s", mdoc_word(out, value));
                mdoc_format(out, "in [%s]%s", pool_names[pool], end);
            }
        }
    } else if (config_default(row, 0)[0] == '\0') {
        buffer_add_literal(out, "Default: unset.\n");
    } else {
        buffer_add_literal(out, "Default:\n");
        mdoc_macro(out, ".Li %s .", mdoc_word(out, config_default(row, 0)));
    }
    if (row->max > 0) {
        char max[CONFIG_NUMBER_SIZE];
        config_value_number(row, row->max, max);
        if (is_length) {
            mdoc_format(out, "At most %s bytes.", max);
        } else {
            char min[CONFIG_NUMBER_SIZE];
            mdoc_format(out, "From %s to %s.", config_value_number(row, row->min, min), max);
        }
    }
    if (row->needs_restart) {
        buffer_add_literal(out, "Needs a restart.\n");
    }
}

void manual_directives(struct buffer *out)
{
    const struct directive *row;
    char list[ENUM_LIST_SIZE];
    bool in_list = false;
    for (size_t i = 0; (row = config_directive(i)) != NULL; i++) {
        if (row->name == NULL) {
            if (in_list) {
                mdoc_macro(out, ".El");
            }
            mdoc_macro(out, ".Ss %s", row->title);
            mdoc_text(out, row->text);
            mdoc_macro(out, ".Bl -tag -width Ds");
            in_list = true;
        } else {
            const char *type = types[row->type].name;
            mdoc_macro(out, ".It Ic %s No = Ar %s", row->name,
                       mdoc_word(out, type != NULL ? type : enum_list(row->words, list)));
            mdoc_text(out, row->text);
            print_facts(out, row);
        }
    }
    if (in_list) {
        mdoc_macro(out, ".El");
    }
}

static void print_option(struct buffer *out, const struct option_row *option)
{
    char letter[16] = "";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, " %c , Fl", option->letter);
    }
    char value[64] = "";
    if (option_value(option) != NULL) {
        snprintf(value, sizeof value, " Ar %s", option_value(option));
    }
    mdoc_macro(out, ".It Fl%s -%s%s", letter, option_words(option), value);
    mdoc_text(out, option->text);
}

void manual_global_options(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == COMMAND_COUNT) {
            print_option(out, &options[i]);
        }
    }
    mdoc_macro(out, ".El");
}

/* "USER [GROUP ...]" → " Ar USER Op Ar GROUP ..." */
static void add_arguments(struct buffer *line, const char *arguments)
{
    char word[64];
    while (ctl_next_word(&arguments, word, sizeof word)) {
        bool opens = word[0] == '[';
        size_t length = strcspn(word + opens, "]");
        bool repeats = strncmp(word + opens, "...", 3) == 0;
        if (repeats) {
            continue;
        }
        const char *after = arguments + strspn(arguments, " ");
        bool more = strncmp(after, "...", 3) == 0;
        buffer_add_format(line, "%s Ar %.*s%s", opens ? " Op" : "", (int)length, word + opens, more ? " ..." : "");
    }
}

/* Whether a command takes an option in the same sense as another one, which the same text says. */
static bool takes_too(enum command_id id, const struct option_row *option)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id && options[i].option == option->option &&
            strcmp(options[i].text, option->text) == 0) {
            return true;
        }
    }
    return false;
}

/* An earlier command of the group with many options, all of which this one takes, too. COMMAND_COUNT: none. */
static enum command_id find_same(enum command_id first, enum command_id id)
{
    enum { MANY = 4 };
    for (enum command_id other = first; other < id; other++) {
        size_t count = 0;
        bool is_part = true;
        for (size_t i = 0; i < OPTION_COUNT; i++) {
            if (options[i].command == other) {
                count++;
                is_part = is_part && takes_too(id, &options[i]);
            }
        }
        if (count >= MANY && is_part) {
            return other;
        }
    }
    return COMMAND_COUNT;
}

/* `first': of the group. */
static void print_command(struct buffer *out, enum command_id first, enum command_id id)
{
    const enum command_id same = find_same(first, id);
    const struct command *command = &commands[id];
    struct buffer line;
    buffer_init(&line, out->arena);
    buffer_add_format(&line, ".It Ic %s", command->words);
    add_arguments(&line, command->arguments);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id && options[i].needed == OPTION_NEEDED) {
            buffer_add_format(&line, " Fl -%s Ar %s", option_words(&options[i]), option_value(&options[i]));
        }
    }
    mdoc_macro(out, "%s", buffer_text(&line).data);
    mdoc_format(out, "%s.", command->text);
    mdoc_text(out, command->more);
    if (same != COMMAND_COUNT) {
        mdoc_format(out, "It takes the options of");
        mdoc_macro(out, ".Ic %s .", commands[same].words);
    }
    bool in_list = false;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id && (same == COMMAND_COUNT || !takes_too(same, &options[i]))) {
            if (!in_list) {
                mdoc_macro(out, ".Bl -tag -width Ds");
                in_list = true;
            }
            print_option(out, &options[i]);
        }
    }
    if (in_list) {
        mdoc_macro(out, ".El");
    }
}

void manual_commands(struct buffer *out)
{
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        mdoc_macro(out, ".Ss %s", group->title);
        mdoc_macro(out, ".Bl -tag -width Ds");
        for (enum command_id id = group->first; id < group[1].first; id++) {
            print_command(out, group->first, id);
        }
        mdoc_macro(out, ".El");
    }
}

void manual_exit_status(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (const struct exit_row *row = exit_rows; row->name != NULL; row++) {
        mdoc_macro(out, ".It %d", row->number);
        mdoc_text(out, row->text);
    }
    mdoc_macro(out, ".El");
}

void manual_mails(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (size_t i = 0; i < MAIL_KINDS; i++) {
        mdoc_macro(out, ".It Pa %s.txt , %s.html", mail_rows[i].name, mail_rows[i].name);
        mdoc_text(out, mail_rows[i].text);
    }
    mdoc_macro(out, ".El");
}

void manual_mail_values(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width {{expires}}");
    for (size_t i = 0; i < MAIL_VALUES; i++) {
        mdoc_macro(out, ".It Li {{%s}}", mail_value_rows[i].name);
        mdoc_format(out, "%s.", mail_value_rows[i].text);
    }
    mdoc_macro(out, ".El");
}
