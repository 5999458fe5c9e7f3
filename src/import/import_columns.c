/* import_columns.c: see import_columns.h. */
#include "import/import_columns.h"

const char *const import_table_names[IMPORT_TABLE_COUNT] = {
#define IMPORT_TABLE(table) #table,
#include "tables/imports.def"
};

const char *const import_column_names[IMPORT_COLUMN_COUNT] = {
#define IMPORT_COLUMN(table, column, kind, max, bad, absent) #column,
#include "tables/imports.def"
};

const enum import_column import_first_columns[IMPORT_TABLE_COUNT + 1] = {
#define IMPORT_TABLE(table) (enum import_column) IN_##table##_FIRST,
#include "tables/imports.def"
    IMPORT_COLUMN_COUNT,
};
