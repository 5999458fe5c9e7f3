/* import_index.h: texts that an import has come across, each once, with what is known of them. */
#ifndef ROSTER_STORE_IMPORT_INDEX_H
#define ROSTER_STORE_IMPORT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

struct import_entry {
    struct text key;
    struct text note;
    bool present; /* there, once the import is done */
    uint64_t hash;
};

struct import_index {
    struct arena *arena;
    struct import_entry *entries; /* open addressing; key.data NULL: free */
    size_t capacity, count;
};

void import_index_init(struct import_index *index, struct arena *arena);

/* NULL where there is none. The entry is valid until the next import_index_add. */
struct import_entry *import_index_find(const struct import_index *index, struct text key);

/* The entry of a text; a new one, with a copy of the text, where there is none. */
struct import_entry *import_index_add(struct import_index *index, struct text key, bool *is_new_r);

#endif
