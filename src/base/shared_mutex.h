/* shared_mutex.h: a mutex in memory that processes share. */
#ifndef ROSTER_BASE_SHARED_MUTEX_H
#define ROSTER_BASE_SHARED_MUTEX_H

#include <pthread.h>
#include <stdbool.h>

/* Makes a mutex of it. Where the process that has it dies, the next one gets EOWNERDEAD, and has it
 * (pthread_mutexattr_setrobust(3)). False: the system can't. */
bool shared_mutex_init(pthread_mutex_t *mutex);

#endif
