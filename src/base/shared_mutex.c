#include "base/shared_mutex.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* ThreadSanitizer of gcc 12 does not know pthread_mutex_clocklock, and would not know then that the mutex is locked. */
#if defined(__SANITIZE_THREAD__)
#define now_microseconds clock_wall_microseconds
#define lock_until(mutex, time) pthread_mutex_timedlock(mutex, time)
#else
#define now_microseconds clock_monotonic_microseconds
#define lock_until(mutex, time) pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, time)
#endif

bool shared_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    bool is_made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                   pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                   pthread_mutex_init(mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return is_made;
}

int shared_mutex_lock(pthread_mutex_t *mutex, int64_t microseconds)
{
    int error = pthread_mutex_trylock(mutex);
    if (error == EBUSY && microseconds > 0) {
        int64_t until = now_microseconds();
        until = microseconds > INT64_MAX - until ? INT64_MAX : until + microseconds;
        const struct timespec time = {until / 1000000, until % 1000000 * 1000};
        error = lock_until(mutex, &time);
    }
    return error;
}
