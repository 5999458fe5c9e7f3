/* text_unicode.c: case, normalisation and classes of characters, with the tables of libutf8proc. */
#include <utf8proc.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hex.h"
#include "base/text.h"
#include "base/word.h"

enum { UTF8_MAX = 4, CAPITAL_SIGMA = 0x03A3, SMALL_SIGMA = 0x03C3, FINAL_SIGMA = 0x03C2, CAPITAL_I_DOT = 0x0130 };

bool text_character_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

bool text_character_is_odd(uint32_t character)
{
    return text_character_is_control(character) || character == 0x061C || character == 0x200E || character == 0x200F ||
           (character >= 0x2028 && character <= 0x202E) || (character >= 0x2066 && character <= 0x2069);
}

const char *text_escape(uint32_t character, char escape[static TEXT_ESCAPE_SIZE])
{
    escape[0] = '\\';
    escape[1] = 'u';
    for (int i = 0; i < 4; i++) {
        escape[2 + i] = hex_digit(character >> (12 - 4 * i));
    }
    escape[6] = '\0';
    return escape;
}

bool text_character_is_white(uint32_t character)
{
    return character == ' ' || (character >= '\t' && character <= '\r') || character == 0x85 || character == 0xA0 ||
           character == 0x1680 || (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
           character == 0x2029 || character == 0x202F || character == 0x205F || character == 0x3000;
}

bool text_character_is_format(uint32_t character)
{
    return utf8proc_category((utf8proc_int32_t)character) == UTF8PROC_CATEGORY_CF;
}

bool text_is_free_of(struct text text, bool (*is_bad)(uint32_t character))
{
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0 || is_bad(character)) {
            return false;
        }
        at += step;
    }
    return true;
}

bool text_is_plain(struct text text)
{
    return text_is_free_of(text, text_character_is_odd);
}

/* Most texts are: there is nothing to leave out. */
static bool is_printable_ascii(struct text text)
{
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= text.length; at += sizeof(uint64_t)) {
        const uint64_t word = word_load(text.data + at);
        if ((word_has_less(word, ' ') | word_has(word, 0x7F) | word_has_high(word)) != 0) {
            return false;
        }
    }
    while (at < text.length && text.data[at] >= ' ' && text.data[at] <= '~') {
        at++;
    }
    return at == text.length;
}

struct text text_without_odd(struct arena *arena, struct text text)
{
    if (text.data == NULL) {
        return text;
    }
    if (is_printable_ascii(text)) {
        return text_copy(arena, text);
    }
    char *out = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step > 0 && !text_character_is_odd(character)) {
            memcpy(out + length, text.data + at, step);
            length += step;
        }
        at += step > 0 ? step : 1;
    }
    out[length] = '\0';
    return (struct text){out, length};
}

/* The length of the last character of a text. 0 where it is not valid UTF-8. */
static size_t last_length(struct text text, uint32_t *character_r)
{
    for (size_t size = 1; size <= UTF8_MAX && size <= text.length; size++) {
        if (text_utf8_step(text.data + text.length - size, size, character_r) == size) {
            return size;
        }
    }
    return 0;
}

struct text text_trim_unicode(struct text text)
{
    uint32_t character;
    size_t step;
    while (text.length > 0 && (step = text_utf8_step(text.data, text.length, &character)) > 0 &&
           text_character_is_white(character)) {
        text = (struct text){text.data + step, text.length - step};
    }
    while (text.length > 0 && (step = last_length(text, &character)) > 0 && text_character_is_white(character)) {
        text.length -= step;
    }
    return text;
}

/* ---- lower case ---- */

static bool is_cased(uint32_t character)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)character);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT;
}

/* Case_Ignorable: marks, modifiers, format characters, and punctuation inside words. */
static bool is_case_ignorable(uint32_t character)
{
    switch (utf8proc_category((utf8proc_int32_t)character)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return character == '\'' || character == '.' || character == ':' || character == 0xB7 || character == 0x0387 ||
               character == 0x2018 || character == 0x2019 || character == 0x2024 || character == 0x2027;
    }
}

/* Final_Sigma of SpecialCasing.txt: a cased letter precedes it, and none follows, except for ignorable characters. */
static bool is_final(struct text before, struct text after)
{
    uint32_t character = 0;
    size_t step;
    while ((step = last_length(before, &character)) > 0 && is_case_ignorable(character)) {
        before.length -= step;
    }
    if (step == 0 || !is_cased(character)) {
        return false;
    }
    while ((step = text_utf8_step(after.data, after.length, &character)) > 0 && is_case_ignorable(character)) {
        after = (struct text){after.data + step, after.length - step};
    }
    return step == 0 || !is_cased(character);
}

/* Writes the lower case of the character at `at`, of `step` bytes. Returns the length written. */
static size_t put_lower(char *out, struct text text, size_t at, size_t step, uint32_t character)
{
    struct text before = {text.data, at};
    struct text after = {text.data + at + step, text.length - at - step};
    if (character == CAPITAL_I_DOT) {
        memcpy(out, "i\xCC\x87", 3);
        return 3;
    }
    utf8proc_int32_t lower = character == CAPITAL_SIGMA ? is_final(before, after) ? FINAL_SIGMA : SMALL_SIGMA
                                                        : utf8proc_tolower((utf8proc_int32_t)character);
    return (size_t)utf8proc_encode_char(lower, (utf8proc_uint8_t *)out);
}

struct text text_to_lower(struct arena *arena, struct text text)
{
    if (text.data == NULL) {
        return text;
    }
    /* Lower case is at most half longer: U+023A has two bytes, its lower case three. */
    char *out = arena_alloc(arena, text.length + text.length / 2 + UTF8_MAX);
    size_t length = 0;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step <= 1) { /* ASCII, or a byte that is not UTF-8 */
            out[length++] = ascii_to_lower(text.data[at++]);
            continue;
        }
        length += put_lower(out + length, text, at, step, character);
        at += step;
    }
    out[length] = '\0';
    return (struct text){out, length};
}

/* ---- normalisation ---- */

static bool is_ascii(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static struct text normalise(struct arena *arena, struct text text, utf8proc_option_t options)
{
    if (text.data == NULL || is_ascii(text) || !text_is_utf8(text)) {
        return text;
    }
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.data;
    utf8proc_ssize_t bytes_length = (utf8proc_ssize_t)text.length;
    utf8proc_ssize_t count = utf8proc_decompose(bytes, bytes_length, NULL, 0, options);
    if (count < 0) {
        return text;
    }
    /* utf8proc_reencode encodes in place, and appends a NUL */
    utf8proc_int32_t *characters = arena_alloc(arena, ((size_t)count + 1) * sizeof *characters);
    count = utf8proc_decompose(bytes, bytes_length, characters, count, options);
    utf8proc_ssize_t length = count < 0 ? count : utf8proc_reencode(characters, count, options);
    return length < 0 ? text : (struct text){(const char *)characters, (size_t)length};
}

struct text text_compose(struct arena *arena, struct text text)
{
    return normalise(arena, text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

struct text text_decompose(struct arena *arena, struct text text)
{
    return normalise(arena, text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
}
