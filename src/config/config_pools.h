/* config_pools.h: the sockets of the pools, and how many workers they have. */
#ifndef ROSTER_CONFIG_CONFIG_POOLS_H
#define ROSTER_CONFIG_CONFIG_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config_table.h"

/* Sets the sockets of pools that have none in the file, in the directory of those that are set.
 * Resolves `workers = 0`. */
void config_pools_resolve(struct config_loaded *loaded);

/* Checks that each socket of the pools has its own path, of a valid length.
 * On failure *line_r is the line of the faulty directive. */
bool config_pools_check(const struct config_loaded *loaded, unsigned *line_r, struct error *error);

/* The number of workers of all pools. */
int64_t config_worker_count(const struct config *config);

/* The max_connections that MariaDB needs for this number of workers. */
int64_t config_connections_wanted(int64_t workers);

/* Reduces the numbers of workers that are not set in the file, where MariaDB allows too few connections.
 * Counts each worker twice, as old and new workers run together during a reload, and leaves some connections to other
 * clients.
 * `connections` is MariaDB's max_connections; -1: unknown, its default is used.
 * True if a number was reduced. */
bool config_fit_workers(struct config *config, int64_t connections);

#endif
