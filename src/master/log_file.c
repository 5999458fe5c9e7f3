/* log_file.c: the directory of the logs usually belongs to the workers' user, who could place a link there for root to
 * follow. */
#include "master/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/safe_path.h"

static const struct process_user *process_user;

static int open_as_user(const char *path, int flags, mode_t mode)
{
    if (!process_user_act_as(process_user)) {
        return -1;
    }
    int file = open(path, flags & ~O_NOFOLLOW, mode); /* a link gives this user no further rights */
    process_user_act_as_root(process_user);
    return file;
}

/* In a directory that only root can change, all files are root's choice. */
static int open_as_root(const char *path, int flags, mode_t mode)
{
    struct stat status;
    if (!safe_path_directory(path, SAFE_PATH_WHOLE, NULL)) {
        errno = EACCES;
        return -1;
    }
    int file = open(path, flags | O_NOFOLLOW, mode);
    if (file == -1) {
        return -1;
    }
    /* A file with another hard link may belong to another user. */
    bool good = fstat(file, &status) == 0 && (!S_ISREG(status.st_mode) || status.st_nlink == 1);
    if (good && S_ISREG(status.st_mode) && status.st_uid == 0) {
        good = fchown(file, process_user->uid, (gid_t)-1) == 0;
    }
    if (good) {
        return file;
    }
    close(file);
    errno = EACCES;
    return -1;
}

static int open_log_file(const char *path, int flags, mode_t mode)
{
    if (!process_user->changes || geteuid() != 0) {
        return open(path, flags, mode);
    }
    int file = open_as_user(path, flags, mode);
    return file == -1 && errno == EACCES ? open_as_root(path, flags, mode) : file;
}

void log_file_open_as(const struct process_user *user)
{
    process_user = user;
    log_set_file_opener(open_log_file);
}
