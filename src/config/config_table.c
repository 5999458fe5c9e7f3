/* config_table.c: the rows of directives.def, their defaults, the sample file. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config_internal.h"

const char *const pool_names[POOL_COUNT] = {"api", "password"};

#define IS_POOL_GLOBAL false
#define IS_POOL_POOL true
#define OFFSET_GLOBAL(name) offsetof(struct config, name)
#define OFFSET_POOL(name) offsetof(struct pool_config, name)
#define NEEDS_RESTART_RELOAD false
#define NEEDS_RESTART_RESTART true

const struct config_field config_fields[CONFIG_ROW_COUNT] = {
#define SECTION(section_title, section_text) {{.title = section_title, .text = section_text}, CONFIG_TEXT, 0},
#define DIRECTIVE(directive, scope, kind, default_value, minimum, maximum, applies, description) \
    {{.name = #directive,                                                                        \
      .is_pool = IS_POOL_##scope,                                                                \
      .type = #kind,                                                                             \
      .default_text = default_value,                                                             \
      .least = minimum,                                                                          \
      .most = maximum,                                                                           \
      .needs_restart = NEEDS_RESTART_##applies,                                                  \
      .text = description},                                                                      \
     CONFIG_##kind,                                                                              \
     OFFSET_##scope(directive)},
#include "tables/directives.def"
};

static const struct {
    const char *pool;
    const char *name;
    const char *value;
} pool_defaults[] = {
#define POOL_DEFAULT(pool, name, value) {#pool, #name, value},
#include "tables/directives.def"
};

void config_message_set(struct config_message *message, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message->text, sizeof message->text, format, arguments);
    va_end(arguments);
}

const struct directive_row *config_directive(size_t index)
{
    return index < CONFIG_ROW_COUNT ? &config_fields[index].row : NULL;
}

const struct config_field *config_find(struct text name)
{
    size_t i;

    for (i = 0; i < CONFIG_ROW_COUNT; i++)
        if (config_fields[i].row.name != NULL && text_is(name, config_fields[i].row.name))
            return &config_fields[i];
    return NULL;
}

const char *config_pool_default(enum pool pool, const char *name)
{
    const struct config_field *field = config_find(text_of(name));
    size_t i;

    if (field == NULL || !field->row.is_pool)
        return NULL;
    for (i = 0; i < sizeof pool_defaults / sizeof pool_defaults[0]; i++)
        if (strcmp(pool_defaults[i].pool, pool_names[pool]) == 0 && strcmp(pool_defaults[i].name, name) == 0)
            return pool_defaults[i].value;
    return field->row.default_text;
}

const char *config_default(const struct config_field *field, unsigned scope)
{
    const char *value =
        field->row.is_pool ? config_pool_default((enum pool)scope, field->row.name) : field->row.default_text;

    return value != NULL ? value : "";
}

void *config_slot(struct config *config, const struct config_field *field, unsigned scope)
{
    return (char *)(field->row.is_pool ? (void *)&config->pools[scope] : (void *)config) + field->offset;
}

const void *config_slot_const(const struct config *config, const struct config_field *field, unsigned scope)
{
    return (const char *)(field->row.is_pool ? (const void *)&config->pools[scope] : (const void *)config) +
           field->offset;
}

/* Did you mean. */

enum { NAME_MOST = 48 };

/* How many letters must be changed, added, left out or swapped with their neighbour to come from one to the other;
 * upper case and '-' for '_' count nothing. */
static unsigned edit_distance(struct text left, const char *right)
{
    unsigned rows[3][NAME_MOST + 1];
    unsigned *before = rows[0], *above = rows[1], *current = rows[2], *oldest;
    size_t right_length = strlen(right), i, j;
    char previous = '\0';

    if (left.length > NAME_MOST || right_length > NAME_MOST)
        return NAME_MOST;
    for (j = 0; j <= right_length; j++)
        before[j] = above[j] = (unsigned)j;
    for (i = 1; i <= left.length; i++) {
        char letter = left.data[i - 1];
        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter - 'A' + 'a');
        else if (letter == '-')
            letter = '_';
        current[0] = (unsigned)i;
        for (j = 1; j <= right_length; j++) {
            unsigned best = above[j - 1] + (letter == right[j - 1] ? 0 : 1);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (current[j - 1] + 1 < best)
                best = current[j - 1] + 1;
            if (i > 1 && j > 1 && letter == right[j - 2] && previous == right[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            current[j] = best;
        }
        previous = letter;
        oldest = before;
        before = above;
        above = current;
        current = oldest;
    }
    return above[right_length];
}

static unsigned distance_allowed(struct text name)
{
    return name.length < 6 ? 1 : name.length < 12 ? 2 : (unsigned)name.length / 4;
}

const char *config_suggest_directive(struct text name)
{
    const char *suggestion = NULL;
    unsigned least = distance_allowed(name) + 1, distance;
    size_t i;

    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_fields[i].row.name == NULL)
            continue;
        distance = edit_distance(name, config_fields[i].row.name);
        if (distance < least) {
            least = distance;
            suggestion = config_fields[i].row.name;
        }
    }
    /* A name that was begun and not finished: database_password for database_password_file. */
    for (i = 0; suggestion == NULL && name.length >= 4 && i < CONFIG_ROW_COUNT; i++)
        if (config_fields[i].row.name != NULL && strncasecmp(config_fields[i].row.name, name.data, name.length) == 0)
            suggestion = config_fields[i].row.name;
    return suggestion;
}

const char *config_suggest_section(struct text name)
{
    unsigned pool;

    for (pool = 0; pool < POOL_COUNT; pool++)
        if (edit_distance(name, pool_names[pool]) <= distance_allowed(name))
            return pool_names[pool];
    return NULL;
}

/* The sample file. */

enum { SAMPLE_WIDTH = 100 };

void config_print_quoted(FILE *out, const char *value)
{
    size_t length = strlen(value);

    if (length > 0 && strpbrk(value, "\"#") == NULL && strchr(" \t", value[0]) == NULL &&
        strchr(" \t", value[length - 1]) == NULL) {
        fputs(value, out);
        return;
    }
    putc('"', out);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            putc('\\', out);
        putc(*value, out);
    }
    putc('"', out);
}

/* Words in lines that start with "# ". */
static void print_comment(FILE *out, const char *text)
{
    size_t column = 1;

    fputs("#", out);
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > 1 && column + 1 + length > SAMPLE_WIDTH) {
            fputs("\n#", out);
            column = 1;
        }
        fprintf(out, " %.*s", (int)length, text);
        column += 1 + length;
        text += length;
        text += strspn(text, " ");
    }
    putc('\n', out);
}

static void print_heading(FILE *out, const struct directive_row *row)
{
    fprintf(out, "\n## %s\n", row->title);
    print_comment(out, row->text);
}

static void print_default(FILE *out, const struct config_field *field, unsigned scope)
{
    fprintf(out, "#%s = ", field->row.name);
    config_print_quoted(out, config_default(field, scope));
    putc('\n', out);
}

static void print_description(FILE *out, const struct directive_row *row)
{
    putc('\n', out);
    print_comment(out, row->text);
    if (row->needs_restart)
        print_comment(out, "A change takes effect at a restart.");
}

static void print_pool(FILE *out, enum pool pool)
{
    size_t i;

    fprintf(out, "\n[%s]\n", pool_names[pool]);
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_fields[i].row.name == NULL || !config_fields[i].row.is_pool)
            continue;
        if (pool == 0)
            print_description(out, &config_fields[i].row);
        print_default(out, &config_fields[i], pool);
    }
}

void config_print_sample(FILE *out)
{
    unsigned pool;
    size_t i;

    print_comment(out, "roster.conf: the configuration of roster(8). See roster.conf(5).");
    fputs("#\n", out);
    print_comment(
        out, "One `name = value` a line. A value that holds # or starts or ends in white space stands in double "
             "quotes, where \\\" is a quote and \\\\ a backslash. Sizes take k, m and g; times need a unit: ms, s, m, "
             "h or d. Each line below that starts with # and a name shows the default; take the # away to change it.");
    fputs("#\n", out);
    print_comment(out,
                  "`roster -t` checks this file, `roster -T` prints what is in force, `systemctl reload roster` has it "
                  "read again.");
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_fields[i].row.name == NULL) {
            print_heading(out, &config_fields[i].row);
        } else if (!config_fields[i].row.is_pool) {
            print_description(out, &config_fields[i].row);
            print_default(out, &config_fields[i], CONFIG_SCOPE_GLOBAL);
        }
    }
    for (pool = 0; pool < POOL_COUNT; pool++)
        print_pool(out, (enum pool)pool);
}
