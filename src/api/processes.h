/* processes.h: what the processes of the service take: memory and time, from /proc. */
#ifndef ROSTER_API_PROCESSES_H
#define ROSTER_API_PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/scoreboard.h"

struct process_figures {
    int64_t resident_bytes;   /* in memory, of all; what they share counts once; -1: unknown */
    int64_t cpu_microseconds; /* of all, also of workers that are gone; -1: unknown */
};

/* Reads the figures of the master and its workers. A process that has just gone is left out. */
void processes_read(int32_t master, const struct scoreboard_worker *workers, size_t count,
                    struct process_figures *figures_r);

#endif
