#include "store/revocation_store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "store/config_store.h"
#include "store/hiredis.h"
#include "store/redis.h"

/* Locks in Redis. The holder of the first writes the noted revocations, the holder of the second reloads all. They
 * expire, in case that the worker dies. */
#define TELLING_KEY "%s:roster:telling"
#define LOADING_KEY "%s:roster:loading"

enum {
    TELLING_SECONDS = 10,
    LOADING_SECONDS = 30,
    PAGE_ROWS = 500,
    TELL_PAGES_MAX = 10, /* of one user, since the client waits */
    WAIT_MIN = 1000,     /* milliseconds before a retry after a failure; doubled each time */
    WAIT_MAX = 5000,
    /* interval of checks for notes of workers that have died */
    LOOK_MILLISECONDS = 10000,
    LOG_SECONDS = 60
};

enum { CURSOR_BYTES = 1024 }; /* 255 characters */

/* Pending work, as this process knows it. */
static struct upkeep {
    bool untold;     /* there are, or may be, notes that are not written to Redis */
    int64_t look_at; /* monotonic microseconds: not before */
    int wait_milliseconds;

    bool marker_missing;
    bool loading;    /* this process reloads; the next members are its progress */
    int64_t load_at; /* monotonic microseconds: not before */
    bool sessions_done;
    char cursor[CURSOR_BYTES]; /* last key of the last page */
    size_t cursor_length;
    int64_t loaded;
    char lock[37]; /* value of the lock, unique to this process */

    unsigned page_rows;
} upkeep = {.untold = true, .page_rows = PAGE_ROWS}; /* an earlier process may have left notes */

/* ---- notes ---- */

enum outcome revocation_store_note(struct context *context, struct text user_id, struct text jti, struct text row_jti,
                                   int64_t expires_at)
{
    if (!redis_is_configured(context->config)) {
        return OK;
    }
    /* GREATEST with a NULL is NULL: never */
    return database_execute(context,
                            "INSERT INTO revocation (user_id, jti, expires_at) "
                            "SELECT ?, ?, IF(s.jti IS NULL, ?, GREATEST(s.expires_at, ?)) FROM (SELECT 1) one "
                            "LEFT JOIN session s ON s.jti = ? AND s.user_id = ?",
                            PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(jti), BIND_MOMENT(expires_at),
                                       BIND_MOMENT(expires_at), BIND_TEXT(row_jti), BIND_TEXT(user_id)),
                            NULL, ERROR_NONE);
}

enum outcome revocation_store_note_sessions(struct context *context, struct text user_id, struct text kept_jti)
{
    if (!redis_is_configured(context->config)) {
        return OK;
    }
    return database_execute(
        context,
        "INSERT INTO revocation (user_id, jti, expires_at) SELECT user_id, jti, expires_at FROM session "
        "WHERE user_id = ? AND revoked_at IS NULL AND NOT (jti <=> ?) AND (expires_at IS NULL OR expires_at > ?)",
        PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(kept_jti),
                   BIND_INTEGER(context->now_seconds - REVOCATION_SKEW_SECONDS)),
        NULL, ERROR_NONE);
}

enum outcome revocation_store_note_epoch(struct context *context, struct text user_id, int64_t ended_at)
{
    if (!redis_is_configured(context->config)) {
        return OK;
    }
    enum outcome outcome = database_execute(context, "DELETE FROM revocation WHERE user_id = ? AND jti IS NULL",
                                            PARAMETERS(BIND_TEXT(user_id)), NULL, ERROR_NONE);
    return outcome != OK ? outcome
                         : database_execute(context, "INSERT INTO revocation (user_id, ended_at) VALUES (?, ?)",
                                            PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(ended_at)), NULL, ERROR_NONE);
}

enum outcome revocation_store_note_everybody(struct context *context)
{
    if (!redis_is_configured(context->config)) {
        return OK;
    }
    upkeep.untold = true;
    enum outcome outcome =
        database_execute(context, "DELETE FROM revocation WHERE jti IS NULL", NO_PARAMETERS, NULL, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context,
                                   "INSERT INTO revocation (user_id, ended_at) SELECT id, sessions_ended_at FROM user",
                                   NO_PARAMETERS, NULL, ERROR_NONE);
    }
    return outcome == OK
               ? database_execute(
                     context,
                     "INSERT INTO revocation (user_id, jti, expires_at) SELECT user_id, jti, expires_at FROM session "
                     "WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
                     PARAMETERS(BIND_INTEGER(context->now_seconds - REVOCATION_SKEW_SECONDS)), NULL, ERROR_NONE)
               : outcome;
}

enum outcome revocation_store_clean(struct context *context)
{
    database_concerns_nobody();
    return database_execute(context, "DELETE FROM revocation WHERE expires_at < ? ORDER BY expires_at LIMIT 500",
                            PARAMETERS(BIND_INTEGER(context->now_seconds - REVOCATION_SKEW_SECONDS)), NULL, ERROR_NONE);
}

/* Deletes notes that were written to Redis, by the ids in the first column. Not by a range, in which another
 * transaction may still commit a note. */
static bool forget(struct context *context, const struct result *notes)
{
    size_t done = 0;
    while (done < notes->row_count) {
        struct parameter ids[DATABASE_LIST_MAX];
        size_t count = 0;
        while (done < notes->row_count && count < DATABASE_LIST_MAX) {
            ids[count++] = BIND_INTEGER(result_row(notes, done++)->integer);
        }
        database_concerns_nobody();
        if (database_execute_list(context, "DELETE FROM revocation WHERE id IN " DATABASE_LIST, ids, count, NULL) !=
            OK) {
            return false;
        }
    }
    return true;
}

/* ---- telling ---- */

/* Appends the revocation of a token, which expires when the token has expired by the clocks of all hosts. False: Redis
 * is unavailable. */
static bool append_token(struct context *context, struct text jti, const struct value *expires_at, unsigned *appended)
{
    const char *prefix = context->config->redis_prefix;
    int64_t left = expires_at->integer - context->now_seconds;
    int64_t seconds = (left > 0 ? left : 0) + REVOCATION_SKEW_SECONDS;
    bool done = expires_at->is_null
                    ? redis_append(context, "SET " REVOCATION_TOKEN_KEY " 1", prefix, jti.data, jti.length)
                    : redis_append(context, "SET " REVOCATION_TOKEN_KEY " 1 EX %lld", prefix, jti.data, jti.length,
                                   (long long)seconds);
    *appended += done;
    return done;
}

/* Reads `count` replies. False: one of them failed. */
static bool read_all(struct context *context, unsigned appended)
{
    bool all = true;
    while (appended-- > 0) {
        all = redis_read(context) != NULL && all;
    }
    return all;
}

int64_t revocation_store_moment(const struct redisReply *reply)
{
    int64_t moment;
    return reply != NULL && reply->type == REDIS_REPLY_STRING &&
                   text_to_integer((struct text){reply->str, strcspn(reply->str, ".")}, &moment)
               ? moment
               : -1;
}

/* How long a user's epoch is needed: until the newest token that it revokes has expired. -1: without limit. */
static int64_t moment_seconds(struct context *context)
{
    json_object *document;
    if (config_store_read(context, &document) != OK) {
        return -1;
    }
    int64_t lifetime = config_store_lifetime(context, document);
    return lifetime < 0 ? -1 : lifetime + REVOCATION_SKEW_SECONDS;
}

/* A user id and its epoch, from a row. */
struct moment {
    struct text user_id;
    int64_t ended_at;
};

/* Reads the key first: another program may have written a later time, which must stay. */
static bool tell_moments(struct context *context, const struct moment *moments, size_t count)
{
    const char *prefix = context->config->redis_prefix;
    int64_t seconds = count > 0 ? moment_seconds(context) : -1;
    unsigned appended = 0;
    bool *is_later = arena_zero(context->arena, count + 1, sizeof *is_later);
    size_t asked = 0;
    while (asked < count && redis_append(context, "GET " REVOCATION_USER_KEY, prefix, moments[asked].user_id.data,
                                         moments[asked].user_id.length)) {
        asked++;
    }
    bool good = asked == count;
    for (size_t i = 0; i < asked; i++) {
        const redisReply *reply = redis_read(context);
        good = good && redis_is_present(); /* a key of another type is overwritten */
        is_later[i] = moments[i].ended_at > revocation_store_moment(reply);
    }
    for (size_t i = 0; good && i < count; i++) {
        int64_t left = moments[i].ended_at + seconds - context->now_seconds;
        if (!is_later[i] || (seconds >= 0 && left <= 0)) {
            continue;
        }
        good = seconds < 0
                   ? redis_append(context, "SET " REVOCATION_USER_KEY " %lld", prefix, moments[i].user_id.data,
                                  moments[i].user_id.length, (long long)moments[i].ended_at)
                   : redis_append(context, "SET " REVOCATION_USER_KEY " %lld EX %lld", prefix, moments[i].user_id.data,
                                  moments[i].user_id.length, (long long)moments[i].ended_at, (long long)left);
        appended += good;
    }
    return read_all(context, appended) && good;
}

/* Writes rows of id, user_id, jti, expires_at and ended_at. True: Redis has acknowledged all of them. */
static bool tell_notes(struct context *context, const struct result *notes)
{
    struct moment *moments = arena_zero(context->arena, notes->row_count + 1, sizeof *moments);
    size_t moment_count = 0;
    unsigned appended = 0;
    bool good = true;
    for (size_t i = 0; good && i < notes->row_count; i++) {
        const struct value *row = result_row(notes, i);
        if (row[2].is_null) {
            moments[moment_count++] = (struct moment){row[1].text, row[4].integer};
        } else {
            good = append_token(context, row[2].text, &row[3], &appended);
        }
    }
    good = read_all(context, appended) && good;
    return good && tell_moments(context, moments, moment_count);
}

/* Sets the time of the next attempt; the wait is doubled each time. */
static void wait_longer(void)
{
    upkeep.untold = true;
    upkeep.wait_milliseconds = upkeep.wait_milliseconds == 0             ? WAIT_MIN
                               : upkeep.wait_milliseconds * 2 > WAIT_MAX ? WAIT_MAX
                                                                         : upkeep.wait_milliseconds * 2;
    upkeep.look_at = clock_monotonic_microseconds() + upkeep.wait_milliseconds * INT64_C(1000);
}

static void note_failure(struct context *context)
{
    /* if Redis is unavailable, this was logged */
    if (redis_is_present() && log_topic_due(LOG_TOPIC_UNTOLD, LOG_SECONDS)) {
        log_warning(
            context,
            "Redis does not accept revocations now: MariaDB keeps them, and they are in effect for Roster; they "
            "are written to Redis as soon as possible; until then, other programs do not see them");
    }
    wait_longer();
}

#define NOTES "SELECT id, user_id, jti, expires_at, ended_at FROM revocation "

void revocation_store_tell(struct context *context, struct text user_id)
{
    const struct problem problem = context->problem;
    bool full = redis_is_configured(context->config);
    bool good = true;
    for (int page = 0; good && full && page < TELL_PAGES_MAX; page++) {
        struct result notes;
        good = database_execute(context, NOTES "WHERE user_id = ? ORDER BY id LIMIT ?",
                                PARAMETERS(BIND_TEXT(user_id), BIND_INTEGER(upkeep.page_rows)), &notes,
                                ERROR_NONE) == OK &&
               tell_notes(context, &notes) && forget(context, &notes);
        full = good && notes.row_count == upkeep.page_rows;
    }
    if (!good) {
        note_failure(context);
    } else if (full) {
        upkeep.untold = true;
        upkeep.look_at = 0;
    }
    context->problem = problem;
}

enum outcome revocation_store_transaction(struct context *context, struct text user_id,
                                          enum outcome (*body)(struct context *, void *), void *argument)
{
    database_concerns(user_id);
    enum outcome outcome = database_transaction(context, body, argument);
    if (outcome == OK) {
        revocation_store_tell(context, user_id);
    }
    return outcome;
}

/* ---- looking after what was left ---- */

enum claim { CLAIM_FAILED, CLAIM_TAKEN, CLAIM_OURS };

/* Takes a lock, if it is free. */
static enum claim claim(struct context *context, const char *format, long long seconds)
{
    if (upkeep.lock[0] == '\0') {
        memcpy(upkeep.lock, random_uuid(context->arena).data, sizeof upkeep.lock);
    }
    const redisReply *reply =
        redis_append(context, format, context->config->redis_prefix, upkeep.lock, seconds) ? redis_read(context) : NULL;
    return reply == NULL ? CLAIM_FAILED : reply->type == REDIS_REPLY_STATUS ? CLAIM_OURS : CLAIM_TAKEN;
}

static void look_again_in(int milliseconds)
{
    upkeep.look_at = clock_monotonic_microseconds() + milliseconds * INT64_C(1000);
}

static void release(struct context *context, enum claim claimed)
{
    if (claimed == CLAIM_OURS && redis_append(context, "DEL " TELLING_KEY, context->config->redis_prefix)) {
        redis_read(context);
    }
}

/* Writes a page of notes of all processes. MariaDB is read first: without notes, Redis is not needed. */
static void tell_all(struct context *context)
{
    struct result notes;
    enum claim claimed = CLAIM_TAKEN;
    if (upkeep.wait_milliseconds > 0) { /* Redis failed the last time: check it first */
        claimed = claim(context, "SET " TELLING_KEY " %s NX EX %lld", TELLING_SECONDS);
        if (claimed == CLAIM_FAILED) {
            note_failure(context);
            return;
        }
    }
    if (database_execute(context, NOTES "ORDER BY id LIMIT ?", PARAMETERS(BIND_INTEGER(upkeep.page_rows)), &notes,
                         ERROR_NONE) != OK) {
        release(context, claimed);
        wait_longer();
        return;
    }
    if (notes.row_count == 0) {
        release(context, claimed);
        upkeep.untold = false;
        upkeep.wait_milliseconds = 0;
        look_again_in(LOOK_MILLISECONDS);
        return;
    }
    upkeep.untold = true;
    if (claimed != CLAIM_OURS) {
        claimed = claim(context, "SET " TELLING_KEY " %s NX EX %lld", TELLING_SECONDS);
    }
    if (claimed == CLAIM_FAILED) {
        note_failure(context);
        return;
    }
    if (claimed == CLAIM_TAKEN) { /* another worker does it */
        look_again_in(WAIT_MIN);
        return;
    }
    bool good = tell_notes(context, &notes) && forget(context, &notes);
    release(context, claimed);
    if (!good) {
        note_failure(context);
        return;
    }
    upkeep.wait_milliseconds = 0;
    if (notes.row_count < upkeep.page_rows && log_topic_end(LOG_TOPIC_UNTOLD)) {
        log_notice(context, "all pending revocations were written to Redis");
    }
    look_again_in(0); /* there may be more */
}

/* ---- reloading all revocations into an empty Redis ---- */

void revocation_store_marker_is_missing(void)
{
    upkeep.marker_missing = true;
}

static void load_again_in(int milliseconds)
{
    upkeep.load_at = clock_monotonic_microseconds() + milliseconds * INT64_C(1000);
}

static void begin_loading(void)
{
    upkeep.loading = true;
    upkeep.sessions_done = false;
    upkeep.cursor_length = 0;
    upkeep.loaded = 0;
}

/* Renews the lock. If the lock is lost, Redis may have been emptied again, with the revocations that were loaded. */
static enum claim keep_lock(struct context *context)
{
    const redisReply *reply =
        redis_append(context, "GET " LOADING_KEY, context->config->redis_prefix) ? redis_read(context) : NULL;
    if (reply == NULL) {
        return CLAIM_FAILED;
    }
    if (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, upkeep.lock) != 0) {
        return CLAIM_TAKEN;
    }
    return claim(context, "SET " LOADING_KEY " %s XX EX %lld", LOADING_SECONDS);
}

static void keep_cursor(struct text key)
{
    invariant(key.length <= sizeof upkeep.cursor);
    memcpy(upkeep.cursor, key.data, key.length);
    upkeep.cursor_length = key.length;
}

/* Pages by the primary key, without a filter, so that the work of MariaDB for a page is limited. */
static bool load_sessions(struct context *context)
{
    struct result rows;
    unsigned appended = 0;
    if (database_execute(
            context, "SELECT jti, expires_at, revoked_at FROM session WHERE jti > ? ORDER BY jti LIMIT ?",
            PARAMETERS(BIND_TEXT(((struct text){upkeep.cursor, upkeep.cursor_length})), BIND_INTEGER(upkeep.page_rows)),
            &rows, ERROR_NONE) != OK) {
        return false;
    }
    bool good = true;
    for (size_t i = 0; good && i < rows.row_count; i++) {
        const struct value *row = result_row(&rows, i);
        good = row[2].is_null || append_token(context, row[0].text, &row[1], &appended);
    }
    good = read_all(context, appended) && good;
    if (good) {
        upkeep.loaded += appended;
        upkeep.sessions_done = rows.row_count < upkeep.page_rows;
        keep_cursor(upkeep.sessions_done ? TEXT("") : result_row(&rows, rows.row_count - 1)->text);
    }
    return good;
}

/* *done_r: this was the last page. */
static bool load_moments(struct context *context, bool *done_r)
{
    struct result rows;
    if (database_execute(
            context, "SELECT id, sessions_ended_at FROM user WHERE id > ? ORDER BY id LIMIT ?",
            PARAMETERS(BIND_TEXT(((struct text){upkeep.cursor, upkeep.cursor_length})), BIND_INTEGER(upkeep.page_rows)),
            &rows, ERROR_NONE) != OK) {
        return false;
    }
    struct moment *moments = arena_zero(context->arena, rows.row_count + 1, sizeof *moments);
    size_t count = 0;
    for (size_t i = 0; i < rows.row_count; i++) {
        const struct value *row = result_row(&rows, i);
        if (!row[1].is_null) {
            moments[count++] = (struct moment){row[0].text, row[1].integer};
        }
    }
    bool good = tell_moments(context, moments, count);
    *done_r = good && rows.row_count < upkeep.page_rows;
    if (good && !*done_r) {
        keep_cursor(result_row(&rows, rows.row_count - 1)->text);
    }
    return good;
}

static bool finish_loading(struct context *context)
{
    const char *prefix = context->config->redis_prefix;
    if (keep_lock(context) != CLAIM_OURS || !redis_append(context, "SET " REVOCATION_MARKER_KEY " 1", prefix) ||
        redis_read(context) == NULL) {
        return false;
    }
    upkeep.loading = upkeep.marker_missing = false;
    if (redis_append(context, "DEL " LOADING_KEY, prefix)) {
        redis_read(context);
    }
    /* Where there was nothing to load, as in a new installation, nobody need know. */
    log_write(context, upkeep.loaded > 0 ? LOG_SEVERITY_NOTICE : LOG_SEVERITY_INFO,
              "Redis came back empty: %lld revocations were loaded again", (long long)upkeep.loaded);
    return true;
}

/* Loads one page. */
static void load(struct context *context)
{
    if (!upkeep.loading) {
        upkeep.marker_missing = false; /* the next request sees it again */
        enum claim claimed = claim(context, "SET " LOADING_KEY " %s NX EX %lld", LOADING_SECONDS);
        if (claimed != CLAIM_OURS) {
            load_again_in(WAIT_MIN);
            return;
        }
        begin_loading();
    } else {
        enum claim kept = keep_lock(context);
        if (kept != CLAIM_OURS) {
            upkeep.loading = kept == CLAIM_FAILED;
            upkeep.marker_missing = true; /* start again, in the worker that gets the lock */
            load_again_in(WAIT_MIN);
            return;
        }
    }
    bool done = false;
    bool good = upkeep.sessions_done ? load_moments(context, &done) : load_sessions(context);
    good = good && (!done || finish_loading(context));
    load_again_in(good ? 0 : WAIT_MIN);
}

static int until(int64_t moment)
{
    int64_t left = moment - clock_monotonic_microseconds();
    return left > 0 ? (int)((left + 999) / 1000) : 0;
}

int revocation_store_upkeep(struct context *context)
{
    const struct problem problem = context->problem;
    int64_t now = clock_monotonic_microseconds();
    int milliseconds = -1;
    if (!redis_is_configured(context->config)) {
        return -1;
    }
    if ((upkeep.marker_missing || upkeep.loading) && now >= upkeep.load_at) {
        load(context);
    } else if (now >= upkeep.look_at) {
        tell_all(context);
    }
    if (upkeep.untold) {
        milliseconds = until(upkeep.look_at);
    }
    if ((upkeep.loading || upkeep.marker_missing) && (milliseconds < 0 || until(upkeep.load_at) < milliseconds)) {
        milliseconds = until(upkeep.load_at);
    }
    context->problem = problem;
    return milliseconds;
}
