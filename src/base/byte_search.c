/* byte_search.c: see byte_search.h.
 *
 * Sixteen places are looked at together: whether the needle's two chosen bytes stand where they would have to. The
 * compiler makes SSE2 or NEON of the vectors, and something slower elsewhere. memmem(3) of glibc needs two to four
 * times as long for short needles. */
#include "base/byte_search.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/log.h"

typedef unsigned char bytes16 __attribute__((vector_size(16)));

enum { WIDTH = sizeof(bytes16), BLOCK = 64 };

/* How common a byte is in folded names and email addresses: 0 is the rarest. The first byte of a character outside of
 * ASCII stands for its script, so that all of a text has the same. */
static unsigned commonness(char byte)
{
    static const char common[] = "qxzjwfvykpbgucdhmtlsr .@oniea";
    const char *place = byte != '\0' ? strchr(common, byte) : NULL;
    return place != NULL ? (unsigned)(place - common) + 1 : (unsigned char)byte >= 0xC0 ? sizeof common : 0;
}

/* Of sixteen places: all bits of the byte are set where both bytes are right there. */
static inline bytes16 compare(const char *first, const char *last, bytes16 wanted_first, bytes16 wanted_last)
{
    bytes16 a, b;
    memcpy(&a, first, WIDTH);
    memcpy(&b, last, WIDTH);
    return (bytes16)((a == wanted_first) & (b == wanted_last));
}

/* A bit for each of the bytes. */
static inline uint64_t bits_of(bytes16 bytes)
{
#ifdef __SSE2__
    return (uint64_t)(unsigned)_mm_movemask_epi8((__m128i)bytes);
#else
    uint64_t bits = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        bits |= (uint64_t)(bytes[i] & 1) << i;
    }
    return bits;
#endif
}

static inline bool is_any(bytes16 bytes)
{
#ifdef __SSE2__
    return _mm_movemask_epi8((__m128i)bytes) != 0;
#else
    typedef uint64_t words2 __attribute__((vector_size(16)));
    words2 words = (words2)bytes;
    return (words[0] | words[1]) != 0;
#endif
}

/* Looks at blocks from search->block on, until one has a place, or fewer than a block's places are left. */
static void look_at_blocks(struct byte_search *search)
{
    const bytes16 wanted_first = (bytes16){0} + (unsigned char)search->needle.data[search->first];
    const bytes16 wanted_last = (bytes16){0} + (unsigned char)search->needle.data[search->last];
    const char *first = search->bytes + search->first, *last = search->bytes + search->last;
    size_t at = search->block;
    for (; at + BLOCK <= search->stop; at += BLOCK) {
        const bytes16 a = compare(first + at, last + at, wanted_first, wanted_last);
        const bytes16 b = compare(first + at + WIDTH, last + at + WIDTH, wanted_first, wanted_last);
        const bytes16 c = compare(first + at + 2 * WIDTH, last + at + 2 * WIDTH, wanted_first, wanted_last);
        const bytes16 d = compare(first + at + 3 * WIDTH, last + at + 3 * WIDTH, wanted_first, wanted_last);
        if (is_any((a | b) | (c | d))) {
            search->block = at;
            search->found = bits_of(a) | bits_of(b) << WIDTH | bits_of(c) << 2 * WIDTH | bits_of(d) << 3 * WIDTH;
            return;
        }
    }
    search->block = at;
    search->found = 0;
    for (size_t i = 0; at + i < search->stop; i++) {
        search->found |= (uint64_t)(first[at + i] == search->needle.data[search->first]) << i;
    }
}

void byte_search_init(struct byte_search *search, struct text needle, const char *bytes, size_t length)
{
    invariant(needle.length > 0);
    *search = (struct byte_search){.needle = needle, .bytes = bytes, .length = length};
    search->stop = length < needle.length ? 0 : length - needle.length + 1;
    for (size_t i = 1; i < needle.length; i++) {
        if (commonness(needle.data[i]) < commonness(needle.data[search->first])) {
            search->first = i;
        }
    }
    search->last = search->first == needle.length - 1 ? 0 : needle.length - 1;
    for (size_t i = 0; i < needle.length; i++) {
        if (i != search->first && commonness(needle.data[i]) < commonness(needle.data[search->last])) {
            search->last = i;
        }
    }
    look_at_blocks(search);
}

size_t byte_search_next(struct byte_search *search)
{
    for (;;) {
        while (search->found != 0) {
            size_t place = search->block + (size_t)__builtin_ctzll(search->found);
            search->found &= search->found - 1;
            if (memcmp(search->bytes + place, search->needle.data, search->needle.length) == 0) {
                return place;
            }
        }
        if (search->block + BLOCK >= search->stop) {
            return search->length;
        }
        search->block += BLOCK;
        look_at_blocks(search);
    }
}

void byte_search_skip(struct byte_search *search, size_t place)
{
    size_t blocks = (place - search->block) / BLOCK;
    if (place >= search->stop) {
        search->found = 0;
        search->block = search->stop;
        return;
    }
    if (blocks > 0) {
        search->block += blocks * BLOCK;
        look_at_blocks(search);
    }
    if (place > search->block) {
        search->found &= UINT64_MAX << (place - search->block);
    }
}
