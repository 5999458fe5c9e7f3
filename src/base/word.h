/* word.h: eight bytes of a text looked at together.
 *
 * The byte order does not matter, since each function tells only whether any of the bytes is meant. */
#ifndef ROSTER_BASE_WORD_H
#define ROSTER_BASE_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The word with this byte in all eight places. */
#define WORD_OF(byte) (UINT64_C(0x0101010101010101) * (byte))
#define WORD_HIGH_BITS WORD_OF(0x80)

static inline uint64_t word_load(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Not 0 where one of the bytes is less than `bound`, which is at most 0x80. */
static inline uint64_t word_has_less(uint64_t word, unsigned bound)
{
    return (word - WORD_OF(bound)) & ~word & WORD_HIGH_BITS;
}

/* Not 0 where one of the bytes is `byte`. */
static inline uint64_t word_has(uint64_t word, unsigned byte)
{
    return word_has_less(word ^ WORD_OF(byte), 1);
}

/* Not 0 where one of the bytes can't stand in a JSON string as it is: a quote, a backslash, a control character. */
static inline uint64_t word_has_json_special(uint64_t word)
{
    return word_has_less(word, 0x20) | word_has(word, '"') | word_has(word, '\\');
}

/* Not 0 where one of the bytes is no ASCII. */
static inline uint64_t word_has_high(uint64_t word)
{
    return word & WORD_HIGH_BITS;
}

#endif
