#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/word.h"

bool text_equal(struct text left, struct text right)
{
    if (left.data == NULL || right.data == NULL) {
        return left.data == right.data;
    }
    return left.length == right.length && memcmp(left.data, right.data, left.length) == 0;
}

bool text_is(struct text text, const char *string)
{
    return text_equal(text, text_of(string));
}

bool text_is_ignoring_case(struct text text, const char *string)
{
    struct text other = text_of(string);

    if (text.data == NULL || other.data == NULL) {
        return text.data == other.data;
    }
    if (text.length != other.length) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (ascii_to_lower(text.data[i]) != ascii_to_lower(other.data[i])) {
            return false;
        }
    }
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

struct text text_take(struct text *rest, char separator)
{
    const char *end = rest->length > 0 ? memchr(rest->data, separator, rest->length) : NULL;
    struct text part = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->length};
    size_t taken = part.length + (end != NULL ? 1 : 0);
    if (taken > 0) { /* the data of the null text can't be moved */
        *rest = (struct text){rest->data + taken, rest->length - taken};
    }
    return part;
}

struct text text_unquote(struct text text)
{
    bool is_quoted = text.length >= 2 && text.data[0] == '"' && text.data[text.length - 1] == '"';
    return is_quoted ? (struct text){text.data + 1, text.length - 2} : text;
}

struct text text_trim(struct text text)
{
    while (text.length > 0 && ascii_is_white(text.data[text.length - 1])) {
        text.length--;
    }
    while (text.length > 0 && ascii_is_white(text.data[0])) {
        text.data++;
        text.length--;
    }
    return text;
}

bool text_starts_with_ignoring_case(struct text text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && text_is_ignoring_case((struct text){text.data, length}, prefix);
}

bool text_ends_with_ignoring_case(struct text text, const char *suffix)
{
    size_t length = strlen(suffix);
    return text.length >= length &&
           text_is_ignoring_case((struct text){text.data + text.length - length, length}, suffix);
}

int text_compare(struct text left, struct text right)
{
    size_t common = left.length < right.length ? left.length : right.length;
    int order = common > 0 ? memcmp(left.data, right.data, common) : 0;
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

const char *text_to_string(struct arena *arena, struct text text)
{
    return text_copy(arena, text).data;
}

struct text text_copy(struct arena *arena, struct text text)
{
    if (text.data == NULL) {
        return text;
    }
    char *copy = arena_alloc(arena, text.length + 1);
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return (struct text){copy, text.length};
}

struct text text_format(struct arena *arena, const char *format, ...)
{
    char small[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0) {
        return text_copy(arena, TEXT(""));
    }
    if ((size_t)length < sizeof small) {
        return text_copy(arena, (struct text){small, (size_t)length});
    }

    char *copy = arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(copy, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return (struct text){copy, (size_t)length};
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* RFC 3629, section 4: the ranges of the second byte exclude overlong forms, surrogates and values above U+10FFFF. */
size_t text_utf8_step(const char *bytes, size_t length, uint32_t *character_r)
{
    const unsigned char *in = (const unsigned char *)bytes;

    if (length == 0) {
        return 0;
    }
    if (in[0] < 0x80) {
        *character_r = in[0];
        return 1;
    }
    if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        if (length < 2 || !is_continuation(in[1])) {
            return 0;
        }
        *character_r = (in[0] & 0x1FU) << 6 | (in[1] & 0x3FU);
        return 2;
    }
    unsigned char lowest = 0x80;
    unsigned char highest = 0xBF;
    if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        if (in[0] == 0xE0) {
            lowest = 0xA0;
        } else if (in[0] == 0xED) {
            highest = 0x9F;
        }
        if (length < 3 || in[1] < lowest || in[1] > highest || !is_continuation(in[2])) {
            return 0;
        }
        *character_r = (in[0] & 0x0FU) << 12 | (in[1] & 0x3FU) << 6 | (in[2] & 0x3FU);
        return 3;
    }
    if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        if (in[0] == 0xF0) {
            lowest = 0x90;
        } else if (in[0] == 0xF4) {
            highest = 0x8F;
        }
        if (length < 4 || in[1] < lowest || in[1] > highest || !is_continuation(in[2]) || !is_continuation(in[3])) {
            return 0;
        }
        *character_r = (in[0] & 0x07U) << 18 | (in[1] & 0x3FU) << 12 | (in[2] & 0x3FU) << 6 | (in[3] & 0x3FU);
        return 4;
    }
    return 0;
}

/* The number of ASCII bytes at the start, in whole words of eight bytes. */
static size_t ascii_words(const char *bytes, size_t length)
{
    size_t at = 0;
    while (length - at >= sizeof(uint64_t) && word_has_high(word_load(bytes + at)) == 0) {
        at += sizeof(uint64_t);
    }
    return at;
}

bool text_is_utf8(struct text text)
{
    for (size_t at = 0; at < text.length;) {
        size_t step;

        if ((unsigned char)text.data[at] < 0x80) {
            step = ascii_words(text.data + at, text.length - at);
            at += step > 0 ? step : 1;
            continue;
        }
        uint32_t character;
        step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

struct text text_cut_bytes(struct text text, size_t max)
{
    if (text.length > max) {
        text.length = max;
        while (text.length > 0 && is_continuation((unsigned char)text.data[text.length])) {
            text.length--;
        }
    }
    return text;
}

struct text text_cut_characters(struct text text, size_t max)
{
    size_t length = 0;
    for (size_t count = 0; count < max && length < text.length; count++) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + length, text.length - length, &character);
        length += step > 0 ? step : 1;
    }
    return (struct text){text.data, length};
}

size_t text_count_characters(struct text text)
{
    size_t characters = 0;

    for (size_t i = 0; i < text.length; i++) {
        characters += !is_continuation((unsigned char)text.data[i]);
    }
    return characters;
}

struct text text_of_integer(int64_t integer, char digits[static TEXT_INTEGER_SIZE])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char *end = digits + TEXT_INTEGER_SIZE, *first = end;
    /* -INT64_MIN fits only into an unsigned integer. */
    uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;

    for (; rest >= 100; rest /= 100) {
        first -= 2;
        memcpy(first, pairs + 2 * (rest % 100), 2);
    }
    if (rest >= 10) {
        *--first = pairs[2 * rest + 1];
    }
    *--first = (char)('0' + (rest >= 10 ? rest / 10 : rest));
    if (integer < 0) {
        *--first = '-';
    }
    return (struct text){first, (size_t)(end - first)};
}

bool text_to_integer(struct text text, int64_t *integer_r)
{
    bool negative = false;
    size_t at = 0;

    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        negative = text.data[0] == '-';
        at = 1;
    }
    if (at == text.length) {
        return false;
    }
    int64_t integer = 0;
    for (; at < text.length; at++) {
        int digit = text.data[at] - '0';

        /* Subtracts, since -INT64_MIN does not exist. */
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(integer, 10, &integer) ||
            __builtin_sub_overflow(integer, digit, &integer)) {
            return false;
        }
    }
    if (!negative && __builtin_sub_overflow(INT64_C(0), integer, &integer)) {
        return false;
    }
    *integer_r = integer;
    return true;
}

int text_digits_at(struct text text, size_t at, size_t count)
{
    if (at > text.length || text.length - at < count) {
        return -1;
    }
    int number = 0;
    for (size_t i = at; i < at + count; i++) {
        if (!ascii_is_digit(text.data[i])) {
            return -1;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}
