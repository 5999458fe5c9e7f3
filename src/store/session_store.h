/* session_store.h: sessions: rows in MariaDB, which decide, and revocations in Redis, which other programs also read
 * and write.
 *
 * The statement that reads the caller also reads the session's row and the user's epoch (`user.sessions_ended_at`). So
 * a revocation takes effect with the next request, even if Redis is unavailable. */
#ifndef ROSTER_STORE_SESSION_STORE_H
#define ROSTER_STORE_SESSION_STORE_H

#include "store/caller.h"
#include "store/rows.h"

/* Whether the session of a token is valid, or why not. */
enum session_state {
    SESSION_VALID,
    SESSION_WITHOUT_USER,
    SESSION_OF_DISABLED,            /* the account is disabled */
    SESSION_ENDED,                  /* in its row */
    SESSION_IDLE,                   /* nobody used it for session_idle */
    SESSION_ENDED_WITH_ALL,         /* by the epoch of its user in MariaDB */
    SESSION_ENDED_IN_REDIS,         /* by another program, or by Roster before MariaDB lost data */
    SESSION_ENDED_WITH_ALL_IN_REDIS /* the same for all sessions of the user: after the epoch in MariaDB */
};

/* The session of a token, and its user. */
struct token_session {
    enum session_state state;
    bool redis_answered;  /* false: Redis is unavailable or not configured; `state` is from MariaDB alone */
    struct caller caller; /* null and 0 if `state` is SESSION_WITHOUT_USER */
    bool has_row;
    int64_t last_seen_at; /* of its row */
    int64_t confirmed_at; /* when the password was given again in it; -1: never */
    /* How it began, as its row says: */
    struct text auth_method; /* null: the row does not say */
    int64_t auth_time;       /* epoch seconds */
    bool mfa_verified;
    bool site_wants_factor; /* ENABLE_MFA of the settings */
};

/* A session that begins. */
struct session_new {
    struct text jti, user_id;
    struct text password_hash; /* that the password was compared with; null: not checked */
    int64_t expires_at;        /* -1: it never expires */
    struct text address, user_agent;
    const char *key_id;      /* of the key that signs its token */
    struct text auth_method; /* null: not known */
    int64_t auth_time;       /* when the password was compared, in epoch seconds; 0: now */
    bool mfa_verified;
    const struct text *stamp; /* auth.session_stamp, as it was when the sign-in began; NULL: not checked */
};

/* Max rows that one session_store_clean deletes. */
enum { SESSION_CLEAN_ROWS = 500 };

/* Finds the session of a token by the user's id and its jti (null: the token has no jti). `issued_at` -1: the token has
 * no iat. `stamp`: its session_stamp, which must be that of the account where the session has no row; NULL: it need
 * not.
 * - It takes one statement, and one round trip to Redis at the same time.
 * - MariaDB decides first: Redis can end a session, but not restore one.
 * - If only Redis says that all sessions of the user ended, a second statement reads the row again: Roster writes the
 *   epoch to Redis after its commit, and the first statement may have run before that.
 * FAULT as database_execute. */
enum outcome session_store_find(struct context *context, struct text user_id, struct text jti, int64_t issued_at,
                                const struct text *stamp, struct token_session *session_r);

/* `auth.session_stamp` of a user: what tokens without a row must have as a claim. Null: none. */
enum outcome session_store_stamp(struct context *context, struct text user_id, struct text *stamp_r);

/* Adds a session of a user, and ends the oldest ones that are more than sessions_per_user, in one transaction. Or,
 * within one that has begun, the first session of a new account. PROBLEM INVALID_CRED: the user was deleted or disabled
 * meanwhile, or the password hash or the stamp is another one. A change of password locks the row of the hash until the
 * other sessions are ended, so no session with the old password remains. */
enum outcome session_store_add(struct context *context, const struct session_new *session);

/* Notes in the user's row that the user has signed in, from where. Skipped if another transaction locks the row. */
void session_store_note_sign_in(struct context *context, struct text user_id, struct text address);

/* Whether the user has signed in before. */
enum outcome session_store_has_signed_in(struct context *context, struct text user_id, bool *has_r);

/* Notes that the password was given again in a session that has a row. PROBLEM INVALID_TOKEN: it was ended meanwhile,
 * or the password hash is not `password_hash` any more. */
enum outcome session_store_confirm(struct context *context, struct text jti, struct text user_id,
                                   struct text password_hash);

/* Prolongs a session that has a row and has not ended. False where that was not done: MariaDB is busy with its row. */
bool session_store_prolong(struct context *context, struct text jti, struct text user_id, int64_t expires_at);

/* Ends one session, with or without a row, in MariaDB and Redis: its own user signs out. */
enum outcome session_store_sign_out(struct context *context, struct text jti, struct text user_id, int64_t expires_at);

/* Ends one session of a user by its row. PROBLEM NOT_FOUND: there is no valid session, within REVOCATION_SKEW_SECONDS.
 */
enum outcome session_store_end_row(struct context *context, struct text jti, struct text user_id);

/* The session that stays valid when all others of its user end. If it has no row, one is inserted, so that the epoch
 * does not end it. */
struct kept_session {
    struct text jti;    /* null: all sessions end */
    int64_t expires_at; /* -1: never */
};
#define KEPT_NONE ((struct kept_session){TEXT_NULL, -1})

/* Within revocation_store_transaction: ends all sessions of a user but `kept`. PROBLEM USER_NOT_FOUND. */
enum outcome session_store_end_all(struct context *context, struct text user_id, struct kept_session kept);

/* The same of all sessions, where another one begins within this second: tokens of other programs end that were issued
 * before it, and those of this second have another stamp. */
enum outcome session_store_end_before(struct context *context, struct text user_id);

/* Ends all sessions of everybody. What programs that look at Redis alone are told of it may take a while. */
enum outcome session_store_end_everybody(struct context *context);

/* The same in a separate transaction: 'sign out everywhere'. with_keys: removes all API keys of the user, too. */
enum outcome session_store_end_everywhere(struct context *context, struct text user_id, struct kept_session kept,
                                          bool with_keys);

/* Valid sessions, newest first: rows of session_columns. */
enum outcome session_store_list(struct context *context, struct text user_id, struct result *sessions_r);

/* Notes that a session is used now; at once (touch_store.h), or else in its row, unless last_seen_at is newer than
 * last_active_interval, or another transaction locks the row. */
void session_store_touch(struct context *context, struct text jti);

/* Deletes some rows of sessions that expired more than REVOCATION_SKEW_SECONDS ago, unless they were ended just now.
 * *more_r: there may be more. */
enum outcome session_store_clean(struct context *context, bool *more_r);

#endif
