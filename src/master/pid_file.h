/* pid_file.h: the file with the master's process id. Its lock (flock(2)) prevents a second master. */
#ifndef ROSTER_MASTER_PID_FILE_H
#define ROSTER_MASTER_PID_FILE_H

#include <stdbool.h>

#include "base/safe_path.h"

/* Locks `path` and writes the process id. An empty path does nothing, and succeeds.
 * Root writes only where no other user can write (`depth`: base/safe_path.h), and creates a missing directory.
 * False where another master holds the lock, or where the file can't be written. */
bool pid_file_take(const char *path, enum safe_path_depth depth, struct error *error);

/* Whether the user of this process may write the file. */
bool pid_file_may_be_written(const char *path);

/* Closes the descriptor without releasing the lock. Called in workers, so that none holds the lock when the master
 * dies. */
void pid_file_forget(void);

/* Removes the file and releases the lock. */
void pid_file_remove(void);

#endif
