/* niceness.c: a second thread, two semaphores, and the niceness of the session (autogroup). */
#include "worker/niceness.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    STACK_BYTES = 1024 * 1024,
    CALM_MICROSECONDS = 1000000, /* without a waiting request, until the session's niceness is set back to 0 */
    SETTLE_MILLISECONDS = 110,   /* the kernel accepts one change of an autogroup in 100 ms, else EAGAIN */
};

static struct {
    int64_t nice; /* 0: there is no second thread */
    const char *pool;
    sem_t start, end;
    void (*job)(void *argument);
    void *argument;
    int64_t last_wait;        /* when a request waited last; monotonic microseconds */
    int64_t session_niceness; /* 0, or nice */
    bool has_session;
} state;

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        invariant(errno == EINTR);
    }
}

static void *run_second(void *unused)
{
    if (setpriority(PRIO_PROCESS, 0, (int)state.nice) != 0) { /* on Linux: of this thread alone */
        log_warning(NULL, "nice of [%s]: %s", state.pool, strerror(errno));
    }
    for (;;) {
        await(&state.start);
        state.job(state.argument);
        sem_post(&state.end);
    }
    return unused;
}

void niceness_init(int64_t nice, const char *pool)
{
    if (nice == 0) {
        return;
    }
    state.nice = nice;
    state.pool = pool;
    state.last_wait = -CALM_MICROSECONDS;
    mallopt(M_ARENA_MAX, 1); /* the threads never run at the same time */
    int failure = sem_init(&state.start, 0, 0) != 0 || sem_init(&state.end, 0, 0) != 0 ? errno : 0;
    pthread_attr_t attributes;
    failure = failure != 0 ? failure : pthread_attr_init(&attributes);
    if (failure == 0) {
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_t thread;
        failure = pthread_create(&thread, &attributes, run_second, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (failure != 0) {
        log_warning(NULL, "nice of [%s]: can't start a thread for it: %s", pool, strerror(failure));
        state.nice = 0;
        return;
    }
    state.has_session = setsid() >= 0;
}

/* Linux first shares the processor between sessions, by the niceness of each session; the niceness of a thread counts
 * within its session alone (sched(7), 'The autogroup feature'). MariaDB and nginx have sessions of their own, so our
 * session's niceness is the only one that counts against them. A process without privileges may lower it again, down
 * to 0. Without this feature, or with control groups in its place, the write fails or changes nothing. */
static void set_session_niceness(int64_t wanted)
{
    if (!state.has_session || wanted == state.session_niceness) {
        return;
    }
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)wanted);
    memory_show(true);
    int file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    memory_show(false);
    bool again = file >= 0 && write(file, text, (size_t)length) < 0 && errno == EAGAIN;
    if (file >= 0) {
        close(file);
    }
    if (!again) {
        state.session_niceness = wanted;
    }
}

static bool is_calm(void)
{
    return clock_monotonic_microseconds() - state.last_wait >= CALM_MICROSECONDS;
}

void niceness_run(void (*job)(void *argument), void *argument, bool others_wait)
{
    if (state.nice == 0) {
        job(argument);
        return;
    }
    if (others_wait) {
        state.last_wait = clock_monotonic_microseconds();
        set_session_niceness(state.nice);
        state.job = job;
        state.argument = argument;
        sem_post(&state.start);
        await(&state.end);
        return;
    }
    if (is_calm()) {
        set_session_niceness(0);
    }
    job(argument);
}

int niceness_settle(void)
{
    if (state.nice == 0) {
        return -1;
    }
    if (is_calm()) {
        set_session_niceness(0);
    }
    return state.has_session && state.session_niceness != 0 ? SETTLE_MILLISECONDS : -1;
}
