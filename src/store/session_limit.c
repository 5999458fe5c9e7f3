#include "store/session_limit.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/revocation_store.h"
#include "store/touch_store.h"
#include "store/version_words.h"

/* ---- sessions that nobody uses ---- */

int64_t session_limit_idle_since(const struct context *context)
{
    const struct config *config = context->config;
    return config->session_idle > 0
               ? context->now_seconds - config->session_idle - touch_store_interval(config, TOUCH_SESSION)
               : INT64_MIN;
}

bool session_limit_is_idle(const struct context *context, struct text jti, int64_t last_seen_at)
{
    const int64_t since = session_limit_idle_since(context);
    return last_seen_at <= since && touch_table_look(TOUCH_SESSION, jti) <= since;
}

int64_t session_limit_idle_end(const struct context *context, int64_t last_seen_at)
{
    const int64_t since = session_limit_idle_since(context);
    return since == INT64_MIN ? -1 : last_seen_at + (context->now_seconds - since);
}

/* Ends a session whose row this transaction has locked. `reason`: the directive. */
static enum outcome end_row(struct context *context, const struct value *row, const char *reason, bool by_subject)
{
    const struct text jti = row[0].text, user_id = row[1].text;
    enum outcome outcome =
        database_execute(context, "UPDATE session SET revoked_at = ? WHERE jti = ? AND revoked_at IS NULL",
                         PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(jti)), NULL, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    audit_store_note(
        context, &(struct audit_note){AUDIT_session_end, .subject_id = user_id, .object = jti, .by_subject = by_subject,
                                      .detail = audit_store_member(context->arena, "reason", text_of(reason))});
    return revocation_store_note(context, user_id, jti, jti, value_integer(&row[2], -1));
}

/* ---- too many of one user ---- */

enum { OLDEST_MAX = 1000 }; /* that one sign-in ends: the next one ends more */

enum outcome session_limit_end_oldest(struct context *context, struct text user_id, struct text kept)
{
    struct result sessions;
    enum outcome outcome = database_execute(
        context,
        "SELECT s.jti, s.user_id, s.expires_at FROM session s WHERE s.user_id = ? AND s.jti <> ? AND " SESSION_IS_VALID(
            "?", "?") " ORDER BY s.created_at DESC, s.jti LIMIT ? OFFSET ? FOR UPDATE",
        PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(kept), BIND_INTEGER(context->now_seconds),
                   BIND_INTEGER(session_limit_idle_since(context)), BIND_INTEGER(OLDEST_MAX),
                   BIND_INTEGER(context->config->sessions_per_user - 1)),
        &sessions, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < sessions.row_count; i++) {
        outcome = end_row(context, result_row(&sessions, i), "sessions_per_user", true);
    }
    return outcome;
}

/* ---- the housekeeper ---- */

enum {
    PAGE_ROWS = 500,
    ENDED_MAX = DATABASE_LIST_MAX, /* in a transaction */
    PASS_SECONDS = 60,             /* or a tenth of session_idle, if that is shorter */
    MARGIN_SECONDS = 60,           /* other hosts may have noted a time that is not written yet */
    CURSOR_BYTES = 1024            /* 255 characters */
};

static struct sweep {
    char cursor[CURSOR_BYTES]; /* the jti of the last row that was looked at */
    size_t cursor_length;
    int64_t begun_at; /* monotonic microseconds */
    bool is_done;     /* with all rows, since begun_at */
} sweep = {.is_done = true};

struct sweeping {
    struct parameter jtis[ENDED_MAX];
    size_t count;
    int64_t since;
};

static enum outcome end_idle_within(struct context *context, void *argument)
{
    const struct sweeping *found = argument;
    struct parameter parameters[ENDED_MAX + 1];
    struct result sessions;
    memcpy(parameters, found->jtis, sizeof found->jtis);
    parameters[ENDED_MAX] = BIND_INTEGER(found->since);
    /* what another transaction locks is looked at again in the next pass */
    enum outcome outcome =
        database_execute(context,
                         "SELECT s.jti, s.user_id, s.expires_at FROM session s WHERE s.jti "
                         "IN " DATABASE_LIST " AND s.revoked_at IS NULL AND s.last_seen_at <= ? FOR UPDATE SKIP LOCKED",
                         parameters, ENDED_MAX + 1, &sessions, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < sessions.row_count; i++) {
        outcome = end_row(context, result_row(&sessions, i), "session_idle", false);
    }
    return outcome;
}

/* Ends what was found. */
static enum outcome end_idle(struct context *context, struct sweeping *found)
{
    for (size_t i = found->count; i < ENDED_MAX; i++) {
        found->jtis[i] = BIND_NULL;
    }
    database_concerns_nobody(); /* the table is told below, of each session */
    enum outcome outcome = found->count > 0 ? database_transaction(context, end_idle_within, found) : OK;
    for (size_t i = 0; i < found->count; i++) {
        version_words_forget(found->jtis[i].text);
    }
    return outcome;
}

static bool begins_now(const struct config *config)
{
    const int64_t now = clock_monotonic_microseconds();
    const int64_t tenth = config->session_idle / 10, seconds = tenth < PASS_SECONDS ? tenth : PASS_SECONDS;
    if (sweep.is_done && (sweep.begun_at == 0 || now - sweep.begun_at >= seconds * INT64_C(1000000))) {
        sweep = (struct sweep){.begun_at = now};
    }
    return !sweep.is_done;
}

static void go_behind(struct text jti)
{
    invariant(jti.length <= sizeof sweep.cursor);
    memcpy(sweep.cursor, jti.data, jti.length);
    sweep.cursor_length = jti.length;
}

enum outcome session_limit_sweep(struct context *context)
{
    struct result rows;
    struct sweeping found = {.since = session_limit_idle_since(context)};
    if (found.since == INT64_MIN || !begins_now(context->config)) {
        return OK;
    }
    found.since -= MARGIN_SECONDS;
    /* pages by the primary key, without a filter, so that a page is limited work */
    enum outcome outcome = database_execute(
        context,
        "SELECT s.jti, s.last_seen_at, s.revoked_at FROM session s WHERE s.jti > ? ORDER BY s.jti "
        "LIMIT ?",
        PARAMETERS(BIND_TEXT(((struct text){sweep.cursor, sweep.cursor_length})), BIND_INTEGER(PAGE_ROWS)), &rows,
        ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    size_t looked_at = 0;
    for (; looked_at < rows.row_count && found.count < ENDED_MAX; looked_at++) {
        const struct value *row = result_row(&rows, looked_at);
        if (row[2].is_null && row[1].integer <= found.since) {
            found.jtis[found.count++] = BIND_TEXT(row[0].text);
        }
    }
    outcome = end_idle(context, &found);
    if (outcome == OK) {
        sweep.is_done = looked_at == rows.row_count && rows.row_count < PAGE_ROWS;
        if (looked_at > 0) {
            go_behind(result_row(&rows, looked_at - 1)->text);
        }
    }
    return outcome;
}
