/* log_line.h: composes a line of a log in place, without memory of the heap. For log.c. */
#ifndef ROSTER_BASE_LOG_LINE_H
#define ROSTER_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

enum { LOG_LINE_SIZE = 8192 }; /* of a line, with its line end */

/* A line, or a part of one. Parts that do not fit are left out. */
struct log_line {
    char data[LOG_LINE_SIZE];
    size_t length;
    size_t limit; /* at most sizeof data */
};

/* How odd characters and bytes that are not UTF-8 are written, and which others have an escape. */
enum log_escaping {
    LOG_ESCAPE_PLAIN,  /* \xHH */
    LOG_ESCAPE_QUOTED, /* \xHH; quotes and backslashes, too */
    LOG_ESCAPE_JSON    /* RFC 8259 */
};

static inline void log_line_init(struct log_line *line, size_t limit)
{
    line->length = 0;
    line->limit = limit;
}

/* False where it does not fit. */
static inline bool log_line_add_bytes(struct log_line *line, const char *bytes, size_t length)
{
    if (length > line->limit - line->length) {
        return false;
    }
    memcpy(line->data + line->length, bytes, length);
    line->length += length;
    return true;
}

static inline bool log_line_add(struct log_line *line, const char *string)
{
    return log_line_add_bytes(line, string, strlen(string));
}

bool log_line_add_integer(struct log_line *line, int64_t integer);

/* At most 255 bytes of it. */
bool log_line_add_format(struct log_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds an escaped text of at most `max` bytes. A longer one is truncated and ends with "…". */
void log_line_add_escaped(struct log_line *line, struct text text, enum log_escaping escaping, size_t max);

/* True where each byte is a printable character of ASCII that needs neither quotes nor an escape. */
bool log_is_bare(struct text text);

/* True where a value would make a line of `key=value` ambiguous without quotes. */
bool log_needs_quotes(struct text text);

#endif
