/* response.h: status, header fields, cookies and body of a response. No other module writes to the client. */
#ifndef ROSTER_WORKER_RESPONSE_H
#define ROSTER_WORKER_RESPONSE_H

#include "worker/request.h"

/* Initialises request->response: 200, JSON, an empty body. */
void response_start(struct request *request);

/* Adds a header field. Control characters in the value, CR and LF among them, are dropped. */
void response_add_header(struct request *request, const char *name, struct text value);

#define CHALLENGE_COOKIE "mfa_challenge"

/* The value of Set-Cookie for the cookie `token`, as the next function sets it. */
struct text response_token_cookie(struct request *request, struct text token, int64_t expires_at);

/* Sets the cookie `token`, with the configured attributes. expires_at: epoch seconds; -1: a session cookie. */
void response_set_token_cookie(struct request *request, struct text token, int64_t expires_at);

/* Sets IDENTITY_BOND_COOKIE for the session `jti`, where it counts, and where cookies are for https alone: else
 * browsers would refuse it. */
void response_set_bond_cookie(struct request *request, struct text jti, int64_t expires_at);

/* Sets the device cookie (auth/device.h), for a year. */
void response_set_device_cookie(struct request *request, struct text device);

/* Sets the cookie that tells POST /auths/mfa/challenge which step of a sign-in the browser is at, for some seconds; or
 * deletes it, where it was sent and the token is null. */
void response_set_challenge_cookie(struct request *request, struct text token, int64_t seconds);

/* Deletes the cookies of roster-api(7), Deleted cookies: those that were sent, or with `all` each of them. */
void response_drop_cookies(struct request *request, bool all);

/* Answers with X-Accel-Redirect: nginx then serves `location` instead. */
void response_internal_redirect(struct request *request, struct text location);

/* Makes the response from context->problem. Discards what the response held before. */
void response_render_problem(struct request *request);

/* Adds `piece` to the body of a response that may be large.
 * As soon as the buffered body exceeds 64 KiB, it is sent, after status and header fields. So a response of any size
 * takes about that much memory.
 * Then status and header fields can't be changed. A handler that fails after that has the connection broken off, so
 * that the client does not take the truncated response for a complete one.
 * OK, or FAULT where the client has closed the connection (not logged). */
enum outcome response_flow(struct request *request, struct text piece);

/* The same for a piece that was written to the body itself. */
enum outcome response_flow_written(struct request *request);

/* Ends the connection so that nginx and the client see the response as incomplete. */
void response_break_off(struct request *request);

/* Writes status, header fields and body, or what is left of them. A short response is sent when the caller closes the
 * stream. False where the client is known to have closed the connection. */
bool response_send(struct request *request);

/* The reason phrase of an HTTP status ("Not Found"), static. */
const char *response_reason(int status);

#endif
