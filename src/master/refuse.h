/* refuse.h: answers clients with 503 while no worker can. */
#ifndef ROSTER_MASTER_REFUSE_H
#define ROSTER_MASTER_REFUSE_H

#include <stddef.h>
#include <stdint.h>

/* Accepts connections from the listening sockets, which must be non-blocking.
 * Answers each FastCGI request with 503, code UNAVAILABLE and Retry-After. The request itself is not parsed.
 * Returns at `until` (monotonic microseconds), or as soon as the descriptor `stop` is readable (-1: never). */
void refuse_run(const int *sockets, size_t count, int64_t until, int stop);

#endif
