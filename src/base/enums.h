/* enums.h: the enumerations of tables/enums.def, and their words. */
#ifndef ROSTER_BASE_ENUMS_H
#define ROSTER_BASE_ENUMS_H

#include "base/text.h"

#define ENUM(name, words) enum name { words };
#define WORD(value, word) value,
#include "tables/enums.def"

/* A value and the word for it. */
struct enum_word {
    const char *word; /* NULL behind the last */
    int value;
};

/* severity_words, log_format_words, … */
#define ENUM(name, words) extern const struct enum_word name##_words[];
#define WORD(value, word)
#include "tables/enums.def"

/* yes and no, of a bool. */
extern const struct enum_word boolean_words[];

/* The word of a value. NULL where the enumeration has no such value. */
const char *enum_word(const struct enum_word *words, int value);

/* The row of a word. NULL where there is no such word. Case matters. */
const struct enum_word *enum_find(const struct enum_word *words, struct text word);

/* The size of the longest list of words, with its NUL. */
enum { ENUM_LIST_SIZE = 128 };

/* The words as a list for messages: "yes or no", "alert, error, … or debug".
 * Returns list_r. */
const char *enum_list(const struct enum_word *words, char list_r[static ENUM_LIST_SIZE]);

#endif
