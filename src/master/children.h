/* children.h: the workers as the master sees them: forking, reaping, throttling, and ending those that take too long.
 *
 * All workers belong to a generation, the number of the configuration that they run with. Those of the present
 * generation are kept at the configured number; others leave when they are told to. Times are monotonic
 * microseconds. */
#ifndef ROSTER_MASTER_CHILDREN_H
#define ROSTER_MASTER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "master/module.h"
#include "master/process_user.h"
#include "master/scoreboard.h"
#include "master/sockets.h"

/* A moment that does not come. */
#define CHILDREN_NEVER INT64_MAX

struct children_options {
    const struct module *modules;
    size_t module_count;
    int (*run)(const struct config *config, enum pool pool, int listener, struct scoreboard_slot *slot);
    const char *(*route_name)(int route); /* may be NULL */
    const struct process_user *process_user;
    const struct listener *listeners; /* one per pool */
    void (*close_master)(void);       /* closes what a worker must not keep */
};

/* `options` is copied; what it points to must outlive all workers. */
void children_init(const struct children_options *options);

/* What workers are forked with from now on. `config` must live until the next call. Waiting times and the count of
 * deaths start anew. */
void children_configure(const struct config *config, int32_t generation);

/* Forks what is missing, as far as throttling allows. */
void children_fill(int64_t now);

/* Collects those that ended, and says in the log how where nobody asked them to. */
void children_reap(int64_t now);

/* Kills workers that are over request_timeout, over the time they had to leave, or do not come up. */
void children_check(int64_t now);

/* When fill or check will have something to do, if nothing else happens. */
int64_t children_next_moment(int64_t now, bool filling);

/* How long a worker may take to become ready. */
int64_t children_start_limit(void);

/* True once restart_limit is reached. */
bool children_gave_up(void);

/* The number of workers of a pool in the present generation that are ready to accept or have been. */
int64_t children_ready(enum pool pool);

/* All workers, of any generation. */
size_t children_count(void);

/* Asks all workers, or all but those of `generation`, to leave (SIGQUIT), and kills those that are there at `deadline`.
 * An earlier deadline stands. */
void children_quit_all(int64_t deadline);
void children_quit_others(int32_t generation, int64_t deadline);

/* Sends a signal to each. */
void children_signal(int number);

/* Frees the list, when there is nobody left. */
void children_free(void);

#endif
