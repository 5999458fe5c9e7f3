/* safe_path.h: checks paths that root writes to, or reads secrets from.
 * Where another user may change a directory on the way, that user can replace a file by another one, or by a symbolic
 * link, between two system calls, and make root write to the target. So root does not use such a path at all.
 * For other users every path is safe: the kernel checks their permissions. */
#ifndef ROSTER_BASE_SAFE_PATH_H
#define ROSTER_BASE_SAFE_PATH_H

#include <stdbool.h>

#include "base/error.h"

enum safe_path_depth {
    /* The directory of the file belongs to root, and only root may write there. */
    SAFE_PATH_DIRECTORY,
    /* Also each directory above it belongs to root, and only root may write there or it is sticky, as /tmp.
     * Symbolic links on the way are followed, and their directories are checked, too. */
    SAFE_PATH_WHOLE,
};

/* True where root may safely create, change and remove `path`.
 * A missing directory is not safe.
 * One in a file system in memory that is mounted read-only is safe, whoever owns it, as that of systemd's credentials.
 * On false the error gives the directory, its owner, and the command that fixes it. */
bool safe_path_directory(const char *path, enum safe_path_depth depth, struct error *error);

/* True where root may trust the content of the file `path`.
 * The file and its directory belong to root, and only root may write to them.
 * In a sticky directory only the file is checked. */
bool safe_path_file(const char *path, enum safe_path_depth depth, struct error *error);

/* Creates the directory of `path`, with mode 0755.
 * Does nothing where it exists, where the process does not run as root, and where the directory above is not safe
 * (SAFE_PATH_WHOLE).
 * False only where mkdir(2) failed. */
bool safe_path_make_directory(const char *path, struct error *error);

#endif
