/* helper_process.h: what the processes begin with that serve no requests (watcher, housekeeper, mailer), and how they
 * wait. master/helpers.h runs them. */
#ifndef ROSTER_WORKER_HELPER_PROCESS_H
#define ROSTER_WORKER_HELPER_PROCESS_H

#include <stdint.h>

#include "config/config.h"
#include "worker/signals.h"

struct helper_process {
    const struct config *config; /* with these timeouts */
    struct arena *arena;
    int signals;            /* the descriptor of signals.h */
    enum signals_told told; /* what they have told so far */
};

/* Called once in the new process: hides its memory, opens its signals, and makes its arena. Connecting to MariaDB may
 * take connect_seconds, and a statement read_seconds, where the configuration does not say less: a server that hangs
 * must not hold up the process for long. False: it can't go on, which is logged under `name`. */
bool helper_process_begin(const struct config *config, const char *name, int64_t connect_seconds, int64_t read_seconds,
                          struct helper_process *process_r);

/* Reads what signals tell. Gives process->told. */
enum signals_told helper_process_told(struct helper_process *process);

/* Waits until the time is over, or for a signal that tells something. Gives process->told. */
enum signals_told helper_process_wait(struct helper_process *process, int64_t milliseconds);

/* Closes the connection to MariaDB, and frees the arena. */
void helper_process_end(struct helper_process *process);

#endif
