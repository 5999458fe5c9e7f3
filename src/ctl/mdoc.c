#include "ctl/mdoc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_LENGTH = 76 };

/* Adds a word; backslashes are escaped. */
static void add_escaped(struct buffer *out, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\') {
            buffer_add_literal(out, "\\e");
        } else {
            buffer_add_byte(out, word[i]);
        }
    }
}

static void end_line(struct buffer *out, size_t *column)
{
    if (*column > 0) {
        buffer_add_byte(out, '\n');
        *column = 0;
    }
}

/* Whether a word is a literal: `word` or `word', maybe with punctuation after it. *end_r: offset of the closing quote.
 */
static bool literal_word(const char *word, size_t length, size_t *end_r)
{
    if (length < 3 || word[0] != '`') {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (word[i] == '`' || word[i] == '\'') {
            *end_r = i;
            return i > 1;
        }
    }
    return false;
}

/* Length of the next word: up to a space; a literal may contain spaces. */
static size_t word_length(const char *text)
{
    size_t length = strcspn(text, " ");
    if (text[0] == '`') {
        size_t end = strcspn(text + 1, "`'");
        if (text[1 + end] != '\0') {
            length = 2 + end + strcspn(text + 2 + end, " ");
        }
    }
    return length;
}

void mdoc_text(struct buffer *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        text += strspn(text, " ");
        size_t length = word_length(text);
        if (length == 0) {
            break;
        }
        size_t end;
        if (literal_word(text, length, &end)) {
            end_line(out, &column);
            char inner[256], after[64];
            snprintf(inner, sizeof inner, "%.*s", (int)(end - 1), text + 1);
            snprintf(after, sizeof after, "%.*s", (int)(length - end - 1), text + end + 1);
            buffer_add_literal(out, ".Ql ");
            buffer_add_string(out, mdoc_word(out, inner));
            for (size_t i = 0; after[i] != '\0'; i++) {
                buffer_add_format(out, " %c", after[i]);
            }
            buffer_add_byte(out, '\n');
        } else {
            if (column > 0 && column + 1 + length > LINE_LENGTH) {
                end_line(out, &column);
            }
            if (column > 0) {
                buffer_add_byte(out, ' ');
                column++;
            } else if (text[0] == '.' || text[0] == '\'') {
                buffer_add_literal(out, "\\&");
            }
            add_escaped(out, text, length);
            column += length;
            char last = text[length - 1];
            if (last == '.' || last == '!' || last == '?') {
                end_line(out, &column);
            }
        }
        text += length;
    }
    end_line(out, &column);
}

void mdoc_format(struct buffer *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mdoc_text(out, text);
}

void mdoc_macro(struct buffer *out, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_add_string(out, line);
    buffer_add_byte(out, '\n');
}

const char *mdoc_word(struct buffer *out, const char *text)
{
    struct buffer word;
    const size_t length = strlen(text);
    /* mdoc would take it out of the word, as the end of the sentence. */
    const bool ends_in_punctuation = length > 0 && strchr(".,:;)]?!", text[length - 1]) != NULL;
    bool quotes = strpbrk(text, " \"") != NULL || text[0] == '\0';
    buffer_init(&word, out->arena);
    if (quotes) {
        buffer_add_byte(&word, '"');
    } else {
        /* mdoc would read a short word as a macro, or as punctuation. */
        buffer_add_string(&word, length <= 3 ? "\\&" : "");
    }
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            buffer_add_literal(&word, "\\(dq");
        } else if (*text == '\\') {
            buffer_add_literal(&word, "\\e");
        } else {
            buffer_add_byte(&word, *text);
        }
    }
    if (ends_in_punctuation) {
        buffer_add_literal(&word, "\\&");
    }
    if (quotes) {
        buffer_add_byte(&word, '"');
    }
    return buffer_text(&word).data;
}
