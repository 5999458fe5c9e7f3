/* import_survey.h: tables and columns of an import's file that have no place here (unmapped ones). */
#ifndef ROSTER_IMPORT_IMPORT_SURVEY_H
#define ROSTER_IMPORT_IMPORT_SURVEY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "import/import_columns.h"

struct import_source;

/* A table or a column that holds values, and has no place here. */
struct import_unmapped {
    struct text table, column; /* column.data NULL: the whole table */
    int64_t rows;              /* number of rows with a value; -1: they can't be counted */
    bool is_known;             /* listed in imports.def */
};

/* All unmapped tables and columns. Valid as long as the arena of the source. */
const struct import_unmapped *import_source_unmapped(const struct import_source *source, size_t *count_r);

/* The rows of a table of users or groups that have a value in an unknown column: (column, id of the row, id of the
 * user).
 * The caller finalises the statement.
 * NULL with the reason in import_source_error. */
sqlite3_stmt *import_source_read_unmapped(struct import_source *source, enum import_table table);

/* Find the unmapped columns, within the read transaction, and the unmapped tables, which may be large, after it.
 * False with the reason in import_source_error. */
bool import_survey_columns(struct import_source *source);
bool import_survey_tables(struct import_source *source);

#endif
