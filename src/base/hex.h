/* hex.h: bytes and numbers in hexadecimal (RFC 4648, section 8). */
#ifndef ROSTER_BASE_HEX_H
#define ROSTER_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

/* The lower-case digit of the lowest four bits of `value`. */
char hex_digit(unsigned value);

/* Two lower-case digits for each byte, in the arena. */
struct text hex_encode(struct arena *arena, const unsigned char *bytes, size_t length);

/* Decodes a text that hex_encode has written, to exactly `length` bytes.
 * False where `text` has another length, or a character that is not a digit. Upper-case digits are not accepted. */
bool hex_decode(struct text text, unsigned char *bytes_r, size_t length);

/* The number in the first `count` digits of `text`; `count` is at most seven.
 * Digits are in upper or lower case.
 * -1 where the text is shorter, or a character is not a digit. */
long hex_number(struct text text, size_t count);

#endif
