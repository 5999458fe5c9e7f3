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

enum { SCOREBOARD_SLOTS = 2048, SCOREBOARD_ROUTES = 128, SCOREBOARD_STATUSES = 18, SCOREBOARD_BUCKETS = 16 };

/* Upper bounds of the latency histogram in microseconds; the last bucket has none. */
extern const int64_t scoreboard_bucket_microseconds[SCOREBOARD_BUCKETS - 1];

/* The statuses that are counted one by one; all others count in the last place. 499: the client did not wait. */
extern const int scoreboard_statuses[SCOREBOARD_STATUSES - 1];

/* A slot is two cache lines, so that workers do not take each other's. */
struct scoreboard_slot {
    _Alignas(64) _Atomic int32_t pid;       /* 0: free */
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
    _Atomic int64_t by_status[SCOREBOARD_STATUSES];
    _Atomic int64_t microseconds;
};

struct scoreboard_pool {
    int64_t listener_inode;                 /* of the socket itself, not of its file; 0: unknown */
    _Atomic int64_t histogram[SCOREBOARD_BUCKETS];
    _Atomic int64_t microseconds;           /* that its workers were busy */
};

struct scoreboard {
    int64_t started_wall_seconds;
    _Atomic int32_t generation;             /* grows with each reload */
    _Atomic int32_t slots_used;             /* none at or above this was ever taken */
    _Atomic int64_t reloads;
    _Atomic int64_t reload_failures;
    _Atomic int64_t worker_deaths;          /* that nobody asked for */
    _Atomic int64_t statements;
    _Atomic int64_t statement_microseconds;
    _Atomic int64_t rate_limited;
    struct scoreboard_pool pools[POOL_COUNT];
    struct scoreboard_route routes[SCOREBOARD_ROUTES];
    struct scoreboard_slot slots[SCOREBOARD_SLOTS];
};

/* What a slot says about its worker, looked at with distrust: one that overwrote its memory may have written anything there. */
struct scoreboard_worker {
    int32_t pid, generation;
    enum worker_state state;
    enum pool pool;
    int64_t request_started; /* 0: none runs */
    int32_t route;           /* -1: none yet */
    int64_t requests;
    bool database_present, redis_present;
    char stage[41];          /* printable; "" between stages */
    char request_id[41];     /* printable; "" where there is none yet */
};

/* Maps it, shared and zero. Called by the master before the first fork. False where there is no memory. */
bool scoreboard_create(void);

/* The one of this process tree; NULL before scoreboard_create. */
struct scoreboard *scoreboard_get(void);

/* Takes a free slot for a worker that is about to be forked; NULL where all are taken. */
struct scoreboard_slot *scoreboard_take(enum pool pool, int32_t generation);

/* Gives it back: done by the master when the worker is gone. */
void scoreboard_release(struct scoreboard_slot *slot);

/* Looks at a slot. False where no worker has it. */
bool scoreboard_read(const struct scoreboard_slot *slot, struct scoreboard_worker *worker_r);

/* The place of a status in by_status. */
unsigned scoreboard_status_place(int status);

#endif
