/* helpers.h: the master's processes that serve no requests: the watcher, the housekeeper. Each runs once, is started
 * again where it ends, and anew at a reload, so that it has the new configuration. */
#ifndef ROSTER_MASTER_HELPERS_H
#define ROSTER_MASTER_HELPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "master/child.h"

struct helper {
    const char *name; /* in the log and in ps(1); a literal */
    enum sandbox_kind kind;
    int (*run)(const struct config *config);        /* until SIGTERM, or SIGQUIT at a reload; gives the exit status */
    bool (*is_wanted)(const struct config *config); /* NULL: always */
    const char *const
        *concerned; /* beginnings of directives, up to NULL: without a change of one it stays at a reload */
    bool ends_last; /* it does what workers leave to it, so it ends after them */
};

enum { HELPERS_MAX = 4 };

/* Called once. At most HELPERS_MAX helpers; they must outlive the master's loop. `begin` has no name and no title;
 * `close_listeners` closes the listening sockets in the new process. */
void helpers_init(const struct helper *helpers, size_t count, const struct child_options *begin,
                  void (*close_listeners)(void));

/* Whether one of them is wanted that executes a program. */
bool helpers_execute(const struct helper *helpers, size_t count, const struct config *config);

/* Sets the configuration of those that are started from now on, and ends those that run and can't go on with it
 * (SIGQUIT). The configuration before must still be valid. */
void helpers_configure(const struct config *config, int64_t now);

/* Starts those that are missing, each once a second at most. All times are monotonic microseconds. */
void helpers_fill(int64_t now);

/* When helpers_fill or helpers_check should be called next; INT64_MAX: only after a signal. */
int64_t helpers_next_moment(bool filling);

/* True where the process that ended was one of them. One that was not told to end is logged. */
bool helpers_reap(pid_t pid, int status);

/* Tells them to end (SIGTERM): those that end last, where `last`, or else the others. One that ends last and does not
 * run, as it has died, is started once more, for what is left to do. */
void helpers_quit(bool last, int64_t now);

/* Kills those that were told to, and have not ended for five seconds. */
void helpers_check(int64_t now);

/* How many run: of those that end last, with those that helpers_quit would start; and of the others. */
size_t helpers_count(bool last);

/* Sends a signal to each. */
void helpers_signal(int number);

#endif
