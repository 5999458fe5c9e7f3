/* table_hash.c: see table_hash.h. */
#include "store/table_hash.h"

#include <string.h>

#include "base/random.h"

static uint64_t key;

void table_hash_init(void)
{
    random_bytes((unsigned char *)&key, sizeof key);
}

uint64_t table_hash(struct text name)
{
    uint64_t hash = key;
    size_t at = 0;
    for (; at + 8 <= name.length; at += 8) {
        uint64_t part;
        memcpy(&part, name.data + at, 8);
        hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    uint64_t rest = name.length;
    for (; at < name.length; at++) {
        rest = rest << 8 | (unsigned char)name.data[at];
    }
    hash = (hash ^ rest) * UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}
