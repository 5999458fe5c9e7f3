#include "store/user_store.h"

#include "base/email.h"
#include "base/problem.h"
#include "config/config.h"
#include "store/group_store.h"
#include "store/picture_store.h"
#include "store/prefetch.h"
#include "store/row_cache.h"
#include "store/touch_store.h"

/* ---- one user ---- */

enum { PERSON_ROW, PERSON_GROUPS, PERSON_RESULTS };

static bool has_groups(const struct result results[static PERSON_RESULTS])
{
    return results[PERSON_GROUPS].column_count > 0;
}

/* A row of rows_of_one_user as a result; a row of NULL is none. */
static struct result one_row(struct value *row, bool is_there)
{
    is_there = is_there && !row[USER_id].is_null;
    if (is_there) {
        rows_finish_user(row);
    }
    return (struct result){row, is_there, USER_COLUMNS, is_there};
}

static bool take_row(struct context *context, enum prefetch_part part, struct text user_id, struct result *row_r)
{
    struct result rows;
    if (!prefetch_take(context, part, user_id, &rows)) {
        return false;
    }
    *row_r = one_row(rows.values, true);
    return true;
}

static enum outcome take_groups(struct context *context, struct text user_id, struct result *groups_r)
{
    struct result rows;
    if (!prefetch_take(context, PREFETCH_GROUPS, user_id, &rows) &&
        !prefetch_take(context, PREFETCH_OWN_GROUPS, user_id, &rows)) {
        return group_store_names_of_user(context, user_id, groups_r);
    }
    group_store_names_of_rows(context, &rows, groups_r);
    return OK;
}

static enum outcome read_row(struct context *context, struct text user_id, struct result *row_r)
{
    static const char *sql;
    struct result rows;
    rows_statement(&sql, "SELECT %s FROM user u WHERE u.id = ?", rows_of_one_user);
    enum outcome outcome = database_execute(context, sql, PARAMETERS(BIND_TEXT(user_id)), &rows, ERROR_NONE);
    if (outcome == OK) {
        *row_r = one_row(rows.values, rows.row_count > 0);
    }
    return outcome;
}

/* The same with the groups, in one statement if they are few. */
static enum outcome read_row_with_groups(struct context *context, struct text user_id,
                                         struct result results_r[static PERSON_RESULTS])
{
    static const char *sql;
    struct result rows;
    rows_statement(
        &sql, "SELECT %s, " PREFETCH_GROUP_COLUMNS " FROM user u " PREFETCH_GROUP_JOIN " WHERE u.id = ?" PREFETCH_LIMIT,
        rows_of_one_user);
    enum outcome outcome =
        database_execute(context, sql, PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(user_id)), &rows, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    results_r[PERSON_ROW] = one_row(rows.values, rows.row_count > 0);
    if (rows.row_count == PREFETCH_ROWS_MAX) {
        return group_store_names_of_user(context, user_id, &results_r[PERSON_GROUPS]);
    }
    rows.values += USER_COLUMNS;
    group_store_names_of_rows(context, &rows, &results_r[PERSON_GROUPS]);
    return OK;
}

/* From MariaDB what is not there yet. */
static enum outcome read_missing(struct context *context, struct text user_id, bool is_row_there, bool with_groups,
                                 struct result results_r[static PERSON_RESULTS])
{
    if (!is_row_there) {
        results_r[PERSON_GROUPS] = (struct result){.column_count = 0};
        return with_groups ? read_row_with_groups(context, user_id, results_r)
                           : read_row(context, user_id, &results_r[PERSON_ROW]);
    }
    return with_groups && !has_groups(results_r)
               ? group_store_names_of_user(context, user_id, &results_r[PERSON_GROUPS])
               : OK;
}

/* A user's row, and the groups with it where they are wanted: as it was read with the caller, from the table, or else
 * from MariaDB, and then what is known is stored. No row: there is no such user. */
static enum outcome find_person(struct context *context, struct text user_id, bool with_groups,
                                struct result results_r[static PERSON_RESULTS])
{
    if (take_row(context, PREFETCH_CALLER, user_id, &results_r[PERSON_ROW]) ||
        take_row(context, PREFETCH_USER, user_id, &results_r[PERSON_ROW])) {
        return with_groups && results_r[PERSON_ROW].row_count > 0
                   ? take_groups(context, user_id, &results_r[PERSON_GROUPS])
                   : OK;
    }
    struct table_key key = row_cache_row_key(context, 'u', user_id);
    key.concerns[2] = VERSION_GROUPS;
    if (row_cache_get_results(context, &key, results_r, PERSON_RESULTS) && (!with_groups || has_groups(results_r))) {
        return OK;
    }
    const struct table_stamp stamp = row_cache_stamp(context, &key);
    bool is_row_there = row_cache_get_results(context, &key, results_r, PERSON_RESULTS); /* again, under the stamp */
    enum outcome outcome = read_missing(context, user_id, is_row_there, with_groups, results_r);
    if (outcome == OK && results_r[PERSON_ROW].row_count > 0) {
        row_cache_put_results(context, &key, &stamp, results_r, PERSON_RESULTS);
    }
    return outcome;
}

/* The same, with last_active_at as it is noted, be it written or not. */
static enum outcome read_person(struct context *context, struct text user_id, bool with_groups,
                                struct result results_r[static PERSON_RESULTS])
{
    const int64_t noted = touch_table_look(TOUCH_USER, user_id);
    enum outcome outcome = find_person(context, user_id, with_groups, results_r);
    if (outcome == OK && results_r[PERSON_ROW].row_count > 0) {
        touch_store_apply(context, TOUCH_USER, noted, &results_r[PERSON_ROW].values[USER_last_active_at]);
    }
    return outcome;
}

enum outcome user_store_get(struct context *context, struct text user_id, const struct value **user_r)
{
    return user_store_get_with_groups(context, user_id, user_r, NULL);
}

enum outcome user_store_get_with_groups(struct context *context, struct text user_id, const struct value **user_r,
                                        struct result *groups_r)
{
    struct result results[PERSON_RESULTS];
    enum outcome outcome = read_person(context, user_id, groups_r != NULL, results);
    if (outcome == OK && results[PERSON_ROW].row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    if (outcome == OK) {
        picture_store_adopt(context, &results[PERSON_ROW]); /* changes the row */
        *user_r = result_row(&results[PERSON_ROW], 0);
    }
    if (outcome == OK && groups_r != NULL) {
        *groups_r = results[PERSON_GROUPS];
    }
    return outcome;
}

/* What the row says: for programs that get the address alone, or the username, too. */
static struct text elder_of_row(const struct value *row, bool by_username)
{
    for (unsigned i = ELDER_OF_EMAIL; i < (by_username ? PREFETCH_ELDER_COLUMN_COUNT : ELDER_OF_USERNAME); i++) {
        if (!row[i].is_null) {
            return row[i].text;
        }
    }
    return TEXT_NULL;
}

enum outcome user_store_elder(struct context *context, struct text user_id, bool by_username, struct text *elder_r)
{
    struct result rows;
    *elder_r = TEXT_NULL;
    if (prefetch_take(context, PREFETCH_ELDERS, user_id, &rows)) {
        *elder_r = elder_of_row(rows.values, by_username);
        return OK;
    }
    const struct table_key key = row_cache_user_key(context, 'e', user_id, VERSION_ADDRESSES);
    /* an elder may have been deleted since, which concerns only that account */
    if (row_cache_get_results(context, &key, &rows, 1) && elder_of_row(rows.values, by_username).data == NULL) {
        return OK;
    }
    const struct table_stamp stamp = row_cache_stamp(context, &key);
    enum outcome outcome = database_execute(context, "SELECT " PREFETCH_ELDER_COLUMNS " FROM user c WHERE c.id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), &rows, ERROR_NONE);
    if (outcome == OK && rows.row_count > 0) {
        *elder_r = elder_of_row(rows.values, by_username);
        row_cache_put_results(context, &key, &stamp, &rows, 1);
    }
    return outcome;
}

enum outcome user_store_picture(struct context *context, struct text user_id, struct user_picture *picture_r)
{
    static const char *sql;
    struct result result;
    if (!prefetch_take(context, PREFETCH_PORTRAIT, user_id, &result)) {
        rows_statement(&sql, "SELECT %s FROM user u WHERE u.id = ?", rows_of_portrait);
        enum outcome outcome = database_execute(context, sql, PARAMETERS(BIND_TEXT(user_id)), &result, ERROR_NONE);
        if (outcome != OK) {
            return outcome;
        }
    }
    struct value *row = result.values;
    if (result.row_count == 0 || row[PORTRAIT_id].is_null) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    rows_finish_portrait(row);
    *picture_r = (struct user_picture){row[PORTRAIT_id].text, row[PORTRAIT_name].text, row[PORTRAIT_picture].text,
                                       text_is(row[PORTRAIT_picture].text, "data:")};
    return OK;
}

enum outcome user_store_chat_owner(struct context *context, struct text chat_id, struct text caller_id, bool any,
                                   struct text *user_id_r)
{
    return database_get_text(
        context, "SELECT c.user_id FROM chat c WHERE c.id = ? AND (c.share_id IS NOT NULL OR c.user_id = ? OR ?)",
        PARAMETERS(BIND_TEXT(chat_id), BIND_TEXT(caller_id), BIND_INTEGER(any)), user_id_r, ERROR_USER_NOT_FOUND);
}

enum outcome user_store_last_active(struct context *context, struct text user_id, int64_t *last_active_at_r)
{
    struct result results[PERSON_RESULTS];
    struct result rows;
    if (prefetch_take(context, PREFETCH_LAST_ACTIVE, user_id, &rows)) {
        if (!rows.values->is_null) {
            touch_store_lay_over(context, TOUCH_USER, user_id, rows.values);
        }
        *last_active_at_r = value_integer(rows.values, -1);
        return OK;
    }
    enum outcome outcome = read_person(context, user_id, false, results);
    const bool is_there = outcome == OK && results[PERSON_ROW].row_count > 0;
    *last_active_at_r = is_there ? value_integer(&result_row(&results[PERSON_ROW], 0)[USER_last_active_at], -1) : -1;
    return outcome;
}

enum outcome user_store_oauth_sessions(struct context *context, struct text user_id, struct result *sessions_r)
{
    static const char *sql;
    return database_execute(
        context,
        rows_statement(&sql, "SELECT %s FROM oauth_session o WHERE o.user_id = ? ORDER BY o.created_at, o.id",
                       rows_of_oauth_session),
        PARAMETERS(BIND_TEXT(user_id)), sessions_r, ERROR_NONE);
}

enum outcome user_store_primary(struct context *context, struct text *user_id_r)
{
    return database_get_text(context, "SELECT id FROM user ORDER BY created_at, id LIMIT 1", NO_PARAMETERS, user_id_r,
                             ERROR_NONE);
}

enum outcome user_store_a_disabled(struct context *context, struct text *user_id_r)
{
    return database_get_text(context, "SELECT u.id FROM auth a JOIN user u ON u.id = a.id WHERE a.active = 0 LIMIT 1",
                             NO_PARAMETERS, user_id_r, ERROR_NONE);
}

enum outcome user_store_lock(struct context *context, struct text user_id, struct locked_user *user_r)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context,
                                            "SELECT role, email, name, LEFT(profile_image_url, 255), "
                                            "LEFT(profile_banner_image_url, 255) FROM user WHERE id = ? FOR UPDATE",
                                            PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_USER_NOT_FOUND);
    *user_r = outcome == OK ? (struct locked_user){row[0].text, row[1].text, row[2].text, row[3].text, row[4].text}
                            : (struct locked_user){0};
    return outcome;
}

enum outcome user_store_lock_row(struct context *context, struct text user_id, struct result *row_r)
{
    static const char *sql;
    rows_statement(&sql, "SELECT %s FROM user u WHERE u.id = ? FOR UPDATE", rows_of_one_user);
    enum outcome outcome = database_execute(context, sql, PARAMETERS(BIND_TEXT(user_id)), row_r, ERROR_NONE);
    if (outcome == OK) {
        *row_r = one_row(row_r->values, row_r->row_count > 0);
    }
    return outcome == OK && row_r->row_count == 0 ? problem_set(context, ERROR_USER_NOT_FOUND) : outcome;
}

const struct value *user_store_complete(struct context *context, struct result *row)
{
    picture_store_adopt(context, row);
    touch_store_lay_over(context, TOUCH_USER, row->values[USER_id].text, &row->values[USER_last_active_at]);
    return row->values;
}

void user_store_touch(struct context *context, struct text user_id)
{
    if (touch_store_note(context, TOUCH_USER, user_id, user_id)) {
        return;
    }
    database_concerns(user_id);
    database_try(context,
                 DATABASE_NOWAIT "UPDATE user SET " USER_NAMES_KEPT
                                 ", last_active_at = ? WHERE id = ? AND last_active_at <= ?",
                 PARAMETERS(BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id),
                            BIND_INTEGER(context->now_seconds - context->config->last_active_interval)));
}

/* ---- users by email address ---- */

/* Rows that may have this address. For MariaDB's collation, some composed letters are not equal to their decomposed
 * form (Hangul, marks in another order), so both forms are looked up. On the other hand, variants of a letter (full
 * width, ligatures) are equal, so the caller must compare the rows with email_equal. */
static enum outcome find_email(struct context *context, const char *sql, struct text email, struct result *result_r)
{
    struct text composed = email_fold(context->arena, email);
    return database_execute(context, sql,
                            PARAMETERS(BIND_TEXT(composed), BIND_TEXT(text_decompose(context->arena, composed))),
                            result_r, ERROR_NONE);
}

enum outcome user_store_email_taken(struct context *context, struct text email, struct text except_id, bool *taken_r)
{
    struct result result;
    enum outcome outcome = find_email(context, "SELECT id FROM user WHERE email IN (?, ?)", email, &result);
    *taken_r = false;
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        *taken_r = *taken_r || !text_equal(result_row(&result, i)->text, except_id);
    }
    return outcome;
}

enum outcome user_store_emails_taken(struct context *context, const struct text *emails, size_t count, bool *taken_r)
{
    struct text *forms =
        arena_alloc(context->arena, (2 * count + 1) * sizeof *forms); /* both of each: see find_email */
    struct result result;
    for (size_t i = 0; i < count; i++) {
        forms[2 * i] = emails[i];
        forms[2 * i + 1] = text_decompose(context->arena, emails[i]);
    }
    const struct text list = json_list_of_texts(context->arena, forms, 2 * count);
    enum outcome outcome = database_execute(
        context,
        "SELECT j.n, u.email FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, email VARCHAR(255) CHARACTER SET "
        "utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_ci PATH '$')) j STRAIGHT_JOIN user u ON u.email = j.email",
        PARAMETERS(BIND_TEXT(list)), &result, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        const size_t which = (size_t)(row[0].integer - 1) / 2;
        taken_r[which] = taken_r[which] || email_equal(context->arena, row[1].text, emails[which]);
    }
    return outcome;
}

/* The first row whose second column is this address. NULL: there is no such row. */
static const struct value *row_of_email(struct context *context, struct result *result, struct text email)
{
    for (size_t i = 0; i < result->row_count; i++) {
        const struct value *row = result_row(result, i);
        if (email_equal(context->arena, row[1].text, email)) {
            return row;
        }
    }
    return NULL;
}

enum outcome user_store_login(struct context *context, struct text email, struct user_login *login_r)
{
    struct result result;
    memset(login_r, 0, sizeof *login_r);
    enum outcome outcome = find_email(context,
                                      "SELECT u.id, u.email, a.password, a.active, a.must_change FROM user u JOIN auth "
                                      "a ON a.id = u.id WHERE u.email IN (?, ?)",
                                      email, &result);
    const struct value *row = outcome == OK ? row_of_email(context, &result, email) : NULL;
    if (row != NULL) {
        *login_r = (struct user_login){true, row[0].text, row[2].text, row[3].integer != 0, row[4].integer != 0};
    }
    return outcome;
}

enum outcome user_store_find_by_email(struct context *context, struct text email, struct user_login *login_r)
{
    struct result result;
    memset(login_r, 0, sizeof *login_r);
    enum outcome outcome = find_email(
        context, "SELECT u.id, u.email, a.active FROM user u LEFT JOIN auth a ON a.id = u.id WHERE u.email IN (?, ?)",
        email, &result);
    const struct value *row = outcome == OK ? row_of_email(context, &result, email) : NULL;
    if (row != NULL) {
        *login_r = (struct user_login){true, row[0].text, TEXT_NULL, value_integer(&row[2], true) != 0, false};
    }
    return outcome;
}

enum outcome user_store_end_oauth_sessions(struct context *context, struct text user_id, struct text provider)
{
    database_concerns_nobody();
    enum outcome outcome = database_change_row(context, "DELETE FROM oauth_session WHERE user_id = ? AND provider = ?",
                                               PARAMETERS(BIND_TEXT(user_id), BIND_TEXT(provider)), ERROR_NOT_FOUND);
    return outcome == PROBLEM ? problem_set_detail(context, ERROR_NOT_FOUND, 0,
                                                   "You have no session at an identity provider of this name.")
                              : outcome;
}
