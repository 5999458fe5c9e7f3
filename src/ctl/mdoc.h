/* mdoc.h: writes mdoc(7): text is escaped and wrapped, and each sentence starts a new line. */
#ifndef ROSTER_CTL_MDOC_H
#define ROSTER_CTL_MDOC_H

#include "base/buffer.h"

/* Adds running text, ended by a newline. `word` and `word' become literals. */
void mdoc_text(struct buffer *out, const char *text);

/* The same, formatted as printf does. */
void mdoc_format(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a line with a macro: ".It Fl c Ar FILE". `format`: the whole line.
 * Arguments with unknown text must be escaped with mdoc_word. */
void mdoc_macro(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Escapes a text as one argument of a macro, and quotes it if needed. In the buffer's arena. */
const char *mdoc_word(struct buffer *out, const char *text);

#endif
