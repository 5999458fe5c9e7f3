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

/* A file that takes the place of another one when it is whole, and on the disk. */
struct file_replacement {
    int descriptor;   /* for the new content */
    const char *path; /* of the file that is replaced; the caller's */
    char *beside;     /* of the new file, in the same directory */
};

/* Creates the new file, with mode 0600. `path` has to stay until the end.
 * False with errno set; there is nothing to end then. */
bool file_replace_begin(struct file_replacement *replacement, const char *path);

/* With `keep` the new file takes the place of the old one, once it is on the disk; without, it is removed.
 * False with errno set (without `keep`: as it was). The old file is unchanged then; after an error of the disk the new
 * one may be there. */
bool file_replace_end(struct file_replacement *replacement, bool keep);

/* Replaces a file by one with this content, as above.
 * False with errno set. */
bool file_write(const char *path, struct text content, mode_t mode);

#endif
