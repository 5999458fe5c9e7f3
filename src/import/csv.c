#include "import/csv.h"

#include "base/arena.h"
#include "base/array.h"

static bool is_formula(char byte)
{
    return byte != '\0' && strchr("=+-@\t\r'", byte) != NULL;
}

struct text csv_protect(struct arena *arena, struct text field)
{
    if (field.length == 0 || !is_formula(field.data[0])) {
        return field;
    }
    char *protected = arena_alloc(arena, field.length + 2);
    protected[0] = '\'';
    memcpy(protected + 1, field.data, field.length); /* which may hold NUL */
    protected[field.length + 1] = '\0';
    return (struct text){protected, field.length + 1};
}

struct text csv_expose(struct text field)
{
    return field.length > 1 && field.data[0] == '\'' && is_formula(field.data[1])
               ? (struct text){field.data + 1, field.length - 1}
               : field;
}

void csv_add(struct buffer *line, struct text field)
{
    bool needs_quotes = field.length > 0 && (field.data[0] == ' ' || field.data[field.length - 1] == ' ');
    for (size_t i = 0; i < field.length; i++) {
        needs_quotes = needs_quotes || strchr(",;\t\"\r\n", field.data[i]) != NULL;
    }
    if (!needs_quotes) {
        buffer_add_text(line, field);
        return;
    }
    buffer_add_byte(line, '"');
    for (size_t i = 0; i < field.length; i++) {
        if (field.data[i] == '"') {
            buffer_add_byte(line, '"');
        }
        buffer_add_byte(line, field.data[i]);
    }
    buffer_add_byte(line, '"');
}

static char find_separator(struct text content)
{
    static const char separators[] = {',', ';', '\t'};
    size_t counts[ARRAY_COUNT(separators)] = {0};
    bool is_quoted = false;
    for (size_t i = 0; i < content.length && (is_quoted || content.data[i] != '\n'); i++) {
        is_quoted = content.data[i] == '"' ? !is_quoted : is_quoted;
        for (size_t which = 0; which < ARRAY_COUNT(separators); which++) {
            counts[which] += !is_quoted && content.data[i] == separators[which];
        }
    }
    size_t most = 0;
    for (size_t which = 1; which < ARRAY_COUNT(separators); which++) {
        most = counts[which] > counts[most] ? which : most;
    }
    return separators[most];
}

void csv_begin(struct csv *csv, struct arena *arena, struct text content)
{
    *csv = (struct csv){.arena = arena, .rest = content, .separator = find_separator(content), .next_line = 1};
}

static void skip(struct csv *csv, size_t count)
{
    csv->rest = (struct text){csv->rest.data + count, csv->rest.length - count};
}

/* The length of the end of a line at the beginning of the rest; 0: there is none. */
static size_t line_end(const struct csv *csv)
{
    const struct text rest = csv->rest;
    if (rest.length > 0 && rest.data[0] == '\n') {
        return 1;
    }
    return rest.length > 1 && rest.data[0] == '\r' && rest.data[1] == '\n' ? 2 : 0;
}

static void add_field(struct csv *csv, struct text field)
{
    if (csv->field_count == csv->capacity) {
        size_t capacity = csv->capacity == 0 ? 16 : 2 * csv->capacity;
        csv->fields =
            arena_grow(csv->arena, csv->fields, csv->capacity * sizeof *csv->fields, capacity * sizeof *csv->fields);
        csv->capacity = capacity;
    }
    csv->fields[csv->field_count++] = field;
}

static void take_bare(struct csv *csv)
{
    struct text field = {csv->rest.data, 0};
    while (csv->rest.length > 0 && csv->rest.data[0] != csv->separator && line_end(csv) == 0) {
        skip(csv, 1);
        field.length++;
    }
    add_field(csv, field);
}

/* A field within quotes, in which two quotes stand for one. */
static bool take_quoted(struct csv *csv, struct error *error)
{
    struct buffer field;
    buffer_init(&field, csv->arena);
    skip(csv, 1);
    for (;;) {
        if (csv->rest.length == 0) {
            return error_set(error, "a quote (\") does not end");
        }
        char byte = csv->rest.data[0];
        bool is_double = byte == '"' && csv->rest.length > 1 && csv->rest.data[1] == '"';
        skip(csv, is_double ? 2 : 1);
        if (byte == '"' && !is_double) {
            break;
        }
        csv->next_line += byte == '\n';
        buffer_add_byte(&field, byte);
    }
    if (csv->rest.length > 0 && csv->rest.data[0] != csv->separator && line_end(csv) == 0) {
        return error_set(error, "something follows a closing quote (\"); a quote within a field is written twice");
    }
    add_field(csv, buffer_text(&field));
    return true;
}

enum csv_result csv_next(struct csv *csv, struct error *error)
{
    for (size_t length; (length = line_end(csv)) > 0; csv->next_line++) {
        skip(csv, length);
    }
    csv->line = csv->next_line;
    csv->field_count = 0;
    if (csv->rest.length == 0) {
        return CSV_END;
    }
    for (;;) {
        if (csv->rest.length > 0 && csv->rest.data[0] == '"') {
            if (!take_quoted(csv, error)) {
                return CSV_BROKEN;
            }
        } else {
            take_bare(csv);
        }
        if (csv->rest.length == 0 || csv->rest.data[0] != csv->separator) {
            break;
        }
        skip(csv, 1);
    }
    skip(csv, line_end(csv));
    csv->next_line++;
    return CSV_RECORD;
}
