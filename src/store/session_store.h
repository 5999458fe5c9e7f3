/* session_store.h: sessions: rows in MariaDB, which decide, and revocations in Redis, which other programs read and write too.
 *
 * A session signed in here has a row; it is over when the row says so. A token without a row (issued by another program under the same key) is over when its `iat` is not later than the
 * user's epoch (`user.sessions_ended_at`). Both come with the one statement that reads the caller's row, so that a revocation takes effect with the
 * next request whatever Redis is doing. */
#ifndef ROSTER_STORE_SESSION_STORE_H
#define ROSTER_STORE_SESSION_STORE_H

#include "store/rows.h"

/* Everything about a caller by a token's id and jti. */
struct session_caller {
    bool found;                 /* the user exists */
    struct text email, name, role;
    int64_t last_active_at;
    int64_t sessions_ended_at;  /* -1: never */
    bool has_row;               /* the session has a row of this user */
    bool revoked;               /* by its row */
    int64_t last_seen_at;
};

/* Starts asking Redis about a token; to be followed by session_store_find, then session_store_is_revoked. jti may be null. */
void session_store_ask(struct context *context, struct text user_id, struct text jti);

/* One statement: the caller. */
enum outcome session_store_find(struct context *context, struct text user_id, struct text jti, struct session_caller *caller_r);

/* Reads what Redis says of the token. `known_r` is false while Redis is away. Revoked by jti, or by user where `issued_at` (-1: none) is not later. */
bool session_store_is_revoked(struct context *context, int64_t issued_at, bool *known_r);

/* A new session of a user. expires_at -1: none. INVALID_CRED where the user is gone meanwhile, or has another password hash than `password_hash` (null: it does not
 * matter): whoever changes a password holds its row until the other sessions are ended, so none slips through. */
enum outcome session_store_add(struct context *context, struct text jti, struct text user_id, struct text password_hash, int64_t expires_at,
                               struct text address, struct text user_agent);

/* Ends one session, whether it has a row or not; in Redis, too. */
enum outcome session_store_end(struct context *context, struct text jti, struct text user_id, int64_t expires_at);

/* Ends one session of a user by its row: NOT_FOUND where there is none that lives. */
enum outcome session_store_end_row(struct context *context, struct text jti, struct text user_id);

/* Within a transaction: ends all sessions of a user but kept_jti's (null: none). A kept session without a row is given one (kept_expires_at), so that the epoch spares it. */
enum outcome session_store_end_all(struct context *context, struct text user_id, struct text kept_jti, int64_t kept_expires_at);

/* After the commit: tells Redis which unexpired sessions of the user are over, for other programs. Never fails. */
void session_store_publish(struct context *context, struct text user_id);

/* The same for a user who is about to go: the living sessions before, and the telling after. */
enum outcome session_store_living(struct context *context, struct text user_id, struct result *sessions_r);
void session_store_publish_rows(struct context *context, const struct result *sessions);

/* After a request: where session_store_is_revoked has seen that Redis came back empty, tells it all unexpired revocations again, for other programs. Ours need not wait for
 * it: the row decides. Never fails. */
void session_store_restore(struct context *context);

/* Both, in a transaction of its own: 'sign out everywhere'. */
enum outcome session_store_end_everywhere(struct context *context, struct text user_id, struct text kept_jti, int64_t kept_expires_at);

/* Living sessions, newest first: rows of session_columns. */
enum outcome session_store_list(struct context *context, struct text user_id, struct result *sessions_r);

/* last_seen_at := now, unless it is newer than the interval. */
enum outcome session_store_touch(struct context *context, struct text jti, int64_t interval_seconds);

/* Forgets rows of sessions that have expired; done now and then, in small steps. */
enum outcome session_store_clean(struct context *context);

#endif
