/* pool.h: the pools of workers. roster(8) describes them. */
#ifndef ROSTER_BASE_POOL_H
#define ROSTER_BASE_POOL_H

#include <stdbool.h>

enum pool { POOL_API, POOL_PASSWORD, POOL_DIRECTORY, POOL_STATUS, POOL_COUNT };

/* "api", "password", "directory", "status": the sections of roster.conf. */
extern const char *const pool_names[POOL_COUNT];

/* The use of the second socket of a pool (`listen_second`).
 * SECOND_NONE: the pool has no second socket.
 * SECOND_SPARED: all workers of the pool but one accept from it. Its requests never occupy the last worker.
 * SECOND_FIRST: each worker accepts from it before it accepts from the first socket. One of several workers accepts
 * only from it. */
enum second_socket { SECOND_NONE, SECOND_SPARED, SECOND_FIRST };
extern const enum second_socket pool_second[POOL_COUNT];

/* The sockets that a worker accepts from. The master owns the descriptors. */
struct worker_sockets {
    int first;
    int second;          /* -1: the pool has none, or this worker does not accept from it */
    bool prefers_second; /* while a connection waits there, none is accepted from the first one */
};

#endif
