#include "ctl/sheet.h"

#include <stdio.h>
#include <time.h>
#include <wchar.h>

enum { GAP = 2 };

void sheet_init(struct sheet *sheet, struct arena *arena, const struct sheet_column *columns, size_t column_count)
{
    *sheet = (struct sheet){.arena = arena, .columns = columns, .column_count = column_count};
}

struct sheet_cell *sheet_add(struct sheet *sheet)
{
    size_t row_size = sheet->column_count * sizeof *sheet->cells;
    if (sheet->row_count == sheet->capacity) {
        size_t capacity = sheet->capacity == 0 ? 32 : 2 * sheet->capacity;
        sheet->cells = arena_grow(sheet->arena, sheet->cells, sheet->capacity * row_size, capacity * row_size);
        sheet->capacity = capacity;
    }
    struct sheet_cell *row = sheet->cells + sheet->row_count++ * sheet->column_count;
    for (size_t i = 0; i < sheet->column_count; i++) {
        row[i] = (struct sheet_cell){{NULL, 0}, 0, true};
    }
    return row;
}

struct sheet_cell sheet_text(struct text text)
{
    return (struct sheet_cell){text, 0, text.data == NULL};
}

struct sheet_cell sheet_integer(int64_t integer)
{
    return (struct sheet_cell){{NULL, 0}, integer, false};
}

struct sheet_cell sheet_time(int64_t seconds)
{
    return (struct sheet_cell){{NULL, 0}, seconds, seconds < 0};
}

struct sheet_cell sheet_value(const struct value *value)
{
    return (struct sheet_cell){value->text, value->integer, value->is_null};
}

static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
           (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

struct text sheet_clean(struct arena *arena, struct text text)
{
    struct buffer clean;
    if (text.data == NULL) {
        return TEXT("-");
    }
    buffer_init(&clean, arena);
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0 || is_control(character)) {
            buffer_add_literal(&clean, "\xef\xbf\xbd");
            step = step == 0 ? 1 : step;
        } else {
            buffer_add(&clean, text.data + at, step);
        }
        at += step;
    }
    return buffer_text(&clean);
}

struct text sheet_time_text(struct arena *arena, int64_t seconds)
{
    char text[40];
    time_t moment = (time_t)seconds;
    struct tm local;
    if (localtime_r(&moment, &local) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) == 0) {
        return text_format(arena, "%lld", (long long)seconds);
    }
    return text_copy(arena, text_of(text));
}

/* What people see of a cell. */
static struct text shown(const struct sheet *sheet, const struct sheet_column *column, const struct sheet_cell *cell)
{
    if (cell->is_null) {
        return TEXT("-");
    }
    switch (column->kind) {
    case SHEET_TIME:
        return sheet_time_text(sheet->arena, cell->integer);
    case SHEET_INTEGER:
        return text_format(sheet->arena, "%lld", (long long)cell->integer);
    case SHEET_BOOLEAN:
        return cell->integer != 0 ? TEXT("yes") : TEXT("no");
    case SHEET_TEXT:
    case SHEET_JSON:
        break;
    }
    return sheet_clean(sheet->arena, cell->text);
}

/* Columns that a text takes on the terminal. */
static size_t width_of(struct text text)
{
    size_t width = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        int columns = step > 0 ? wcwidth((wchar_t)character) : 1;
        width += columns < 0 ? 1 : (size_t)columns;
        at += step > 0 ? step : 1;
    }
    return width;
}

static void print_padded(struct text text, size_t width, bool right, bool last)
{
    size_t own = width_of(text);
    int pad = own < width ? (int)(width - own) : 0;
    if (right) {
        printf("%*s", pad, "");
    }
    fwrite(text.data, 1, text.length, stdout);
    if (!last) {
        printf("%*s", right ? GAP : pad + GAP, "");
    }
}

static void print_table(const struct sheet *sheet)
{
    size_t columns = sheet->column_count;
    size_t *widths = arena_zero(sheet->arena, columns, sizeof *widths);
    struct text *texts = arena_zero(sheet->arena, sheet->row_count * columns + 1, sizeof *texts);
    size_t last = 0;
    for (size_t i = 0; i < columns; i++) {
        if (sheet->columns[i].heading == NULL) {
            continue;
        }
        last = i;
        widths[i] = width_of(text_of(sheet->columns[i].heading));
        for (size_t row = 0; row < sheet->row_count; row++) {
            struct text *text = &texts[row * columns + i];
            *text = shown(sheet, &sheet->columns[i], &sheet->cells[row * columns + i]);
            size_t width = width_of(*text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t row = 0; row <= sheet->row_count; row++) { /* the headings are row 0 */
        for (size_t i = 0; i < columns; i++) {
            if (sheet->columns[i].heading != NULL) {
                struct text text = row == 0 ? text_of(sheet->columns[i].heading) : texts[(row - 1) * columns + i];
                print_padded(text, widths[i], sheet->columns[i].kind == SHEET_INTEGER, i == last);
            }
        }
        putchar('\n');
    }
}

static void add_cell_json(struct buffer *buffer, const struct sheet_column *column, const struct sheet_cell *cell)
{
    buffer_add_json(buffer, text_of(column->key));
    buffer_add_byte(buffer, ':');
    if (cell->is_null) {
        buffer_add_literal(buffer, "null");
    } else if (column->kind == SHEET_TEXT) {
        buffer_add_json(buffer, cell->text);
    } else if (column->kind == SHEET_JSON) {
        buffer_add_text(buffer, cell->text);
    } else if (column->kind == SHEET_BOOLEAN) {
        buffer_add_string(buffer, cell->integer != 0 ? "true" : "false");
    } else {
        buffer_add_integer(buffer, cell->integer);
    }
}

static void add_row_json(struct buffer *buffer, const struct sheet *sheet, size_t row)
{
    buffer_add_byte(buffer, '{');
    for (size_t i = 0; i < sheet->column_count; i++) {
        if (i > 0) {
            buffer_add_byte(buffer, ',');
        }
        add_cell_json(buffer, &sheet->columns[i], &sheet->cells[row * sheet->column_count + i]);
    }
    buffer_add_byte(buffer, '}');
}

void sheet_add_json(struct buffer *buffer, const struct sheet *sheet)
{
    buffer_add_byte(buffer, '[');
    for (size_t row = 0; row < sheet->row_count; row++) {
        if (row > 0) {
            buffer_add_byte(buffer, ',');
        }
        add_row_json(buffer, sheet, row);
    }
    buffer_add_byte(buffer, ']');
}

void sheet_print(const struct invocation *invocation, const struct sheet *sheet)
{
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, sheet->arena);
        sheet_add_json(&json, sheet);
        ctl_print(&json);
    } else if (invocation->quiet) {
        for (size_t row = 0; row < sheet->row_count; row++) {
            struct text text = shown(sheet, &sheet->columns[0], &sheet->cells[row * sheet->column_count]);
            printf("%.*s\n", (int)text.length, text.data);
        }
    } else {
        print_table(sheet);
    }
}

void sheet_print_record(const struct invocation *invocation, const struct sheet *sheet)
{
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, sheet->arena);
        add_row_json(&json, sheet, 0);
        ctl_print(&json);
        return;
    }
    size_t width = 0;
    for (size_t i = 0; i < sheet->column_count; i++) {
        const char *heading = sheet->columns[i].heading;
        width = heading != NULL && strlen(heading) > width ? strlen(heading) : width;
    }
    for (size_t i = 0; i < sheet->column_count; i++) {
        if (sheet->columns[i].heading != NULL) {
            struct text text = shown(sheet, &sheet->columns[i], &sheet->cells[i]);
            printf("%-*s  %.*s\n", (int)width, sheet->columns[i].heading, (int)text.length, text.data);
        }
    }
}
