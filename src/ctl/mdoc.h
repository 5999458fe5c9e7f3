/* mdoc.h: text as mdoc(7) takes it: escaped, wrapped, a new line after each sentence. */
#ifndef ROSTER_CTL_MDOC_H
#define ROSTER_CTL_MDOC_H

#include "base/buffer.h"

/* Whole lines of running text. Words between backquotes, or between a backquote and a quote, become literals. */
void mdoc_text(struct buffer *out, const char *text);

/* The same from a format. */
void mdoc_format(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line with a macro: ".It Fl c Ar FILE"; `format` gives the whole line, arguments that may hold anything go through
 * mdoc_word. */
void mdoc_macro(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text that may stand as one argument of a macro, in quotes where it needs them; kept in the buffer's arena. */
const char *mdoc_word(struct buffer *out, const char *text);

#endif
