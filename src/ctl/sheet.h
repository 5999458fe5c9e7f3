/* sheet.h: prints rows: a table with headings, a list of ids (--quiet), or JSON (--json). */
#ifndef ROSTER_CTL_SHEET_H
#define ROSTER_CTL_SHEET_H

#include "base/json_writer.h"
#include "ctl/ctl.h"
#include "store/rows.h"

enum sheet_kind { SHEET_TEXT, SHEET_INTEGER, SHEET_TIME /* epoch seconds */, SHEET_BOOLEAN, SHEET_JSON };

struct sheet_column {
    const char *key;     /* in JSON */
    const char *heading; /* in the table; NULL: in JSON only */
    enum sheet_kind kind;
};

struct sheet_cell {
    struct text text; /* SHEET_TEXT, SHEET_JSON */
    int64_t integer;  /* all other kinds */
    bool is_null;     /* of any kind */
};

struct sheet {
    struct arena *arena;
    const struct sheet_column *columns;
    size_t column_count;
    struct sheet_cell *cells;
    size_t row_count, capacity;
};

/* An empty sheet. `columns` must stay valid as long as the sheet. */
void sheet_init(struct sheet *sheet, struct arena *arena, const struct sheet_column *columns, size_t column_count);

/* Adds a row of null cells, one for each column. The pointer is valid until the next call. */
struct sheet_cell *sheet_add(struct sheet *sheet);

/* Cells. A null text gives a null cell. */
struct sheet_cell sheet_text(struct text text);
struct sheet_cell sheet_integer(int64_t integer);

/* A cell with a column of a row of MariaDB. */
struct sheet_cell sheet_value(const struct value *value);

/* Prints all rows: as JSON with --json, the first column with --quiet, else a table. */
void sheet_print(const struct invocation *invocation, const struct sheet *sheet);

/* Adds the rows as a JSON array of objects. */
void sheet_add_json(struct json_writer *json, const struct sheet *sheet);

/* Makes a text safe to print on a terminal: odd characters (text.h) become U+FFFD.
 * The null text gives "-". The result is in the arena. */
struct text sheet_clean(struct arena *arena, struct text text);

/* "2026-11-24 10:00" in local time, in the arena. */
struct text sheet_time_text(struct arena *arena, int64_t seconds);

#endif
