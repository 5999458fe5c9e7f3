/* clock.h: wall time for rows and tokens, monotonic time for durations. */
#ifndef ROSTER_BASE_CLOCK_H
#define ROSTER_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_seconds(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_microseconds(void);

/* Microseconds since an unspecified moment. Never decreases. */
int64_t clock_monotonic_microseconds(void);

/* The same at the last tick of the kernel, up to ten milliseconds ago, for a tenth of the time. */
int64_t clock_monotonic_coarse_microseconds(void);

#endif
