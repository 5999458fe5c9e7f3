/* enums.c: see enums.h. */
#include "base/enums.h"

#include <stdio.h>

#define ENUM(name, words) const struct enum_word name##_words[] = {words{NULL, 0}};
#define WORD(value, word) {word, value},
#include "tables/enums.def"

const struct enum_word boolean_words[] = {{"yes", true}, {"no", false}, {NULL, 0}};

const char *enum_word(const struct enum_word *words, int value)
{
    while (words->word != NULL && words->value != value) {
        words++;
    }
    return words->word;
}

const struct enum_word *enum_find(const struct enum_word *words, struct text word)
{
    for (; words->word != NULL; words++) {
        if (text_is(word, words->word)) {
            return words;
        }
    }
    return NULL;
}

const char *enum_list(const struct enum_word *words, char list_r[static ENUM_LIST_SIZE])
{
    size_t length = 0;

    for (size_t i = 0; words[i].word != NULL && length < ENUM_LIST_SIZE; i++) {
        const char *separator = i == 0 ? "" : words[i + 1].word == NULL ? " or " : ", ";
        length += (size_t)snprintf(list_r + length, ENUM_LIST_SIZE - length, "%s%s", separator, words[i].word);
    }
    return list_r;
}
