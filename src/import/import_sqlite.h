/* import_sqlite.h: the open SQLite file of an import, and its statements. */
#ifndef ROSTER_IMPORT_IMPORT_SQLITE_H
#define ROSTER_IMPORT_IMPORT_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "import/import_columns.h"

struct arena;
struct import_unmapped;

struct import_source {
    struct arena *arena;
    const char *file;
    sqlite3 *database;
    enum import_settings settings;
    bool has[IMPORT_COLUMN_COUNT];
    struct import_unmapped *unmapped;
    size_t unmapped_count;
};

/* Runs statements. False with the reason in import_source_error. */
bool import_source_run(struct import_source *source, const char *sql);

/* Prepares a statement. The caller finalises it.
 * NULL with the reason in import_source_error. */
sqlite3_stmt *import_source_prepare(struct import_source *source, const char *sql);

/* The number that a statement returns. False with the reason in import_source_error. */
bool import_source_get_number(struct import_source *source, const char *sql, int64_t *number_r);

#endif
