/* listeners.h: the listening sockets of all pools, as configured in roster.conf. */
#ifndef ROSTER_MASTER_LISTENERS_H
#define ROSTER_MASTER_LISTENERS_H

#include <stdbool.h>

#include "base/process_user.h"
#include "base/safe_path.h"
#include "config/config.h"
#include "master/sockets.h"

/* Opens each socket, or takes it from systemd. Closes further sockets that systemd passed, with a warning.
 * `user` is the workers' user: the owner and group of a socket, unless listen_owner and listen_group are set.
 * `depth`: base/safe_path.h.
 * On failure, sockets that were opened before stay open in *listeners_r. */
bool listeners_open(const struct config *config, const struct process_user *user, enum safe_path_depth depth,
                    struct listener listeners_r[POOL_COUNT][LISTENER_COUNT], struct error *error);

/* Calls `what` for each listener, including those that are not open. */
void listeners_each(struct listener listeners[POOL_COUNT][LISTENER_COUNT], void (*what)(struct listener *listener));

/* Logs a warning for each listen_backlog that the kernel silently reduces to net.core.somaxconn. */
void listeners_warn_of_short_backlog(const struct config *config);

#endif
