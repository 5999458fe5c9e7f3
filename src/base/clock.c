#include "base/clock.h"

#include <time.h>

enum { MICROSECONDS_PER_SECOND = 1000000, NANOSECONDS_PER_MICROSECOND = 1000 };

/* clock_gettime fails only for an unknown clock. These two always exist (POSIX.1-2008, Linux). */
static int64_t microseconds_of(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * MICROSECONDS_PER_SECOND + now.tv_nsec / NANOSECONDS_PER_MICROSECOND;
}

int64_t clock_wall_seconds(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

int64_t clock_wall_microseconds(void)
{
    return microseconds_of(CLOCK_REALTIME);
}

int64_t clock_monotonic_microseconds(void)
{
    return microseconds_of(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_coarse_microseconds(void)
{
    return microseconds_of(CLOCK_MONOTONIC_COARSE);
}
