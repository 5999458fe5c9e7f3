/* buffer.h: an output buffer that grows, in an arena. */
#ifndef ROSTER_BASE_BUFFER_H
#define ROSTER_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

struct arena;

struct buffer {
    struct arena *arena;
    char *data; /* owned by the arena; NULL while the buffer is empty */
    size_t length;
    size_t capacity;
};

/* Initialises an empty buffer. It allocates no memory before the first byte. */
void buffer_init(struct buffer *buffer, struct arena *arena);

/* Reserves room for `size` more bytes.
 * The pointer is valid until the next call.
 * The caller adds the number of bytes that it has written to `length`. */
static inline char *buffer_reserve(struct buffer *buffer, size_t size);

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
static inline void buffer_add_text(struct buffer *buffer, struct text text);
void buffer_add_string(struct buffer *buffer, const char *string);
static inline void buffer_add_byte(struct buffer *buffer, char byte);
/* Adds a character (a Unicode scalar value) as UTF-8 (RFC 3629). */
void buffer_add_character(struct buffer *buffer, uint32_t character);

void buffer_add_integer(struct buffer *buffer, int64_t integer);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a string literal, without a call of strlen. */
#define buffer_add_literal(buffer, literal) buffer_add((buffer), (literal), sizeof(literal) - 1)

/* The content as a text, NUL-terminated. Never the null text.
 * Valid until more is added. */
struct text buffer_text(struct buffer *buffer);

/* For buffer_reserve alone, where there is no room. */
char *buffer_make_room(struct buffer *buffer, size_t size);

/* One byte more is always reserved, for the NUL of buffer_text. */
static inline char *buffer_reserve(struct buffer *buffer, size_t size)
{
    return __builtin_expect(size < buffer->capacity - buffer->length, 1) ? buffer->data + buffer->length
                                                                         : buffer_make_room(buffer, size);
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length > 0) {
        memcpy(buffer_reserve(buffer, length), bytes, length);
        buffer->length += length;
    }
}

static inline void buffer_add_text(struct buffer *buffer, struct text text)
{
    buffer_add(buffer, text.data, text.length);
}

static inline void buffer_add_byte(struct buffer *buffer, char byte)
{
    *buffer_reserve(buffer, 1) = byte;
    buffer->length++;
}

#endif
