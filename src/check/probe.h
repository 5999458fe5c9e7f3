/* probe.h: tests whether the service can use a configuration: MariaDB, its tables, Redis. The detailed checks for
 * `roster -t` and doctor are in check.h. */
#ifndef ROSTER_CHECK_PROBE_H
#define ROSTER_CHECK_PROBE_H

#include "config/config.h"
#include "config/probe_result.h"

/* Connects as the service does, and reports whether it can use the configuration.
 * Call it in a process of its own, after the change of user.
 * Without `old`, at a start: good unless the tables are of another version. MariaDB and Redis may be unavailable.
 * With `old`, at a reload: not good where a service is unavailable that is available with `old`: MariaDB, tables of
 * this version, and with redis_required Redis. A service that is unavailable with both does not count. */
void probe_services(const struct config *config, const struct config *old, struct probe_result *probe_r);

#endif
