/* check_disk.h: whether there is room on the disks. */
#ifndef ROSTER_CHECK_CHECK_DISK_H
#define ROSTER_CHECK_CHECK_DISK_H

#include "check/findings.h"

/* Checks the file systems of these paths, each once: free space, and free inodes. A path that is missing, or is none,
 * is passed over; the file system of a missing file is that of its directory. Those of the first `known` paths were
 * reported before. */
void check_disk(struct findings *findings, const char *const *paths, size_t count, size_t known);

#endif
