/* backup_store.h: all tables as they are, for `rosterctl backup' and `restore'.
 *
 * Which tables and columns there are is read from MariaDB: what a later migration adds comes along. Left out is what
 * belongs to the place and not to the people (see backup_store.c), and what MariaDB computes itself. */
#ifndef ROSTER_STORE_BACKUP_STORE_H
#define ROSTER_STORE_BACKUP_STORE_H

#include "store/database.h"

/* What a value is in struct value and struct parameter: an integer, a text in UTF-8, or any bytes. */
enum backup_kind { BACKUP_INTEGER, BACKUP_TEXT, BACKUP_BYTES };

struct backup_column {
    const char *name;
    enum backup_kind kind;
};

struct backup_table {
    const char *name;
    const struct backup_column *columns;
    size_t column_count;
};

/* The tables, each behind those that it refers to. Both in the arena. */
enum outcome backup_store_tables(struct context *context, struct backup_table **tables_r, size_t *count_r);

/* All rows of a table; the values are in the order of the columns: see database_stream. */
enum outcome backup_store_each(struct context *context, const struct backup_table *table,
                               enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                               void *argument);

/* The number of rows. */
enum outcome backup_store_count(struct context *context, const char *table, int64_t *count_r);

/* Whether there is an account or a group. */
enum outcome backup_store_has_people(struct context *context, bool *has_people_r);

/* Within database_transaction_alone: deletes all rows of these tables, the last one first, and tells the service's
 * directory whom. */
enum outcome backup_store_clear(struct context *context, const struct backup_table *tables, size_t count);

enum { BACKUP_BATCH_ROWS = 50 };

/* Within a transaction: inserts up to BACKUP_BATCH_ROWS rows, whose values stand one row behind the other. */
enum outcome backup_store_insert(struct context *context, const struct backup_table *table,
                                 const struct parameter *values, size_t row_count);

#endif
