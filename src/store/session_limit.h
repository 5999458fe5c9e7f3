/* session_limit.h: sessions that are over before they expire: those that nobody uses (session_idle), and those that are
 * too many for one user (sessions_per_user).
 *
 * A session is over as soon as it was idle for too long, whatever its row says: each request looks at its last_seen_at,
 * and at what is noted of it (touch_store.h). The housekeeper writes it into the row later, so that Redis and the audit
 * are told, and so that a greater session_idle brings nothing back. The row itself goes when its token has expired: a
 * token whose row is gone would be good again, as one of another program. */
#ifndef ROSTER_STORE_SESSION_LIMIT_H
#define ROSTER_STORE_SESSION_LIMIT_H

#include "store/database.h"

/* The last_seen_at of a session that is over now, and so is each that was seen earlier; INT64_MIN: session_idle is off.
 * A use is noted only touch_store_interval after the one before, so that much is allowed for. */
int64_t session_limit_idle_since(const struct context *context);

/* Whether a session is idle for too long: by its row, and what is noted. Called behind the statement that read it. */
bool session_limit_is_idle(const struct context *context, struct text jti, int64_t last_seen_at);

/* When a session will be over unless it is used before, in epoch seconds; -1: session_idle is off. */
int64_t session_limit_idle_end(const struct context *context, int64_t last_seen_at);

/* Which rows are valid, of a table with the alias `s`. `moment`: now; `idle`: session_limit_idle_since. */
#define SESSION_IS_VALID(moment, idle) \
    "s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > " moment ") AND s.last_seen_at > " idle

/* Within revocation_store_transaction, with the user's row locked: ends those sessions that are too many, the oldest
 * ones, but never `kept`. */
enum outcome session_limit_end_oldest(struct context *context, struct text user_id, struct text kept);

/* For the housekeeper: writes the end of some sessions that are over as nobody used them. Called once a second; it
 * looks at some rows after the others, and begins again a minute after its last beginning. */
enum outcome session_limit_sweep(struct context *context);

#endif
