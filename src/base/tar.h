/* tar.h: archives of tar, in the form ustar (POSIX.1-1988), which every tar reads.
 *
 * The writer makes headers and padding; whoever calls it writes the bytes of the files between them. The reader goes
 * from header to header of a file that can be read at any place. It knows regular files only. */
#ifndef ROSTER_BASE_TAR_H
#define ROSTER_BASE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

enum { TAR_BLOCK = 512, TAR_NAME_MAX = 100 };

/* The largest file that a header can tell of. */
static const int64_t TAR_SIZE_MAX = 077777777777;

/* Makes the header of a regular file. `name` has at most TAR_NAME_MAX bytes, and `size` at most TAR_SIZE_MAX: a bug
 * otherwise. */
void tar_header(char block_r[static TAR_BLOCK], const char *name, int64_t size, mode_t mode, int64_t changed_at);

/* The number of zero bytes that follow a file of this size. */
size_t tar_padding(int64_t size);

/* A file in an archive. */
struct tar_entry {
    char name[TAR_NAME_MAX + 1];
    int64_t offset, size; /* of its bytes in the archive */
};

enum tar_step { TAR_ENTRY, TAR_END, TAR_BROKEN, TAR_CUT, TAR_ERROR };

/* Reads the header at *offset, and moves *offset to the next one.
 * TAR_ENTRY: *entry_r is a file that the archive has whole.
 * TAR_END: the archive ends here, with its two blocks of zeros.
 * TAR_BROKEN: it is no header of a regular file. TAR_CUT: the archive ends too early. TAR_ERROR: errno says why it
 * can't be read. */
enum tar_step tar_next(int descriptor, int64_t *offset, struct tar_entry *entry_r);

#endif
