/* signals.h: what the master tells its processes by signals, read as a descriptor (signalfd(2)). */
#ifndef ROSTER_WORKER_SIGNALS_H
#define ROSTER_WORKER_SIGNALS_H

#include "config/config.h"

/* Blocks SIGTERM, SIGQUIT and SIGUSR1, and ignores SIGPIPE. Gives the descriptor that they are read from; -1 with errno
 * set. */
int signals_open(void);

/* What was told, from the least to the most. */
enum signals_told {
    SIGNALS_NOTHING,
    SIGNALS_LEAVE, /* SIGQUIT: when the work at hand is done; others may follow */
    SIGNALS_END    /* SIGTERM: the service ends, or the master has died */
};

/* Reads the signals that have come; SIGUSR1 opens the logs anew. */
enum signals_told signals_read(int signals, const struct config *config);

#endif
