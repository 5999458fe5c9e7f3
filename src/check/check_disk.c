#include "check/check_disk.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { DISKS_MAX = 16, WARNING_PERCENT = 10, ERROR_PERCENT = 1 };

/* In percent; 100 where the file system does not count it. */
static double share(unsigned long free, unsigned long all)
{
    return all > 0 ? 100.0 * (double)free / (double)all : 100;
}

/* Follows symbolic links. False: neither the path nor its directory is there. */
static bool find(const char *path, char *found_r, size_t size, dev_t *device_r)
{
    struct stat status;
    snprintf(found_r, size, "%s", path);
    if (path[0] == '/' && stat(path, &status) != 0 && strrchr(path, '/') != path) {
        *strrchr(found_r, '/') = '\0';
    }
    if (path[0] != '/' || stat(found_r, &status) != 0) {
        return false;
    }
    *device_r = status.st_dev;
    return true;
}

void check_disk(struct findings *findings, const char *const *paths, size_t count, size_t known)
{
    dev_t seen[DISKS_MAX], device;
    size_t seen_count = 0;
    char path[PATH_MAX];
    for (size_t i = 0; i < count && seen_count < DISKS_MAX; i++) {
        struct statvfs disk;
        size_t before = 0;
        if (!find(paths[i], path, sizeof path, &device) || statvfs(path, &disk) != 0 || disk.f_blocks == 0) {
            continue;
        }
        while (before < seen_count && seen[before] != device) {
            before++;
        }
        if (before < seen_count) {
            continue;
        }
        seen[seen_count++] = device;
        if (i < known) {
            continue;
        }
        const double space = share(disk.f_bavail, disk.f_blocks), inodes = share(disk.f_favail, disk.f_files);
        const double least = space < inodes ? space : inodes;
        if (least < WARNING_PERCENT) {
            char cure[PATH_MAX + 64];
            snprintf(cure, sizeof cure, "du -xh --max-depth=3 %s | sort -h | tail", path);
            findings_add_cure(findings, least < ERROR_PERCENT ? FINDING_ERROR : FINDING_WARNING, cure,
                              "%.1f %% of the %s of the file system with %s are free: free some, and check that "
                              "logrotate runs",
                              least, space <= inodes ? "space" : "inodes", path);
        } else {
            findings_add(findings, FINDING_GOOD, "%.0f %% of the file system with %s are free", space, path);
        }
    }
}
