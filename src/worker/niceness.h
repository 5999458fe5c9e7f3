/* niceness.h: the niceness of a pool. Its workers are nice while requests wait for them, and not nice otherwise.
 *
 * A process without privileges can't lower its niceness again (setpriority(2)). But on Linux each thread has a niceness
 * of its own: so requests that must be nice run in a second thread. The two threads never run at the same time. */
#ifndef ROSTER_WORKER_NICENESS_H
#define ROSTER_WORKER_NICENESS_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the second thread, with this niceness, and a process session of its own (setsid(2)).
 * `nice` 0: starts neither, and niceness_run calls each job directly.
 * `pool` is the name for the log, static.
 * Called once per worker, with signals already blocked.
 * Without a thread (logged) the worker runs as with 0. */
void niceness_init(int64_t nice, const char *pool);

/* Runs job(argument) and returns when it has ended. Where `others_wait`, it runs in the second thread. */
void niceness_run(void (*job)(void *argument), void *argument, bool others_wait);

/* Sets the niceness of the session back to 0 when no request has waited for a second.
 * Called before the worker waits for a request. Returns after how many milliseconds of idleness to call it again; -1:
 * there is nothing left to do. */
int niceness_settle(void);

#endif
