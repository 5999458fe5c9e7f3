/* scoreboard.c: one shared mapping; its pages exist once they are touched. */
#include "master/scoreboard.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"

const int64_t scoreboard_bucket_microseconds[SCOREBOARD_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

static struct scoreboard *scoreboard;

bool scoreboard_create(void)
{
    if (scoreboard != NULL)
        return true;
    void *mapping = mmap(NULL, sizeof *scoreboard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    scoreboard = mapping;
    scoreboard->started_wall_seconds = clock_wall_seconds();
    return true;
}

struct scoreboard *scoreboard_get(void)
{
    return scoreboard;
}

/* Only the master takes and releases, so a state that isn't empty is reservation enough until the pid is known. */
struct scoreboard_slot *scoreboard_take(enum pool pool, int32_t generation)
{
    for (int i = 0; i < SCOREBOARD_SLOTS; i++) {
        struct scoreboard_slot *slot = &scoreboard->slots[i];
        if (atomic_load(&slot->state) != WORKER_EMPTY)
            continue;
        atomic_store(&slot->pool, (int32_t)pool);
        atomic_store(&slot->generation, generation);
        atomic_store(&slot->request_started, 0);
        atomic_store(&slot->stage, NULL);
        atomic_store(&slot->route, -1);
        atomic_store(&slot->requests, 0);
        atomic_store(&slot->database_present, 0);
        atomic_store(&slot->redis_present, 0);
        memset(slot->request_id, 0, sizeof slot->request_id);
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
