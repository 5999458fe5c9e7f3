/* base64.h: base64 and base64url (RFC 4648, sections 4 and 5). */
#ifndef ROSTER_BASE_BASE64_H
#define ROSTER_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

enum base64_form {
    BASE64_PADDED,     /* section 4, with padding */
    BASE64_WHITE,      /* the same, with white space anywhere (a data URI, RFC 2397) */
    BASE64_UNPADDED,   /* section 4 without padding */
    BASE64_ANY_PADDED, /* section 4; padding may be missing, too short or too long, as in mail */
    BASE64_URL         /* section 5 without padding (RFC 7515, section 2) */
};

/* The maximum number of bytes that `length` characters encode. A constant where `length` is one. */
#define BASE64_BYTES_MAX(length) ((length) / 4 * 3 + 3)

/* True for one of the 64 characters of the form. False for padding. */
bool base64_has(enum base64_form form, char character);

/* The number of such characters at the start of a text. */
size_t base64_span(enum base64_form form, struct text text);

/* Decodes a text into the arena. A NUL follows the length.
 * The null text where the text is not valid in this form.
 * Surplus bits of the last character are ignored. */
struct text base64_decode(struct arena *arena, enum base64_form form, struct text text);

/* Decodes a text into `bytes_r`, which has room for `size` bytes.
 * False where the text is not valid in this form, or decodes to more bytes. */
bool base64_decode_into(enum base64_form form, struct text text, unsigned char *bytes_r, size_t size, size_t *length_r);

/* Writes BASE64_PADDED or BASE64_URL, and a NUL.
 * Returns the number of characters without the NUL. */
size_t base64_encode(enum base64_form form, const unsigned char *bytes, size_t length, char *encoded_r);

#endif
