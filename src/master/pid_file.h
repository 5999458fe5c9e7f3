/* pid_file.h: the file with the master's process id, which at the same time keeps a second master out (flock(2)). */
#ifndef ROSTER_MASTER_PID_FILE_H
#define ROSTER_MASTER_PID_FILE_H

#include <stdbool.h>

/* Locks `path` and writes the process id. An empty path does nothing. False with *error_r (kept until the next call)
 * where another master holds it, or where it can't be written. */
bool pid_file_take(const char *path, const char **error_r);

/* Closes the descriptor without giving the lock up: in a worker, so that it doesn't hold the lock when the master
 * dies. */
void pid_file_forget(void);

/* Removes the file and gives the lock up. */
void pid_file_remove(void);

#endif
