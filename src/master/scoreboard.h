/* scoreboard.h: shared memory of the master and its workers: one slot per worker, counters per pool and route.
 *
 * Each slot is written by its worker alone and read by anybody, without locks: counters only grow, with relaxed atomics. */
#ifndef ROSTER_MASTER_SCOREBOARD_H
#define ROSTER_MASTER_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

enum worker_state { WORKER_EMPTY, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY, WORKER_LEAVING };

enum { SCOREBOARD_SLOTS = 2048, SCOREBOARD_ROUTES = 128, SCOREBOARD_STATUS_CLASSES = 5, SCOREBOARD_BUCKETS = 16 };

/* Upper bounds of the latency histogram in microseconds; the last bucket has none. */
extern const int64_t scoreboard_bucket_microseconds[SCOREBOARD_BUCKETS - 1];

struct scoreboard_slot {
    _Atomic int32_t pid;                    /* 0: free */
    _Atomic int32_t state;                  /* enum worker_state */
    _Atomic int32_t pool;                   /* enum pool */
    _Atomic int32_t generation;             /* of the configuration that the worker runs with */
    _Atomic int64_t request_started;        /* monotonic microseconds; 0 while idle */
    _Atomic(const char *) stage;            /* name of the stage that runs; the same address in all processes */
    _Atomic int32_t route;                  /* index into routes.def, -1: none yet */
    _Atomic int64_t requests;               /* answered by this worker */
    _Atomic int32_t database_present;
    _Atomic int32_t redis_present;
    char request_id[40];                    /* of the request that runs; may be torn when read */
};

/* Sums since the master's start; they outlive workers. */
struct scoreboard_route {
    _Atomic int64_t by_status[SCOREBOARD_STATUS_CLASSES]; /* 1xx … 5xx */
    _Atomic int64_t microseconds;
};

struct scoreboard {
    int64_t started_wall_seconds;
    _Atomic int32_t generation;             /* grows with each reload */
    _Atomic int64_t reloads;
    _Atomic int64_t worker_deaths;          /* that nobody asked for */
    _Atomic int64_t statements;
    _Atomic int64_t rate_limited;
    _Atomic int64_t histogram[SCOREBOARD_BUCKETS];
    struct scoreboard_route routes[SCOREBOARD_ROUTES];
    struct scoreboard_slot slots[SCOREBOARD_SLOTS];
};

/* Maps it, shared and zero. Called by the master before the first fork. False where there is no memory. */
bool scoreboard_create(void);

/* The one of this process tree; NULL before scoreboard_create. */
struct scoreboard *scoreboard_get(void);

/* Takes a free slot for a worker that is about to be forked; NULL where all are taken. */
struct scoreboard_slot *scoreboard_take(enum pool pool, int32_t generation);

/* Gives it back: done by the master when the worker is gone. */
void scoreboard_release(struct scoreboard_slot *slot);

#endif
