#include "base/percent.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hex.h"

/* The byte of the escape at `at`. -1 where there is no escape. */
static long byte_of(struct text text, size_t at, char escape)
{
    return text.data[at] == escape ? hex_number((struct text){text.data + at + 1, text.length - at - 1}, 2) : -1;
}

/* `space`: the character that means a space. */
static struct text decode(struct arena *arena, struct text text, char escape, char space)
{
    char *decoded = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        long byte = byte_of(text, at, escape);
        if (byte >= 0) {
            decoded[length++] = (char)byte;
            at += 2;
        } else {
            decoded[length++] = text.data[at] == space ? ' ' : text.data[at];
        }
    }
    decoded[length] = '\0';
    return (struct text){decoded, length};
}

struct text percent_decode(struct arena *arena, struct text text)
{
    return decode(arena, text, '%', ' ');
}

struct text percent_decode_query(struct arena *arena, struct text text)
{
    return decode(arena, text, '%', '+');
}

struct text percent_decode_q(struct arena *arena, struct text text)
{
    return decode(arena, text, '=', '_');
}

static void add_byte(struct buffer *buffer, char byte, bool is_plain)
{
    if (is_plain) {
        buffer_add_byte(buffer, byte);
    } else {
        buffer_add_format(buffer, "%%%02X", (unsigned char)byte);
    }
}

void percent_add_segment(struct buffer *buffer, struct text text)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (size_t at = 0; at < text.length; at++) {
        add_byte(buffer, text.data[at], text.data[at] != '\0' && strchr(unreserved, text.data[at]) != NULL);
    }
}

struct text percent_encode_uri(struct arena *arena, struct text uri)
{
    static const char never[] = "\"<>\\^`{|}";
    struct buffer encoded;
    buffer_init(&encoded, arena);
    for (size_t at = 0; at < uri.length; at++) {
        char byte = uri.data[at];
        bool may_stand = byte > 0x20 && byte < 0x7f && strchr(never, byte) == NULL;
        add_byte(&encoded, byte, may_stand && (byte != '%' || byte_of(uri, at, '%') >= 0));
    }
    return buffer_text(&encoded);
}
