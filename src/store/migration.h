/* migration.h: the schema's numbered files, each applied once.
 *
 * A file is `NNNN_name.sql`, numbered from 0001 without gaps; what it says may not change once it is released: a
 * change is a new file. What has been applied stands in the table schema_migration with the SHA-256 of the file.
 * MariaDB can't roll DDL back, so every statement of a file must be harmless when it runs again after a failure
 * halfway (IF NOT EXISTS and the like). */
#ifndef ROSTER_STORE_MIGRATION_H
#define ROSTER_STORE_MIGRATION_H

#include <stdbool.h>

#include "base/context.h"

/* Applies what is missing, in order, under a lock that a second call, in whatever process on this server, waits for.
 * `report` gets a line for each step. False with *error_r (in the arena): the directory can't be read, a number is
 * missing or double, a file has changed since it was applied, the database is newer than the files, or MariaDB
 * refuses; what was applied before stays. A statement may take as long as it needs. It uses a connection of its own
 * and closes it, so it is for rosterctl and tests, not for a worker. */
bool migration_run(struct context *context, const char *directory, void (*report)(const char *line, void *argument),
                   void *argument, const char **error_r);

/* The number of the newest migration that the database has; 0: none; -1: MariaDB can't be asked (logged). */
int migration_schema_version(struct context *context);

/* The number of the newest file in `directory`; 0: none; -1: the directory can't be read, or a number is missing or
 * double. */
int migration_newest(const char *directory);

#endif
