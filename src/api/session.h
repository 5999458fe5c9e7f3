/* session.h: functions for all ways of signing in. */
#ifndef ROSTER_API_SESSION_H
#define ROSTER_API_SESSION_H

#include "store/rows.h"
#include "worker/request.h"

/* How a session begins. */
struct session_start {
    struct text user_id;
    struct text password_hash; /* the stored hash that the password was compared with; null: not now */
    struct text auth_method;   /* password or trusted_header */
    int64_t auth_time;         /* when that was done, in epoch seconds */
    bool mfa_verified;         /* a second factor was shown, too */
    const struct text *stamp;  /* auth.session_stamp as it was then; NULL: it need not be the same */
    json_object *settings;     /* the document of config_store_read; NULL: it is read then */
};

/* Refuses a code, a reset token or a challenge of somebody (user_id null: not known): the log line that fail2ban reads,
 * and the audit. Returns PROBLEM with the problem that is set. */
enum outcome session_refuse_code(struct request *request, struct text user_id, const char *reason);

/* Creates a session of a user, with a row in table session and the configured lifetime.
 * *token_r: its token. *jti_r: its id. *expires_at_r: epoch seconds; -1: never.
 * OK, FAULT, or PROBLEM with INVALID_CRED: the stored hash or the stamp has changed since (a password change ends all
 * sessions). */
enum outcome session_issue(struct request *request, const struct session_start *start, struct text *token_r,
                           struct text *jti_r, int64_t *expires_at_r);

/* Renews the caller's session where nginx wants it (request->renews), the caller has a cookie, and the session is in
 * the last quarter of its life. token_r: the new token, in the arena, and *expires_at_r its expiry; null where nothing
 * is renewed. OK, or what the store answers. */
enum outcome session_renew(struct request *request, struct text *token_r, int64_t *expires_at_r);

/* Adds the members that Session, SessionUser and the answer to /add begin with.
 * `token` null: the caller has an API key. */
void session_add_members(struct request *request, struct text token, const struct value *user);

/* The same without a token. */
void session_add_user(struct request *request, const struct value *user);

/* Refuses a sign-in: returns PROBLEM with INVALID_CRED, logs the line that fail2ban reads, and tells the audit.
 * user_id null: there is no such account. `reason` must not contain text from the client. */
enum outcome session_refuse(struct request *request, struct text user_id, const char *reason);

/* Answers a sign-in whose first factor was right, with a Session and its cookie; or, where the person needs a second
 * factor, or waits for an administrator to let them use one, with a NextStep. `password_hash`: as in session_start;
 * null: a trusted header says who it is. */
enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash);

/* The same behind the second factor: the session of a challenge that was met. recovery_codes: shown, too; NULL: none.
 */
struct factor_challenge;
enum outcome session_answer_verified(struct request *request, const struct factor_challenge *challenge,
                                     const struct text *recovery_codes);

/* Whether a user needs a second factor, who signs in with auth_method. *standing_r: what there is of it. */
struct factor_standing;
enum outcome session_needs_factor(struct request *request, const struct value *user, struct text auth_method,
                                  struct factor_standing *standing_r, bool *needed_r);

/* Adds the answer NextStep, and the cookie of the challenge. */
void session_add_next_step(struct request *request, const struct factor_challenge *challenge);

/* Adds `recovery_codes`, FACTOR_CODES texts. */
void session_add_codes(struct json_writer *json, const struct text *recovery_codes);

#endif
