/* master.h: the master process: it opens the sockets, forks and supervises the workers, reloads and stops.
 * It handles no request and has no connection to MariaDB or Redis.
 *
 * Signals: HUP reloads; USR1 reopens the logs; QUIT stops when all requests are answered, or after shutdown_timeout;
 * TERM and INT do so within two seconds, and at once when sent a second time. */
#ifndef ROSTER_MASTER_MASTER_H
#define ROSTER_MASTER_MASTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/scoreboard.h"
#include "config/config.h"
#include "config/probe_result.h"
#include "master/helpers.h"
#include "master/module.h"
#include "master/sockets.h"

struct master_options {
    const char *config_path;
    bool detach;
    const struct module *modules;
    size_t module_count;
    int (*run_worker)(const struct config *config, enum pool pool, const struct worker_sockets *sockets,
                      struct scoreboard_slot *slot);
    const char *(*route_name)(int route);
    const struct helper *helpers; /* see helpers.h */
    size_t helper_count;
    void (*worker_ended)(pid_t pid);
    void (*probe)(const struct config *config, const struct config *old, struct probe_result *probe_r);
};

/* Runs the service until a signal stops it.
 * Returns the exit status: 0 after a stop, 1 where it could not start or gave up. The reason is printed and logged.
 * With `detach`, the calling process exits with 0 when all workers are ready; else it prints why not, and exits
 * with 1. */
int master_run(const struct master_options *options);

/* Reads the file and its secrets.
 * Returns a new object: free it with config_free. NULL on failure; the error then starts with FILE: or FILE:LINE:.
 * Fails where another user than root could change what a master of root's reads (base/safe_path.h). */
struct config *master_read_config(const char *path, struct error *error);

#endif
