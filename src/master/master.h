/* master.h: the master: it opens the sockets, forks the pools, watches them, reloads and stops. It handles no request
 * and has no connection to MariaDB or Redis.
 *
 * Signals: HUP reloads; USR1 opens the logs anew; QUIT stops when all requests are answered, within shutdown_timeout;
 * TERM and INT do so within two seconds, a second of them at once. */
#ifndef ROSTER_MASTER_MASTER_H
#define ROSTER_MASTER_MASTER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "master/module.h"
#include "master/scoreboard.h"

struct master_options {
    const char *config_path;
    bool detach;
    const struct module *modules;
    size_t module_count;
    int (*run_worker)(const struct config *config, enum pool pool, int listener, struct scoreboard_slot *slot);
    const char *(*route_name)(int route);
};

/* Runs until it is told to stop. Returns the exit status: 0 after a stop, 1 where it could not start, or gave up. With
 * `detach` the process that called returns 0 as soon as all workers are ready, or prints why they are not and
 * returns 1. */
int master_run(const struct master_options *options);

/* The file and its secrets. NULL with *error_r (kept until the next call), which starts with FILE: or FILE:LINE:. */
struct config *master_read_config(const char *path, const char **error_r);

#endif
