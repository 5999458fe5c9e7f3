/* text.h: a text as a pointer and a length.
 *
 * Text in a request is usually not NUL-terminated, and may hold a NUL from the client.
 * `data == NULL` is the null text: SQL's NULL or JSON's null. `length == 0` is the empty text. */
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

/* The null text: SQL's NULL, JSON's null, a value that is missing in a request. */
#define TEXT_NULL ((struct text){NULL, 0})

/* A text of a string literal. */
#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

/* A text of a NUL-terminated string; NULL gives the null text. */
static inline struct text text_of(const char *string)
{
    return (struct text){string, string != NULL ? strlen(string) : 0};
}

/* True where both have the same bytes. The null text equals only itself. */
bool text_equal(struct text left, struct text right);

/* True where `text` equals the NUL-terminated `string`. */
bool text_is(struct text text, const char *string);

/* The same, ignoring the case of ASCII letters. */
bool text_is_ignoring_case(struct text text, const char *string);

bool text_starts_with(struct text text, const char *prefix);
bool text_ends_with(struct text text, const char *suffix);

/* The same, ignoring the case of ASCII letters. */
bool text_starts_with_ignoring_case(struct text text, const char *prefix);
bool text_ends_with_ignoring_case(struct text text, const char *suffix);

/* Removes the text before the next `separator`, and the separator, from the start of *rest.
 * Returns that text. The whole rest where there is no separator. */
struct text text_take(struct text *rest, char separator);

/* The text without the double quotes at both ends. Unchanged where they are missing. */
struct text text_unquote(struct text text);

/* The text without white space (space, tab, CR, LF, VT, FF) at both ends. */
struct text text_trim(struct text text);

/* Compares by bytes, as memcmp(3). A text sorts before a longer one that starts with it. */
int text_compare(struct text left, struct text right);

/* At most the first `max` bytes, truncated after a complete character. */
struct text text_cut_bytes(struct text text, size_t max);

/* At most the first `max` characters. A byte that is not UTF-8 counts as a character. */
struct text text_cut_characters(struct text text, size_t max);

/* A NUL-terminated copy in the arena. The null text gives NULL. */
const char *text_to_string(struct arena *arena, struct text text);

/* A copy in the arena. A NUL follows the length. */
struct text text_copy(struct arena *arena, struct text text);

/* Formats a text as printf(3) does, in the arena. A NUL follows the length. */
struct text text_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lower case in all scripts: toLowercase of The Unicode Standard, section 3.13.
 * `İ` becomes `i` and U+0307. A sigma at the end of a word becomes a final sigma.
 * Bytes that are not UTF-8 stay unchanged.
 * In the arena. The null text stays null. */
struct text text_to_lower(struct arena *arena, struct text text);

/* Normalisation form C (compose) or form D (decompose) of Unicode (UAX #15), in the arena.
 * A text that is not UTF-8 stays unchanged. */
struct text text_compose(struct arena *arena, struct text text);
struct text text_decompose(struct arena *arena, struct text text);

/* The text as searches compare it, in the arena: texts that differ in case, accents or the form of a letter become the
 * same bytes. Equal is what the collation of names is (utf8mb4_uca1400_nopad_ai_ci), also where a letter equals two
 * (`ß` and `ss`, `æ` and `ae`), and however the text is composed. Characters without a weight (marks, soft hyphens,
 * joiners, control characters) vanish, so it may become empty. Bytes that are not UTF-8 stay unchanged.
 * The null text stays null. */
struct text text_fold(struct arena *arena, struct text text);

/* The text without white space (Unicode's White_Space, with no-break and ideographic spaces) at both ends. */
struct text text_trim_unicode(struct text text);

/* True for control characters: C0, DEL and C1. */
bool text_character_is_control(uint32_t character);

/* True for characters that are not allowed in a name: control characters (C0, DEL, C1), line and paragraph separators,
 * and characters that change the direction of writing (Unicode's Bidi_Control).
 * Joiners are allowed: some scripts need them. */
bool text_character_is_odd(uint32_t character);

/* The JSON escape (RFC 8259, section 7) of a character below U+10000, as "\u00e4", NUL-terminated.
 * Returns `escape`. */
enum { TEXT_ESCAPE_SIZE = 7 };
const char *text_escape(uint32_t character, char escape[static TEXT_ESCAPE_SIZE]);

/* True where a character is white space (Unicode's White_Space). */
bool text_character_is_white(uint32_t character);

/* True for invisible format characters (general category Cf: soft hyphen, zero width space, joiners). */
bool text_character_is_format(uint32_t character);

/* True where the text is valid UTF-8, and `is_bad` is false for each character. */
bool text_is_free_of(struct text text, bool (*is_bad)(uint32_t character));

/* True where the text is valid UTF-8 without odd characters: the rule for names. */
bool text_is_plain(struct text text);

/* The text without odd characters and without bytes that are not UTF-8, in the arena. The null text stays null. */
struct text text_without_odd(struct arena *arena, struct text text);

/* text_is_plain as a regular expression (ECMA-262), for JSON schemas. */
#define TEXT_PLAIN_PATTERN "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]*$"

/* True where `text` is valid UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
bool text_is_utf8(struct text text);

/* Decodes the UTF-8 sequence at the start of `length` bytes.
 * Returns its length. 0 where the sequence is invalid. */
size_t text_utf8_step(const char *bytes, size_t length, uint32_t *character_r);

/* The number of characters (Unicode scalar values) of valid UTF-8. */
size_t text_count_characters(struct text text);

enum { TEXT_INTEGER_SIZE = sizeof "-9223372036854775808" };

/* The decimal digits of an integer, in `digits`. */
struct text text_of_integer(int64_t integer, char digits[static TEXT_INTEGER_SIZE]);

/* Parses decimal digits with an optional sign. False where the text is not an integer, or does not fit into 64 bits. */
bool text_to_integer(struct text text, int64_t *integer_r);

/* The number in `count` decimal digits at `at`; `count` is at most nine.
 * -1 where the text is too short, or a character is not a digit. */
int text_digits_at(struct text text, size_t at, size_t count);

#endif
