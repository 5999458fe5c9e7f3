/* csv.h: reads and writes records of comma-separated values (RFC 4180).
 *
 * Read are also semicolons and tabs, which some spreadsheets write in place of commas: the separator is the one that
 * the first line has most of, outside quotes. Lines end with LF or CRLF. Empty lines are passed over. */
#ifndef ROSTER_IMPORT_CSV_H
#define ROSTER_IMPORT_CSV_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

struct csv {
    struct arena *arena;
    struct text rest;
    char separator;
    size_t next_line;
    /* the record that was read last */
    size_t line;         /* of its beginning, from 1 */
    struct text *fields; /* without quotes; in the arena, or a part of the content */
    size_t field_count, capacity;
};

/* Begins to read a text, which must stay valid. */
void csv_begin(struct csv *csv, struct arena *arena, struct text content);

enum csv_result { CSV_RECORD, CSV_END, CSV_BROKEN };

/* Reads the next record. Its fields are valid until the next call.
 * CSV_BROKEN: a quote does not end, or something follows its end; csv->line is the line, and nothing more is read. */
enum csv_result csv_next(struct csv *csv, struct error *error);

/* Protects a field from spreadsheets, which take a text that starts with one of `= + - @', a tab or a return for a
 * formula: such a text, and one that starts with an apostrophe, gets an apostrophe before it.
 * csv_expose removes it again; other texts stay as they are. In the arena. */
struct text csv_protect(struct arena *arena, struct text field);
struct text csv_expose(struct text field);

/* Adds a field to a line, in quotes where it needs some. The caller adds commas and CRLF. */
void csv_add(struct buffer *line, struct text field);

#endif
