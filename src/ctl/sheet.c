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
        row[i] = (struct sheet_cell){TEXT_NULL, 0, true};
    }
    return row;
}

struct sheet_cell sheet_text(struct text text)
{
    return (struct sheet_cell){text, 0, text.data == NULL};
}

struct sheet_cell sheet_integer(int64_t integer)
{
    return (struct sheet_cell){TEXT_NULL, integer, false};
}

struct sheet_cell sheet_value(const struct value *value)
{
    return (struct sheet_cell){value->text, value->integer, value->is_null};
}

struct text sheet_clean(struct arena *arena, struct text text)
{
    if (text.data == NULL) {
        return TEXT("-");
    }
    struct buffer clean;
    buffer_init(&clean, arena);
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0 || text_character_is_odd(character)) {
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

/* A cell as text, for the table. */
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

/* Width of a text on the terminal, in columns. */
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

static void add_cell_json(struct json_writer *json, const struct sheet_column *column, const struct sheet_cell *cell)
{
    json_add_name_string(json, column->key);
    if (cell->is_null) {
        json_add_null(json);
    } else if (column->kind == SHEET_TEXT) {
        json_add_text(json, cell->text);
    } else if (column->kind == SHEET_JSON) {
        json_add_raw(json, cell->text);
    } else if (column->kind == SHEET_BOOLEAN) {
        json_add_boolean(json, cell->integer != 0);
    } else {
        json_add_integer(json, cell->integer);
    }
}

void sheet_add_json(struct json_writer *json, const struct sheet *sheet)
{
    json_begin_array(json);
    for (size_t row = 0; row < sheet->row_count; row++) {
        json_begin_object(json);
        for (size_t i = 0; i < sheet->column_count; i++) {
            add_cell_json(json, &sheet->columns[i], &sheet->cells[row * sheet->column_count + i]);
        }
        json_end_object(json);
    }
    json_end_array(json);
}

void sheet_print(const struct invocation *invocation, const struct sheet *sheet)
{
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, sheet->arena);
        sheet_add_json(&json, sheet);
        ctl_print_json(invocation, json_finish(&json));
    } else if (invocation->quiet) {
        for (size_t row = 0; row < sheet->row_count; row++) {
            struct text text = shown(sheet, &sheet->columns[0], &sheet->cells[row * sheet->column_count]);
            printf("%.*s\n", (int)text.length, text.data);
        }
    } else {
        print_table(sheet);
    }
}
