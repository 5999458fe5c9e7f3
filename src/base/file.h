/* file.h: reads and writes whole files. */
#ifndef ROSTER_BASE_FILE_H
#define ROSTER_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

struct arena;

/* Reads a regular file into the arena. A NUL follows the length.
 * False with errno set: EINVAL where it is not a regular file, EFBIG where it has more than 16 MiB. */
bool file_read(struct arena *arena, const char *path, struct text *content_r);

/* Reads from a descriptor to its end, at most `max` bytes. It may be a pipe. It stays open.
 * False with errno set: EFBIG where there is more. */
bool file_read_descriptor(struct arena *arena, int descriptor, size_t max, struct text *content_r);

/* Replaces a file atomically: writes a temporary file in the same directory, and renames it.
 * False with errno set. The old file is unchanged then. */
bool file_write(const char *path, struct text content, mode_t mode);

#endif
