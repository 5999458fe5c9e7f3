/* backlog.h: how many connections wait at a listening socket. Only the kernel knows, and tells over netlink (sock_diag(7)). */
#ifndef ROSTER_API_BACKLOG_H
#define ROSTER_API_BACKLOG_H

#include <stdint.h>

/* Connections that no worker has taken yet, at the Unix socket with this inode: that of the socket (fstat of the descriptor), not of its file. -1 where the kernel
 * does not say. `most_r` gets how many may wait. */
int64_t backlog_length(int64_t inode, int64_t *most_r);

#endif
