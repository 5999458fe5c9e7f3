#include "import/people.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/edit_distance.h"
#include "import/csv.h"

const char *const people_column_names[PEOPLE_COLUMN_COUNT] = {
    [PEOPLE_email] = "email",
    [PEOPLE_name] = "name",
    [PEOPLE_role] = "role",
    [PEOPLE_groups] = "groups",
    [PEOPLE_timezone] = "timezone",
    [PEOPLE_disabled] = "disabled",
    [PEOPLE_password] = "password",
    [PEOPLE_password_hash] = "password_hash",
    [PEOPLE_id] = "id",
    [PEOPLE_created_at] = "created_at",
    [PEOPLE_last_active_at] = "last_active_at",
    [PEOPLE_last_sign_in_at] = "last_sign_in_at",
};

static void add_person(struct context *context, struct people *people, struct person person)
{
    size_t count = people->count;
    if ((count & (count - 1)) == 0) { /* the capacity is the next power of two */
        size_t size = sizeof *people->items;
        people->items = arena_grow(context->arena, people->items, count * size, (count == 0 ? 1 : 2 * count) * size);
    }
    people->items[people->count++] = person;
}

/* ---- CSV ---- */

/* "E-Mail " → "email" */
static struct text bare_name(struct arena *arena, struct text name)
{
    struct buffer bare;
    buffer_init(&bare, arena);
    for (size_t i = 0; i < name.length; i++) {
        if (ascii_is_letter(name.data[i]) || ascii_is_digit(name.data[i]) || (unsigned char)name.data[i] >= 0x80) {
            buffer_add_byte(&bare, ascii_to_lower(name.data[i]));
        }
    }
    return buffer_text(&bare);
}

/* PEOPLE_COLUMN_COUNT: there is no such column. *near_r: the one that it may have meant; else PEOPLE_COLUMN_COUNT. */
static enum people_column find_column(struct arena *arena, struct text name, enum people_column *near_r)
{
    struct text bare = bare_name(arena, name);
    unsigned least = bare.length < 6 ? 2 : 3;
    *near_r = PEOPLE_COLUMN_COUNT;
    for (enum people_column column = 0; column < PEOPLE_COLUMN_COUNT; column++) {
        struct text known = bare_name(arena, text_of(people_column_names[column]));
        if (text_equal(bare, known)) {
            return column;
        }
        unsigned distance = edit_distance(bare, known);
        if (column < PEOPLE_IGNORED && distance < least) {
            least = distance;
            *near_r = column;
        }
    }
    return PEOPLE_COLUMN_COUNT;
}

/* Which column each field is. */
struct header {
    enum people_column *columns;
    size_t count;
    bool has[PEOPLE_COLUMN_COUNT];
};

static bool read_header(struct csv *csv, struct people *people, struct header *header_r, struct error *error)
{
    struct arena *arena = csv->arena;
    struct buffer unknown;
    buffer_init(&unknown, arena);
    *header_r = (struct header){arena_zero(arena, csv->field_count, sizeof *header_r->columns), csv->field_count, {0}};
    for (size_t i = 0; i < csv->field_count; i++) {
        struct text name = text_trim(csv->fields[i]);
        enum people_column near, column = find_column(arena, name, &near);
        header_r->columns[i] = column;
        if (column == PEOPLE_COLUMN_COUNT && near != PEOPLE_COLUMN_COUNT && !header_r->has[near]) {
            return error_set(error, "%zu: there is no column `%.*s'; did you mean `%s'?", csv->line, (int)name.length,
                             name.data, people_column_names[near]);
        }
        if (column == PEOPLE_COLUMN_COUNT) {
            buffer_add_format(&unknown, "%s%.*s", buffer_text(&unknown).length > 0 ? ", " : "", (int)name.length,
                              name.data);
        } else if (header_r->has[column]) {
            return error_set(error, "%zu: two columns are `%s'", csv->line, people_column_names[column]);
        } else {
            header_r->has[column] = true;
        }
    }
    people->unknown = buffer_text(&unknown);
    return header_r->has[PEOPLE_email] ||
           error_set(error,
                     "%zu: the first line must name the columns, and one must be `email'; known are email, name, role, "
                     "groups, timezone, disabled, password and password_hash",
                     csv->line);
}

static struct person read_record(const struct csv *csv, const struct header *header)
{
    struct person person = {.line = csv->line};
    if (csv->field_count != header->count) {
        person.fault = text_format(csv->arena, "it has %zu field%s, but there are %zu columns", csv->field_count,
                                   csv->field_count == 1 ? "" : "s", header->count)
                           .data;
        return person;
    }
    for (size_t i = 0; i < header->count; i++) {
        enum people_column column = header->columns[i];
        if (column == PEOPLE_COLUMN_COUNT) {
            continue;
        }
        struct text value = csv->fields[i];
        value = column == PEOPLE_password ? value : csv_expose(text_trim_unicode(value));
        person.values[column] = value.length > 0 ? text_copy(csv->arena, value) : TEXT_NULL;
    }
    return person;
}

static bool read_csv(struct context *context, struct text content, struct people *people, struct error *error)
{
    struct csv csv;
    struct header header;
    csv_begin(&csv, context->arena, content);
    enum csv_result result = csv_next(&csv, error);
    if (result == CSV_END) {
        return error_set(error, "the file is empty");
    }
    if (result == CSV_RECORD && !read_header(&csv, people, &header, error)) {
        return false;
    }
    while (result == CSV_RECORD && (result = csv_next(&csv, error)) == CSV_RECORD) {
        add_person(context, people, read_record(&csv, &header));
    }
    return result == CSV_END || error_prefix(error, "%zu: ", csv.line);
}

/* ---- htpasswd ---- */

static struct person read_line(struct context *context, struct text text, size_t line)
{
    struct person person = {.line = line};
    struct text name = text_trim(text_take(&text, ':'));
    struct text hash = text_trim(text_take(&text, ':'));
    struct text before = name;
    if (name.length == 0 || hash.length == 0) {
        person.fault = "it is not NAME:HASH";
        return person;
    }
    person.values[PEOPLE_email] = text_copy(context->arena, name);
    person.values[PEOPLE_name] = text_copy(context->arena, text_take(&before, '@'));
    person.values[PEOPLE_password_hash] = text_copy(context->arena, hash);
    return person;
}

static void read_htpasswd(struct context *context, struct text content, struct people *people)
{
    for (size_t line = 1; content.length > 0; line++) {
        struct text text = text_trim(text_take(&content, '\n'));
        if (text.length > 0 && text.data[0] != '#') {
            add_person(context, people, read_line(context, text, line));
        }
    }
}

/* ---- either ---- */

static enum people_format guess(struct text content)
{
    while (content.length > 0 && content.data[0] == '#') { /* a comment of htpasswd */
        text_take(&content, '\n');
    }
    size_t first = 0;
    while (first < content.length && strchr(",;\t:", content.data[first]) == NULL) {
        first++;
    }
    return first < content.length && content.data[first] == ':' ? PEOPLE_HTPASSWD : PEOPLE_CSV;
}

/* The first line that is not UTF-8 or has a NUL; 0: none. */
static size_t odd_line(struct text content)
{
    for (size_t line = 1; content.length > 0; line++) {
        struct text text = text_take(&content, '\n');
        if (!text_is_utf8(text) || (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)) {
            return line;
        }
    }
    return 0;
}

bool people_read(struct context *context, struct text content, enum people_format format, struct people *people_r,
                 struct error *error)
{
    *people_r = (struct people){.format = format == PEOPLE_AUTO ? guess(content) : format};
    size_t odd = odd_line(content);
    if (odd > 0) {
        return error_set(error, "%zu: this line is not UTF-8: save the file as UTF-8", odd);
    }
    if (people_r->format == PEOPLE_CSV) {
        return read_csv(context, content, people_r, error);
    }
    read_htpasswd(context, content, people_r);
    return people_r->count > 0 || error_set(error, "the file is empty");
}
