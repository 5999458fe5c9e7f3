#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

enum { CAPACITY_FIRST_BYTES = 256 };

void buffer_init(struct buffer *buffer, struct arena *arena)
{
    *buffer = (struct buffer){.arena = arena};
}

/* One byte more than is asked for is always kept for the NUL of buffer_text. */
char *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t needed, capacity;

    if (size < buffer->capacity - buffer->length)
        return buffer->data + buffer->length;
    if (__builtin_add_overflow(buffer->length, size, &needed) || needed >= SIZE_MAX / 2)
        needed = SIZE_MAX / 2; /* more than there is: the arena ends the process */
    needed++;
    capacity = buffer->capacity < CAPACITY_FIRST_BYTES ? CAPACITY_FIRST_BYTES : buffer->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    buffer->data = arena_grow(buffer->arena, buffer->data, buffer->capacity, capacity);
    buffer->capacity = capacity;
    return buffer->data + buffer->length;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    memcpy(buffer_reserve(buffer, length), bytes, length);
    buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, struct text text)
{
    buffer_add(buffer, text.data, text.length);
}

void buffer_add_string(struct buffer *buffer, const char *string)
{
    buffer_add_text(buffer, text_of(string));
}

void buffer_add_byte(struct buffer *buffer, char byte)
{
    *buffer_reserve(buffer, 1) = byte;
    buffer->length++;
}

void buffer_add_integer(struct buffer *buffer, int64_t integer)
{
    char digits[sizeof "-9223372036854775808"];
    char *first = digits + sizeof digits;
    /* The negative of the most negative integer exists without a sign only. */
    uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;

    do
        *--first = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (integer < 0)
        *--first = '-';
    buffer_add(buffer, first, (size_t)(digits + sizeof digits - first));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    enum { GUESS_BYTES = 128 };
    va_list arguments;
    char *end = buffer_reserve(buffer, GUESS_BYTES);
    size_t room = buffer->capacity - buffer->length;
    int length;

    va_start(arguments, format);
    length = vsnprintf(end, room, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length >= room) {
        end = buffer_reserve(buffer, (size_t)length);
        va_start(arguments, format);
        vsnprintf(end, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    buffer->length += (size_t)length;
}

static void add_escape(struct buffer *buffer, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };

    if (byte < sizeof letters && letters[byte] != 0)
        buffer_add(buffer, (char[]){'\\', letters[byte]}, 2);
    else
        buffer_add(buffer, (char[]){'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 0x0F]}, 6);
}

void buffer_add_json(struct buffer *buffer, struct text text)
{
    size_t at = 0, run = 0; /* what lies between run and at goes out as it is */

    if (text.data == NULL) {
        buffer_add_literal(buffer, "null");
        return;
    }
    buffer_reserve(buffer, text.length + 2);
    buffer_add_byte(buffer, '"');
    while (at < text.length) {
        unsigned char byte = (unsigned char)text.data[at];
        size_t step = 1;

        if (byte >= 0x80) {
            uint32_t character;

            step = text_utf8_step(text.data + at, text.length - at, &character);
        } else if (byte < 0x20 || byte == '"' || byte == '\\') {
            step = 0;
        }
        if (step > 0) {
            at += step;
            continue;
        }
        buffer_add(buffer, text.data + run, at - run);
        if (byte >= 0x80)
            buffer_add_literal(buffer, "\xEF\xBF\xBD"); /* U+FFFD */
        else
            add_escape(buffer, byte);
        run = ++at;
    }
    buffer_add(buffer, text.data + run, at - run);
    buffer_add_byte(buffer, '"');
}

struct text buffer_text(struct buffer *buffer)
{
    *buffer_reserve(buffer, 0) = '\0';
    return (struct text){buffer->data, buffer->length};
}
