/* trial.h: a child process tests a configuration before the master uses it. The master itself has no connection to
 * MariaDB or Redis, and must not wait for them. At most one trial runs at a time. */
#ifndef ROSTER_MASTER_TRIAL_H
#define ROSTER_MASTER_TRIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process_user.h"
#include "config/config.h"
#include "config/probe_result.h"

struct trial_options {
    const struct config *config, *old; /* for `probe`; `old` may be NULL */
    const struct process_user *user;   /* the user that the process runs as */
    void (*probe)(const struct config *config, const struct config *old, struct probe_result *probe_r);
    void (*close_all)(void); /* closes the master's descriptors in the process */
    int64_t deadline;        /* monotonic microseconds: the trial ends then at the latest */
};

/* Forks the process. False on failure. */
bool trial_begin(const struct trial_options *options, struct error *error);

/* The descriptor that becomes readable when the trial may have ended; -1: no trial runs. */
int trial_descriptor(void);

/* The deadline of the trial; INT64_MAX: no trial runs. */
int64_t trial_deadline(void);

/* True if the trial has ended, with its result in *probe_r; the trial is then removed.
 * A process that died or timed out has no result: the configuration counts as good, with connections -1. */
bool trial_is_over(int64_t now, struct probe_result *probe_r);

/* Waits for the end of the trial, with its result in *probe_r. */
void trial_wait(struct probe_result *probe_r);

/* Notes that a child was reaped, which may be that of the trial. */
void trial_collected(pid_t pid);

/* Kills the process of the trial, and removes the trial. Does nothing if no trial runs. */
void trial_cancel(void);

#endif
