/* arrivals.h: what a worker waits for: connections at the sockets of its pool, and signals. One idle worker wakes for
 * one connection. */
#ifndef ROSTER_WORKER_ARRIVALS_H
#define ROSTER_WORKER_ARRIVALS_H

#include <fcgiapp.h>
#include <stdbool.h>

#include "base/pool.h"

/* What has arrived: bits. */
enum { ARRIVED_SIGNAL = 1, ARRIVED_FIRST = 2, ARRIVED_SECOND = 4 };

/* Gives an epoll(7) descriptor for the sockets and for `signals` (signals.h); -1 with errno set.
 * The caller closes it. */
int arrivals_open(const struct worker_sockets *sockets, int signals);

/* Waits for an arrival, at most `milliseconds`; -1: without a limit.
 * Returns what has arrived; 0: nothing in that time; -1 with errno set.
 * Sockets that are not ordered by prefers_second, and the signals, are reported one at a time, in turn. Then the caller
 * must look for a connection at the reported socket: maybe no other worker was told of it. */
int arrivals_wait(int arrivals, const struct worker_sockets *sockets, int milliseconds);

/* The socket to accept from; -1: no connection has arrived. */
int arrivals_choose(const struct worker_sockets *sockets, int arrived);

/* Accepts a connection at `socket`, and reads the FastCGI parameters into *fcgi.
 * False where that fails: another worker took the connection, the client left, or the system is out of descriptors or
 * memory (logged; then it has waited a moment, or for a signal). */
bool arrivals_accept(FCGX_Request *fcgi, int socket, int signals);

/* Whether further connections wait, after one was accepted at `chosen`. Where the second socket is served first, the
 * queue of the first one does not count for its requests, so a flood there does not slow them. */
bool arrivals_have_more(const struct worker_sockets *sockets, int chosen);

#endif
