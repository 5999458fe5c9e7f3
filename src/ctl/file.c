#include "ctl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

enum { FILE_SIZE_MOST = 16 * 1024 * 1024 };

bool file_read(struct arena *arena, const char *path, struct text *content_r)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return false;
    }
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MOST) {
        close(descriptor);
        errno = EINVAL;
        return false;
    }
    size_t size = (size_t)status.st_size;
    char *content = arena_alloc(arena, size + 1);
    size_t length = 0;
    ssize_t got = 0;
    while (length < size && (got = read(descriptor, content + length, size - length)) > 0) {
        length += (size_t)got;
    }
    int error = errno;
    close(descriptor);
    errno = error;
    content[length] = '\0';
    *content_r = (struct text){content, length};
    return got >= 0;
}

bool file_write(const char *path, struct text content, mode_t mode)
{
    char *beside;
    if (asprintf(&beside, "%s.XXXXXX", path) < 0) {
        return false;
    }
    int descriptor = mkostemp(beside, O_CLOEXEC);
    bool good = descriptor >= 0;
    for (size_t written = 0; good && written < content.length;) {
        ssize_t more = write(descriptor, content.data + written, content.length - written);
        good = more > 0;
        written += good ? (size_t)more : 0;
    }
    good = good && fchmod(descriptor, mode) == 0;
    if (descriptor >= 0) {
        good = close(descriptor) == 0 && good;
        good = good && rename(beside, path) == 0;
        int error = errno;
        if (!good) {
            unlink(beside);
        }
        errno = error;
    }
    free(beside);
    return good;
}
