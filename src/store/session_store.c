#include "store/session_store.h"

#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/digest.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/hiredis.h"
#include "store/key_store.h"
#include "store/prefetch.h"
#include "store/redis.h"
#include "store/revocation_store.h"
#include "store/row_cache.h"
#include "store/rows.h"
#include "store/session_limit.h"
#include "store/touch_store.h"

/* Tokens of other programs may have a jti that is too long for the column: then its hash is stored. */
enum { JTI_LENGTH_MAX = 255 };

static struct text column_jti(struct context *context, struct text jti)
{
    return jti.length > JTI_LENGTH_MAX ? digest_sha256(context->arena, jti) : jti;
}

/* ---- the session of a token ---- */

/* Further data from MariaDB. */
struct session_rows {
    bool has_user;
    int64_t sessions_ended_at; /* -1: never */
    bool is_revoked;           /* in its row */
    struct text stamp;         /* of the account; null: none */
};

/* Data from Redis. */
struct session_keys {
    bool is_revoked;  /* by its jti */
    int64_t ended_at; /* all tokens of the user that were issued until then are revoked; -1: no such time */
};

/* Sends the commands to Redis. False: it is unavailable. */
static bool ask_redis(struct context *context, struct text user_id, struct text jti)
{
    const char *prefix = context->config->redis_prefix;
    return (jti.data == NULL || redis_append(context, "EXISTS " REVOCATION_TOKEN_KEY, prefix, jti.data, jti.length)) &&
           redis_append(context, "GET " REVOCATION_USER_KEY, prefix, user_id.data, user_id.length) &&
           redis_append(context, "EXISTS " REVOCATION_MARKER_KEY, prefix) && redis_flush(context);
}

/* Reads the replies to the commands of ask_redis. False: one is missing. */
static bool read_redis(struct context *context, struct text jti, struct session_keys *keys_r)
{
    const redisReply *token = jti.data != NULL ? redis_read(context) : NULL;
    const redisReply *user = redis_read(context);
    const redisReply *marker = redis_read(context);
    if (marker != NULL && marker->type == REDIS_REPLY_INTEGER && marker->integer == 0) {
        revocation_store_marker_is_missing();
    }
    keys_r->is_revoked = token != NULL && token->type == REDIS_REPLY_INTEGER && token->integer > 0;
    keys_r->ended_at = revocation_store_moment(user);
    return user != NULL && (token != NULL || jti.data == NULL);
}

/* The columns of the session, behind those of the caller. */
enum {
    SESSION_ENDED_AT = CALLER_END, /* of all the user's sessions */
    SESSION_USER_ID,
    SESSION_REVOKED_AT,
    SESSION_SEEN_AT,
    SESSION_STAMP,
    SESSION_CONFIRMED_AT,
    SESSION_METHOD,
    SESSION_TIME,
    SESSION_CREATED_AT,
    SESSION_VERIFIED,
    SESSION_SITE_WANTS,
    SESSION_END
};
#define COLUMNS                                                                                         \
    CALLER_COLUMNS_OF("c")                                                                              \
    ", c.sessions_ended_at, s.user_id, s.revoked_at, s.last_seen_at, a.session_stamp, s.confirmed_at, " \
    "s.auth_method, s.auth_time, s.created_at, s.mfa_verified, "                                        \
    "(SELECT g.mfa FROM config g ORDER BY g.id DESC LIMIT 1)"

/* The statement that reads these and a set of parts. */
static const char *statement_of(struct context *context, unsigned parts)
{
    static const char *sql[PREFETCH_SETS];
    if (sql[parts] == NULL) {
        rows_statement(&sql[parts],
                       "SELECT " COLUMNS
                       "%s FROM user c LEFT JOIN auth a ON a.id = ? LEFT JOIN session s ON s.jti = ?%s "
                       "WHERE c.id = ?%s",
                       prefetch_columns(context->arena, parts), prefetch_joins(context->arena, parts),
                       prefetch_has_rows(parts) ? PREFETCH_LIMIT : "");
    }
    return sql[parts];
}

/* `prefetch`: what else is read; NULL: nothing. */
static enum outcome read_rows(struct context *context, struct text user_id, struct text jti, struct prefetch *prefetch,
                              struct token_session *session, struct session_rows *rows_r)
{
    struct result result;
    struct parameter parameters[3 + PREFETCH_PARAMETERS_MAX] = {BIND_TEXT(user_id),
                                                                BIND_TEXT(column_jti(context, jti))};
    size_t count = 2;
    if (prefetch != NULL) {
        prefetch->caller_id = user_id;
        count += prefetch_parameters(prefetch, parameters + count);
    }
    parameters[count++] = BIND_TEXT(user_id);
    *rows_r = (struct session_rows){.has_user = false};
    enum outcome outcome = database_execute(context, statement_of(context, prefetch != NULL ? prefetch->parts : 0),
                                            parameters, count, &result, ERROR_NONE);
    if (outcome != OK || result.row_count == 0) {
        return outcome;
    }
    if (prefetch != NULL) {
        prefetch_put(prefetch, &result, SESSION_END);
    }
    const struct value *row = result_row(&result, 0);
    session->caller = caller_of_row(row);
    session->has_row = !row[SESSION_USER_ID].is_null && text_equal(row[SESSION_USER_ID].text, user_id);
    session->last_seen_at = session->has_row ? row[SESSION_SEEN_AT].integer : 0;
    session->confirmed_at = session->has_row ? value_integer(&row[SESSION_CONFIRMED_AT], -1) : -1;
    session->site_wants_factor = value_integer(&row[SESSION_SITE_WANTS], 0) != 0;
    if (session->has_row) {
        session->auth_method = row[SESSION_METHOD].text;
        session->auth_time = value_integer(&row[SESSION_TIME], row[SESSION_CREATED_AT].integer);
        session->mfa_verified = row[SESSION_VERIFIED].integer != 0;
    }
    *rows_r = (struct session_rows){
        .has_user = true,
        .sessions_ended_at = value_integer(&row[SESSION_ENDED_AT], -1),
        .is_revoked = !row[SESSION_REVOKED_AT].is_null,
        .stamp = row[SESSION_STAMP].text,
    };
    return OK;
}

/* `stamp`: NULL where it does not count. A session with a row needs none: its row says whether it has ended. */
static bool has_other_stamp(const struct token_session *session, const struct session_rows *rows,
                            const struct text *stamp)
{
    return stamp != NULL && !session->has_row &&
           (stamp->data == NULL ? rows->stamp.data != NULL : !text_equal(*stamp, rows->stamp));
}

/* Whether a session with a row is over as nobody used it. */
static bool is_idle(const struct context *context, struct text jti, const struct token_session *session)
{
    return session->has_row && session_limit_is_idle(context, jti, session->last_seen_at);
}

static enum session_state state_of(const struct token_session *session, const struct session_rows *rows,
                                   const struct session_keys *keys, int64_t issued_at, const struct text *stamp)
{
    if (!rows->has_user) {
        return SESSION_WITHOUT_USER;
    }
    if (session->caller.standing == CALLER_DISABLED) {
        return SESSION_OF_DISABLED;
    }
    if (session->has_row && rows->is_revoked) {
        return SESSION_ENDED;
    }
    if ((!session->has_row && rows->sessions_ended_at >= 0 && issued_at <= rows->sessions_ended_at) ||
        has_other_stamp(session, rows, stamp)) {
        return SESSION_ENDED_WITH_ALL;
    }
    if (keys->is_revoked) {
        return SESSION_ENDED_IN_REDIS;
    }
    /* An epoch in MariaDB has already ended its sessions; rows show the exceptions. A later one in Redis is another
     * program's. */
    bool is_later = keys->ended_at >= 0 && keys->ended_at > rows->sessions_ended_at;
    return is_later && issued_at <= keys->ended_at ? SESSION_ENDED_WITH_ALL_IN_REDIS : SESSION_VALID;
}

/* ---- what is remembered of a session that was found valid ---- */

/* A session's entry: the token's names and its time, since `state` follows from them all. */
static struct table_key key_of(struct context *context, struct text user_id, struct text jti, int64_t issued_at,
                               const struct text *stamp)
{
    struct buffer name;
    buffer_init(&name, context->arena);
    const struct text claim = stamp != NULL ? *stamp : TEXT_NULL;
    buffer_reserve(&name, user_id.length + jti.length + claim.length + 3 * TEXT_INTEGER_SIZE + 5);
    if (stamp != NULL) { /* which is not looked at with each configuration */
        buffer_add_byte(&name, 's');
        buffer_add_integer(&name, claim.data != NULL ? (int64_t)claim.length : -1);
        buffer_add_byte(&name, ' ');
        buffer_add_text(&name, claim);
    }
    buffer_add_integer(&name, issued_at);
    buffer_add_byte(&name, ' ');
    buffer_add_integer(&name, (int64_t)user_id.length);
    buffer_add_byte(&name, ' ');
    buffer_add_text(&name, user_id);
    buffer_add_byte(&name, ' ');
    buffer_add_text(&name, jti);
    return (struct table_key){buffer_text(&name), {user_id, jti, VERSION_SETTINGS}};
}

/* The columns of an entry: those of caller_of_row, and then: */
enum {
    ENTRY_LAST_SEEN_AT = CALLER_END,
    ENTRY_HAS_ROW,
    ENTRY_CONFIRMED_AT,
    ENTRY_METHOD,
    ENTRY_TIME,
    ENTRY_VERIFIED,
    ENTRY_SITE_WANTS,
    ENTRY_COLUMNS
};

static void remember(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                     const struct token_session *session)
{
    struct value values[ENTRY_COLUMNS] = {
        [ENTRY_LAST_SEEN_AT] = {.integer = session->last_seen_at},
        [ENTRY_HAS_ROW] = {.integer = session->has_row},
        [ENTRY_CONFIRMED_AT] = {.integer = session->confirmed_at},
        [ENTRY_METHOD] = {.text = session->auth_method, .is_null = session->auth_method.data == NULL},
        [ENTRY_TIME] = {.integer = session->auth_time},
        [ENTRY_VERIFIED] = {.integer = session->mfa_verified},
        [ENTRY_SITE_WANTS] = {.integer = session->site_wants_factor},
    };
    caller_to_row(&session->caller, values);
    const struct result row = {values, 1, ENTRY_COLUMNS, 1};
    row_cache_put_results(context, key, stamp, &row, 1);
}

static bool recall(struct context *context, const struct table_key *key, struct token_session *session_r)
{
    struct result result;
    if (!row_cache_get_results(context, key, &result, 1)) {
        return false;
    }
    const struct value *row = result_row(&result, 0);
    *session_r = (struct token_session){
        .state = SESSION_VALID,
        .redis_answered = true,
        .caller = caller_of_row(row),
        .has_row = row[ENTRY_HAS_ROW].integer != 0,
        .last_seen_at = row[ENTRY_LAST_SEEN_AT].integer,
        .confirmed_at = row[ENTRY_CONFIRMED_AT].integer,
        .auth_method = row[ENTRY_METHOD].text,
        .auth_time = row[ENTRY_TIME].integer,
        .mfa_verified = row[ENTRY_VERIFIED].integer != 0,
        .site_wants_factor = row[ENTRY_SITE_WANTS].integer != 0,
    };
    return true;
}

enum outcome session_store_stamp(struct context *context, struct text user_id, struct text *stamp_r)
{
    return database_get_text(context, "SELECT session_stamp FROM auth WHERE id = ?", PARAMETERS(BIND_TEXT(user_id)),
                             stamp_r, ERROR_NONE);
}

enum outcome session_store_find(struct context *context, struct text user_id, struct text jti, int64_t issued_at,
                                const struct text *stamp, struct token_session *session_r)
{
    struct session_rows rows;
    struct session_keys keys = {.ended_at = -1};
    const struct table_key key = key_of(context, user_id, jti, issued_at, stamp);
    /* What is kept may be older than a time that was written by hand: whether it is idle, its row decides. */
    if (recall(context, &key, session_r) && !is_idle(context, jti, session_r)) {
        return OK;
    }
    const struct table_stamp read_at = row_cache_stamp(context, &key);
    *session_r = (struct token_session){.state = SESSION_WITHOUT_USER, .confirmed_at = -1};
    /* Not with the identity table: it may have the rest, and what is stored there is read under a stamp of its own. */
    struct prefetch *prefetch = row_cache_is_usable(context) ? NULL : context->prefetch;
    bool is_asked = ask_redis(context, user_id, jti);
    enum outcome outcome = read_rows(context, user_id, jti, prefetch, session_r, &rows);
    session_r->redis_answered =
        is_asked && read_redis(context, jti, &keys); /* even if MariaDB failed: all replies must be read */
    if (outcome != OK) {
        return outcome;
    }
    session_r->state = state_of(session_r, &rows, &keys, issued_at, stamp);
    if (session_r->state == SESSION_ENDED_WITH_ALL_IN_REDIS) {
        outcome = read_rows(context, user_id, jti, prefetch, session_r, &rows);
        session_r->state = outcome == OK ? state_of(session_r, &rows, &keys, issued_at, stamp) : session_r->state;
    }
    if (outcome == OK && session_r->state == SESSION_VALID && is_idle(context, jti, session_r)) {
        session_r->state = SESSION_IDLE;
    }
    if (outcome == OK && session_r->state == SESSION_VALID &&
        (session_r->redis_answered || !redis_is_configured(context->config))) {
        remember(context, &key, &read_at, session_r);
    }
    return outcome;
}

/* ---- sessions that begin and end ---- */

static enum outcome insert(struct context *context, const struct session_new *session)
{
    /* Without a password the column is not named: a worker of [api] may not read it (tables/grants.def). */
#define INSERT_SESSION                                                                                       \
    "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at, address, user_agent, key_id, " \
    "auth_method, auth_time, mfa_verified) SELECT ?, u.id, ?, ?, ?, ?, ?, ?, ?, ?, ? "                       \
    "FROM user u LEFT JOIN auth a ON a.id = u.id WHERE u.id = ? AND COALESCE(a.active, 1) <> 0 AND "         \
    "(? OR a.session_stamp <=> ?)"
    static const char any[] = INSERT_SESSION " LOCK IN SHARE MODE";
    static const char of_hash[] = INSERT_SESSION " AND a.password = ? LOCK IN SHARE MODE";
    const bool has_hash = session->password_hash.data != NULL;
    const struct text agent = text_is_utf8(session->user_agent) ? text_cut_bytes(session->user_agent, 512) : TEXT_NULL;
    const struct parameter now = BIND_INTEGER(context->now_seconds);
    const struct parameter parameters[] = {
        BIND_TEXT(session->jti),
        now,
        now,
        BIND_MOMENT(session->expires_at),
        BIND_TEXT(text_cut_bytes(session->address, 45)),
        BIND_TEXT(agent),
        BIND_TEXT(text_of(session->key_id)),
        BIND_TEXT(session->auth_method),
        session->auth_time <= 0 ? now : BIND_INTEGER(session->auth_time),
        BIND_INTEGER(session->mfa_verified),
        BIND_TEXT(session->user_id),
        BIND_INTEGER(session->stamp == NULL),
        BIND_TEXT(session->stamp != NULL ? *session->stamp : TEXT_NULL),
        BIND_TEXT(session->password_hash),
    };
    return database_change_row(context, has_hash ? of_hash : any, parameters, ARRAY_COUNT(parameters) - !has_hash,
                               ERROR_INVALID_CRED);
}

/* With sessions_per_user, sign-ins of one user wait for each other: else each would count without the other's. */
static enum outcome add_within(struct context *context, void *argument)
{
    const struct session_new *session = argument;
    const bool is_limited = context->config->sessions_per_user > 0;
    const struct value *user;
    enum outcome outcome = is_limited
                               ? database_get_row(context, "SELECT 1 FROM user WHERE id = ? FOR UPDATE",
                                                  PARAMETERS(BIND_TEXT(session->user_id)), &user, ERROR_INVALID_CRED)
                               : OK;
    if (outcome == OK) {
        outcome = insert(context, session);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){AUDIT_sign_in, .subject_id = session->user_id,
                                                       .object = session->jti, .by_subject = true});
    }
    return outcome == OK && is_limited ? session_limit_end_oldest(context, session->user_id, session->jti) : outcome;
}

enum outcome session_store_add(struct context *context, const struct session_new *session)
{
    struct session_new copy = *session;
    if (context->config->sessions_per_user > 0 && !database_in_transaction()) {
        return revocation_store_transaction(context, session->user_id, add_within, &copy);
    }
    database_concerns(session->user_id, session->jti);
    return database_transaction_joined(context, add_within, &copy);
}

void session_store_note_sign_in(struct context *context, struct text user_id, struct text address)
{
    database_concerns_nobody();
    database_try(
        context,
        DATABASE_NOWAIT "UPDATE user SET " USER_NAMES_KEPT
                        ", last_sign_in_at = ?, last_sign_in_address = ? WHERE id = ?",
        PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(text_cut_bytes(address, 45)), BIND_TEXT(user_id)));
}

enum outcome session_store_has_signed_in(struct context *context, struct text user_id, bool *has_r)
{
    return database_find_row(context, "SELECT 1 FROM user WHERE id = ? AND last_sign_in_at IS NOT NULL",
                             PARAMETERS(BIND_TEXT(user_id)), has_r);
}

struct end_one {
    enum audit_action action;
    struct text jti, user_id;
    int64_t expires_at;
};

static enum outcome end_within(struct context *context, void *argument)
{
    const struct end_one *end = argument;
    const struct text row_jti = column_jti(context, end->jti);
    /* SELECT … FROM user: a token of a deleted user needs no row, since no user is found for it. The lock waits for a
     * concurrent deletion. */
    enum outcome outcome = database_execute(
        context,
        "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at, revoked_at) "
        "SELECT ?, u.id, ?, ?, ?, ? FROM user u WHERE u.id = ? LOCK IN SHARE MODE "
        "ON DUPLICATE KEY UPDATE revoked_at = COALESCE(session.revoked_at, VALUES(revoked_at))",
        PARAMETERS(BIND_TEXT(row_jti), BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds),
                   BIND_MOMENT(end->expires_at), BIND_INTEGER(context->now_seconds), BIND_TEXT(end->user_id)),
        NULL, ERROR_NONE);
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){end->action, .subject_id = end->user_id, .object = end->jti,
                                                       .by_subject = end->action == AUDIT_sign_out});
    }
    return outcome == OK ? revocation_store_note(context, end->user_id, end->jti, row_jti, end->expires_at) : outcome;
}

enum outcome session_store_sign_out(struct context *context, struct text jti, struct text user_id, int64_t expires_at)
{
    struct end_one end = {AUDIT_sign_out, jti, user_id, expires_at};
    return revocation_store_transaction(context, user_id, end_within, &end);
}

enum outcome session_store_end_row(struct context *context, struct text jti, struct text user_id)
{
    const struct value *row;
    enum outcome outcome = database_get_row(
        context,
        "SELECT expires_at FROM session WHERE jti = ? AND user_id = ? AND revoked_at IS NULL AND "
        "(expires_at IS NULL OR expires_at > ?)",
        PARAMETERS(BIND_TEXT(jti), BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds - REVOCATION_SKEW_SECONDS)),
        &row, ERROR_NONE);
    if (outcome == OK && row == NULL) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such session.");
    }
    if (outcome != OK) {
        return outcome;
    }
    struct end_one end = {AUDIT_session_end, jti, user_id, value_integer(&row[0], -1)};
    return revocation_store_transaction(context, user_id, end_within, &end);
}

/* The new epoch: tokens of the user that were issued until then are revoked. It never decreases, even if the clock
 * does.
 */
static enum outcome set_epoch(struct context *context, struct text user_id, int64_t until)
{
    int64_t ended_at;
    enum outcome outcome =
        database_change_row(context,
                            "UPDATE user SET " USER_NAMES_KEPT
                            ", sessions_ended_at = GREATEST(COALESCE(sessions_ended_at, 0), ?) WHERE id = ?",
                            PARAMETERS(BIND_INTEGER(until), BIND_TEXT(user_id)), ERROR_USER_NOT_FOUND);
    if (outcome == OK) {
        outcome = database_get_integer(context, "SELECT sessions_ended_at FROM user WHERE id = ?",
                                       PARAMETERS(BIND_TEXT(user_id)), -1, &ended_at);
    }
    return outcome == OK ? revocation_store_note_epoch(context, user_id, ended_at) : outcome;
}

/* `until`: when the last token was issued that ends, where it has no row. */
static enum outcome end_until(struct context *context, struct text user_id, struct kept_session kept, int64_t until)
{
    struct parameter now = BIND_INTEGER(context->now_seconds);
    struct text kept_jti = column_jti(context, kept.jti);
    enum outcome outcome = set_epoch(context, user_id, until);
    if (outcome == OK) { /* so that another program that looks at it refuses tokens from before, too */
        outcome =
            database_execute(context, "UPDATE auth SET session_stamp = ? WHERE id = ?",
                             PARAMETERS(BIND_TEXT(random_uuid(context->arena)), BIND_TEXT(user_id)), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = revocation_store_note_sessions(context, user_id, kept_jti);
    }
    if (outcome == OK) {
        outcome = database_execute(
            context, "UPDATE session SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL AND NOT (jti <=> ?)",
            PARAMETERS(now, BIND_TEXT(user_id), BIND_TEXT(kept_jti)), NULL, ERROR_NONE);
    }
    if (outcome == OK && kept_jti.data != NULL) {
        outcome = database_execute(
            context,
            "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?) "
            "ON DUPLICATE KEY UPDATE jti = session.jti",
            PARAMETERS(BIND_TEXT(kept_jti), BIND_TEXT(user_id), now, now, BIND_MOMENT(kept.expires_at)), NULL,
            ERROR_NONE);
    }
    return outcome;
}

enum outcome session_store_end_all(struct context *context, struct text user_id, struct kept_session kept)
{
    return end_until(context, user_id, kept, context->now_seconds);
}

enum outcome session_store_end_before(struct context *context, struct text user_id)
{
    return end_until(context, user_id, KEPT_NONE, context->now_seconds - 1);
}

/* Everybody's rows, in the order of the tables in all transactions that end sessions. */
static enum outcome end_everybody_within(struct context *context, void *argument)
{
    (void)argument;
    const struct parameter now = BIND_INTEGER(context->now_seconds);
    enum outcome outcome = database_execute(
        context, "UPDATE user SET " USER_NAMES_KEPT ", sessions_ended_at = GREATEST(COALESCE(sessions_ended_at, 0), ?)",
        PARAMETERS(now), NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context, "UPDATE auth SET session_stamp = UUID()", NO_PARAMETERS, NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        outcome = revocation_store_note_everybody(context);
    }
    if (outcome == OK) {
        outcome = database_execute(context, "UPDATE session SET revoked_at = ? WHERE revoked_at IS NULL",
                                   PARAMETERS(now), NULL, ERROR_NONE);
    }
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){.action = AUDIT_sessions_end});
    }
    return outcome;
}

enum outcome session_store_end_everybody(struct context *context)
{
    return database_transaction(context, end_everybody_within, NULL);
}

struct end_all {
    struct text user_id;
    struct kept_session kept;
    bool with_keys;
};

static enum outcome end_all_within(struct context *context, void *argument)
{
    const struct end_all *end = argument;
    enum outcome outcome = session_store_end_all(context, end->user_id, end->kept);
    if (outcome == OK) {
        audit_store_note(context, &(struct audit_note){AUDIT_sessions_end, .subject_id = end->user_id});
    }
    return outcome == OK && end->with_keys ? key_store_delete_all(context, end->user_id) : outcome;
}

enum outcome session_store_end_everywhere(struct context *context, struct text user_id, struct kept_session kept,
                                          bool with_keys)
{
    struct end_all end = {user_id, kept, with_keys};
    return revocation_store_transaction(context, user_id, end_all_within, &end);
}

enum outcome session_store_list(struct context *context, struct text user_id, struct result *sessions_r)
{
    static const char *sql;
    enum outcome outcome =
        database_execute(context,
                         rows_statement(&sql,
                                        "SELECT %s FROM session s WHERE s.user_id = ? AND " SESSION_IS_VALID(
                                            "?", "?") " ORDER BY s.created_at DESC, s.jti",
                                        rows_of_session),
                         PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds),
                                    BIND_INTEGER(session_limit_idle_since(context))),
                         sessions_r, ERROR_NONE);
    if (outcome == OK) {
        touch_store_lay_over_rows(context, TOUCH_SESSION, sessions_r, SESSION_jti, SESSION_last_seen_at);
    }
    return outcome;
}

void session_store_touch(struct context *context, struct text jti)
{
    if (touch_store_note(context, TOUCH_SESSION, jti, jti)) {
        return;
    }
    database_concerns(jti);
    database_try(context, DATABASE_NOWAIT "UPDATE session SET last_seen_at = ? WHERE jti = ? AND last_seen_at <= ?",
                 PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(column_jti(context, jti)),
                            BIND_INTEGER(context->now_seconds - touch_store_interval(context->config, TOUCH_SESSION))));
}

enum outcome session_store_confirm(struct context *context, struct text jti, struct text user_id,
                                   struct text password_hash)
{
    database_concerns(jti);
    return audit_store_change_row(
        context, &(struct audit_note){AUDIT_confirm, .subject_id = user_id, .object = jti},
        "UPDATE session s JOIN auth a ON a.id = s.user_id SET s.confirmed_at = ? WHERE s.jti = ? AND s.user_id = ? AND "
        "s.revoked_at IS NULL AND a.password = ?",
        PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(column_jti(context, jti)), BIND_TEXT(user_id),
                   BIND_TEXT(password_hash)),
        ERROR_INVALID_TOKEN);
}

bool session_store_prolong(struct context *context, struct text jti, struct text user_id, int64_t expires_at)
{
    database_concerns(jti);
    return database_try(context,
                        DATABASE_NOWAIT "UPDATE session SET expires_at = GREATEST(expires_at, ?) WHERE jti = ? AND "
                                        "user_id = ? AND revoked_at IS NULL",
                        PARAMETERS(BIND_INTEGER(expires_at), BIND_TEXT(column_jti(context, jti)),
                                   BIND_TEXT(user_id))) == DATABASE_TRIED_DONE;
}

enum outcome session_store_clean(struct context *context, bool *more_r)
{
    struct result result;
    struct parameter before = BIND_INTEGER(context->now_seconds - REVOCATION_SKEW_SECONDS);
    *more_r = false;
    database_concerns_nobody(); /* a token that has expired is refused before its row is asked for */
    enum outcome outcome =
        database_execute(context,
                         "DELETE FROM session WHERE expires_at < ? AND (revoked_at IS NULL OR "
                         "revoked_at < ?) ORDER BY expires_at LIMIT ?",
                         PARAMETERS(before, before, BIND_INTEGER(SESSION_CLEAN_ROWS)), &result, ERROR_NONE);
    *more_r = outcome == OK && result.affected_rows == SESSION_CLEAN_ROWS;
    return outcome == OK ? revocation_store_clean(context) : outcome;
}
