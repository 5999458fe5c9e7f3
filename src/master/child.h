/* child.h: what each process begins with that the master forks: workers, refusers, the watcher, trials. */
#ifndef ROSTER_MASTER_CHILD_H
#define ROSTER_MASTER_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "base/process_user.h"
#include "config/config_sandbox.h"

struct child_options {
    const char *name;  /* in the log, and "roster-NAME" as the short name, which is cut after 15 bytes; a literal */
    const char *title; /* "roster: TITLE" in ps(1) */
    const struct process_user *user;
    pid_t master;
    void (*close_master)(void); /* closes the descriptors of the master */
    const struct config *config;
    enum sandbox_kind kind;
    int64_t niceness; /* of the pool; else 0 */
    bool may_gain;    /* it executes a program, which may have privileges of its own */
};

/* Called in the new process.
 * Ignores SIGINT, SIGHUP and SIGPIPE; blocks SIGTERM, SIGQUIT and SIGUSR1.
 * Becomes the workers' user.
 * The kernel sends SIGTERM to the process when the master dies.
 * Enters the sandbox of its kind (config/config_sandbox.h).
 * Ends the process where it can't become that user, which is logged, and where the master has died. */
void child_begin(const struct child_options *options);

#endif
