/* clock.c: another time of day for a program and the processes that it forks, for t/faults: LD_PRELOAD it.
 *
 * The file that ROSTER_TEST_CLOCK names, of 8 bytes, has a signed number of seconds: so far the clock is ahead. It may
 * change at any moment. Clocks that no administrator can set, CLOCK_MONOTONIC say, are as they are.
 *
 * A wait until a time of day (pthread_cond_timedwait) lasts as long as it would have without a jump. MariaDB has many
 * of these: its page cleaner would sleep for ten minutes when the clock goes back by ten, and all writes with it; that
 * is MariaDB's, and not looked at here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>

static _Atomic int64_t none;
static _Atomic int64_t *ahead = &none;
static int (*library_clock_gettime)(clockid_t clock, struct timespec *time);
static int (*library_cond_timedwait)(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

__attribute__((constructor)) static void open_clock(void)
{
    *(void **)&library_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    /* There is an older one of this name with another layout of pthread_cond_t. */
    *(void **)&library_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (library_cond_timedwait == NULL) {
        *(void **)&library_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    }
    const char *path = getenv("ROSTER_TEST_CLOCK");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *memory = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED) {
            ahead = memory;
        }
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = library_clock_gettime != NULL ? library_clock_gettime(clock, time)
                                               : (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        time->tv_sec += (time_t)atomic_load(ahead);
    }
    return result;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) {
        *result = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    /* A time by CLOCK_MONOTONIC is never that large. */
    enum { LEAST_TIME_OF_DAY = 1000000000 };
    struct timespec moment = *until;
    if (moment.tv_sec > LEAST_TIME_OF_DAY) {
        moment.tv_sec -= (time_t)atomic_load(ahead);
    }
    return library_cond_timedwait(cond, mutex, &moment);
}
