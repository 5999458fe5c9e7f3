/* pid_file.c: the lock, not the content, shows whether a master runs; so a file left by a crash does no harm. */
#include "master/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int descriptor = -1;
static char *taken_path;

/* Sets the error that names the process that holds the lock. */
static bool name_holder(int file, const char *path, struct error *error)
{
    char content[32];
    ssize_t length = pread(file, content, sizeof content - 1, 0);
    content[length > 0 ? length : 0] = '\0';
    return error_set(error, "another master, process %ld, holds %s: stop it first, or set another pid_file",
                     strtol(content, NULL, 10), path);
}

/* False where another user owns the file, or where it has another hard link: such a file may be older than root's
 * ownership of the directory, and is not written. */
static bool is_own(int file, const char *path, struct error *error)
{
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink <= 1 && status.st_uid == geteuid()) {
        return true;
    }
    return error_set(error,
                     "pid_file %s does not belong to this user, is not a regular file, or has another hard link: "
                     "remove it, or set another path",
                     path);
}

/* Returns the descriptor of the locked file, or -1. Retries where the process that held the lock before has removed the
 * file in the meantime. */
static int open_locked(const char *path, struct error *error)
{
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
        if (file == -1) {
            error_set(error, "pid_file %s can't be opened: %s", path, strerror(errno));
            return -1;
        }
        if (flock(file, LOCK_EX | LOCK_NB) == -1) {
            if (errno == EWOULDBLOCK) {
                name_holder(file, path, error);
            } else {
                error_set(error, "pid_file %s can't be locked: %s", path, strerror(errno));
            }
            close(file);
            return -1;
        }
        struct stat opened, named;
        if (fstat(file, &opened) == 0 && lstat(path, &named) == 0 && opened.st_dev == named.st_dev &&
            opened.st_ino == named.st_ino) {
            if (is_own(file, path, error)) {
                return file;
            }
            close(file);
            return -1;
        }
        close(file);
    }
}

bool pid_file_take(const char *path, enum safe_path_depth depth, struct error *error)
{
    if (path == NULL || *path == '\0') {
        return true;
    }
    if (!safe_path_make_directory(path, error) || !safe_path_directory(path, depth, error)) {
        return error_prefix(error, "pid_file %s can't be made: ", path);
    }
    int file = open_locked(path, error);
    if (file == -1) {
        return false;
    }

    char content[32];
    int length = snprintf(content, sizeof content, "%ld\n", (long)getpid());
    if (ftruncate(file, 0) == -1 || pwrite(file, content, (size_t)length, 0) != length) {
        error_set(error, "pid_file %s can't be written: %s", path, strerror(errno));
        close(file);
        return false;
    }
    taken_path = strdup(path);
    descriptor = file;
    return true;
}

bool pid_file_may_be_written(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof directory, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    return access(path, W_OK) == 0 || (errno == ENOENT && access(directory, W_OK | X_OK) == 0);
}

void pid_file_forget(void)
{
    if (descriptor != -1) {
        close(descriptor);
    }
    descriptor = -1;
    free(taken_path);
    taken_path = NULL;
}

void pid_file_remove(void)
{
    if (descriptor != -1 && taken_path != NULL) {
        unlink(taken_path);
    }
    pid_file_forget();
}
