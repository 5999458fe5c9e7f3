/* text.h: a run of bytes with its length.
 *
 * Text in a request is rarely NUL-terminated where it lies, and may hold NUL where a client sent one; so it travels
 * as pointer and length. `data == NULL` stands for SQL's NULL or JSON's null, `length == 0` for the empty text. */
#ifndef ROSTER_BASE_TEXT_H
#define ROSTER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct text {
    const char *data;
    size_t length;
};

/* A text of a string literal. */
#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

/* A text of a NUL-terminated string; NULL gives the null text. */
static inline struct text text_of(const char *string)
{
    return (struct text){string, string != NULL ? strlen(string) : 0};
}

/* True where both are the same bytes; the null text equals only itself. */
bool text_equal(struct text left, struct text right);

/* True where `text` is exactly the NUL-terminated `string`. */
bool text_is(struct text text, const char *string);

/* As text_is, without regard to the case of ASCII letters. */
bool text_is_ignoring_case(struct text text, const char *string);

bool text_starts_with(struct text text, const char *prefix);
bool text_ends_with(struct text text, const char *suffix);

/* White space (space, tab, CR, LF, VT, FF) off both ends. */
struct text text_trim(struct text text);

/* A NUL-terminated copy in the arena. The null text gives NULL. */
const char *text_to_string(struct arena *arena, struct text text);

/* A copy in the arena, NUL-terminated behind its length. */
struct text text_copy(struct arena *arena, struct text text);

/* printf into the arena; the text is NUL-terminated as well. */
struct text text_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lower case in every script (Unicode's simple mapping, as C.UTF-8 has it); bytes that are no UTF-8 stay. */
struct text text_to_lower(struct arena *arena, struct text text);

/* True where `text` is well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF). */
bool text_is_utf8(struct text text);

/* The length of the well-formed UTF-8 sequence at the start of `length` bytes, and what it stands for; 0 where there is none. */
size_t text_utf8_step(const char *bytes, size_t length, uint32_t *character_r);

/* The number of Unicode scalar values in well-formed UTF-8. */
size_t text_count_characters(struct text text);

/* Decimal digits, with an optional sign, and nothing else. False where it is no integer or does not fit. */
bool text_to_integer(struct text text, int64_t *integer_r);

/* Lower-case hexadecimal of `length` bytes, in the arena. */
struct text text_hex(struct arena *arena, const unsigned char *bytes, size_t length);

#endif
