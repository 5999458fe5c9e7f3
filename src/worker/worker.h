/* worker.h: a worker of a pool: accepts FastCGI requests, one at a time, and leads each through the stages. */
#ifndef ROSTER_WORKER_WORKER_H
#define ROSTER_WORKER_WORKER_H

#include "config/config.h"
#include "master/scoreboard.h"

/* Runs until SIGQUIT (finish the request that runs, then leave) or SIGTERM (the same: a request is never cut; the master kills those that take too long), or until max_requests.
 * `listener` is the pool's listening socket, non-blocking, owned by the master; `slot` the worker's place in the scoreboard. Called in the forked process, with the
 * user already changed and SIGTERM, SIGQUIT, SIGUSR1 blocked (the worker reads them by signalfd; USR1 reopens the logs). Returns the exit status of the process. */
int worker_run(const struct config *config, enum pool pool, int listener, struct scoreboard_slot *slot);

#endif
