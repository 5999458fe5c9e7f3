/* session.h: what every way of signing in has in common. */
#ifndef ROSTER_API_SESSION_H
#define ROSTER_API_SESSION_H

#include "worker/request.h"

/* A new session of a user: token, row, and lifetime as configured. expires_at -1: never. `password_hash` is what the user's password was verified with (null: with
 * nothing): where it has changed since then, INVALID_CRED, so that a sign-in does not survive the change that was to end it. */
enum outcome session_issue(struct request *request, struct text user_id, struct text password_hash, struct text *token_r, int64_t *expires_at_r);

/* Issues a session, sets the cookie and answers with the shape Session. */
enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash);

#endif
