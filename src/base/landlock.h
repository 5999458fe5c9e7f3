/* landlock.h: limits which files a process may open, and which ports it may connect to: landlock(7). */
#ifndef ROSTER_BASE_LANDLOCK_H
#define ROSTER_BASE_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum landlock_rights {
    LANDLOCK_READ = 1,  /* files and directories */
    LANDLOCK_WRITE = 2, /* files that are there, or, below a directory, new ones */
};

/* All below it, where it is a directory. */
struct landlock_path {
    const char *path;
    unsigned rights; /* enum landlock_rights, or both */
};

/* The version of the interface that the kernel has; 0: none, or it is switched off. */
int landlock_version(void);

/* From here on, this process and those that it forks open nothing else, connect to no other TCP port, bind none, and
 * (version 6) signal no process outside. Paths that can't be opened are left out. The process must have
 * PR_SET_NO_NEW_PRIVS. False with the reason; then nothing is limited. */
bool landlock_limit(const struct landlock_path *paths, size_t path_count, const uint16_t *ports, size_t port_count,
                    struct error *error);

#endif
