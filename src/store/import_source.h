/* import_source.h: the SQLite file that an import reads.
 *
 * The other program may go on meanwhile. Unless it keeps a write-ahead log it can't write while somebody reads, so the
 * file is read as fast as it goes, in one read transaction, into a temporary database (a file without a name, that is
 * gone with this process), and not touched after that. What people have said in chats is left out. Files of older
 * releases lack tables and columns: these are empty then, or made from what there was in their place. */
#ifndef ROSTER_STORE_IMPORT_SOURCE_H
#define ROSTER_STORE_IMPORT_SOURCE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum import_table {
#define IMPORT_TABLE(table) IMPORT_##table,
#include "tables/imports.def"
    IMPORT_TABLE_COUNT
};

/* All columns of all tables in a row, those of one table from IN_TABLE_FIRST on. */
enum import_column {
#define IMPORT_TABLE(table) IN_##table##_FIRST, IN_##table##_BEFORE = IN_##table##_FIRST - 1,
#define IMPORT_COLUMN(table, column, kind, most, bad, absent) IN_##table##_##column,
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

struct import_source;

/* Reads FILE. NULL with *error_r (in the arena): it is no such file, is broken, stays locked, or is too old. */
struct import_source *import_source_open(struct arena *arena, const char *file, const char **error_r);
void import_source_close(struct import_source *source);

/* The rows of a table; -1 with the reason in import_source_error. */
int64_t import_source_count(struct import_source *source, enum import_table table);

/* Starts reading a table: its columns in the order of imports.def, and behind them for
 *   group   1 where the list of members, which older releases have in the row, is no list
 *   chat    the id of the owner: of a copy that was shared, that of the chat
 *   config  (which has no columns there) data, and when it was changed, as `YYYY-MM-DD HH:MM:SS`: the newest row alone
 * Users come in the order in which they are preferred where several share an email address: those with a password
 * first, then those who were active last. NULL with the reason in import_source_error; else to be finalised by the
 * caller. */
sqlite3_stmt *import_source_read(struct import_source *source, enum import_table table);

/* SQLite's words for what went wrong last. */
const char *import_source_error(struct import_source *source);

#endif
