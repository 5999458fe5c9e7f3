#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool file_replace_begin(struct file_replacement *replacement, const char *path)
{
    char *beside;
    if (asprintf(&beside, "%s.XXXXXX", path) < 0) {
        return false;
    }
    *replacement = (struct file_replacement){
        .descriptor = mkostemp(beside, O_CLOEXEC), /* mode 0600 */
        .path = path,
        .beside = beside,
    };
    if (replacement->descriptor < 0) {
        free(beside);
        return false;
    }
    return true;
}

/* The new name is on the disk when its directory is. Not every file system syncs directories (EINVAL), and not every
 * directory may be read. */
static bool sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int descriptor = directory != NULL ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = descriptor < 0 || fsync(descriptor) == 0 || errno == EINVAL;
    int error = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    free(directory);
    errno = error;
    return good;
}

bool file_replace_end(struct file_replacement *replacement, bool keep)
{
    int error = errno;
    bool good = keep && fsync(replacement->descriptor) == 0;
    error = keep ? errno : error;
    if (close(replacement->descriptor) != 0 && good) {
        error = errno;
        good = false;
    }
    bool renamed = good && rename(replacement->beside, replacement->path) == 0;
    error = good ? errno : error;
    if (!renamed) {
        unlink(replacement->beside);
    }
    free(replacement->beside);
    errno = error;
    return renamed && sync_directory(replacement->path);
}

bool file_write(const char *path, struct text content, mode_t mode)
{
    struct file_replacement replacement;
    if (!file_replace_begin(&replacement, path)) {
        return false;
    }
    bool good = true;
    for (size_t written = 0; good && written < content.length;) {
        ssize_t more = write(replacement.descriptor, content.data + written, content.length - written);
        good = more > 0;
        written += good ? (size_t)more : 0;
    }
    good = good && fchmod(replacement.descriptor, mode) == 0;
    return file_replace_end(&replacement, good);
}
