/* input.h: reads files that arguments name, and the lines of a list in one. */
#ifndef ROSTER_CTL_INPUT_H
#define ROSTER_CTL_INPUT_H

#include "ctl/ctl.h"

/* Reads a whole file of at most INPUT_SIZE_MAX bytes, without a byte order mark at its start. "-": standard input.
 * *content_r is in the arena.
 * Returns an exit status; errors are printed to stderr. Call it before ctl_open_store: root may then read any file. */
enum { INPUT_SIZE_MAX = 16 * 1024 * 1024 };
int input_read(struct invocation *invocation, const char *path, struct text *content_r);

/* What a message calls the file: its path, or "standard input". */
const char *input_name(const char *path);

/* A line of a list: one entry a line; white space around it does not count. */
struct input_line {
    struct text text;
    size_t number; /* from 1 */
};

/* Removes the next line with an entry from the start of *rest; empty lines and those that start with # are passed over.
 * `line` keeps the number of the line; before the first call it is all zero. False: there is none. */
bool input_next_line(struct text *rest, struct input_line *line);

#endif
