/* sheet.h: rows for people and for programs: a table with headings, a list of ids (--quiet), or JSON (--json). */
#ifndef ROSTER_CTL_SHEET_H
#define ROSTER_CTL_SHEET_H

#include "ctl/ctl.h"
#include "store/rows.h"

enum sheet_kind { SHEET_TEXT, SHEET_INTEGER, SHEET_TIME /* epoch seconds */, SHEET_BOOLEAN, SHEET_JSON };

struct sheet_column {
    const char *key;     /* in JSON */
    const char *heading; /* for people; NULL: not shown to them */
    enum sheet_kind kind;
};

struct sheet_cell {
    struct text text; /* SHEET_TEXT, SHEET_JSON; null: null */
    int64_t integer;  /* the others */
    bool is_null;     /* of the others */
};

struct sheet {
    struct arena *arena;
    const struct sheet_column *columns;
    size_t column_count;
    struct sheet_cell *cells;
    size_t row_count, capacity;
};

void sheet_init(struct sheet *sheet, struct arena *arena, const struct sheet_column *columns, size_t column_count);

/* A new row, all null. Valid until the next one. */
struct sheet_cell *sheet_add(struct sheet *sheet);

struct sheet_cell sheet_text(struct text text);
struct sheet_cell sheet_integer(int64_t integer);

/* -1 and below: null. */
struct sheet_cell sheet_time(int64_t seconds);

/* A value of a row, whatever it is. */
struct sheet_cell sheet_value(const struct value *value);

/* All rows, as --json, --quiet or neither asks for. */
void sheet_print(const struct invocation *invocation, const struct sheet *sheet);

/* The first row alone, a line per column. */
void sheet_print_record(const struct invocation *invocation, const struct sheet *sheet);

/* The rows as JSON: [{…}]. */
void sheet_add_json(struct buffer *buffer, const struct sheet *sheet);

/* A text as it may stand on a terminal: control characters, which could do things there, become U+FFFD. Of the null
 * text: "-". */
struct text sheet_clean(struct arena *arena, struct text text);

/* "2026-11-24 10:00", local time. */
struct text sheet_time_text(struct arena *arena, int64_t seconds);

#endif
