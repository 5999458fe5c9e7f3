/* probe_result.h: the result of the process that tests a configuration (check/probe.h), for the master. */
#ifndef ROSTER_CONFIG_PROBE_RESULT_H
#define ROSTER_CONFIG_PROBE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

/* Contains no pointers, as one process sends it to another. */
struct probe_result {
    bool is_good;
    char reason[700];    /* why it is not good; one line */
    int64_t connections; /* MariaDB's max_connections; -1: unknown */
    bool is_empty;       /* there are no accounts, as far as can be seen */
};

#endif
