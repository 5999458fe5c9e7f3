/* housekeeper.h: the process that writes what workers note (store/touch_table.h), and chains what they write into the
 * audit (store/audit_chain.h), once a second. */
#ifndef ROSTER_WORKER_HOUSEKEEPER_H
#define ROSTER_WORKER_HOUSEKEEPER_H

#include "config/config.h"

/* Runs until SIGQUIT, when the next one with another configuration follows, or SIGTERM, when no worker is left that
 * could note something: then it waits a moment for rows that are locked, as nobody else will write what is left. Both
 * are blocked by the caller, as SIGUSR1 is (it opens the logs anew). Called in the forked process, with the user
 * already changed. Returns the exit status of the process. */
int housekeeper_run(const struct config *config);

#endif
