/* manual_ctl.c: the parts of roster.conf(5) and rosterctl(8) that come from the tables. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/manual.h"
#include "ctl/mdoc.h"

/* What the types of directives.def are called, and whether a range is a length. */
static const struct type_name {
    const char *type, *name;
    bool is_length;
} type_names[] = {
    {"TEXT", "text", true},
    {"PATH", "path", true},
    {"SECRET_PATH", "path of a file with a secret", true},
    {"INTEGER", "number", false},
    {"SIZE", "size", false},
    {"SECONDS", "time", false},
    {"MILLISECONDS", "time", false},
    {"BOOLEAN", "yes or no", false},
    {"SEVERITY", "alert, error, warning, notice, info or debug", false},
    {"LOG_FORMAT", "text or json", false},
    {"PRIVACY", "strict or compatible", false},
    {"COOKIE_SECURE", "auto, yes or no", false},
    {"SAME_SITE", "lax, strict or none", false},
    {"ADDRESSES", "addresses and networks", true},
    {"LIST", "words", true},
};

static const struct type_name *find_type(const char *type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(type_names[i].type, type) == 0) {
            return &type_names[i];
        }
    }
    log_invariant_failed("the type has a name", __FILE__, __LINE__);
}

/* A number in the type's largest unit that keeps it whole: 4m, 30s. */
static void print_limit(char *text, size_t size, const char *type, int64_t number)
{
    static const struct {
        const char *type;
        int64_t units[3];
        const char *names[3];
    } rows[] = {
        {"SIZE", {1073741824, 1048576, 1024}, {"g", "m", "k"}},
        {"SECONDS", {86400, 3600, 60}, {"d", "h", "m"}},
        {"MILLISECONDS", {3600000, 60000, 1000}, {"h", "m", "s"}},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        if (strcmp(rows[row].type, type) != 0) {
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            if (number > 0 && number % rows[row].units[i] == 0) {
                snprintf(text, size, "%" PRId64 "%s", number / rows[row].units[i], rows[row].names[i]);
                return;
            }
        }
        snprintf(text, size, "%" PRId64 "%s", number,
                 strcmp(type, "SECONDS") == 0        ? "s"
                 : strcmp(type, "MILLISECONDS") == 0 ? "ms"
                                                     : "");
        return;
    }
    snprintf(text, size, "%" PRId64, number);
}

/* "Default: 4m. From 1k to 1g." */
static void print_facts(struct buffer *out, const struct directive_row *row)
{
    const struct type_name *type = find_type(row->type);
    char least[32], most[32];
    print_limit(least, sizeof least, row->type, row->least);
    print_limit(most, sizeof most, row->type, row->most);
    buffer_add_literal(out, ".br\n");
    if (row->is_pool) {
        buffer_add_literal(out, "Default:\n");
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            const char *value = config_pool_default((enum pool)pool, row->name);
            const char *end = pool + 1 < POOL_COUNT ? "," : ".";
            if (value == NULL || value[0] == '\0') {
                mdoc_format(out, "unset in [%s]%s", pool_names[pool], end);
            } else {
                mdoc_macro(out, ".Li %s", mdoc_word(out, value));
                mdoc_format(out, "in [%s]%s", pool_names[pool], end);
            }
        }
    } else if (row->default_text == NULL || row->default_text[0] == '\0') {
        buffer_add_literal(out, "Default: unset.\n");
    } else {
        buffer_add_literal(out, "Default:\n");
        mdoc_macro(out, ".Li %s .", mdoc_word(out, row->default_text));
    }
    if (row->most > 0) {
        mdoc_format(out, type->is_length ? "At most %s%s bytes." : "From %s to %s.", type->is_length ? "" : least,
                    most);
    }
    if (row->needs_restart) {
        buffer_add_literal(out, "Takes a restart.\n");
    }
}

void manual_directives(struct buffer *out)
{
    const struct directive_row *row;
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
            mdoc_macro(out, ".It Ic %s No = Ar %s", row->name, mdoc_word(out, find_type(row->type)->name));
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
    char value[64] = "";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, " %c , Fl", option->letter);
    }
    if (option->value != NULL) {
        snprintf(value, sizeof value, " Ar %s", option->value);
    }
    mdoc_macro(out, ".It Fl%s -%s%s", letter, option->name, value);
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

static void print_command(struct buffer *out, enum command_id id)
{
    const struct command *command = &commands[id];
    struct buffer line;
    bool in_list = false;
    buffer_init(&line, out->arena);
    buffer_add_format(&line, ".It Ic %s", command->words);
    add_arguments(&line, command->arguments);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id && options[i].needed == OPTION_NEEDED) {
            buffer_add_format(&line, " Fl -%s Ar %s", options[i].name, options[i].value);
        }
    }
    mdoc_macro(out, "%s", buffer_text(&line).data);
    mdoc_format(out, "%s.", command->text);
    mdoc_text(out, command->more);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].command == id) {
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
            print_command(out, id);
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
