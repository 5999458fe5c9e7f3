#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

bool file_read_descriptor(struct arena *arena, int descriptor, size_t max, struct text *content_r)
{
    char *content = arena_alloc(arena, max + 1);
    size_t length = 0;
    while (length <= max) {
        ssize_t got = read(descriptor, content + length, max + 1 - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            content[length] = '\0';
            *content_r = (struct text){content, length};
            return true;
        }
        length += (size_t)got;
    }
    errno = EFBIG;
    return false;
}

bool file_read(struct arena *arena, const char *path, struct text *content_r)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return false;
    }
    struct stat status;
    bool good = fstat(descriptor, &status) == 0;
    if (good && (!S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX)) {
        errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        good = false;
    }
    good = good && file_read_descriptor(arena, descriptor, (size_t)status.st_size, content_r);
    int error = errno;
    close(descriptor);
    errno = error;
    return good;
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
