/* byte_search.h: finds all places of a short text in a long one, by two of its bytes at once.
 *
 *     struct byte_search search;
 *     byte_search_init(&search, needle, bytes, length);
 *     while ((place = byte_search_next(&search)) < length) {
 *         ...
 *     } */
#ifndef ROSTER_BASE_BYTE_SEARCH_H
#define ROSTER_BASE_BYTE_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct byte_search {
    struct text needle;
    const char *bytes;
    size_t length;
    size_t first, last; /* the places in the needle of the two bytes */
    size_t stop;        /* the needle begins before this place */
    size_t block;       /* the place of the first bit of `found` */
    uint64_t found;     /* a bit for each place of the block that has both bytes, and was not looked at yet */
};

/* Prepares a search for a needle of a byte at least. Both texts must stay valid. */
void byte_search_init(struct byte_search *search, struct text needle, const char *bytes, size_t length);

/* The place of the next needle; `length` where there is none. Needles may overlap. */
size_t byte_search_next(struct byte_search *search);

/* Goes on from `place`, which is not before the place that byte_search_next gave. */
void byte_search_skip(struct byte_search *search, size_t place);

#endif
