/* directory_internal.h: the memory of directory.h, for directory.c, which changes it, and directory_ask.c, which reads
 * it.
 *
 * The mapping has five parts, each as large as it may become; the system gives memory to what is written alone:
 *
 *     texts    name FF email FF, of one person behind the other; FF is no byte of UTF-8
 *     ids      of one person behind the other, in the same order
 *     people   an entry each: where text and id begin; they end where the next one's begin
 *     order    the numbers of the living entries, by created_at and id
 *     slots    a hash table of ids: the number of the entry + 1; 0 is empty
 *
 * Numbers and offsets are atomic, since they are read while another process may change them; whatever was read counts
 * only after directory_version_holds. A value that was ever written there lies within the parts. Texts and ids are
 * plain bytes: of those, a reader may see some that are half overwritten, which does no harm to it either. */
#ifndef ROSTER_STORE_DIRECTORY_INTERNAL_H
#define ROSTER_STORE_DIRECTORY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/directory.h"

#define DIRECTORY_SEPARATOR '\xFF'

enum { PERSON_MARKED = 1u << 31, PERSON_DEAD = 1u << 30, PERSON_ID = PERSON_DEAD - 1 };

struct person {
    _Atomic int64_t created_at;
    _Atomic uint32_t text; /* where it begins */
    _Atomic uint32_t id;   /* where it begins, with the two bits above */
};

struct directory_head {
    pthread_mutex_t mutex;
    _Atomic uint64_t version; /* odd while something changes */
    _Atomic uint64_t layout;  /* another one: entries have other numbers */
    _Atomic uint32_t state;
    _Atomic uint32_t people, living; /* entries, and those who are not dead */
    _Atomic uint32_t texts, ids;     /* bytes in use */
    _Atomic uint32_t dead_texts, dead_ids;
    _Atomic uint32_t slots; /* in use as a table: a power of two */
    _Atomic bool is_ordered;
    _Atomic int64_t losses;
    _Atomic bool is_lost;
    struct directory_progress progress;
};

/* Where everything is; the same in all processes. */
struct directory_parts {
    struct directory_head *head; /* NULL: there is no directory */
    char *texts, *ids;
    struct person *people;
    _Atomic uint32_t *order, *slots;
    size_t bytes;
    uint32_t texts_max, ids_max, people_max, slots_max;
};
extern struct directory_parts directory_parts;

static inline uint32_t directory_get(const _Atomic uint32_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static inline void directory_set(_Atomic uint32_t *number, uint32_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

/* ---- Versions ---- */

/* Begins to read. False: something changes right now. */
static inline bool directory_version_read(uint64_t *version_r)
{
    *version_r = atomic_load_explicit(&directory_parts.head->version, memory_order_acquire);
    return *version_r % 2 == 0;
}

/* True where nothing has changed since. */
static inline bool directory_version_holds(uint64_t version)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&directory_parts.head->version, memory_order_relaxed) == version;
}

/* ---- Entries ---- */

/* Where the text of an entry begins; for the number behind the last one, where all texts end. */
static inline uint32_t directory_text_at(uint32_t number, uint32_t people)
{
    return directory_get(number < people ? &directory_parts.people[number].text : &directory_parts.head->texts);
}

/* Whether an entry is of somebody who is not there any more, or who has another one. */
static inline bool directory_is_dead(uint32_t number)
{
    return (directory_get(&directory_parts.people[number].id) & PERSON_DEAD) != 0;
}

static inline int64_t directory_created_at(uint32_t number)
{
    return atomic_load_explicit(&directory_parts.people[number].created_at, memory_order_relaxed);
}

/* The id of an entry. A reader may get a wrong one, but none outside of the part. */
struct text directory_id_of(uint32_t number);

/* The number of the entry with this id; UINT32_MAX: there is none. */
uint32_t directory_find_id(struct text id);

#endif
