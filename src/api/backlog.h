/* backlog.h: how many connections wait for a worker. */
#ifndef ROSTER_API_BACKLOG_H
#define ROSTER_API_BACKLOG_H

#include <stdint.h>

/* Connections in the backlog of the unix socket at `path`, as the kernel's sock_diag(7) tells; -1 where it does not. */
int64_t backlog_length(const char *path);

#endif
