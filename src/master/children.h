/* children.h: the master's workers: it forks, reaps and throttles them, and kills those that take too long.
 *
 * Each worker belongs to a generation: the number of the configuration that it was forked with.
 * Workers of the current generation are kept at the configured number. Older ones exit when they are told to.
 * All times are monotonic microseconds. */
#ifndef ROSTER_MASTER_CHILDREN_H
#define ROSTER_MASTER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/process_user.h"
#include "base/scoreboard.h"
#include "config/config.h"
#include "master/helpers.h"
#include "master/module.h"
#include "master/sockets.h"

/* No time limit. */
#define CHILDREN_NEVER INT64_MAX

struct children_options {
    const struct module *modules;
    size_t module_count;
    int (*run)(const struct config *config, enum pool pool, const struct worker_sockets *sockets,
               struct scoreboard_slot *slot);
    const char *(*route_name)(int route); /* may be NULL */
    const struct process_user *process_user;
    const struct listener (*listeners)[LISTENER_COUNT]; /* one row per pool */
    void (*close_master)(void);                         /* closes the master's descriptors in a worker */
    void (*other_ended)(pid_t pid);                     /* called when another child than a worker was reaped */
    const struct helper *helpers;                       /* see helpers.h */
    size_t helper_count;
    void (*worker_ended)(pid_t pid); /* called when any child was reaped; may be NULL */
};

/* Called once. `options` is copied; the objects that it points to must outlive all workers. */
void children_init(const struct children_options *options);

/* Sets the configuration and generation of workers that are forked from now on.
 * `config` must stay valid until the next call returns.
 * Resets throttling and the count of deaths. */
void children_configure(const struct config *config, int32_t generation);

/* Forks missing workers, as far as throttling allows: all at once, or one after another while older workers serve. */
void children_fill(int64_t now);

/* Reaps children that have exited. Logs how a worker ended that was not told to exit. */
void children_reap(int64_t now);

/* Kills workers that exceed request_timeout, do not exit by their deadline, or do not become ready. */
void children_check(int64_t now);

/* The time of the next call of children_check, and with `filling` also of children_fill, if no signal comes first.
 * CHILDREN_NEVER: none is needed. */
int64_t children_next_moment(int64_t now, bool filling);

/* How long a worker may take to become ready, in microseconds. */
int64_t children_start_limit(void);

/* True when restart_limit is reached because workers of *pool_r die at their start. */
bool children_gave_up(enum pool *pool_r);

/* Pauses a pool: no worker of it is started before `until`.
 * While it has no worker, a process answers its clients with 503, code UNAVAILABLE.
 * Resets the count of deaths. */
void children_pause(enum pool pool, int64_t until);

/* The number of workers of a pool, of the current generation, that are idle or busy. */
int64_t children_ready(enum pool pool);

/* The number of all child processes: workers of any generation, helpers, and those that answer for a paused
 * pool. */
size_t children_count(void);

/* Tells all workers, or those of one generation, to exit (SIGQUIT). children_check kills them at `deadline`, and, when
 * all have exited, ends the helpers that end last. A worker that has an earlier deadline keeps it. */
void children_quit_all(int64_t deadline);
void children_quit_generation(int32_t generation, int64_t deadline);

/* Tells workers of older generations to exit, as far as ready ones of the current generation have taken their places:
 * together they stay as many as are configured. True when none of them is left to be told. */
bool children_replace(int64_t deadline);

/* Sends a signal to each worker and helper. */
void children_signal(int number);

/* Frees the list. Call it when all workers have exited. */
void children_free(void);

#endif
