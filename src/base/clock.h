/* clock.h: wall time for rows and tokens, monotonic time for durations. */
#ifndef ROSTER_BASE_CLOCK_H
#define ROSTER_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_seconds(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_microseconds(void);

/* Microseconds since some fixed moment; never goes back. */
int64_t clock_monotonic_microseconds(void);

#endif
