/* session.h: functions for all ways of signing in. */
#ifndef ROSTER_API_SESSION_H
#define ROSTER_API_SESSION_H

#include "store/rows.h"
#include "worker/request.h"

/* Creates a session of a user, with a row in table session and the configured lifetime.
 * `password_hash` is the stored hash that the password was verified with; null: no password was verified.
 * `settings`: the document of config_store_read; NULL: it is read here.
 * *token_r: its token. *jti_r: its id. *expires_at_r: epoch seconds; -1: never.
 * OK, FAULT, or PROBLEM with INVALID_CRED: the stored hash has changed since (a password change ends all
 * sessions). */
enum outcome session_issue(struct request *request, struct text user_id, struct text password_hash,
                           json_object *settings, struct text *token_r, struct text *jti_r, int64_t *expires_at_r);

/* Renews the caller's session where nginx wants it (request->renews), the caller has a cookie, and the session is in
 * the last quarter of its life. token_r: the new token, in the arena, and *expires_at_r its expiry; null where nothing
 * is renewed. OK, or what the store answers. */
enum outcome session_renew(struct request *request, struct text *token_r, int64_t *expires_at_r);

/* Adds the members that Session, SessionUser and the answer to /add begin with.
 * `token` null: the caller has an API key. */
void session_add_members(struct request *request, struct text token, const struct value *user);

/* Refuses a sign-in: returns PROBLEM with INVALID_CRED, logs the line that fail2ban reads, and tells the audit.
 * user_id null: there is no such account. `reason` must not contain text from the client. */
enum outcome session_refuse(struct request *request, struct text user_id, const char *reason);

/* Creates a session (session_issue), sets the cookie, and answers with a Session. */
enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash);

#endif
