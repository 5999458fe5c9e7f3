#include "store/overview_store.h"

#include "store/user_page.h"

#define VALID_SESSION_AT(moment) "s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > " moment ")"

/* ---- accounts ---- */

enum {
    ACCOUNT_id,
    ACCOUNT_is_disabled,
    ACCOUNT_has_password,
    ACCOUNT_must_change,
    ACCOUNT_last_sign_in_at,
    ACCOUNT_last_address,
    ACCOUNT_last_active_at,
    ACCOUNT_session_count,
    ACCOUNT_key_count
};

static struct account_overview overview_of(const struct value *row)
{
    return (struct account_overview){
        .is_disabled = row[ACCOUNT_is_disabled].integer != 0,
        .has_password = row[ACCOUNT_has_password].integer != 0,
        .must_change = row[ACCOUNT_must_change].integer != 0,
        .last_sign_in_at = value_integer(&row[ACCOUNT_last_sign_in_at], -1),
        .last_active_at = value_integer(&row[ACCOUNT_last_active_at], -1),
        .last_address = row[ACCOUNT_last_address].text,
        .session_count = row[ACCOUNT_session_count].integer,
        .key_count = row[ACCOUNT_key_count].integer,
    };
}

enum outcome overview_store_accounts(struct context *context, const struct text *user_ids, size_t count,
                                     struct account_overview *overviews_r)
{
    struct result result;
    for (size_t i = 0; i < count; i++) {
        overviews_r[i] = (struct account_overview){.last_sign_in_at = -1, .last_active_at = -1};
    }
    enum outcome outcome = database_execute_texts(
        context,
        "SELECT u.id, COALESCE(a.active, 1) = 0, COALESCE(a.password, '') <> '', COALESCE(a.must_change, 0), "
        "u.last_sign_in_at, u.last_sign_in_address, " OVERVIEW_LAST_ACTIVE ", "
        "(SELECT COUNT(*) FROM session s WHERE s.user_id = u.id AND " VALID_SESSION_AT(
            "UNIX_TIMESTAMP()") "), "
                                "(SELECT COUNT(*) FROM api_key k WHERE k.user_id = u.id) "
                                "FROM " USER_BY_ID " LEFT JOIN auth a ON a.id = u.id WHERE u.id IN " DATABASE_LIST,
        user_ids, count, &result);
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        for (size_t which = 0; which < count; which++) {
            if (text_equal(user_ids[which], row[ACCOUNT_id].text)) {
                overviews_r[which] = overview_of(row);
            }
        }
    }
    return outcome;
}

/* ---- sessions ---- */

enum outcome overview_store_sessions(struct context *context, const struct session_filter *filter,
                                     struct result *sessions_r)
{
    static const char *sql;
    rows_statement(&sql,
                   "SELECT %s, u.id, u.email, u.name FROM session s JOIN user u ON u.id = s.user_id "
                   "WHERE " VALID_SESSION_AT("?") " AND (? IS NULL OR s.user_id = ?) AND s.created_at <= ? AND "
                                                  "s.last_seen_at BETWEEN ? AND ? ORDER BY s.last_seen_at DESC, s.jti",
                   rows_of_session);
    return database_execute(context, sql,
                            PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(filter->user_id),
                                       BIND_TEXT(filter->user_id), BIND_INTEGER(filter->created_until),
                                       BIND_INTEGER(filter->seen_since), BIND_INTEGER(filter->seen_until)),
                            sessions_r, ERROR_NONE);
}

enum outcome overview_store_session(struct context *context, struct text jti, const struct value **session_r)
{
    static const char *sql;
    rows_statement(&sql,
                   "SELECT %s, u.id, u.email, u.name FROM session s JOIN user u ON u.id = s.user_id WHERE s.jti = ? "
                   "AND " VALID_SESSION_AT("?"),
                   rows_of_session);
    return database_get_row(context, sql, PARAMETERS(BIND_TEXT(jti), BIND_INTEGER(context->now_seconds)), session_r,
                            ERROR_NONE);
}

/* ---- API keys ---- */

enum outcome overview_store_keys(struct context *context, const struct key_filter *filter, struct result *keys_r)
{
    return database_execute(
        context,
        "SELECT k.id, k.is_primary, k.name, IF(k.`key` LIKE 'sha256:%', k.suffix, RIGHT(k.`key`, 4)), k.expires_at, "
        "k.last_used_at, k.routes, k.created_at, u.id, u.email FROM api_key k JOIN user u ON u.id = k.user_id "
        "WHERE (? IS NULL OR k.user_id = ?) AND COALESCE(k.last_used_at, k.created_at) <= ? AND "
        "(? < 0 OR k.expires_at <= ?) ORDER BY u.email, u.id, k.is_primary DESC, k.created_at, k.id",
        PARAMETERS(BIND_TEXT(filter->user_id), BIND_TEXT(filter->user_id), BIND_INTEGER(filter->unused_since),
                   BIND_INTEGER(filter->expired_until), BIND_INTEGER(filter->expired_until)),
        keys_r, ERROR_NONE);
}

/* ---- how many ---- */

enum outcome overview_store_count_accounts(struct context *context, struct result *counts_r)
{
    return database_execute(context, "SELECT role, COUNT(*) FROM user GROUP BY role", NO_PARAMETERS, counts_r,
                            ERROR_NONE);
}

enum outcome overview_store_count_sessions(struct context *context, int64_t *count_r)
{
    return database_get_integer(context, "SELECT COUNT(*) FROM session s WHERE " VALID_SESSION_AT("?"),
                                PARAMETERS(BIND_INTEGER(context->now_seconds)), 0, count_r);
}
