/* migration.h: the schema's numbered files, each applied once.
 *
 * A file is `NNNN_name.sql`, numbered from 0001 without gaps. A released file must not change; a change is a new file.
 * The table schema_migration lists the applied files with their SHA-256.
 * MariaDB can't roll back DDL, so all statements of a file must be repeatable after a failure (IF NOT EXISTS and the
 * like). */
#ifndef ROSTER_STORE_MIGRATION_H
#define ROSTER_STORE_MIGRATION_H

#include <stdbool.h>

#include "base/context.h"

/* Applies missing migrations, in order, under a lock of the MariaDB server: only one process at a time applies them.
 * `report` gets a line for each step.
 * A statement may take up to a day.
 * It closes the connection of this process and opens a new one, which it closes at the end. So it is for rosterctl and
 * tests, not for a worker.
 * False: the directory can't be read, a number is missing or double, a file has changed since it was applied, the
 * database is newer than the files, or MariaDB returned an error. Migrations that were applied before stay. */
bool migration_run(struct context *context, const char *directory, void (*report)(const char *line, void *argument),
                   void *argument, struct error *error);

/* The number of the newest migration that this program was built with. */
extern const int migration_expected;

/* The number of the newest migration in the database. 0: no migration. -1: MariaDB returned an error (logged). */
int migration_schema_version(struct context *context);

/* Whether this program was built for tables at `version`; 0: there are no tables.
 * On false, the error says what to do. */
bool migration_is_expected(const struct context *context, int version, struct error *error);

/* Says that tables at `version` are newer than what a program or its files know. False. */
bool migration_refuse_newer(int version, int known, struct error *error);

/* The number of the newest file in `directory`. 0: no file. -1: the directory can't be read, or a number is missing or
 * double. */
int migration_newest(const char *directory);

#endif
