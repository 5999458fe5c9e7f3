#include "base/base64.h"

#include <stdint.h>

#include "base/arena.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of each character plus one. 0: not in the alphabet. */
#define BOTH                                                                                                       \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, \
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,    \
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,    \
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,    \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,    \
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,    \
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

static const unsigned char standard_values[256] = {BOTH, ['+'] = 63, ['/'] = 64};
static const unsigned char url_values[256] = {BOTH, ['-'] = 63, ['_'] = 64};

static const unsigned char *values_of(enum base64_form form)
{
    return form == BASE64_URL ? url_values : standard_values;
}

bool base64_has(enum base64_form form, char character)
{
    return values_of(form)[(unsigned char)character] != 0;
}

size_t base64_span(enum base64_form form, struct text text)
{
    const unsigned char *values = values_of(form), *bytes = (const unsigned char *)text.data;
    size_t length = 0;
    while (text.length - length >= 4 && values[bytes[length]] != 0 && values[bytes[length + 1]] != 0 &&
           values[bytes[length + 2]] != 0 && values[bytes[length + 3]] != 0) {
        length += 4;
    }
    while (length < text.length && values[bytes[length]] != 0) {
        length++;
    }
    return length;
}

static bool is_white(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r';
}

/* True where this number of characters and this padding are valid in the form. */
static bool has_right_end(enum base64_form form, size_t characters, size_t padding)
{
    switch (form) {
    case BASE64_PADDED:
    case BASE64_WHITE:
        return padding <= 2 && (characters + padding) % 4 == 0;
    case BASE64_UNPADDED:
    case BASE64_URL:
        return padding == 0 && characters % 4 != 1;
    case BASE64_ANY_PADDED:
        break;
    }
    return true;
}

/* Decodes whole groups of four characters, up to the first character that is not in the alphabet. Returns the number of
 * groups; each fills three bytes. */
static size_t decode_groups(const unsigned char *values, struct text text, unsigned char *bytes_r, size_t groups_max)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t groups = 0;
    for (; groups < groups_max && text.length - 4 * groups >= 4; groups++, at += 4) {
        unsigned a = values[at[0]], b = values[at[1]], c = values[at[2]], d = values[at[3]];
        if (a == 0 || b == 0 || c == 0 || d == 0) {
            break;
        }
        uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *bytes_r++ = (unsigned char)(bits >> 16);
        *bytes_r++ = (unsigned char)(bits >> 8);
        *bytes_r++ = (unsigned char)bits;
    }
    return groups;
}

bool base64_decode_into(enum base64_form form, struct text text, unsigned char *bytes_r, size_t size, size_t *length_r)
{
    const unsigned char *values = values_of(form);
    const size_t groups = decode_groups(values, text, bytes_r, size / 3);
    size_t length = 3 * groups, characters = 4 * groups, padding = 0;
    uint32_t bits = 0;
    for (size_t i = characters; i < text.length; i++) {
        unsigned value = values[(unsigned char)text.data[i]];
        if (value == 0 && form == BASE64_WHITE && is_white(text.data[i])) {
            continue;
        }
        if (value == 0 && text.data[i] == '=') {
            padding++;
            continue;
        }
        if (value == 0 || padding > 0) {
            return false;
        }
        bits = bits << 6 | (value - 1);
        /* Each of four characters but the first completes a byte. The bits left over are 6, 4, 2, 0. */
        unsigned left_over = 6 - 2 * (characters++ % 4);
        if (left_over < 6) {
            if (length == size) {
                return false;
            }
            bytes_r[length++] = (unsigned char)(bits >> left_over);
        }
    }
    *length_r = length;
    return has_right_end(form, characters, padding);
}

struct text base64_decode(struct arena *arena, enum base64_form form, struct text text)
{
    size_t size = BASE64_BYTES_MAX(text.length), length;
    unsigned char *bytes = arena_alloc(arena, size + 1);
    if (!base64_decode_into(form, text, bytes, size, &length)) {
        return TEXT_NULL;
    }
    bytes[length] = '\0';
    return (struct text){(const char *)bytes, length};
}

size_t base64_encode(enum base64_form form, const unsigned char *bytes, size_t length, char *encoded_r)
{
    const char *alphabet = form == BASE64_URL ? url : standard;
    size_t written = 0;
    uint32_t bits = 0;
    unsigned left_over = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        for (left_over += 8; left_over >= 6; written++) {
            left_over -= 6;
            encoded_r[written] = alphabet[bits >> left_over & 0x3f];
        }
    }
    if (left_over > 0) {
        encoded_r[written++] = alphabet[bits << (6 - left_over) & 0x3f];
    }
    while (form != BASE64_URL && written % 4 != 0) {
        encoded_r[written++] = '=';
    }
    encoded_r[written] = '\0';
    return written;
}
