#include "base/text.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <wctype.h>

#include "base/arena.h"

static char ascii_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

static bool is_white(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool text_equal(struct text left, struct text right)
{
    if (left.data == NULL || right.data == NULL)
        return left.data == right.data;
    return left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
}

bool text_is(struct text text, const char *string)
{
    return text_equal(text, text_of(string));
}

bool text_is_ignoring_case(struct text text, const char *string)
{
    struct text other = text_of(string);

    if (text.data == NULL || other.data == NULL)
        return text.data == other.data;
    if (text.length != other.length)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (ascii_lower(text.data[i]) != ascii_lower(other.data[i]))
            return false;
    return true;
}

bool text_starts_with(struct text text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text.data != NULL && text.length >= length && memcmp(text.data, prefix, length) == 0;
}

bool text_ends_with(struct text text, const char *suffix)
{
    size_t length = strlen(suffix);

    return text.data != NULL && text.length >= length && memcmp(text.data + text.length - length, suffix, length) == 0;
}

struct text text_trim(struct text text)
{
    while (text.length > 0 && is_white(text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && is_white(text.data[0])) {
        text.data++;
        text.length--;
    }
    return text;
}

const char *text_to_string(struct arena *arena, struct text text)
{
    return text_copy(arena, text).data;
}

struct text text_copy(struct arena *arena, struct text text)
{
    char *copy;

    if (text.data == NULL)
        return text;
    copy = arena_alloc(arena, text.length + 1);
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return (struct text){copy, text.length};
}

struct text text_format(struct arena *arena, const char *format, ...)
{
    char small[256];
    va_list arguments;
    char *copy;
    int length;

    va_start(arguments, format);
    length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return text_copy(arena, TEXT(""));
    if ((size_t)length < sizeof small)
        return text_copy(arena, (struct text){small, (size_t)length});

    copy = arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(copy, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return (struct text){copy, (size_t)length};
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* RFC 3629, section 4: the ranges of the second byte keep out overlong forms, surrogates and all beyond U+10FFFF. */
size_t text_utf8_step(const char *bytes, size_t length, uint32_t *character_r)
{
    const unsigned char *in = (const unsigned char *)bytes;
    unsigned char lowest = 0x80, highest = 0xBF;

    if (length == 0)
        return 0;
    if (in[0] < 0x80) {
        *character_r = in[0];
        return 1;
    }
    if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        if (length < 2 || !is_continuation(in[1]))
            return 0;
        *character_r = (in[0] & 0x1FU) << 6 | (in[1] & 0x3FU);
        return 2;
    }
    if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        if (in[0] == 0xE0)
            lowest = 0xA0;
        else if (in[0] == 0xED)
            highest = 0x9F;
        if (length < 3 || in[1] < lowest || in[1] > highest || !is_continuation(in[2]))
            return 0;
        *character_r = (in[0] & 0x0FU) << 12 | (in[1] & 0x3FU) << 6 | (in[2] & 0x3FU);
        return 3;
    }
    if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        if (in[0] == 0xF0)
            lowest = 0x90;
        else if (in[0] == 0xF4)
            highest = 0x8F;
        if (length < 4 || in[1] < lowest || in[1] > highest || !is_continuation(in[2]) || !is_continuation(in[3]))
            return 0;
        *character_r = (in[0] & 0x07U) << 18 | (in[1] & 0x3FU) << 12 | (in[2] & 0x3FU) << 6 | (in[3] & 0x3FU);
        return 4;
    }
    return 0;
}

/* The number of ASCII bytes at the start, or somewhat less: whole words of eight. */
static size_t ascii_words(const char *bytes, size_t length)
{
    size_t at = 0;
    uint64_t word;

    for (; length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return at;
}

bool text_is_utf8(struct text text)
{
    uint32_t character;

    for (size_t at = 0; at < text.length;) {
        size_t step;

        if ((unsigned char)text.data[at] < 0x80) {
            step = ascii_words(text.data + at, text.length - at);
            at += step > 0 ? step : 1;
            continue;
        }
        step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

size_t text_count_characters(struct text text)
{
    size_t characters = 0;

    for (size_t i = 0; i < text.length; i++)
        characters += !is_continuation((unsigned char)text.data[i]);
    return characters;
}

/* Writes `character` as UTF-8 to `out`, which may be NULL, and answers how many bytes it takes. */
static size_t utf8_put(char *out, uint32_t character)
{
    char bytes[4];
    size_t length;

    if (character < 0x80) {
        bytes[0] = (char)character;
        length = 1;
    } else if (character < 0x800) {
        bytes[0] = (char)(0xC0 | character >> 6);
        bytes[1] = (char)(0x80 | (character & 0x3F));
        length = 2;
    } else if (character < 0x10000) {
        bytes[0] = (char)(0xE0 | character >> 12);
        bytes[1] = (char)(0x80 | (character >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (character & 0x3F));
        length = 3;
    } else {
        bytes[0] = (char)(0xF0 | character >> 18);
        bytes[1] = (char)(0x80 | (character >> 12 & 0x3F));
        bytes[2] = (char)(0x80 | (character >> 6 & 0x3F));
        bytes[3] = (char)(0x80 | (character & 0x3F));
        length = 4;
    }
    if (out != NULL)
        memcpy(out, bytes, length);
    return length;
}

/* Writes the lower case of `text` to `out`, which may be NULL, and answers its length, which may differ: U+023A takes
 * two bytes, its lower case three. */
static size_t lower_put(char *out, struct text text, locale_t locale)
{
    size_t written = 0;

    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        char *to = out != NULL ? out + written : NULL;

        if (step <= 1) {
            /* ASCII, or a byte that is no UTF-8. */
            if (to != NULL)
                *to = ascii_lower(text.data[at]);
            written++;
            at++;
            continue;
        }
        if (locale != (locale_t)0)
            character = (uint32_t)towlower_l((wint_t)character, locale);
        written += utf8_put(to, character);
        at += step;
    }
    return written;
}

/* The process's own locale stays what it is, since nothing else shall depend on it. Made at first use and kept; without
 * it only ASCII is lowered. */
static locale_t utf8_locale(void)
{
    static locale_t locale;
    static bool tried;

    if (!tried) {
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        tried = true;
    }
    return locale;
}

struct text text_to_lower(struct arena *arena, struct text text)
{
    locale_t locale = utf8_locale();
    size_t length;
    char *lower;

    if (text.data == NULL)
        return text;
    length = lower_put(NULL, text, locale);
    lower = arena_alloc(arena, length + 1);
    lower_put(lower, text, locale);
    lower[length] = '\0';
    return (struct text){lower, length};
}

bool text_to_integer(struct text text, int64_t *integer_r)
{
    bool negative = false;
    int64_t integer = 0;
    size_t at = 0;

    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        negative = text.data[0] == '-';
        at = 1;
    }
    if (at == text.length)
        return false;
    for (; at < text.length; at++) {
        int digit = text.data[at] - '0';

        /* Counted downwards, since the most negative integer has no positive counterpart. */
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(integer, 10, &integer) ||
            __builtin_sub_overflow(integer, digit, &integer))
            return false;
    }
    if (!negative && __builtin_sub_overflow(INT64_C(0), integer, &integer))
        return false;
    *integer_r = integer;
    return true;
}

struct text text_hex(struct arena *arena, const unsigned char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = arena_alloc(arena, length * 2 + 1);

    for (size_t i = 0; i < length; i++) {
        hex[i * 2] = digits[bytes[i] >> 4];
        hex[i * 2 + 1] = digits[bytes[i] & 0x0F];
    }
    hex[length * 2] = '\0';
    return (struct text){hex, length * 2};
}
