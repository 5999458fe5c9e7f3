/* pid_file.c: the lock, not the content, tells whether a master runs; so a file left over by a crash is no obstacle. */
#include "master/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int descriptor = -1;
static char *taken_path;
static char error_text[4400];

static void describe_holder(int file, const char *path)
{
    char content[32];
    ssize_t length = pread(file, content, sizeof content - 1, 0);
    content[length > 0 ? length : 0] = '\0';
    snprintf(error_text, sizeof error_text,
             "another master, process %ld, holds %s: stop it first, or give this one another pid_file",
             strtol(content, NULL, 10), path);
}

/* The descriptor of the locked file, or -1. Whoever held the lock before may have removed the file meanwhile: then it
 * is done again. */
static int open_locked(const char *path)
{
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (file == -1) {
            snprintf(error_text, sizeof error_text, "pid_file %s can't be opened: %s", path, strerror(errno));
            return -1;
        }
        if (flock(file, LOCK_EX | LOCK_NB) == -1) {
            if (errno == EWOULDBLOCK)
                describe_holder(file, path);
            else
                snprintf(error_text, sizeof error_text, "pid_file %s can't be locked: %s", path, strerror(errno));
            close(file);
            return -1;
        }
        struct stat opened, named;
        if (fstat(file, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
            opened.st_ino == named.st_ino)
            return file;
        close(file);
    }
}

bool pid_file_take(const char *path, const char **error_r)
{
    *error_r = error_text;
    if (path == NULL || *path == '\0')
        return true;
    int file = open_locked(path);
    if (file == -1)
        return false;

    char content[32];
    int length = snprintf(content, sizeof content, "%ld\n", (long)getpid());
    if (ftruncate(file, 0) == -1 || pwrite(file, content, (size_t)length, 0) != length) {
        snprintf(error_text, sizeof error_text, "pid_file %s can't be written: %s", path, strerror(errno));
        close(file);
        return false;
    }
    taken_path = strdup(path);
    descriptor = file;
    return true;
}

void pid_file_forget(void)
{
    if (descriptor != -1)
        close(descriptor);
    descriptor = -1;
    free(taken_path);
    taken_path = NULL;
}

void pid_file_remove(void)
{
    if (descriptor != -1 && taken_path != NULL)
        unlink(taken_path);
    pid_file_forget();
}
