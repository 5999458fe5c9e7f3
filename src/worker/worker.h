/* worker.h: a worker of a pool: accepts FastCGI requests, one at a time, and runs each through the stages. */
#ifndef ROSTER_WORKER_WORKER_H
#define ROSTER_WORKER_WORKER_H

#include "base/problem.h"
#include "base/scoreboard.h"
#include "config/config.h"

struct request;

/* Answers a request that has passed the stages before it. OK, PROBLEM or FAULT: see problem.h. */
typedef enum outcome (*worker_handler)(struct request *request);

/* Sets the handlers: one per row of routes.def, in its order. The array is static.
 * Called by the program before worker_run. */
void worker_use_handlers(const worker_handler *handlers);

/* Runs until SIGQUIT, SIGTERM, or max_requests. After either signal it finishes the request that runs, and then exits;
 * the master kills workers that take too long.
 * SIGUSR1 reopens the logs.
 * Called in the forked process, with the user already changed, and SIGTERM, SIGQUIT, SIGUSR1 blocked (it reads them
 * from a signalfd).
 * `sockets` are the pool's, non-blocking, owned by the master.
 * `slot` is the worker's slot in the scoreboard.
 * Returns the exit status of the process. */
int worker_run(const struct config *config, enum pool pool, const struct worker_sockets *sockets,
               struct scoreboard_slot *slot);

/* Runs the stages between reading a request and validating it: route, authenticate, authorise. For rosterctl token.
 * `request` is all zero except context, method, path and credentials. router_init must have been called.
 * Sends and logs nothing.
 * OK, or the problem that the client would get. */
enum outcome worker_judge(struct request *request);

#endif
