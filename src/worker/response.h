/* response.h: status, header fields and cookies of an answer, and the only place that writes to the client. */
#ifndef ROSTER_WORKER_RESPONSE_H
#define ROSTER_WORKER_RESPONSE_H

#include "worker/request.h"

/* Adds a header field. Name and value are ours or have been checked: no CR, LF or control characters get through (they are dropped). */
void response_add_header(struct request *request, const char *name, struct text value);

/* Sets the cookie `token`, as configured; expires_at -1: for the browser's session. */
void response_set_token_cookie(struct request *request, struct text token, int64_t expires_at);

/* Deletes those of the four cookies that were sent (api.md, step 6), or all four. */
void response_drop_cookies(struct request *request, bool all);

/* Answers with a redirect inside nginx: it serves `location` itself. */
void response_internal_redirect(struct request *request, struct text location);

/* Turns context->problem into the answer, discarding what was built so far. */
void response_render_problem(struct request *request);

/* Writes status, header fields and body; what is short leaves only when the stream is closed. False where the client is known to be gone. */
bool response_send(struct request *request);

/* "Not Found", … of an HTTP status. */
const char *response_reason(int status);

#endif
