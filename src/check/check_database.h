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

#endif
