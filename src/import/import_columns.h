/* import_columns.h: the tables and columns that an import reads: those of imports.def. */
#ifndef ROSTER_IMPORT_IMPORT_COLUMNS_H
#define ROSTER_IMPORT_IMPORT_COLUMNS_H

#include <stddef.h>

enum import_table {
#define IMPORT_TABLE(table) IMPORT_##table,
#include "tables/imports.def"
    IMPORT_TABLE_COUNT
};

/* All columns of all tables in a row, those of one table from IN_TABLE_FIRST on. */
enum import_column {
#define IMPORT_TABLE(table) IN_##table##_FIRST, IN_##table##_BEFORE = IN_##table##_FIRST - 1,
#define IMPORT_COLUMN(table, column, kind, max, bad, absent) IN_##table##_##column,
#include "tables/imports.def"
    IMPORT_COLUMN_COUNT
};

/* The place of a column in a row of its table. */
#define IMPORT_AT(table, column) (IN_##table##_##column - IN_##table##_FIRST)

extern const char *const import_table_names[IMPORT_TABLE_COUNT];
extern const char *const import_column_names[IMPORT_COLUMN_COUNT];

/* The first column of a table, and how many it has. */
extern const enum import_column import_first_columns[IMPORT_TABLE_COUNT + 1];
static inline size_t import_column_count(enum import_table table)
{
    return (size_t)import_first_columns[table + 1] - (size_t)import_first_columns[table];
}

/* Where a file keeps the settings of its site. */
enum import_settings {
    /* nowhere: the oldest releases have a file config.json beside it; or nothing was ever set */
    IMPORT_SETTINGS_NONE,
    IMPORT_SETTINGS_DOCUMENT, /* in one document, of which the newest row counts */
    IMPORT_SETTINGS_ROWS      /* in rows of keys and values, since 0.10 */
};

#endif
