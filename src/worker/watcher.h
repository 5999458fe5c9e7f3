/* watcher.h: the process that keeps the identity table honest.
 *
 * It learns from Redis what other programs revoke (store/tracking.h), and gives a sign of life without which no worker
 * uses the table. It lets go what processes held that died while they wrote, once MariaDB has given their connections
 * up. */
#ifndef ROSTER_WORKER_WATCHER_H
#define ROSTER_WORKER_WATCHER_H

#include "config/config.h"

/* Runs until SIGTERM or SIGQUIT, which are blocked by the caller, as SIGUSR1 is (it opens the logs anew). Called in the
 * forked process, with the user already changed. Returns the exit status of the process. */
int watcher_run(const struct config *config);

#endif
