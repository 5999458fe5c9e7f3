#include "store/session_store.h"

#include "auth/token.h"
#include "base/log.h"
#include "config/config.h"
#include "store/hiredis.h"
#include "store/redis.h"

#define COUNT(parameters) (sizeof(parameters) / sizeof(parameters)[0])

/* The original's keys: a token that is over, and the moment up to which all tokens of a user are. */
#define TOKEN_KEY "%s:auth:token:%b:revoked"
#define USER_KEY "%s:auth:user:%b:revoked_at"

/* Ours: gone when Redis has come back empty, so that the revocations that MariaDB knows have to be loaded again. */
#define MARKER_KEY "%s:roster:loaded"

/* What session_store_ask has appended and session_store_is_revoked has to read. */
static struct {
    bool asked, with_jti;
    bool came_back_empty;
} question;

void session_store_ask(struct context *context, struct text user_id, struct text jti)
{
    const char *prefix = context->config->redis_prefix;
    question.with_jti = jti.data != NULL;
    question.asked = (!question.with_jti || redis_append(context, "EXISTS " TOKEN_KEY, prefix, jti.data, jti.length)) &&
                     redis_append(context, "GET " USER_KEY, prefix, user_id.data, user_id.length) &&
                     redis_append(context, "EXISTS " MARKER_KEY, prefix) && redis_flush(context);
}

bool session_store_is_revoked(struct context *context, int64_t issued_at, bool *known_r)
{
    bool revoked = false;
    *known_r = false;
    if (!question.asked) {
        return false;
    }
    const redisReply *token = question.with_jti ? redis_read(context) : NULL;
    const redisReply *user = redis_read(context);
    const redisReply *marker = redis_read(context);
    question.came_back_empty = marker != NULL && marker->type == REDIS_REPLY_INTEGER && marker->integer == 0;
    *known_r = user != NULL && (token != NULL || !question.with_jti);
    if (token != NULL && token->type == REDIS_REPLY_INTEGER && token->integer > 0) {
        revoked = true;
    }
    int64_t ended_at;
    if (user != NULL && user->type == REDIS_REPLY_STRING &&
        text_to_integer((struct text){user->str, strcspn(user->str, ".")}, &ended_at)) {
        revoked = revoked || issued_at <= ended_at;
    }
    return revoked;
}

/* Tokens of other programs may have a longer jti than the column takes: its hash stands for it. */
enum { JTI_LENGTH_MOST = 255 };

static struct text column_jti(struct context *context, struct text jti)
{
    return jti.length > JTI_LENGTH_MOST ? token_sha256(context->arena, jti) : jti;
}

enum outcome session_store_find(struct context *context, struct text user_id, struct text jti, struct session_caller *caller_r)
{
    struct result result;
    memset(caller_r, 0, sizeof *caller_r);
    enum outcome outcome = database_execute(
        context,
        "SELECT u.email, u.name, u.role, u.last_active_at, u.sessions_ended_at, s.jti, s.revoked_at, s.last_seen_at "
        "FROM user u LEFT JOIN session s ON s.jti = ? AND s.user_id = u.id WHERE u.id = ?",
        (struct parameter[]){BIND_TEXT(column_jti(context, jti)), BIND_TEXT(user_id)}, 2, &result, ERROR_NONE);
    if (outcome != OK || result.row_count == 0) {
        return outcome;
    }
    const struct value *row = result_row(&result, 0);
    caller_r->found = true;
    caller_r->email = row[0].text;
    caller_r->name = row[1].text;
    caller_r->role = row[2].text;
    caller_r->last_active_at = row[3].integer;
    caller_r->sessions_ended_at = row[4].is_null ? -1 : row[4].integer;
    caller_r->has_row = !row[5].is_null;
    caller_r->revoked = !row[6].is_null;
    caller_r->last_seen_at = row[7].integer;
    return OK;
}

/* A column of its own length: what is longer is cut at a character. */
static struct text cut(struct text text, size_t most_bytes)
{
    if (text.length > most_bytes) {
        text.length = most_bytes;
        while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80) {
            text.length--;
        }
    }
    return text;
}

enum outcome session_store_add(struct context *context, struct text jti, struct text user_id, struct text password_hash, int64_t expires_at,
                               struct text address, struct text user_agent)
{
    struct text agent = text_is_utf8(user_agent) ? cut(user_agent, 512) : (struct text){NULL, 0};
    struct parameter parameters[] = {BIND_TEXT(jti),
                                     BIND_INTEGER(context->now_seconds),
                                     BIND_INTEGER(context->now_seconds),
                                     expires_at < 0 ? BIND_NULL : BIND_INTEGER(expires_at),
                                     BIND_TEXT(cut(address, 45)),
                                     BIND_TEXT(agent),
                                     BIND_TEXT(user_id),
                                     BIND_TEXT(password_hash),
                                     BIND_TEXT(password_hash)};
    struct result result;
    enum outcome outcome =
        database_execute(context,
                         "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at, address, user_agent) "
                         "SELECT ?, u.id, ?, ?, ?, ?, ? FROM user u LEFT JOIN auth a ON a.id = u.id "
                         "WHERE u.id = ? AND (? IS NULL OR a.password = ?) LOCK IN SHARE MODE",
                         parameters, COUNT(parameters), &result, ERROR_NONE);
    return outcome == OK && result.affected_rows == 0 ? problem_set(context, ERROR_INVALID_CRED) : outcome;
}

/* Appends the revocation of one token for as long as it lives. expires_at -1: for ever. */
static bool append_revocation(struct context *context, struct text jti, int64_t expires_at)
{
    const char *prefix = context->config->redis_prefix;
    if (expires_at < 0) {
        return redis_append(context, "SET " TOKEN_KEY " 1", prefix, jti.data, jti.length);
    }
    long long seconds = (long long)(expires_at - context->now_seconds);
    return redis_append(context, "SET " TOKEN_KEY " 1 EX %lld", prefix, jti.data, jti.length, seconds > 0 ? seconds : 1LL);
}

static void publish_one(struct context *context, struct text jti, int64_t expires_at)
{
    if (append_revocation(context, jti, expires_at)) {
        redis_read(context);
    }
}

enum outcome session_store_end(struct context *context, struct text jti, struct text user_id, int64_t expires_at)
{
    struct parameter parameters[] = {BIND_TEXT(column_jti(context, jti)),
                                     BIND_INTEGER(context->now_seconds),
                                     BIND_INTEGER(context->now_seconds),
                                     expires_at < 0 ? BIND_NULL : BIND_INTEGER(expires_at),
                                     BIND_INTEGER(context->now_seconds),
                                     BIND_TEXT(user_id)};
    /* SELECT … FROM user: a token of a user who is gone needs no row, since it finds no user either */
    enum outcome outcome = database_execute(context,
                                            "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at, revoked_at) "
                                            "SELECT ?, u.id, ?, ?, ?, ? FROM user u WHERE u.id = ? "
                                            "ON DUPLICATE KEY UPDATE revoked_at = COALESCE(session.revoked_at, VALUES(revoked_at))",
                                            parameters, COUNT(parameters), NULL, ERROR_NONE);
    if (outcome == OK) {
        publish_one(context, jti, expires_at);
    }
    return outcome;
}

enum outcome session_store_end_row(struct context *context, struct text jti, struct text user_id)
{
    struct result result;
    enum outcome outcome = database_execute(
        context, "SELECT expires_at FROM session WHERE jti = ? AND user_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
        (struct parameter[]){BIND_TEXT(jti), BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds)}, 3, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set_detail(context, ERROR_NOT_FOUND, 0, "There is no such session.");
    }
    const struct value *expires_at = result_row(&result, 0);
    return session_store_end(context, jti, user_id, expires_at->is_null ? -1 : expires_at->integer);
}

enum outcome session_store_end_all(struct context *context, struct text user_id, struct text kept_jti, int64_t kept_expires_at)
{
    struct parameter now = BIND_INTEGER(context->now_seconds);
    kept_jti = column_jti(context, kept_jti);
    enum outcome outcome = database_execute(context, "UPDATE user SET sessions_ended_at = ? WHERE id = ?",
                                            (struct parameter[]){now, BIND_TEXT(user_id)}, 2, NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context, "UPDATE session SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL AND NOT (jti <=> ?)",
                                   (struct parameter[]){now, BIND_TEXT(user_id), BIND_TEXT(kept_jti)}, 3, NULL, ERROR_NONE);
    }
    if (outcome == OK && kept_jti.data != NULL) {
        struct parameter parameters[] = {BIND_TEXT(kept_jti), BIND_TEXT(user_id), now, now,
                                         kept_expires_at < 0 ? BIND_NULL : BIND_INTEGER(kept_expires_at)};
        outcome = database_execute(context,
                                   "INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?) "
                                   "ON DUPLICATE KEY UPDATE jti = session.jti",
                                   parameters, COUNT(parameters), NULL, ERROR_NONE);
    }
    return outcome;
}

enum outcome session_store_living(struct context *context, struct text user_id, struct result *sessions_r)
{
    return database_execute(
        context, "SELECT jti, expires_at FROM session WHERE user_id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
        (struct parameter[]){BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds)}, 2, sessions_r, ERROR_NONE);
}

void session_store_publish_rows(struct context *context, const struct result *sessions)
{
    size_t appended = 0;
    for (size_t i = 0; i < sessions->row_count; i++) {
        const struct value *row = result_row(sessions, i);
        if (!append_revocation(context, row[0].text, row[1].is_null ? -1 : row[1].integer)) {
            return;
        }
        appended++;
    }
    while (appended-- > 0) {
        redis_read(context);
    }
}

void session_store_publish(struct context *context, struct text user_id)
{
    struct result sessions;
    if (database_execute(context,
                         "SELECT jti, expires_at FROM session WHERE user_id = ? AND revoked_at >= ? AND (expires_at IS NULL OR expires_at > ?)",
                         (struct parameter[]){BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds), BIND_INTEGER(context->now_seconds)}, 3,
                         &sessions, ERROR_NONE) == OK) {
        session_store_publish_rows(context, &sessions);
    }
}

void session_store_restore(struct context *context)
{
    struct result sessions;
    if (!question.came_back_empty) {
        return;
    }
    question.came_back_empty = false;
    if (database_execute(context, "SELECT jti, expires_at FROM session WHERE revoked_at IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)",
                         (struct parameter[]){BIND_INTEGER(context->now_seconds)}, 1, &sessions, ERROR_NONE) != OK) {
        return;
    }
    session_store_publish_rows(context, &sessions);
    if (redis_append(context, "SET " MARKER_KEY " 1", context->config->redis_prefix) && redis_read(context) != NULL) {
        log_notice(context, "Redis came back empty: %zu revocations were loaded again", sessions.row_count);
    }
}

struct end_all {
    struct text user_id, kept_jti;
    int64_t kept_expires_at;
};

static enum outcome end_all_within(struct context *context, void *argument)
{
    const struct end_all *end = argument;
    return session_store_end_all(context, end->user_id, end->kept_jti, end->kept_expires_at);
}

enum outcome session_store_end_everywhere(struct context *context, struct text user_id, struct text kept_jti, int64_t kept_expires_at)
{
    struct end_all end = {user_id, kept_jti, kept_expires_at};
    enum outcome outcome = database_transaction(context, end_all_within, &end);
    if (outcome == OK) {
        session_store_publish(context, user_id);
    }
    return outcome;
}

enum outcome session_store_list(struct context *context, struct text user_id, struct result *sessions_r)
{
    static const char *sql;
    return database_execute(context,
                            rows_statement(&sql,
                                           "SELECT %s FROM session s WHERE s.user_id = ? AND s.revoked_at IS NULL AND "
                                           "(s.expires_at IS NULL OR s.expires_at > ?) ORDER BY s.created_at DESC, s.jti",
                                           rows_list_of(session_columns)),
                            (struct parameter[]){BIND_TEXT(user_id), BIND_INTEGER(context->now_seconds)}, 2, sessions_r, ERROR_NONE);
}

enum outcome session_store_touch(struct context *context, struct text jti, int64_t interval_seconds)
{
    return database_execute(context, "UPDATE session SET last_seen_at = ? WHERE jti = ? AND last_seen_at <= ?",
                            (struct parameter[]){BIND_INTEGER(context->now_seconds), BIND_TEXT(column_jti(context, jti)),
                                                 BIND_INTEGER(context->now_seconds - interval_seconds)},
                            3, NULL, ERROR_NONE);
}

enum outcome session_store_clean(struct context *context)
{
    return database_execute(context, "DELETE FROM session WHERE expires_at < ? LIMIT 100",
                            (struct parameter[]){BIND_INTEGER(context->now_seconds)}, 1, NULL, ERROR_NONE);
}
