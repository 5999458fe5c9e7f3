/* safe_path.c: resolves a path from / on, component by component (path_resolution(7)). Each step opens the next
 * component
 * without following a symbolic link. So the checked directory is the one that is entered. */
#include "base/safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

struct walk {
    char rest[2 * PATH_MAX]; /* the components that are not resolved yet */
    char done[2 * PATH_MAX]; /* the resolved path, for messages */
    int here;                /* O_PATH */
    struct stat status;      /* of `here` */
    int links;
    bool whole; /* check all directories on the way, not only the last one */
};

enum { USER_NAME_SIZE = 256 };

/* The name of a user, or "user NUMBER". */
static const char *name_of(uid_t uid, char name_r[static USER_NAME_SIZE])
{
    const struct passwd *entry = getpwuid(uid);
    if (entry != NULL) {
        snprintf(name_r, USER_NAME_SIZE, "%s", entry->pw_name);
    } else {
        snprintf(name_r, USER_NAME_SIZE, "user %ld", (long)uid);
    }
    return name_r;
}

static bool is_writable_for_others(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* Sets the error: why a directory is not safe, and the command that fixes it. */
static bool blame_directory(const char *directory, const struct stat *status, struct error *error)
{
    char why[PATH_MAX + 512];
    if (status->st_uid != 0) {
        char name[USER_NAME_SIZE];
        snprintf(why, sizeof why, "the directory %s belongs to %s", directory, name_of(status->st_uid, name));
    } else {
        snprintf(why, sizeof why, "users other than root may write to the directory %s (mode %04o)", directory,
                 (unsigned)(status->st_mode & 07777));
    }
    return error_set(error,
                     "%s, but root uses only directories that only root can change: call "
                     "`install -d -o root -g root -m 755 %s`, or set another directory",
                     why, directory);
}

/* A file system in memory that is mounted read-only: there nobody writes, whoever owns the directory. systemd hands
 * credentials over so, and in version 252 their directory belongs to the user of the service. */
static bool is_sealed(int directory)
{
    struct statfs status;
    return fstatfs(directory, &status) == 0 && (status.f_flags & ST_RDONLY) != 0 &&
           (status.f_type == RAMFS_MAGIC || status.f_type == TMPFS_MAGIC);
}

/* On the way, a directory with the sticky bit is safe: only root can rename or remove root's files in it. */
static bool is_safe(const struct walk *walk, bool is_last)
{
    bool is_sticky = !is_last && (walk->status.st_mode & S_ISVTX) != 0;
    return (walk->status.st_uid == 0 && (is_sticky || !is_writable_for_others(&walk->status))) || is_sealed(walk->here);
}

static bool go_to(struct walk *walk, int next)
{
    if (walk->here != -1) {
        close(walk->here);
    }
    walk->here = next;
    return next != -1 && fstat(next, &walk->status) == 0;
}

/* Removes the next component from `rest`. False at the end. */
static bool next_component(struct walk *walk, char component_r[static NAME_MAX + 1])
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t length = strcspn(start, "/");
    if (length == 0) {
        return false;
    }
    snprintf(component_r, NAME_MAX + 1, "%.*s", (int)(length < NAME_MAX ? length : NAME_MAX), start);
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return true;
}

/* Inserts the target of a symbolic link before `rest`. */
static bool follow(struct walk *walk, int link)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(link, "", target, sizeof target - 1);
    if (length <= 0 || ++walk->links > LINKS_MAX) {
        errno = length > 0 ? ELOOP : errno;
        return false;
    }
    target[length] = '\0';
    char rest[2 * PATH_MAX];
    if (snprintf(rest, sizeof rest, "%s/%s", target, walk->rest) >= (int)sizeof rest) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(walk->rest, rest);
    if (target[0] == '/') {
        walk->done[0] = '\0';
        return go_to(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    return true;
}

/* Appends a component to `done`. ".." removes the last one, since none of them is a symbolic link. */
static void note_component(struct walk *walk, const char *component)
{
    size_t length = strlen(walk->done);
    if (strcmp(component, "..") != 0) {
        snprintf(walk->done + length, sizeof walk->done - length, "/%s", component);
        return;
    }
    char *slash = strrchr(walk->done, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

/* Resolves one component. */
static bool step(struct walk *walk, const char *component, struct error *error)
{
    if (strcmp(component, ".") == 0) {
        return true;
    }
    int next = openat(walk->here, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (next == -1 || fstat(next, &status) == -1) {
        error_set(error, "%s/%s: %s", walk->done, component, strerror(errno));
        if (next != -1) {
            close(next);
        }
        return false;
    }
    if (!S_ISLNK(status.st_mode)) {
        note_component(walk, component);
        return go_to(walk, next);
    }
    /* The owner of the link matters only where other users may create one. */
    bool is_good = !walk->whole || status.st_uid == 0;
    if (!is_good) {
        char name[USER_NAME_SIZE];
        error_set(error, "%s/%s is a symbolic link of %s: remove it, or set another path", walk->done, component,
                  name_of(status.st_uid, name));
    } else if (!(is_good = follow(walk, next))) {
        error_set(error, "%s/%s: %s", walk->done, component, strerror(errno));
    }
    close(next);
    return is_good;
}

/* Resolves `path`. With `whole`, checks the directories on the way, but not the last component. */
static bool walk_to(struct walk *walk, const char *path, bool whole, struct error *error)
{
    *walk = (struct walk){.here = -1, .whole = whole};
    if (*path != '/' && getcwd(walk->rest, PATH_MAX) == NULL) {
        return error_set(error, "%s: %s", path, strerror(errno));
    }
    size_t length = strlen(walk->rest);
    if (snprintf(walk->rest + length, sizeof walk->rest - length, "/%s", path) >= (int)(sizeof walk->rest - length)) {
        return error_set(error, "the path is too long: %s", path);
    }
    if (!go_to(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC))) {
        return error_set(error, "/: %s", strerror(errno));
    }
    char component[NAME_MAX + 1];
    while (next_component(walk, component)) {
        if (whole && !is_safe(walk, false)) {
            return blame_directory(*walk->done != '\0' ? walk->done : "/", &walk->status, error);
        }
        if (!step(walk, component, error)) {
            return false;
        }
    }
    return true;
}

static void walk_end(struct walk *walk)
{
    if (walk->here != -1) {
        close(walk->here);
    }
}

/* The directory that holds `path`: "." for a bare name. */
static void directory_of(const char *path, char directory_r[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        strcpy(directory_r, ".");
    } else {
        snprintf(directory_r, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
}

static bool check_directory_of(const char *path, enum safe_path_depth depth, bool is_last, struct error *error)
{
    char directory[PATH_MAX];
    struct walk walk;
    directory_of(path, directory);
    bool good = walk_to(&walk, directory, depth == SAFE_PATH_WHOLE, error);
    if (good && !S_ISDIR(walk.status.st_mode)) {
        good = error_set(error, "%s is not a directory", directory);
    } else if (good && !is_safe(&walk, is_last)) {
        good = blame_directory(directory, &walk.status, error);
    }
    walk_end(&walk);
    return good;
}

bool safe_path_directory(const char *path, enum safe_path_depth depth, struct error *error)
{
    return geteuid() != 0 || check_directory_of(path, depth, true, error);
}

bool safe_path_file(const char *path, enum safe_path_depth depth, struct error *error)
{
    if (geteuid() != 0) {
        return true;
    }
    if (!check_directory_of(path, depth, false, error)) {
        return false;
    }
    struct walk walk;
    bool good = walk_to(&walk, path, depth == SAFE_PATH_WHOLE, error);
    if (good && (walk.status.st_uid != 0 || is_writable_for_others(&walk.status))) {
        good = error_set(
            error, "%s %s, but root trusts only files that only root can write: call `chown root %s && chmod go-w %s`",
            path, walk.status.st_uid != 0 ? "does not belong to root" : "is writable by users other than root", path,
            path);
    }
    walk_end(&walk);
    return good;
}

bool safe_path_make_directory(const char *path, struct error *error)
{
    char directory[PATH_MAX];
    directory_of(path, directory);
    if (geteuid() != 0 || access(directory, F_OK) == 0 || errno != ENOENT ||
        !safe_path_directory(directory, SAFE_PATH_WHOLE, NULL)) {
        return true;
    }
    mode_t mask = umask(0022);
    bool good = mkdir(directory, 0755) == 0 || errno == EEXIST;
    int failure = errno;
    umask(mask);
    return good || error_set(error, "the directory %s can't be created: %s", directory, strerror(failure));
}
