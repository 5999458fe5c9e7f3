/* touch_table.c: see touch_table.h.
 *
 * The hash of an id tells a bucket of eight slots, whose words share a line of the cache. The words change in
 * sequentially consistent order, as the model has it; what a slot holds is copied, and counts only if its word is still
 * the same. */
#include "store/touch_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/table_hash.h"

enum {
    BUCKET_SLOTS = 8,
    BUCKETS = 2048, /* a power of two */
    SLOTS = BUCKETS * BUCKET_SLOTS,
    ID_WORDS = TOUCH_ID_BYTES / 8,
    BEAT_LIMIT_MICROSECONDS = 5000000 /* the oldest beat of a housekeeper that is alive */
};

/* A word: the time, or the pid while it is filled; the state; the version; a tag, bits of the hash. */
enum { STATE_SHIFT = 32, VERSION_SHIFT = 34, TAG_SHIFT = 48 };
enum state { FREE, FILLING, WAITING, WRITTEN };
#define VERSION_ONE (UINT64_C(1) << VERSION_SHIFT)
#define VERSION_MASK ((UINT64_C(1) << TAG_SHIFT) - VERSION_ONE)

/* What is noted. `lengths`: of the id in the lowest byte, of `concerns` in the second one, the kind in the third; the
 * uppermost half is the source. */
struct slot {
    _Atomic uint64_t lengths;
    _Atomic uint64_t id[ID_WORDS];
    _Atomic uint64_t concerns[ID_WORDS];
};

struct shared {
    _Atomic int64_t beat; /* monotonic microseconds; 0: there is no housekeeper */
    _Atomic uint32_t source;
    _Alignas(64) _Atomic int64_t noted, written, direct, statements;
    _Alignas(64) _Atomic uint64_t words[SLOTS];
    struct slot slots[SLOTS];
};

static struct shared *shared;
static uint32_t own_source;

/* With the key that identity_table_create has chosen; without one, 0 is as good for names that the service chooses. */
bool touch_table_create(void)
{
    if (shared != NULL) {
        munmap(shared, sizeof *shared);
    }
    void *mapping = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = mapping != MAP_FAILED ? mapping : NULL;
    return shared != NULL;
}

bool touch_table_exists(void)
{
    return shared != NULL;
}

void touch_table_set_source(uint32_t source)
{
    own_source = source;
}

/* ---- Words and slots ---- */

static enum state state_of(uint64_t word)
{
    return (enum state)(word >> STATE_SHIFT & 3);
}

static int64_t time_of(uint64_t word)
{
    return (int64_t)(word & UINT32_MAX);
}

static uint16_t tag_of(uint64_t word)
{
    return (uint16_t)(word >> TAG_SHIFT);
}

/* The same version. */
static uint64_t word_with(uint64_t word, enum state state, uint16_t tag, uint32_t low)
{
    return (word & VERSION_MASK) | (uint64_t)tag << TAG_SHIFT | (uint64_t)state << STATE_SHIFT | low;
}

static uint64_t next_version(uint64_t word)
{
    return (word & ~VERSION_MASK) | ((word + VERSION_ONE) & VERSION_MASK);
}

static bool counts(uint64_t word)
{
    return state_of(word) == WAITING || state_of(word) == WRITTEN;
}

static bool change(uint32_t slot, uint64_t word, uint64_t next)
{
    return atomic_compare_exchange_strong(&shared->words[slot], &word, next);
}

/* Where a name may be. */
struct place {
    uint32_t first; /* slot of the bucket */
    uint16_t tag;
};

static struct place place_of(enum touch_kind kind, struct text id)
{
    const uint64_t hash = table_hash(id) + kind;
    return (struct place){(uint32_t)(hash & (BUCKETS - 1)) * BUCKET_SLOTS, (uint16_t)(hash >> TAG_SHIFT)};
}

static uint64_t pack_lengths(enum touch_kind kind, size_t id_length, size_t concerns_length, uint32_t source)
{
    return (uint64_t)source << 32 | (uint64_t)kind << 16 | (uint64_t)concerns_length << 8 | id_length;
}

static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static void put_text(_Atomic uint64_t *to, struct text text)
{
    for (size_t at = 0; at < text.length; at += 8) {
        uint64_t part = 0;
        memcpy(&part, text.data + at, text.length - at < 8 ? text.length - at : 8);
        set(to++, part);
    }
}

static bool is_same(const _Atomic uint64_t *stored, struct text text)
{
    for (size_t at = 0; at < text.length; at += 8) {
        uint64_t part = 0;
        memcpy(&part, text.data + at, text.length - at < 8 ? text.length - at : 8);
        if (get(stored++) != part) {
            return false;
        }
    }
    return true;
}

static struct text copy_text(struct arena *arena, const _Atomic uint64_t *from, size_t length)
{
    char *copy = arena_alloc(arena, TOUCH_ID_BYTES);
    for (size_t i = 0; i < ID_WORDS; i++) {
        const uint64_t part = get(&from[i]);
        memcpy(copy + i * 8, &part, 8);
    }
    return (struct text){copy, length <= TOUCH_ID_BYTES ? length : TOUCH_ID_BYTES};
}

/* True where the slot is of this kind and id, and of this source. It counts if the word is the same before and after.
 */
static bool is_of(uint32_t slot, enum touch_kind kind, struct text id)
{
    enum { WITHOUT_CONCERNS = 0xff00 };
    const struct slot *held = &shared->slots[slot];
    return (get(&held->lengths) & ~(uint64_t)WITHOUT_CONCERNS) == pack_lengths(kind, id.length, 0, own_source) &&
           is_same(held->id, id);
}

/* *word_r: the word of a slot in which this name is, and counts, from `from` on. Gives the slot; SLOTS: there is none.
 */
static uint32_t find(struct place place, uint32_t from, enum touch_kind kind, struct text id, uint64_t *word_r)
{
    for (uint32_t slot = from; slot < place.first + BUCKET_SLOTS; slot++) {
        const uint64_t word = atomic_load(&shared->words[slot]);
        if (!counts(word) || tag_of(word) != place.tag || !is_of(slot, kind, id)) {
            continue;
        }
        atomic_thread_fence(memory_order_acquire);
        if (((atomic_load(&shared->words[slot]) ^ word) & VERSION_MASK) == 0) {
            *word_r = word;
            return slot;
        }
    }
    return SLOTS;
}

/* ---- Workers ---- */

static bool fits(const struct touch *touch)
{
    return touch->id.length <= TOUCH_ID_BYTES && touch->concerns.length <= TOUCH_ID_BYTES && touch->at >= 0 &&
           touch->at <= UINT32_MAX;
}

static bool is_attended(void)
{
    const int64_t beat = atomic_load_explicit(&shared->beat, memory_order_relaxed);
    return beat != 0 && clock_monotonic_microseconds() - beat < BEAT_LIMIT_MICROSECONDS;
}

static void fill(uint32_t number, const struct touch *touch)
{
    struct slot *slot = &shared->slots[number];
    set(&slot->lengths, pack_lengths(touch->kind, touch->id.length, touch->concerns.length, own_source));
    put_text(slot->id, touch->id);
    put_text(slot->concerns, touch->concerns);
}

/* Takes a free slot. False: there is none. */
static bool add(struct place place, const struct touch *touch)
{
    for (uint32_t slot = place.first; slot < place.first + BUCKET_SLOTS; slot++) {
        uint64_t word = atomic_load(&shared->words[slot]);
        const uint64_t own = next_version(word_with(word, FILLING, 0, (uint32_t)getpid()));
        if (state_of(word) == FREE && change(slot, word, own)) {
            atomic_thread_fence(memory_order_release);
            fill(slot, touch);
            atomic_store(&shared->words[slot], word_with(own, WAITING, place.tag, (uint32_t)touch->at));
            return true;
        }
    }
    return false;
}

/* Two workers that note the same name at once may both take a slot. So both are written, which harms nothing. */
static bool note(const struct touch *touch, int64_t interval)
{
    const struct place place = place_of(touch->kind, touch->id);
    uint64_t word;
    for (uint32_t slot = place.first; (slot = find(place, slot, touch->kind, touch->id, &word)) < SLOTS; slot++) {
        const bool stays = time_of(word) > touch->at - interval;
        if ((state_of(word) == WAITING && stays) ||
            change(slot, word, word_with(word, WAITING, place.tag, (uint32_t)(stays ? time_of(word) : touch->at)))) {
            return true;
        }
    }
    return add(place, touch);
}

bool touch_table_note(const struct touch *touch, int64_t interval)
{
    if (shared == NULL) {
        return false;
    }
    const bool is_noted =
        fits(touch) && is_attended() && atomic_load(&shared->source) == own_source && note(touch, interval);
    atomic_fetch_add_explicit(is_noted ? &shared->noted : &shared->direct, 1, memory_order_relaxed);
    return is_noted;
}

int64_t touch_table_look(enum touch_kind kind, struct text id)
{
    int64_t latest = -1;
    if (shared == NULL || id.length > TOUCH_ID_BYTES) {
        return -1;
    }
    const struct place place = place_of(kind, id);
    uint64_t word;
    for (uint32_t slot = place.first; (slot = find(place, slot, kind, id, &word)) < SLOTS; slot++) {
        latest = time_of(word) > latest ? time_of(word) : latest;
    }
    return latest;
}

/* ---- The housekeeper ---- */

void touch_table_beat(void)
{
    atomic_store(&shared->source, own_source);
    atomic_store(&shared->beat, clock_monotonic_microseconds());
}

void touch_table_leave(void)
{
    atomic_store(&shared->beat, 0);
}

/* Copies what a slot holds. Only this process makes it another name's, so the copy is whole. */
static struct waiting_touch copy_slot(struct arena *arena, uint32_t number, uint64_t word)
{
    const struct slot *slot = &shared->slots[number];
    const uint64_t lengths = get(&slot->lengths);
    return (struct waiting_touch){
        .touch = {.kind = (enum touch_kind)(lengths >> 16 & 0xff),
                  .id = copy_text(arena, slot->id, lengths & 0xff),
                  .concerns = copy_text(arena, slot->concerns, lengths >> 8 & 0xff),
                  .at = time_of(word)},
        .slot = number,
        .word = word,
    };
}

/* By kind, id and time: rows are locked in the same order each time. */
static int compare(const void *left, const void *right)
{
    const struct touch *one = &((const struct waiting_touch *)left)->touch;
    const struct touch *other = &((const struct waiting_touch *)right)->touch;
    const size_t length = one->id.length < other->id.length ? one->id.length : other->id.length;
    const int order =
        one->kind != other->kind ? (one->kind > other->kind ? 1 : -1) : memcmp(one->id.data, other->id.data, length);
    return order != 0                           ? order
           : one->id.length != other->id.length ? (one->id.length > other->id.length ? 1 : -1)
                                                : (one->at < other->at) - (one->at > other->at);
}

/* Takes out what was written in the round before, and what a process of another source has left, for which there is no
 * housekeeper any more. True where it waits. */
static bool begin_slot(uint32_t slot, uint64_t word)
{
    const bool is_own = (uint32_t)(get(&shared->slots[slot].lengths) >> 32) == own_source;
    if (counts(word) && (state_of(word) == WRITTEN || !is_own)) {
        change(slot, word, word_with(word, FREE, 0, 0));
        return false;
    }
    return state_of(word) == WAITING;
}

size_t touch_table_take(struct arena *arena, struct waiting_touch **waiting_r)
{
    size_t count = 0, room = 0;
    *waiting_r = NULL;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const uint64_t word = atomic_load(&shared->words[slot]);
        if (!counts(word) || !begin_slot(slot, word)) {
            continue;
        }
        if (count == room) {
            struct waiting_touch *grown = arena_alloc(arena, (room = 2 * room + 64) * sizeof *grown);
            if (count > 0) {
                memcpy(grown, *waiting_r, count * sizeof *grown);
            }
            *waiting_r = grown;
        }
        (*waiting_r)[count++] = copy_slot(arena, slot, word);
    }
    if (count > 1) {
        qsort(*waiting_r, count, sizeof **waiting_r, compare);
    }
    return count;
}

void touch_table_written(const struct waiting_touch *waiting)
{
    change(waiting->slot, waiting->word,
           word_with(waiting->word, WRITTEN, tag_of(waiting->word), (uint32_t)waiting->touch.at));
    atomic_fetch_add_explicit(&shared->written, 1, memory_order_relaxed);
}

/* ---- The master ---- */

void touch_table_reap(pid_t pid)
{
    for (uint32_t slot = 0; shared != NULL && slot < SLOTS; slot++) {
        const uint64_t word = atomic_load(&shared->words[slot]);
        if (state_of(word) == FILLING && (pid_t)time_of(word) == pid) {
            change(slot, word, word_with(word, FREE, 0, 0));
        }
    }
}

/* ---- Figures ---- */

void touch_table_figures(struct touch_figures *figures_r)
{
    *figures_r = (struct touch_figures){.is_attended = false};
    if (shared == NULL) {
        return;
    }
    figures_r->is_attended = is_attended();
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        figures_r->waiting += state_of(atomic_load_explicit(&shared->words[slot], memory_order_relaxed)) == WAITING;
    }
    figures_r->noted = atomic_load_explicit(&shared->noted, memory_order_relaxed);
    figures_r->written = atomic_load_explicit(&shared->written, memory_order_relaxed);
    figures_r->direct = atomic_load_explicit(&shared->direct, memory_order_relaxed);
    figures_r->statements = atomic_load_explicit(&shared->statements, memory_order_relaxed);
}

void touch_table_count_statement(void)
{
    atomic_fetch_add_explicit(&shared->statements, 1, memory_order_relaxed);
}
