/* text_fold.c: text_fold of text.h: what is equal for a search becomes the same bytes. */
#include <utf8proc.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/text.h"

/* How many characters one decomposes into, at most: U+FDFA has eighteen. */
enum { PARTS_MAX = 32 };

enum fold_kind { FOLD_DROP, FOLD_SHIFT, FOLD_TEXT };

/* One row of text_fold.inc. */
struct fold {
    uint32_t first, last;
    int32_t shift;
    enum fold_kind kind;
    char text[16];
};

static const struct fold folds[] = {
#define FOLD_DROP(first, last) {first, last, 0, FOLD_DROP, ""},
#define FOLD_SHIFT(first, last, by) {first, last, by, FOLD_SHIFT, ""},
#define FOLD_TEXT(character, text) {character, character, 0, FOLD_TEXT, text},
#include "base/text_fold.inc"
#undef FOLD_DROP
#undef FOLD_SHIFT
#undef FOLD_TEXT
};

/* NULL: the character has no row. */
static const struct fold *fold_of(uint32_t character)
{
    size_t low = 0, high = ARRAY_COUNT(folds);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (folds[middle].last < character) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ARRAY_COUNT(folds) && folds[low].first <= character ? &folds[low] : NULL;
}

static void add_row(struct buffer *buffer, const struct fold *fold, uint32_t character)
{
    switch (fold->kind) {
    case FOLD_DROP:
        break;
    case FOLD_SHIFT:
        buffer_add_character(buffer, (uint32_t)((int32_t)character + fold->shift));
        break;
    case FOLD_TEXT:
        buffer_add_string(buffer, fold->text);
        break;
    }
}

static bool is_hangul_syllable(uint32_t character)
{
    return character >= 0xAC00 && character <= 0xD7A3;
}

static bool is_jamo(uint32_t character)
{
    return character >= 0x1100 && character <= 0x11FF;
}

/* *has_jamo is set where the character decomposes into letters of a Hangul syllable. */
static void add_folded(struct buffer *buffer, uint32_t character, bool *has_jamo)
{
    const struct fold *fold = fold_of(character);
    if (fold != NULL) {
        add_row(buffer, fold, character);
        return;
    }
    utf8proc_int32_t parts[PARTS_MAX];
    int boundary_class = 0;
    utf8proc_ssize_t count =
        is_hangul_syllable(character)
            ? 0
            : utf8proc_decompose_char((utf8proc_int32_t)character, parts, PARTS_MAX,
                                      UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD,
                                      &boundary_class);
    if (count <= 0 || count > PARTS_MAX) {
        buffer_add_character(buffer, character);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        uint32_t part = (uint32_t)parts[i];
        *has_jamo = *has_jamo || is_jamo(part);
        fold = fold_of(part);
        if (fold != NULL) {
            add_row(buffer, fold, part);
        } else {
            buffer_add_character(buffer, part);
        }
    }
}

/* The fold of a text that is all ASCII. False where it is not, and then nothing of *out_r counts. */
static bool fold_ascii(struct arena *arena, struct text text, struct text *out_r)
{
    char *out = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if ((unsigned char)byte >= 0x80) {
            return false;
        }
        out[length] = ascii_to_lower(byte);
        length += (byte >= ' ' && byte != 0x7F) || (byte >= '\t' && byte <= '\r');
    }
    out[length] = '\0';
    *out_r = (struct text){out, length};
    return true;
}

struct text text_fold(struct arena *arena, struct text text)
{
    struct text folded;
    if (text.data == NULL || fold_ascii(arena, text, &folded)) {
        return text.data == NULL ? text : folded;
    }
    struct buffer buffer;
    buffer_init(&buffer, arena);
    bool has_jamo = false;
    text = text_compose(arena, text); /* some composed letters are letters of their own */
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + at, text.length - at, &character);
        if (step == 0) {
            buffer_add_byte(&buffer, text.data[at++]);
            continue;
        }
        add_folded(&buffer, character, &has_jamo);
        at += step;
    }
    return has_jamo ? text_compose(arena, buffer_text(&buffer)) : buffer_text(&buffer);
}
