/* backlog.h: reads the backlog of a listening Unix socket from the kernel, over netlink (sock_diag(7)). */
#ifndef ROSTER_API_BACKLOG_H
#define ROSTER_API_BACKLOG_H

#include <stdint.h>

/* Returns the number of connections that are not accepted yet; -1: unknown.
 * `inode` is that of the socket (fstat of the descriptor), not that of its file.
 * *max_r: the limit of the backlog. */
int64_t backlog_length(int64_t inode, int64_t *max_r);

#endif
