/* scoreboard.c: one shared mapping. The kernel allocates its pages at the first access. */
#include "base/scoreboard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

const int64_t scoreboard_bucket_microseconds[SCOREBOARD_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

const int scoreboard_statuses[SCOREBOARD_STATUSES - 1] = {
    200, 204, 302, 304, 400, 401, 403, 404, 405, 409, 413, 422, 429, 431, 499, 500, 503,
};

static struct scoreboard *scoreboard;
static struct scoreboard_slot *own; /* of this process */

bool scoreboard_create(void)
{
    if (scoreboard != NULL) {
        return true;
    }
    void *mapping = mmap(NULL, sizeof *scoreboard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    scoreboard = mapping;
    scoreboard->master_pid = (int32_t)getpid();
    scoreboard->started_wall_seconds = clock_wall_seconds();
    return true;
}

struct scoreboard *scoreboard_get(void)
{
    return scoreboard;
}

struct scoreboard_slot *scoreboard_own(void)
{
    return own;
}

void scoreboard_set_own(struct scoreboard_slot *slot)
{
    own = slot;
}

/* Only the master takes and releases slots, so a state other than empty reserves a slot until the pid is known. */
struct scoreboard_slot *scoreboard_take(enum pool pool, int32_t generation)
{
    for (int i = 0; i < SCOREBOARD_SLOTS; i++) {
        struct scoreboard_slot *slot = &scoreboard->slots[i];
        if (atomic_load(&slot->state) != WORKER_EMPTY) {
            continue;
        }
        if (i >= atomic_load(&scoreboard->slots_used)) {
            atomic_store(&scoreboard->slots_used, i + 1);
        }
        atomic_store(&slot->pool, (int32_t)pool);
        atomic_store(&slot->generation, generation);
        atomic_store(&slot->request_started, 0);
        atomic_store(&slot->part_sent, 0);
        atomic_store(&slot->stage, NULL);
        atomic_store(&slot->route, -1);
        atomic_store(&slot->requests, 0);
        atomic_store(&slot->database_present, 0);
        atomic_store(&slot->redis_present, 0);
        scoreboard_set_request_id(slot, TEXT(""));
        atomic_store(&slot->state, WORKER_STARTING);
        return slot;
    }
    return NULL;
}

void scoreboard_release(struct scoreboard_slot *slot)
{
    atomic_store(&slot->pid, 0);
    atomic_store(&slot->request_started, 0);
    atomic_store(&slot->stage, NULL);
    atomic_store(&slot->state, WORKER_EMPTY);
}

int64_t scoreboard_timed_from(const struct scoreboard_slot *slot)
{
    const int64_t started = atomic_load(&slot->request_started);
    const int64_t part_sent = atomic_load(&slot->part_sent);
    return started != 0 && part_sent > started ? part_sent : started;
}

/* The name of a stage is a string literal, so a valid pointer points into this program. */
static void copy_stage(const struct scoreboard_slot *slot, char stage_r[static 41])
{
    extern const char __executable_start[], end[];
    const char *stage = atomic_load_explicit((_Atomic(const char *) *)(uintptr_t)&slot->stage, memory_order_relaxed);
    size_t length = 0;
    if ((uintptr_t)stage >= (uintptr_t)__executable_start && (uintptr_t)stage < (uintptr_t)end) {
        while (length < 40 && stage + length < end && stage[length] >= ' ' && stage[length] <= '~') {
            stage_r[length] = stage[length];
            length++;
        }
    }
    stage_r[length] = '\0';
}

void scoreboard_set_request_id(struct scoreboard_slot *slot, struct text id)
{
    const size_t length = id.length < sizeof slot->request_id ? id.length : sizeof slot->request_id;
    for (size_t i = 0; i < length; i++) {
        atomic_store_explicit(&slot->request_id[i], id.data[i], memory_order_relaxed);
    }
    if (length < sizeof slot->request_id) {
        atomic_store_explicit(&slot->request_id[length], '\0', memory_order_relaxed);
    }
}

static void copy_request_id(const struct scoreboard_slot *slot, char id_r[static sizeof slot->request_id + 1])
{
    size_t length = 0;
    for (char byte; length < sizeof slot->request_id; id_r[length++] = byte) {
        byte = atomic_load_explicit(&slot->request_id[length], memory_order_relaxed);
        if (byte <= ' ' || byte > '~') {
            break;
        }
    }
    id_r[length] = '\0';
}

bool scoreboard_read(const struct scoreboard_slot *slot, struct scoreboard_worker *worker_r)
{
    int32_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    int32_t pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
    worker_r->pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
    if (worker_r->pid == 0 || state <= WORKER_EMPTY || state > WORKER_LEAVING || pool < 0 || pool >= POOL_COUNT) {
        return false;
    }
    worker_r->state = (enum worker_state)state;
    worker_r->pool = (enum pool)pool;
    worker_r->generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
    worker_r->request_started = atomic_load_explicit(&slot->request_started, memory_order_relaxed);
    worker_r->route = atomic_load_explicit(&slot->route, memory_order_relaxed);
    worker_r->requests = atomic_load_explicit(&slot->requests, memory_order_relaxed);
    worker_r->database_present = atomic_load_explicit(&slot->database_present, memory_order_relaxed) != 0;
    worker_r->redis_present = atomic_load_explicit(&slot->redis_present, memory_order_relaxed) != 0;
    copy_stage(slot, worker_r->stage);
    copy_request_id(slot, worker_r->request_id);
    return true;
}

unsigned scoreboard_status_place(int status)
{
    unsigned place = 0;
    while (place < SCOREBOARD_STATUSES - 1 && scoreboard_statuses[place] != status) {
        place++;
    }
    return place;
}
