/* check_database.h: the checks of MariaDB. */
#ifndef ROSTER_CHECK_CHECK_DATABASE_H
#define ROSTER_CHECK_CHECK_DATABASE_H

#include "base/context.h"
#include "check/findings.h"

/* Checks each host of database_host.
 * Then connects to the first usable one, and checks the tables, the server's limits, the account's privileges, and the
 * cost of the stored password hashes.
 * The connection stays open. */
void check_database(struct findings *findings, struct context *context);

/* The directory of MariaDB's data, in the arena; "" where it is on another machine, or not known. */
const char *check_database_directory(struct context *context);

#endif
