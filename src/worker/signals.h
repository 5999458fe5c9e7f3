/* signals.h: what the master tells its processes by signals, read as a descriptor (signalfd(2)). */
#ifndef ROSTER_WORKER_SIGNALS_H
#define ROSTER_WORKER_SIGNALS_H

#include <stdbool.h>

#include "config/config.h"

/* Blocks SIGTERM, SIGQUIT and SIGUSR1, and ignores SIGPIPE. Gives the descriptor that they are read from; -1 with errno
 * set. */
int signals_open(void);

/* Reads the signals that have come; SIGUSR1 opens the logs anew. False where one of them asks to leave. */
bool signals_read(int signals, const struct config *config);

#endif
