#include "store/overview_store.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "store/session_limit.h"
#include "store/touch_store.h"
#include "store/user_page.h"
#include "store/user_store.h"

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
    ACCOUNT_key_count,
    ACCOUNT_email_verified_at,
    ACCOUNT_has_factor
};

static struct account_overview overview_of(const struct value *row)
{
    return (struct account_overview){
        .is_disabled = row[ACCOUNT_is_disabled].integer != 0,
        .has_password = row[ACCOUNT_has_password].integer != 0,
        .must_change = row[ACCOUNT_must_change].integer != 0,
        .has_factor = row[ACCOUNT_has_factor].integer != 0,
        .last_sign_in_at = value_integer(&row[ACCOUNT_last_sign_in_at], -1),
        .last_active_at = value_integer(&row[ACCOUNT_last_active_at], -1),
        .last_address = row[ACCOUNT_last_address].text,
        .session_count = row[ACCOUNT_session_count].integer,
        .key_count = row[ACCOUNT_key_count].integer,
        .email_verified_at = value_integer(&row[ACCOUNT_email_verified_at], -1),
    };
}

enum outcome overview_store_accounts(struct context *context, const struct text *user_ids, size_t count,
                                     struct account_overview *overviews_r)
{
    struct result result;
    for (size_t i = 0; i < count; i++) {
        overviews_r[i] =
            (struct account_overview){.last_sign_in_at = -1, .last_active_at = -1, .email_verified_at = -1};
    }
    struct parameter parameters[2 + DATABASE_LIST_MAX] = {BIND_INTEGER(context->now_seconds),
                                                          BIND_INTEGER(session_limit_idle_since(context))};
    invariant(count <= DATABASE_LIST_MAX);
    for (size_t i = 0; i < DATABASE_LIST_MAX; i++) {
        parameters[2 + i] = i < count ? BIND_TEXT(user_ids[i]) : BIND_NULL;
    }
    enum outcome outcome = database_execute(
        context,
        "SELECT u.id, COALESCE(a.active, 1) = 0, COALESCE(a.has_password, 0), COALESCE(a.must_change, 0), "
        "u.last_sign_in_at, u.last_sign_in_address, " OVERVIEW_LAST_ACTIVE ", "
        "(SELECT COUNT(*) FROM session s WHERE s.user_id = u.id AND " SESSION_IS_VALID(
            "?", "?") "), "
                      "(SELECT COUNT(*) FROM api_key k WHERE k.user_id = u.id), u.email_verified_at, "
                      "COALESCE(a.factor_state, 0) = 1 "
                      "FROM " USER_BY_ID " LEFT JOIN auth a ON a.id = u.id WHERE u.id IN " DATABASE_LIST,
        parameters, ARRAY_COUNT(parameters), &result, ERROR_NONE);
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

/* A few names are found by their index alone; then who has them. */
#define ELDERS_OF(column, name)                                                                                  \
    "(SELECT u.id, u." name " COLLATE utf8mb4_bin, o.id, o." name " COLLATE utf8mb4_bin FROM (SELECT " column    \
    " AS folded FROM user WHERE " column " IS NOT NULL GROUP BY " column " HAVING COUNT(*) > 1 LIMIT 5) shared " \
    "JOIN user u ON u." column " = shared.folded JOIN user o ON o." column " = shared.folded AND "               \
    "(o.created_at < u.created_at OR (o.created_at = u.created_at AND o.id < u.id)) LIMIT 5)"

enum outcome overview_store_elders(struct context *context, bool by_username, struct result *pairs_r)
{
    return database_execute(
        context,
        by_username ? ELDERS_OF("username", "username") " UNION ALL " ELDERS_OF("username_general", "username")
                    : ELDERS_OF("email_order", "email") " UNION ALL " ELDERS_OF("email_general", "email"),
        NO_PARAMETERS, pairs_r, ERROR_NONE);
}

/* ---- sessions ---- */

enum outcome overview_store_sessions(struct context *context, const struct session_filter *filter,
                                     struct result *sessions_r)
{
    static const char *sql;
    rows_statement(
        &sql,
        "SELECT %s, u.id, u.email, u.name FROM session s JOIN user u ON u.id = s.user_id "
        "WHERE " SESSION_IS_VALID("?", "?") " AND (? IS NULL OR s.user_id = ?) AND s.created_at <= ? AND "
                                            "s.last_seen_at BETWEEN ? AND ? ORDER BY s.last_seen_at DESC, s.jti",
        rows_of_session);
    return database_execute(context, sql,
                            PARAMETERS(BIND_INTEGER(context->now_seconds),
                                       BIND_INTEGER(session_limit_idle_since(context)), BIND_TEXT(filter->user_id),
                                       BIND_TEXT(filter->user_id), BIND_INTEGER(filter->created_until),
                                       BIND_INTEGER(filter->seen_since), BIND_INTEGER(filter->seen_until)),
                            sessions_r, ERROR_NONE);
}

enum outcome overview_store_sessions_by_key(struct context *context, struct result *counts_r)
{
    return database_execute(
        context, "SELECT s.key_id, COUNT(*) FROM session s WHERE " SESSION_IS_VALID("?", "?") " GROUP BY s.key_id",
        PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_INTEGER(session_limit_idle_since(context))), counts_r,
        ERROR_NONE);
}

/* A page of one of the tables: which rows are on it, then what is shown of them, and how many rows there are. */
struct page_source {
    const char *table;   /* as "session s" */
    const char *alias;   /* of it: "s." */
    const char *id;      /* the column that is its primary key */
    const char *where;   /* a condition, with two parameters at most */
    const char *columns; /* of it and of `user u`; the first is the primary key */
    unsigned created_at; /* the index of that column */
};

static const char *conditions(struct context *context, const struct page_source *source,
                              const struct overview_page *page, struct parameter *parameters, size_t *count)
{
    const struct text pattern = user_page_pattern(context->arena, page->query);
    struct buffer sql;
    buffer_init(&sql, context->arena);
    buffer_add_format(
        &sql, "%s%s WHERE %s", source->table,
        pattern.data != NULL ? text_format(context->arena, " JOIN user u ON u.id = %suser_id", source->alias).data : "",
        source->where);
    if (page->user_id.data != NULL) {
        buffer_add_format(&sql, " AND %suser_id = ?", source->alias);
        parameters[(*count)++] = BIND_TEXT(page->user_id);
    }
    if (pattern.data != NULL) {
        buffer_add_string(&sql, " AND (u.name LIKE ? OR u.email_order LIKE ?)");
        parameters[(*count)++] = BIND_TEXT(pattern);
        parameters[(*count)++] = BIND_TEXT(pattern);
    }
    return buffer_text(&sql).data;
}

/* The row behind those of the page shows that there are more, and is not given. */
static void end_page(const struct page_source *source, struct result *rows, struct overview_page_end *end)
{
    end->has_more = rows->row_count > OVERVIEW_PAGE_ROWS;
    rows->row_count -= end->has_more;
    if (rows->row_count > 0) {
        const struct value *last = result_row(rows, rows->row_count - 1);
        end->created_at = last[source->created_at].integer;
        end->id = last[0].text;
    }
}

static enum outcome read_page(struct context *context, const struct page_source *source, struct parameter *parameters,
                              size_t count, const struct overview_page *page, struct result *rows_r,
                              struct overview_page_end *end_r)
{
    const int64_t number = page->page < 1 ? 1 : page->page > INT32_MAX ? INT32_MAX : page->page;
    const char *from = conditions(context, source, page, parameters, &count);
    const char *count_sql = text_format(context->arena, "SELECT COUNT(*) FROM %s", from).data;
    const char *behind = "";
    *end_r = (struct overview_page_end){.total = 0};
    enum outcome outcome = database_get_integer(context, count_sql, parameters, count, 0, &end_r->total);
    if (page->is_behind) {
        behind = text_format(context->arena, " AND (%screated_at < ? OR (%screated_at = ? AND %s%s < ?))",
                             source->alias, source->alias, source->alias, source->id)
                     .data;
        parameters[count++] = BIND_INTEGER(page->created_at);
        parameters[count++] = BIND_INTEGER(page->created_at);
        parameters[count++] = BIND_TEXT(page->id);
    }
    const char *order =
        text_format(context->arena, "%screated_at DESC, %s%s DESC", source->alias, source->alias, source->id).data;
    const char *sql =
        text_format(context->arena,
                    "SELECT %s FROM (SELECT %s%s AS id FROM %s%s ORDER BY %s LIMIT ? OFFSET ?) page JOIN %s ON %s%s = "
                    "page.id JOIN user u ON u.id = %suser_id ORDER BY %s",
                    source->columns, source->alias, source->id, from, behind, order, source->table, source->alias,
                    source->id, source->alias, order)
            .data;
    parameters[count++] = BIND_INTEGER(OVERVIEW_PAGE_ROWS + 1);
    parameters[count++] = BIND_INTEGER(page->is_behind ? 0 : (number - 1) * OVERVIEW_PAGE_ROWS);
    if (outcome == OK) {
        outcome = database_execute(context, sql, parameters, count, rows_r, ERROR_NONE);
    }
    if (outcome == OK) {
        end_page(source, rows_r, end_r);
    }
    return outcome;
}

/* Those of `where`, three of the conditions, three of the row before, and two for the place of the page. */
enum { PAGE_PARAMETERS = 10 };

enum outcome overview_store_session_page(struct context *context, const struct overview_page *page,
                                         struct result *sessions_r, struct overview_page_end *end_r)
{
    const struct page_source source = {
        .table = "session s",
        .alias = "s.",
        .id = "jti",
        .where = SESSION_IS_VALID("?", "?"),
        .columns = text_format(context->arena, "%s, u.id, u.email, u.name", rows_of_session).data,
        .created_at = SESSION_created_at,
    };
    struct parameter parameters[PAGE_PARAMETERS] = {BIND_INTEGER(context->now_seconds),
                                                    BIND_INTEGER(session_limit_idle_since(context))};
    enum outcome outcome = read_page(context, &source, parameters, 2, page, sessions_r, end_r);
    if (outcome == OK) {
        touch_store_lay_over_rows(context, TOUCH_SESSION, sessions_r, SESSION_jti, SESSION_last_seen_at);
    }
    return outcome;
}

enum outcome overview_store_session(struct context *context, struct text jti, const struct value **session_r)
{
    static const char *sql;
    rows_statement(&sql,
                   "SELECT %s, u.id, u.email, u.name FROM session s JOIN user u ON u.id = s.user_id WHERE s.jti = ? "
                   "AND " SESSION_IS_VALID("?", "?"),
                   rows_of_session);
    return database_get_row(
        context, sql,
        PARAMETERS(BIND_TEXT(jti), BIND_INTEGER(context->now_seconds), BIND_INTEGER(session_limit_idle_since(context))),
        session_r, ERROR_NONE);
}

/* ---- API keys ---- */

/* The columns of enum overview_key_column. */
#define KEY_COLUMNS                                                                                        \
    "k.id, k.is_primary, k.name, IF(k.`key` LIKE 'sha256:%', k.suffix, RIGHT(k.`key`, 4)), k.expires_at, " \
    "k.last_used_at, k.routes, k.created_at, u.id, u.email"

enum outcome overview_store_key_page(struct context *context, const struct overview_page *page, struct result *keys_r,
                                     struct overview_page_end *end_r)
{
    static const struct page_source source = {.table = "api_key k",
                                              .alias = "k.",
                                              .id = "id",
                                              .where = "TRUE",
                                              .columns = KEY_COLUMNS,
                                              .created_at = OVERVIEW_KEY_created_at};
    struct parameter parameters[PAGE_PARAMETERS];
    enum outcome outcome = read_page(context, &source, parameters, 0, page, keys_r, end_r);
    if (outcome == OK) {
        touch_store_lay_over_rows(context, TOUCH_KEY, keys_r, OVERVIEW_KEY_id, OVERVIEW_KEY_last_used_at);
    }
    return outcome;
}

enum outcome overview_store_keys(struct context *context, const struct key_filter *filter, struct result *keys_r)
{
    return database_execute(
        context,
        "SELECT " KEY_COLUMNS " FROM api_key k JOIN user u ON u.id = k.user_id "
        "WHERE (? IS NULL OR k.user_id = ?) AND COALESCE(k.last_used_at, k.created_at) <= ? AND "
        "(? < 0 OR k.expires_at <= ?) ORDER BY u.email, u.id, k.is_primary DESC, k.created_at, k.id",
        PARAMETERS(BIND_TEXT(filter->user_id), BIND_TEXT(filter->user_id), BIND_INTEGER(filter->unused_since),
                   BIND_INTEGER(filter->expired_until), BIND_INTEGER(filter->expired_until)),
        keys_r, ERROR_NONE);
}

/* ---- how many ---- */

bool overview_store_count_accounts(struct context *context, struct result *counts_r)
{
    return database_try_read(context, DATABASE_BRIEFLY "SELECT role, COUNT(*) FROM user GROUP BY role", NO_PARAMETERS,
                             counts_r);
}

static bool count_briefly(struct context *context, const char *sql, const struct parameter *parameters,
                          size_t parameter_count, int64_t *count_r)
{
    struct result found;
    const bool is_counted = database_try_read(context, sql, parameters, parameter_count, &found);
    *count_r = is_counted ? result_row(&found, 0)->integer : 0;
    return is_counted;
}

/* As the filter active_since does, it leaves out who was never active since the account was made. */
bool overview_store_count_active(struct context *context, int64_t *count_r)
{
    return count_briefly(
        context, DATABASE_BRIEFLY "SELECT COUNT(*) FROM user WHERE last_active_at >= ? AND last_active_at > created_at",
        PARAMETERS(BIND_INTEGER(context->now_seconds - USER_ACTIVE_SECONDS)), count_r);
}

bool overview_store_count_sessions(struct context *context, int64_t *count_r)
{
    return count_briefly(
        context, DATABASE_BRIEFLY "SELECT COUNT(*) FROM session s WHERE " SESSION_IS_VALID("?", "?"),
        PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_INTEGER(session_limit_idle_since(context))), count_r);
}
