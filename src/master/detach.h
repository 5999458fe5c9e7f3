/* detach.h: a master that leaves the terminal (roster -d). The process that was started waits until the service is
 * ready or can't start, says why not, and exits with what came of it. */
#ifndef ROSTER_MASTER_DETACH_H
#define ROSTER_MASTER_DETACH_H

#include <stdbool.h>

#include "base/error.h"

/* Forks. The parent never returns: it exits with 0 at detach_ready, else with 1, and prints the text of detach_fail.
 * The child returns true: in a session of its own, in /, with its output at /dev/null.
 * False with the error: nothing was forked, or the child can't go to /. */
bool detach(struct error *error);

/* Whether this process is such a child. */
bool detach_is_done(void);

/* Tells the waiting parent, if there still is one to tell; the first call counts.
 * False: nobody waits, so the caller prints the text. */
void detach_ready(void);
bool detach_fail(const char *text);

/* Closes the pipe to the parent: for the master's children, and at the end. */
void detach_close(void);

/* Makes a standard descriptor /dev/null. `flags`: O_RDONLY or O_WRONLY. */
void detach_point_at_null(int descriptor, int flags);

#endif
