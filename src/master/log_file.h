/* log_file.h: how a master of root's opens log files that workers of another user write to, too. */
#ifndef ROSTER_MASTER_LOG_FILE_H
#define ROSTER_MASTER_LOG_FILE_H

#include "base/process_user.h"

/* Makes log_open open files with the rights of `user`, so that root follows no link that this user could not follow.
 * A file that `user` may not write is opened as root and given to `user`, if only root can change the directory
 * (base/safe_path.h).
 * Workers, which run as `user`, open files directly.
 * Keeps the pointer `user`. */
void log_file_open_as(const struct process_user *user);

#endif
