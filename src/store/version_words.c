/* version_words.c: see version_words.h.
 *
 * The orders of memory are those of the model: recording a word as held, raising it, and looking for holders are
 * sequentially consistent. */
#include "store/version_words.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "store/table_hash.h"

enum {
    WORDS_MIN = 1 << 12,
    WORDS_MAX = 1 << 16,
    ORPHANS_MAX = 512,
    HOLDERS = 2 * SCOREBOARD_SLOTS + ORPHANS_MAX, /* a worker may have two threads: niceness.c */
    HELD_MAX = 8                                  /* words that one process can hold; more: everything */
};

/* What a thread of a process holds. */
struct holder {
    _Alignas(64) _Atomic int32_t pid; /* 0: free; ORPHAN: its process is gone */
    _Atomic uint32_t everything;
    _Atomic uint64_t connection;
    _Atomic int64_t since;            /* monotonic microseconds */
    _Atomic uint32_t words[HELD_MAX]; /* place + 1, in the order in which they are taken and let go; 0: none */
};

enum { ORPHAN = -1 };

/* Orphans for which there was no holder are held as one: everything is, until all connections up to the greatest number
 * are gone. Its upper bits count, so that a release fails where another orphan has come meanwhile. */
enum { LOST_NUMBER_BITS = 48 };
#define LOST_NUMBER ((UINT64_C(1) << LOST_NUMBER_BITS) - 1)

struct shared {
    size_t words_count; /* a power of two */
    _Alignas(64) _Atomic uint64_t everything;
    _Alignas(64) _Atomic uint32_t holders_used; /* none at or above this was ever taken */
    _Atomic uint64_t lost;                      /* 0: none */
    _Atomic int64_t lost_since;
    struct holder holders[HOLDERS];
    _Atomic uint64_t words[];
};

static struct shared *shared;

/* What this thread holds. */
static _Thread_local struct {
    struct holder *holder; /* NULL until its first write */
    pid_t pid;             /* of the process that `holder` belongs to */
    size_t count;          /* of words; 0 with `everything` false: not writing */
    bool everything;
} own;

static uint16_t place_of(struct text name)
{
    return (uint16_t)((table_hash(name) >> 40) & (shared->words_count - 1));
}

/* ---- Making them ---- */

static size_t words_count_for(size_t bytes)
{
    size_t count = WORDS_MIN;
    while (count < WORDS_MAX && count * 64 * sizeof(uint64_t) <= bytes) {
        count *= 2;
    }
    return count;
}

static size_t mapping_bytes(size_t words_count)
{
    return sizeof(struct shared) + words_count * sizeof(uint64_t);
}

bool version_words_create(size_t bytes)
{
    size_t count = words_count_for(bytes);
    void *mapping = mmap(NULL, mapping_bytes(count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    version_words_remove();
    shared = mapping;
    shared->words_count = count;
    return true;
}

void version_words_remove(void)
{
    if (shared != NULL) {
        munmap(shared, mapping_bytes(shared->words_count));
    }
    shared = NULL;
    memset(&own, 0, sizeof own);
}

size_t version_words_bytes(void)
{
    return shared != NULL ? mapping_bytes(shared->words_count) : 0;
}

bool version_words_exist(void)
{
    return shared != NULL;
}

/* ---- Reading ---- */

struct version_places version_words_places(const struct text *names, size_t count)
{
    struct version_places places = {.count = 0};
    invariant(count <= VERSION_NAMES_MAX);
    for (size_t i = 0; shared != NULL && i < count; i++) {
        if (names[i].data != NULL) {
            places.place[places.count++] = place_of(names[i]);
        }
    }
    return places;
}

uint64_t version_words_sum(struct version_places places)
{
    uint64_t sum = shared != NULL ? atomic_load(&shared->everything) : 0;
    for (size_t i = 0; shared != NULL && i < places.count; i++) {
        sum += atomic_load(&shared->words[places.place[i]]);
    }
    return sum;
}

static bool is_among(uint32_t place, const struct version_places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->place[i] == place) {
            return true;
        }
    }
    return false;
}

/* A holder fills its words from the first one on, and raises them when all are recorded: who does not see one yet has
 * an old stamp. It empties them in the same order when its write is over. */
static bool holds_one_of(struct holder *holder, const struct version_places *places)
{
    if (atomic_load(&holder->everything) != 0) {
        return true;
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        uint32_t word = atomic_load(&holder->words[i]);
        if (word == 0) {
            return false;
        }
        if (is_among(word - 1, places)) {
            return true;
        }
    }
    return false;
}

bool version_words_are_held(struct version_places places)
{
    if (shared == NULL) {
        return false;
    }
    uint32_t used = atomic_load(&shared->holders_used);
    for (uint32_t i = 0; i < used; i++) {
        struct holder *holder = &shared->holders[i];
        if (atomic_load(&holder->pid) != 0 && holds_one_of(holder, &places)) {
            return true;
        }
    }
    return atomic_load(&shared->lost) != 0;
}

/* ---- Writing ---- */

/* A free place in which to record what is held. It becomes `pid`'s. NULL: all are taken. */
static struct holder *take_holder(int32_t pid)
{
    for (uint32_t i = 0; i < HOLDERS; i++) {
        int32_t nobody = 0;
        struct holder *holder = &shared->holders[i];
        if (atomic_load(&holder->pid) != 0 || !atomic_compare_exchange_strong(&holder->pid, &nobody, pid)) {
            continue;
        }
        uint32_t used = atomic_load(&shared->holders_used);
        while (used <= i && !atomic_compare_exchange_weak(&shared->holders_used, &used, i + 1)) {
        }
        return holder;
    }
    return NULL;
}

/* Raises whatever a holder holds. */
static void raise_held(struct holder *holder)
{
    if (atomic_load(&holder->everything) != 0) {
        atomic_fetch_add(&shared->everything, 1);
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        uint32_t held = atomic_load(&holder->words[i]);
        if (held != 0) {
            atomic_fetch_add(&shared->words[held - 1], 1);
        }
    }
}

static void let_go(struct holder *holder)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        atomic_store(&holder->words[i], 0);
    }
    atomic_store(&holder->everything, 0);
    atomic_store(&holder->connection, 0);
}

static void take_own_holder(void)
{
    pid_t pid = getpid();
    if (own.holder == NULL || own.pid != pid) {
        own.holder = take_holder((int32_t)pid);
        own.pid = pid;
    }
    invariant(own.holder != NULL); /* there are more places than processes can be */
}

static void hold_everything(struct holder *holder)
{
    own.everything = true;
    atomic_store(&holder->everything, 1);
}

void version_words_begin(const struct text *names, size_t count, uint64_t connection)
{
    if (shared == NULL) {
        return;
    }
    invariant(!version_words_is_writing());
    take_own_holder();
    struct holder *holder = own.holder;
    atomic_store(&holder->since, clock_monotonic_microseconds());
    atomic_store(&holder->connection, connection);
    if (count == 0 || count > HELD_MAX) {
        hold_everything(holder);
    }
    for (own.count = 0; !own.everything && own.count < count; own.count++) {
        atomic_store(&holder->words[own.count], place_of(names[own.count]) + 1u);
    }
    raise_held(holder);
}

/* True where a word is held already. */
static bool holds(const struct holder *holder, uint32_t place)
{
    for (size_t i = 0; i < own.count; i++) {
        if (atomic_load(&holder->words[i]) == place + 1) {
            return true;
        }
    }
    return false;
}

void version_words_more(const struct text *names, size_t count, uint64_t connection)
{
    if (shared != NULL && count > 0 && !version_words_is_writing()) {
        version_words_begin(names, count, connection);
        return;
    }
    for (size_t i = 0; i < count && version_words_is_writing() && !own.everything; i++) {
        const uint32_t place = place_of(names[i]);
        if (holds(own.holder, place)) {
            continue;
        }
        if (own.count == HELD_MAX) {
            hold_everything(own.holder);
            atomic_fetch_add(&shared->everything, 1);
        } else {
            atomic_store(&own.holder->words[own.count++], place + 1);
            atomic_fetch_add(&shared->words[place], 1);
        }
    }
}

void version_words_over(uint64_t connection)
{
    if (version_words_is_writing()) {
        atomic_store(&own.holder->connection, connection);
    }
}

/* Holds everything until all connections up to this one are gone. */
static void lose(uint64_t connection, int64_t since)
{
    int64_t last = atomic_load(&shared->lost_since); /* first: who sees the new number must not see an older time */
    while (last < since && !atomic_compare_exchange_weak(&shared->lost_since, &last, since)) {
    }
    uint64_t lost = atomic_load(&shared->lost), next;
    do {
        uint64_t number = connection > (lost & LOST_NUMBER) ? connection & LOST_NUMBER : lost & LOST_NUMBER;
        uint64_t count = (lost >> LOST_NUMBER_BITS) + 1;
        next = count << LOST_NUMBER_BITS | number;
    } while (!atomic_compare_exchange_weak(&shared->lost, &lost, next != 0 ? next : UINT64_C(1) << LOST_NUMBER_BITS));
    atomic_fetch_add(&shared->everything, 1);
}

/* The holder becomes an orphan, which can be released from here on. */
static void orphan(struct holder *holder)
{
    atomic_store(&holder->pid, ORPHAN);
}

/* What this process holds stays held by nobody in particular. */
static void leave_orphan(void)
{
    struct holder *left = take_holder((int32_t)own.pid); /* if the process dies here, it is found by its pid */
    if (left == NULL) {
        lose(atomic_load(&own.holder->connection), clock_monotonic_microseconds());
        return;
    }
    for (size_t i = 0; i < HELD_MAX; i++) {
        atomic_store(&left->words[i], atomic_load(&own.holder->words[i]));
    }
    atomic_store(&left->everything, atomic_load(&own.holder->everything));
    atomic_store(&left->since, atomic_load(&own.holder->since));
    atomic_store(&left->connection, atomic_load(&own.holder->connection));
    orphan(left);
    raise_held(own.holder); /* who looked too early at the one, and too late at the other, has an old stamp then */
}

void version_words_end(bool is_known)
{
    if (!version_words_is_writing()) {
        return;
    }
    if (!is_known) {
        leave_orphan();
    }
    let_go(own.holder);
    own.count = 0;
    own.everything = false;
}

bool version_words_is_writing(void)
{
    return own.count > 0 || own.everything;
}

void version_words_hold(uint64_t connection)
{
    if (shared == NULL) {
        return;
    }
    struct holder *holder = take_holder((int32_t)getpid());
    if (holder == NULL) {
        lose(connection, clock_monotonic_microseconds());
        return;
    }
    atomic_store(&holder->since, clock_monotonic_microseconds());
    atomic_store(&holder->connection, connection);
    atomic_store(&holder->everything, 1);
    raise_held(holder);
    orphan(holder);
}

void version_words_forget_all(void)
{
    if (shared != NULL) {
        atomic_fetch_add(&shared->everything, 1);
    }
}

void version_words_forget(struct text name)
{
    if (shared != NULL) {
        atomic_fetch_add(&shared->words[place_of(name)], 1);
    }
}

/* ---- Processes that died ---- */

static bool holds_anything(const struct holder *holder)
{
    return atomic_load(&holder->everything) != 0 || atomic_load(&holder->words[0]) != 0;
}

void version_words_reap(pid_t pid)
{
    uint32_t used = shared != NULL ? atomic_load(&shared->holders_used) : 0;
    for (uint32_t i = 0; i < used; i++) {
        struct holder *holder = &shared->holders[i];
        if (atomic_load(&holder->pid) != (int32_t)pid) {
            continue;
        }
        if (holds_anything(holder)) {
            orphan(holder);
        } else {
            let_go(holder);
            atomic_store(&holder->pid, 0);
        }
    }
}

size_t version_words_orphans(struct version_orphan *orphans_r, size_t max)
{
    size_t count = 0;
    if (shared == NULL || max == 0) {
        return 0;
    }
    uint64_t lost = atomic_load(&shared->lost);
    if (lost != 0) {
        orphans_r[count++] = (struct version_orphan){lost & LOST_NUMBER, atomic_load(&shared->lost_since), lost};
    }
    uint32_t used = atomic_load(&shared->holders_used);
    for (uint32_t i = 0; i < used && count < max; i++) {
        const struct holder *holder = &shared->holders[i];
        if (atomic_load(&holder->pid) == ORPHAN) {
            orphans_r[count++] =
                (struct version_orphan){atomic_load(&holder->connection), atomic_load(&holder->since), 0};
        }
    }
    return count;
}

/* Who releases an orphan owns it meanwhile: if that process dies, it becomes an orphan again. */
static void release(struct holder *holder, const struct version_orphan *released)
{
    int32_t expected = ORPHAN;
    if (!atomic_compare_exchange_strong(&holder->pid, &expected, (int32_t)getpid())) {
        return;
    }
    if (atomic_load(&holder->connection) != released->connection || atomic_load(&holder->since) != released->since) {
        orphan(holder);
        return;
    }
    let_go(holder);
    atomic_store(&holder->pid, 0);
}

void version_words_release(const struct version_orphan *released)
{
    uint32_t used = shared != NULL ? atomic_load(&shared->holders_used) : 0;
    if (released->ticket != 0 && shared != NULL) {
        uint64_t lost = released->ticket;
        atomic_compare_exchange_strong(&shared->lost, &lost, 0);
        return;
    }
    for (uint32_t i = 0; i < used; i++) {
        release(&shared->holders[i], released);
    }
}

void version_words_count(int64_t *writing_r, int64_t *orphans_r)
{
    *writing_r = 0;
    *orphans_r = 0;
    uint32_t used = shared != NULL ? atomic_load(&shared->holders_used) : 0;
    for (uint32_t i = 0; i < used; i++) {
        const struct holder *holder = &shared->holders[i];
        int32_t pid = atomic_load(&holder->pid);
        *orphans_r += pid == ORPHAN;
        *writing_r += pid > 0 && holds_anything(holder);
    }
    *orphans_r += shared != NULL && atomic_load(&shared->lost) != 0;
}
