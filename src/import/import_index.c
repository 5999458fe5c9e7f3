#include "import/import_index.h"

#include "base/arena.h"

enum { CAPACITY_FIRST = 1024 };

void import_index_init(struct import_index *index, struct arena *arena)
{
    *index = (struct import_index){.arena = arena, .capacity = CAPACITY_FIRST};
    index->entries = arena_zero(arena, index->capacity, sizeof *index->entries);
}

/* FNV-1a, with the bits mixed at the end, since the low ones choose the place. */
static uint64_t hash_of(struct text key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.length; i++) {
        hash = (hash ^ (unsigned char)key.data[i]) * 0x100000001b3u;
    }
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 33);
}

/* Where the key stands, or the free place where it would. */
static struct import_entry *place_of(const struct import_index *index, struct text key, uint64_t hash)
{
    size_t at = hash & (index->capacity - 1);
    while (index->entries[at].key.data != NULL &&
           (index->entries[at].hash != hash || !text_equal(index->entries[at].key, key))) {
        at = (at + 1) & (index->capacity - 1);
    }
    return &index->entries[at];
}

struct import_entry *import_index_find(const struct import_index *index, struct text key)
{
    struct import_entry *entry = place_of(index, key, hash_of(key));
    return entry->key.data != NULL ? entry : NULL;
}

/* The old table stays in the arena: all of them together are as large as the new one. */
static void grow(struct import_index *index)
{
    const struct import_index old = *index;
    index->capacity *= 2;
    index->entries = arena_zero(index->arena, index->capacity, sizeof *index->entries);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].key.data != NULL) {
            *place_of(index, old.entries[i].key, old.entries[i].hash) = old.entries[i];
        }
    }
}

struct import_entry *import_index_add(struct import_index *index, struct text key, bool *is_new_r)
{
    uint64_t hash = hash_of(key);
    struct import_entry *entry = place_of(index, key, hash);
    *is_new_r = entry->key.data == NULL;
    if (!*is_new_r) {
        return entry;
    }
    if (index->count * 4 >= index->capacity * 3) {
        grow(index);
        entry = place_of(index, key, hash);
    }
    index->count++;
    *entry = (struct import_entry){.key = text_copy(index->arena, key), .hash = hash};
    return entry;
}
