/* buffer.h: output that grows, in an arena, with JSON escaping (RFC 8259). */
#ifndef ROSTER_BASE_BUFFER_H
#define ROSTER_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

struct buffer {
    struct arena *arena;
    char *data;      /* owned by the arena; NULL while nothing was added */
    size_t length;
    size_t capacity;
};

/* An empty buffer. It takes no memory before the first byte. */
void buffer_init(struct buffer *buffer, struct arena *arena);

/* Room for `size` more bytes; the pointer stays valid until the next call. Add what was written to `length`. */
char *buffer_reserve(struct buffer *buffer, size_t size);

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, struct text text);
void buffer_add_string(struct buffer *buffer, const char *string);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_add_integer(struct buffer *buffer, int64_t integer);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A literal, without a call to strlen. */
#define buffer_add_literal(buffer, literal) buffer_add((buffer), (literal), sizeof(literal) - 1)

/* A JSON string with its quotes; control characters are escaped, UTF-8 goes out as it is, bytes that are no UTF-8 become U+FFFD. The null
 * text becomes `null`. */
void buffer_add_json(struct buffer *buffer, struct text text);

/* What was added, as a text; also NUL-terminated, and never the null text. Valid until more is added. */
struct text buffer_text(struct buffer *buffer);

#endif
