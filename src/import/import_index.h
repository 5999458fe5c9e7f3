/* import_index.h: a hash table of texts with notes about them, used by an import. */
#ifndef ROSTER_IMPORT_IMPORT_INDEX_H
#define ROSTER_IMPORT_IMPORT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

struct import_entry {
    struct text key;
    struct text note, name;
    bool present; /* exists here after the import */
    uint64_t hash;
};

struct import_index {
    struct arena *arena;
    struct import_entry *entries; /* open addressing; key.data NULL: free */
    size_t capacity, count;
};

void import_index_init(struct import_index *index, struct arena *arena);

/* The entry of a text. NULL where there is none.
 * Valid until the next import_index_add. */
struct import_entry *import_index_find(const struct import_index *index, struct text key);

/* The entry of a text. Where there is none, a new one with a copy of the text.
 * Valid until the next call. */
struct import_entry *import_index_add(struct import_index *index, struct text key, bool *is_new_r);

#endif
