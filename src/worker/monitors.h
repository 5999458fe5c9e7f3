/* monitors.h: who may read /status, /ready and /ping (ROUTE_FOR_MONITORS): programs on this machine, and the addresses
 * of status_allow. */
#ifndef ROSTER_WORKER_MONITORS_H
#define ROSTER_WORKER_MONITORS_H

#include "worker/request.h"

/* True where the request may have come from such a program. Two addresses decide: that of nginx's peer, and that of the
 * client, which differ where real_ip has taken the client's from a header field. Both must be allowed: a proxy alone
 * does not stand for its clients, and what a stranger writes into a header field does not count.
 * True for a request that no client has sent (rosterctl token). */
bool monitors_may(const struct request *request);

#endif
