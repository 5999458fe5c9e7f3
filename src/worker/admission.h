/* admission.h: which requests go on to the pool that hashes passwords.
 *
 * A hash takes about 0.1 s of a core, so unknown clients could fill the queue of [password]. Requests that can be
 * answered without a hash must not wait in it. So nginx sends each request to the pool api first. Its worker parses,
 * authenticates, validates and counts the request, and runs the handler up to its first hash. Then the worker answers
 * with an X-Accel-Redirect to a named location of nginx, which keeps method and body and passes the request to a worker
 * of [password]. Known clients go to the second socket, whose queue is served first, unknown clients to the other one.
 * The second worker does the same steps again, but does not count.
 *
 * nginx passes these FastCGI parameters. A client can't set them: the parameters of its header fields begin with HTTP_.
 * - ROSTER_HAND_OVER: "on" where the named locations exist. Otherwise (another web server, older files for nginx) the
 *   worker that gets a request also hashes
 * - ROSTER_ADMISSION: the value of X-Roster-Admission, which the first worker set */
#ifndef ROSTER_WORKER_ADMISSION_H
#define ROSTER_WORKER_ADMISSION_H

#include "worker/request.h"

/* A handler calls it before its first hash. False: hash here. True: do not hash, return *outcome_r:
 * - OK: the response passes the request on to the password pool
 * - PROBLEM: the client has closed the connection (request->client_gone) */
bool admission_ends_here(struct request *request, enum outcome *outcome_r);

/* Parses ROSTER_ADMISSION. Called after request_parse.
 * A malformed value is ignored, so the request is counted in this worker. */
void admission_read(struct request *request);

/* After a sign-in: makes device and address known to this account. Sets the device cookie, and stores the address. */
void admission_remember(struct request *request, struct text user_id);

#endif
