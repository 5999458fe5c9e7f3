/* scoreboard.h: shared memory of the master and its workers: one slot per worker, counters per pool and route.
 *
 * Only the worker writes its slot; every process may read it. There are no locks: counters only grow, with relaxed
 * atomics. */
#ifndef ROSTER_BASE_SCOREBOARD_H
#define ROSTER_BASE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/pool.h"
#include "base/text.h"

enum worker_state { WORKER_EMPTY, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY, WORKER_LEAVING };

enum { SCOREBOARD_SLOTS = 2048, SCOREBOARD_ROUTES = 128, SCOREBOARD_STATUSES = 18, SCOREBOARD_BUCKETS = 16 };

/* Upper bounds of the buckets of the latency histogram, in microseconds. The last bucket is unbounded. */
extern const int64_t scoreboard_bucket_microseconds[SCOREBOARD_BUCKETS - 1];

/* The statuses that have their own counter. The last counter is for all others.
 * 499: the client closed the connection. */
extern const int scoreboard_statuses[SCOREBOARD_STATUSES - 1];

/* A slot is two cache lines, so that workers do not share one (false sharing). */
struct scoreboard_slot {
    _Alignas(64) _Atomic int32_t pid; /* 0: free */
    _Atomic int32_t state;            /* enum worker_state */
    _Atomic int32_t pool;             /* enum pool */
    _Atomic int32_t generation;       /* of the worker's configuration */
    _Atomic int64_t request_started;  /* monotonic microseconds; 0 while idle */
    _Atomic int64_t part_sent;        /* when a part of the answer went out last; 0: none has */
    _Atomic(const char *) stage;      /* name of the running stage; the same address in all processes */
    _Atomic int32_t route;            /* index into routes.def; -1: not known yet */
    _Atomic int64_t requests;         /* answered by this worker */
    _Atomic int32_t database_present;
    _Atomic int32_t redis_present;
    _Atomic int64_t table_hits, table_misses; /* of the identity table; of all workers that had this slot */
    _Atomic char request_id[40];              /* of the current request; a reader may see a partial write */
};

/* Totals since the start of the master, of all workers. */
struct scoreboard_route {
    _Atomic int64_t by_status[SCOREBOARD_STATUSES];
    _Atomic int64_t microseconds;
};

struct scoreboard_pool {
    int64_t listener_inode;    /* of the socket, not of its file; 0: unknown */
    _Atomic int32_t is_paused; /* its workers died at their start; new ones start later */
    int64_t second_inode;      /* the same for listen_second; 0: no second socket */
    _Atomic int64_t histogram[SCOREBOARD_BUCKETS];
    _Atomic int64_t microseconds; /* total busy time of its workers */
};

/* What the database holds, as store/census.c counts it from time to time. */
enum { SCOREBOARD_ROLES = 3 };
struct scoreboard_census {
    _Atomic int64_t due; /* monotonic microseconds; the worker that moves it on counts */
    _Atomic bool is_counted;
    _Atomic int64_t accounts[SCOREBOARD_ROLES];
    _Atomic int64_t active;
    _Atomic int64_t sessions;
    _Atomic int64_t mails_waiting, mails_given_up;
    _Atomic int64_t oldest_mail_at;
    _Atomic int64_t schema_version;
};

/* Refused sign-ins, of which the audit gets audit_refusals in a minute at most. */
struct scoreboard_refusals {
    _Atomic int64_t minute;  /* since 1970 */
    _Atomic int64_t written; /* in this minute */
    _Atomic int64_t omitted; /* since the last one that was written */
};

struct scoreboard {
    int64_t started_wall_seconds;
    _Atomic int32_t generation; /* grows with each reload */
    _Atomic int32_t slots_used; /* slots from this index on have never been used */
    _Atomic int64_t reloads;
    _Atomic int64_t reload_failures;
    /* the error of the last reload; "" where it succeeded; a reader may see a partial write */
    char reload_error[600];
    int32_t master_pid;
    _Atomic int64_t worker_deaths; /* unexpected ones */
    _Atomic int64_t statements;
    _Atomic int64_t statement_microseconds;
    _Atomic int64_t rate_limited;
    struct scoreboard_census census;
    struct scoreboard_refusals refusals;
    _Atomic int64_t audit_written; /* transactions that wrote rows of the audit: then the housekeeper looks for them */
    struct scoreboard_pool pools[POOL_COUNT];
    struct scoreboard_route routes[SCOREBOARD_ROUTES];
    struct scoreboard_slot slots[SCOREBOARD_SLOTS];
};

/* A copy of a slot with validated values: a worker that has corrupted its memory may have written anything there. */
struct scoreboard_worker {
    int32_t pid, generation;
    enum worker_state state;
    enum pool pool;
    int64_t request_started; /* 0: idle */
    int32_t route;           /* -1: not known yet */
    int64_t requests;
    bool database_present, redis_present;
    char stage[41];      /* printable; "" between stages */
    char request_id[41]; /* printable; "" where it is not known yet */
};

/* Maps the scoreboard, shared and zeroed. The master calls it before the first fork.
 * False where there is no memory. */
bool scoreboard_create(void);

/* The scoreboard of this master and its workers. NULL before scoreboard_create. */
struct scoreboard *scoreboard_get(void);

/* The slot of this process; NULL where it has none. */
struct scoreboard_slot *scoreboard_own(void);
void scoreboard_set_own(struct scoreboard_slot *slot);

/* Adds one to a counter that only this process changes. */
static inline void scoreboard_count(_Atomic int64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Notes the id of the current request, as far as there is room for it. */
void scoreboard_set_request_id(struct scoreboard_slot *slot, struct text id);

/* Reserves a slot for a worker, before the fork. NULL where no slot is free. */
struct scoreboard_slot *scoreboard_take(enum pool pool, int32_t generation);

/* Frees a slot. The master calls it when the worker has exited. */
void scoreboard_release(struct scoreboard_slot *slot);

/* Copies and validates a slot. False where the slot is free. */
bool scoreboard_read(const struct scoreboard_slot *slot, struct scoreboard_worker *worker_r);

/* The moment from which request_timeout counts: the start of the request, or when a part of its answer went out last.
 * 0: the worker is idle. */
int64_t scoreboard_timed_from(const struct scoreboard_slot *slot);

/* The index of a status in by_status. */
unsigned scoreboard_status_place(int status);

#endif
