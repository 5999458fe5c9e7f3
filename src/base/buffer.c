#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"

enum { CAPACITY_FIRST_BYTES = 256 };

void buffer_init(struct buffer *buffer, struct arena *arena)
{
    *buffer = (struct buffer){.arena = arena};
}

char *buffer_make_room(struct buffer *buffer, size_t size)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->length, size, &needed) || needed >= SIZE_MAX / 2) {
        needed = SIZE_MAX / 2; /* too large: the arena ends the process */
    }
    needed++;
    size_t capacity = buffer->capacity < CAPACITY_FIRST_BYTES ? CAPACITY_FIRST_BYTES : buffer->capacity * 2;
    if (capacity < needed) {
        capacity = needed;
    }
    buffer->data = arena_grow(buffer->arena, buffer->data, buffer->capacity, capacity);
    buffer->capacity = capacity;
    return buffer->data + buffer->length;
}

void buffer_add_string(struct buffer *buffer, const char *string)
{
    buffer_add_text(buffer, text_of(string));
}

void buffer_add_character(struct buffer *buffer, uint32_t character)
{
    char bytes[4];
    size_t length = 0;
    if (character < 0x80) {
        bytes[length++] = (char)character;
    } else if (character < 0x800) {
        bytes[length++] = (char)(0xC0 | character >> 6);
    } else if (character < 0x10000) {
        bytes[length++] = (char)(0xE0 | character >> 12);
    } else {
        bytes[length++] = (char)(0xF0 | character >> 18);
        bytes[length++] = (char)(0x80 | (character >> 12 & 0x3F));
    }
    if (character >= 0x800) {
        bytes[length++] = (char)(0x80 | (character >> 6 & 0x3F));
    }
    if (character >= 0x80) {
        bytes[length++] = (char)(0x80 | (character & 0x3F));
    }
    buffer_add(buffer, bytes, length);
}

void buffer_add_integer(struct buffer *buffer, int64_t integer)
{
    char digits[TEXT_INTEGER_SIZE];
    buffer_add_text(buffer, text_of_integer(integer, digits));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    enum { GUESS_BYTES = 128 };
    va_list arguments;
    char *end = buffer_reserve(buffer, GUESS_BYTES);
    size_t room = buffer->capacity - buffer->length;

    va_start(arguments, format);
    int length = vsnprintf(end, room, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return;
    }
    if ((size_t)length >= room) {
        end = buffer_reserve(buffer, (size_t)length);
        va_start(arguments, format);
        vsnprintf(end, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    buffer->length += (size_t)length;
}

struct text buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 0) = '\0';
    return (struct text){buffer->data, buffer->length};
}
