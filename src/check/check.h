/* check.h: checks of `roster -t` and `rosterctl doctor` beyond the configuration file itself. */
#ifndef ROSTER_CHECK_CHECK_H
#define ROSTER_CHECK_CHECK_H

#include "base/arena.h"
#include "check/findings.h"
#include "config/config.h"

/* True where the caller is neither root nor the user of the service: what such a caller can't do is no fault of the
 * service. */
bool check_is_outsider(const struct config *config);

/* The command that shows where the service has written what went wrong. Static, or in the arena. */
const char *check_log_command(struct arena *arena, const struct config *config);

/* Checks what the configuration refers to on this machine: users and groups, directories, certificates, and, where
 * systemd starts the service, its sockets and files with secrets; and the pattern of passwords.
 * Called by root, it looks with the rights of the user that systemd starts the service as, or else of the workers. */
void check_files(const struct config *config, struct findings *findings);

/* Checks the services: MariaDB (connection, version of the tables, max_connections and max_prepared_stmt_count for the
 * number of workers, privileges, password hashes), and Redis.
 * Needs the secrets in `config`. Closes its connections.
 * Called by root, it changes to the workers' user for the rest of the process, as unix_socket authentication of MariaDB
 * may require it. */
void check_services(const struct config *config, struct findings *findings);

#endif
