/* check.h: what `roster -t` looks at beyond the file itself. Each finding is a line on `out`; errors make the answer
 * false, warnings don't. */
#ifndef ROSTER_MASTER_CHECK_H
#define ROSTER_MASTER_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

/* What the file names on this machine: users and groups, directories, certificates, the pattern of passwords. */
bool check_files(const struct config *config, FILE *out);

/* What it names beyond: MariaDB (reachable, version of the schema, max_connections and max_prepared_stmt_count against
 * the number of workers), Redis, and nginx's snippet where it is found. Opens connections, and closes them. Root becomes
 * the workers' user, for good, as MariaDB may know that by unix_socket authentication. */
bool check_services(const struct config *config, FILE *out);

#endif
