/* shared_mutex.h: a mutex in memory that processes share. */
#ifndef ROSTER_BASE_SHARED_MUTEX_H
#define ROSTER_BASE_SHARED_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes a mutex of it. Where the process that has it dies, the next one gets EOWNERDEAD, and has it
 * (pthread_mutexattr_setrobust(3)). False: the system can't. */
bool shared_mutex_init(pthread_mutex_t *mutex);

/* Waits for it, at most so long. 0: this thread has it. EOWNERDEAD: the same, and whoever had it died. Else it was not
 * to be had. */
int shared_mutex_lock(pthread_mutex_t *mutex, int64_t microseconds);

#endif
