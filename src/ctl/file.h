/* file.h: whole files. */
#ifndef ROSTER_CTL_FILE_H
#define ROSTER_CTL_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/text.h"

struct arena;

/* What a file holds, up to 16 MiB, NUL-terminated behind its length. False with errno. */
bool file_read(struct arena *arena, const char *path, struct text *content_r);

/* Writes a file in one step: under another name beside it, then renamed. False with errno. */
bool file_write(const char *path, struct text content, mode_t mode);

#endif
