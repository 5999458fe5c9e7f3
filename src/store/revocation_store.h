/* revocation_store.h: writes revocations of sessions to Redis, where other programs read them.
 *
 * Roster itself decides by MariaDB. The transaction that ends a session inserts a note (table `revocation`). After the
 * commit, the revocation is written to Redis. When Redis has acknowledged it, the note is deleted.
 * If Redis is unavailable or read-only, the notes stay. They are written later: after requests, and by idle workers.
 *
 * A Redis that was restarted without its data lacks Roster's marker. Then one worker of all hosts, which holds a lock
 * in Redis, writes all revocations that MariaDB has, page by page, and sets the marker after the last page. */
#ifndef ROSTER_STORE_REVOCATION_STORE_H
#define ROSTER_STORE_REVOCATION_STORE_H

#include "store/database.h"

/* Max difference between the clocks of hosts: expired sessions and revocations are kept for this long. */
enum { REVOCATION_SKEW_SECONDS = 86400 };

/* Names of keys in hiredis' format, from the prefix and a text (%b). The first two are those of the original service.
 * The marker is Roster's. */
#define REVOCATION_TOKEN_START ":auth:token:"
#define REVOCATION_TOKEN_END ":revoked"
#define REVOCATION_USER_START ":auth:user:"
#define REVOCATION_USER_END ":revoked_at"
#define REVOCATION_TOKEN_KEY "%s" REVOCATION_TOKEN_START "%b" REVOCATION_TOKEN_END
#define REVOCATION_USER_KEY "%s" REVOCATION_USER_START "%b" REVOCATION_USER_END
#define REVOCATION_MARKER_KEY "%s:roster:loaded"

struct redisReply; /* hiredis */

/* The time in REVOCATION_USER_KEY, in epoch seconds, from Redis' reply to GET (may be NULL). -1: no time.
 * Other programs also write fractions of a second. */
int64_t revocation_store_moment(const struct redisReply *reply);

/* Within a transaction: inserts a note of one revoked token. expires_at -1: it never expires. The note lasts as long as
 * the session's row, whose jti is row_jti: a token that was renewed expires later than the copy that is signed out. */
enum outcome revocation_store_note(struct context *context, struct text user_id, struct text jti, struct text row_jti,
                                   int64_t expires_at);

/* Within a transaction, before the sessions are ended: inserts notes of all valid sessions of a user but kept_jti
 * (null: no exception). */
enum outcome revocation_store_note_sessions(struct context *context, struct text user_id, struct text kept_jti);

/* Within a transaction: inserts a note that all tokens of a user that were issued until `ended_at` are revoked.
 * Replaces an earlier such note. */
enum outcome revocation_store_note_epoch(struct context *context, struct text user_id, int64_t ended_at);

/* Within a transaction, behind the write of all epochs, before all sessions are ended: the same of everybody. Idle
 * workers write it to Redis. */
enum outcome revocation_store_note_everybody(struct context *context);

/* Runs a transaction that ends sessions of a user, and writes their revocations to Redis after the commit.
 * Outcomes as database_transaction. */
enum outcome revocation_store_transaction(struct context *context, struct text user_id,
                                          enum outcome (*body)(struct context *, void *), void *argument);

/* After the commit: writes the noted revocations of a user to Redis. Does not fail or change context->problem. */
void revocation_store_tell(struct context *context, struct text user_id);

/* Deletes notes of expired tokens, which remain if Redis is never available. Called periodically; each call deletes a
 * few. */
enum outcome revocation_store_clean(struct context *context);

/* Reports that a reply of Redis showed that the marker is missing. */
void revocation_store_marker_is_missing(void);

/* Does a part of the pending work. Called after each request, and by idle workers.
 * Returns the milliseconds after which an idle worker should call it again; -1: not needed.
 * Does not fail or change context->problem. */
int revocation_store_upkeep(struct context *context);

#endif
