#include "store/user_store.h"

#include "auth/token.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"
#include "store/config_store.h"
#include "store/picture_store.h"
#include "store/session_store.h"

#define COUNT(parameters) (sizeof(parameters) / sizeof(parameters)[0])

/* ---- one user ---- */

enum outcome user_store_get(struct context *context, struct text user_id, const struct value **user_r)
{
    static const char *sql;
    struct result result;
    enum outcome outcome = database_execute(
        context, rows_statement(&sql, "SELECT %s FROM user u WHERE u.id = ?", rows_list_of(user_columns)),
        (struct parameter[]){BIND_TEXT(user_id)}, 1, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    outcome = picture_store_adopt(context, &result, USER_id, USER_profile_image_url);
    *user_r = result_row(&result, 0);
    return outcome;
}

enum outcome user_store_chat_owner(struct context *context, struct text chat_id, struct text caller_id, bool any, struct text *user_id_r)
{
    struct result result;
    enum outcome outcome = database_execute(
        context, "SELECT c.user_id FROM chat c WHERE c.id = ? AND (c.share_id IS NOT NULL OR c.user_id = ? OR ?)",
        (struct parameter[]){BIND_TEXT(chat_id), BIND_TEXT(caller_id), BIND_INTEGER(any)}, 3, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    *user_id_r = result_row(&result, 0)->text;
    return OK;
}

enum outcome user_store_last_active(struct context *context, struct text user_id, int64_t *last_active_at_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT last_active_at FROM user WHERE id = ?",
                                            (struct parameter[]){BIND_TEXT(user_id)}, 1, &result, ERROR_NONE);
    if (outcome == OK) {
        *last_active_at_r = result.row_count > 0 ? result_row(&result, 0)->integer : -1;
    }
    return outcome;
}

enum outcome user_store_oauth_sessions(struct context *context, struct text user_id, struct result *sessions_r)
{
    static const char *sql;
    return database_execute(context,
                            rows_statement(&sql, "SELECT %s FROM oauth_session o WHERE o.user_id = ? ORDER BY o.created_at, o.id",
                                           rows_list_of(oauth_session_columns)),
                            (struct parameter[]){BIND_TEXT(user_id)}, 1, sessions_r, ERROR_NONE);
}

/* ---- lists ---- */

/* What lists can be ordered by: the name in the query, and the column whose index serves it. */
static const struct {
    const char *name, *column;
} orders[] = {
    {"name", "name"},
    {"email", "email_order"},
    {"created_at", "created_at"},
    {"last_active_at", "last_active_at"},
    {"updated_at", "updated_at"},
    {"role", "role"},
};

/* `%text%` for LIKE, where `%`, `_` and `\` in the text stand for themselves. */
static struct text like_pattern(struct arena *arena, struct text query)
{
    struct buffer pattern;
    buffer_init(&pattern, arena);
    buffer_add_byte(&pattern, '%');
    for (size_t i = 0; i < query.length; i++) {
        if (query.data[i] == '%' || query.data[i] == '_' || query.data[i] == '\\') {
            buffer_add_byte(&pattern, '\\');
        }
        buffer_add_byte(&pattern, query.data[i]);
    }
    buffer_add_byte(&pattern, '%');
    return buffer_text(&pattern);
}

enum outcome user_store_list(struct context *context, const struct user_listing *listing, struct result *users_r, int64_t *total_r)
{
    static const char group_prefix[] = "group_id:";
    struct arena *arena = context->arena;
    bool by_group = listing->order_by.data != NULL && text_starts_with(listing->order_by, group_prefix);
    const char *direction = listing->ascending ? "ASC" : "DESC";
    const char *order = "created_at";
    bool known = by_group;
    for (size_t i = 0; i < COUNT(orders); i++) {
        if (listing->order_by.data != NULL && text_is(listing->order_by, orders[i].name)) {
            order = orders[i].column;
            known = true;
        }
    }
    if (!known) {
        direction = "DESC";
    }

    struct parameter parameters[8];
    size_t count = 0;
    const char *filter = "";
    if (listing->query.length > 0) {
        filter = " WHERE (u.name LIKE ? OR u.email_order LIKE ?)";
    }
    struct parameter pattern = BIND_TEXT(like_pattern(arena, listing->query));
    for (int i = 0; i < 2 && filter[0] != '\0'; i++) {
        parameters[count++] = pattern;
    }
    const char *key = "";
    const char *by;
    if (by_group) {
        size_t length = sizeof group_prefix - 1;
        key = ", EXISTS (SELECT 1 FROM group_member m WHERE m.user_id = u.id AND m.group_id = ?) AS member";
        parameters[count++] =
            BIND_TEXT(((struct text){listing->order_by.data + length, listing->order_by.length - length}));
        by = text_format(arena, "member %s, u.name ASC, u.id ASC", direction).data;
    } else {
        by = text_format(arena, "u.%s %s, u.id %s", order, direction, direction).data;
    }
    for (int i = 0; i < 2 && filter[0] != '\0'; i++) {
        parameters[count++] = pattern;
    }
    int64_t page = listing->page < 1 ? 1 : listing->page > INT32_MAX ? INT32_MAX : listing->page;
    parameters[count++] = BIND_INTEGER((page - 1) * USER_PAGE_ROWS);

    /* The inner SELECT finds the ids of the page in an index alone; the rows are joined to these 30. The count comes first, so that
     * a page behind the last still gives it. */
    const char *columns = listing->whole ? rows_list_of(user_columns) : rows_list_of(user_info_columns);
    const char *sql =
        text_format(arena,
                    "SELECT %s, counted.total FROM (SELECT COUNT(*) AS total FROM user u%s) counted "
                    "LEFT JOIN (SELECT u.id%s FROM user u%s ORDER BY %s LIMIT %d OFFSET ?) page ON TRUE "
                    "LEFT JOIN user u ON u.id = page.id ORDER BY %s",
                    columns, filter, key, filter, by, USER_PAGE_ROWS, by)
            .data;
    enum outcome outcome = database_execute(context, sql, parameters, count, users_r, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    invariant(users_r->row_count > 0);
    *total_r = result_row(users_r, 0)[users_r->column_count - 1].integer;
    unsigned id_column = listing->whole ? (unsigned)USER_id : (unsigned)USER_INFO_id;
    if (result_row(users_r, 0)[id_column].is_null) { /* nothing but the count */
        users_r->row_count = 0;
    }
    return listing->whole ? picture_store_adopt(context, users_r, USER_id, USER_profile_image_url) : OK;
}

enum outcome user_store_all(struct context *context, struct result *users_r)
{
    static const char *sql;
    return database_execute(
        context,
        rows_statement(&sql, "SELECT %s FROM user u ORDER BY u.created_at DESC, u.id DESC", rows_list_of(user_info_columns)), NULL, 0,
        users_r, ERROR_NONE);
}

enum outcome user_store_members(struct context *context, struct text group_id, struct result *users_r)
{
    static const char *sql;
    return database_execute(context,
                            rows_statement(&sql,
                                           "SELECT %s FROM group_member m JOIN user u ON u.id = m.user_id WHERE m.group_id = ? "
                                           "ORDER BY m.created_at, m.id",
                                           rows_list_of(user_info_columns)),
                            (struct parameter[]){BIND_TEXT(group_id)}, 1, users_r, ERROR_NONE);
}

/* ---- JSON columns ---- */

/* The statements for the columns that hold an object of the user's own. */
static const struct {
    enum user_column column;
    const char *get, *lock, *set;
} json_columns[] = {
    {USER_info, "SELECT info FROM user WHERE id = ?", "SELECT info FROM user WHERE id = ? FOR UPDATE",
     "UPDATE user SET info = ?, updated_at = ? WHERE id = ?"},
    {USER_settings, "SELECT settings FROM user WHERE id = ?", "SELECT settings FROM user WHERE id = ? FOR UPDATE",
     "UPDATE user SET settings = ?, updated_at = ? WHERE id = ?"},
};

static size_t json_column_index(enum user_column column)
{
    size_t index = 0;
    while (json_columns[index].column != column) {
        index++;
        invariant(index < COUNT(json_columns));
    }
    return index;
}

static enum outcome read_json(struct context *context, const char *sql, struct text user_id, struct text *json_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, sql, (struct parameter[]){BIND_TEXT(user_id)}, 1, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    *json_r = result_row(&result, 0)->text;
    return OK;
}

enum outcome user_store_get_json(struct context *context, struct text user_id, enum user_column column, struct text *json_r)
{
    return read_json(context, json_columns[json_column_index(column)].get, user_id, json_r);
}

struct merge {
    struct text user_id;
    size_t column;
    json_object *members;
    struct text whole;
};

static enum outcome merge_json(struct context *context, void *argument)
{
    struct merge *merge = argument;
    struct text stored;
    enum outcome outcome = read_json(context, json_columns[merge->column].lock, merge->user_id, &stored);
    if (outcome != OK) {
        return outcome;
    }
    json_object *whole = json_parse(context->arena, stored);
    if (json_object_get_type(whole) != json_type_object) {
        whole = json_keep(context->arena, json_object_new_object());
    }
    json_object_object_foreach(merge->members, key, value)
    {
        json_object_object_add(whole, key, json_object_get(value));
    }
    if (json_columns[merge->column].column == USER_settings && !json_object_object_get_ex(whole, "ui", NULL)) {
        json_object_object_add(whole, "ui", json_object_new_object()); /* wherever settings are shown, they have it */
    }
    merge->whole = json_print(context->arena, whole);
    if ((int64_t)merge->whole.length > context->config->request_body_limit) {
        return problem_set_detail(context, ERROR_CONTENT_TOO_LARGE, 0, "Together with what is stored already this is larger than this server takes.");
    }
    return database_execute(
        context, json_columns[merge->column].set,
        (struct parameter[]){BIND_TEXT(merge->whole), BIND_INTEGER(context->now_seconds), BIND_TEXT(merge->user_id)}, 3, NULL, ERROR_NONE);
}

enum outcome user_store_merge_json(struct context *context, struct text user_id, enum user_column column, json_object *members,
                                   struct text *json_r)
{
    struct merge merge = {user_id, json_column_index(column), members, {NULL, 0}};
    enum outcome outcome = database_transaction(context, merge_json, &merge);
    *json_r = merge.whole;
    return outcome;
}

/* ---- changes by the user ---- */

/* A statement that changes one user's row: USER_NOT_FOUND where there is none. */
static enum outcome change_user(struct context *context, const char *sql, const struct parameter *parameters, size_t count)
{
    struct result result;
    enum outcome outcome = database_execute(context, sql, parameters, count, &result, ERROR_EMAIL_TAKEN);
    return outcome == OK && result.affected_rows == 0 ? problem_set(context, ERROR_USER_NOT_FOUND) : outcome;
}

enum outcome user_store_set_status(struct context *context, struct text user_id, const struct user_status *status)
{
    if (status->emoji.data == NULL && status->message.data == NULL && !status->has_expiry) {
        return OK;
    }
    struct parameter parameters[] = {BIND_TEXT(status->emoji), BIND_TEXT(status->message),
                                     status->has_expiry ? BIND_INTEGER(status->expires_at) : BIND_NULL,
                                     BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)};
    return change_user(context,
                       "UPDATE user SET status_emoji = COALESCE(?, status_emoji), status_message = COALESCE(?, status_message), "
                       "status_expires_at = COALESCE(?, status_expires_at), updated_at = ? WHERE id = ?",
                       parameters, COUNT(parameters));
}

enum outcome user_store_set_timezone(struct context *context, struct text user_id, struct text timezone)
{
    struct parameter parameters[] = {BIND_TEXT(timezone), BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)};
    return change_user(context, "UPDATE user SET timezone = ?, updated_at = ? WHERE id = ?", parameters, COUNT(parameters));
}

/* What a row holds as its picture, locked: to be dropped when it is replaced. */
static enum outcome lock_user(struct context *context, struct text user_id, const struct value **row_r)
{
    struct result result;
    enum outcome outcome =
        database_execute(context, "SELECT role, email, LEFT(profile_image_url, 255) FROM user WHERE id = ? FOR UPDATE",
                         (struct parameter[]){BIND_TEXT(user_id)}, 1, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    *row_r = result_row(&result, 0);
    return OK;
}

struct profile_update {
    struct text user_id;
    const struct user_profile *profile;
};

static enum outcome update_profile(struct context *context, void *argument)
{
    const struct profile_update *update = argument;
    const struct user_profile *profile = update->profile;
    const struct value *old;
    enum outcome outcome = lock_user(context, update->user_id, &old);
    if (outcome == OK) {
        outcome = picture_store_keep(context, profile->new_picture);
    }
    if (outcome == OK) {
        struct parameter parameters[] = {BIND_TEXT(profile->picture),
                                         BIND_TEXT(profile->name),
                                         BIND_TEXT(profile->bio),
                                         BIND_TEXT(profile->gender),
                                         BIND_TEXT(profile->date_of_birth),
                                         BIND_INTEGER(context->now_seconds),
                                         BIND_TEXT(update->user_id)};
        outcome = change_user(context,
                              "UPDATE user SET profile_image_url = ?, name = ?, bio = ?, gender = ?, date_of_birth = ?, updated_at = ? "
                              "WHERE id = ?",
                              parameters, COUNT(parameters));
    }
    if (outcome == OK && !text_equal(old[2].text, profile->picture)) {
        outcome = picture_store_drop_unused(context, old[2].text);
    }
    return outcome;
}

enum outcome user_store_set_profile(struct context *context, struct text user_id, const struct user_profile *profile)
{
    struct profile_update update = {user_id, profile};
    return database_transaction(context, update_profile, &update);
}

/* ---- changes by an administrator ---- */

enum outcome user_store_primary(struct context *context, struct text *user_id_r)
{
    struct result result;
    enum outcome outcome =
        database_execute(context, "SELECT id FROM user ORDER BY created_at, id LIMIT 1", NULL, 0, &result, ERROR_NONE);
    if (outcome == OK) {
        *user_id_r = result.row_count > 0 ? result_row(&result, 0)->text : (struct text){NULL, 0};
    }
    return outcome;
}

enum outcome user_store_email_taken(struct context *context, struct text email, struct text except_id, bool *taken_r)
{
    struct result result;
    enum outcome outcome =
        database_execute(context, "SELECT id FROM user WHERE email = ?", (struct parameter[]){BIND_TEXT(email)}, 1, &result, ERROR_NONE);
    if (outcome == OK) {
        *taken_r = result.row_count > 0 && !text_equal(result_row(&result, 0)->text, except_id);
    }
    return outcome;
}

/* Puts a hash into the user's row of `auth`, which an account without a password does not have yet. */
static enum outcome put_password(struct context *context, struct text user_id, struct text email, struct text hash)
{
    struct result result;
    enum outcome outcome = database_execute(context, "UPDATE auth SET password = ? WHERE id = ?",
                                            (struct parameter[]){BIND_TEXT(hash), BIND_TEXT(user_id)}, 2, &result, ERROR_NONE);
    if (outcome == OK && result.affected_rows == 0) {
        outcome = database_execute(context, "INSERT INTO auth (id, email, password, active) VALUES (?, ?, ?, 1)",
                                   (struct parameter[]){BIND_TEXT(user_id), BIND_TEXT(email), BIND_TEXT(hash)}, 3, NULL, ERROR_EMAIL_TAKEN);
    }
    return outcome;
}

struct change_call {
    struct text user_id;
    struct user_change *change;
};

static enum outcome change_within(struct context *context, void *argument)
{
    const struct change_call *call = argument;
    struct user_change *change = call->change;
    const struct value *old;
    enum outcome outcome = lock_user(context, call->user_id, &old);
    if (outcome == OK) {
        outcome = picture_store_keep(context, change->new_picture);
    }
    if (outcome == OK) {
        struct parameter parameters[] = {BIND_TEXT(change->role),
                                         BIND_TEXT(change->name),
                                         BIND_TEXT(change->email),
                                         BIND_TEXT(change->picture),
                                         BIND_INTEGER(context->now_seconds),
                                         BIND_TEXT(call->user_id)};
        outcome = change_user(context, "UPDATE user SET role = ?, name = ?, email = ?, profile_image_url = ?, updated_at = ? WHERE id = ?",
                              parameters, COUNT(parameters));
    }
    if (outcome == OK && !text_equal(old[1].text, change->email)) {
        outcome = database_execute(context, "UPDATE auth SET email = ? WHERE id = ?",
                                   (struct parameter[]){BIND_TEXT(change->email), BIND_TEXT(call->user_id)}, 2, NULL, ERROR_EMAIL_TAKEN);
    }
    if (outcome == OK && change->password_hash.data != NULL) {
        outcome = put_password(context, call->user_id, change->email, change->password_hash);
    }
    if (outcome == OK && !text_equal(old[2].text, change->picture)) {
        outcome = picture_store_drop_unused(context, old[2].text);
    }
    change->ends_sessions = outcome == OK && (!text_equal(old[0].text, change->role) || change->password_hash.data != NULL);
    if (change->ends_sessions) {
        outcome = session_store_end_all(context, call->user_id, change->kept_jti, change->kept_expires_at);
    }
    return outcome;
}

enum outcome user_store_change(struct context *context, struct text user_id, struct user_change *change)
{
    struct change_call call = {user_id, change};
    enum outcome outcome = database_transaction(context, change_within, &call);
    if (outcome == OK && change->ends_sessions) {
        session_store_publish(context, user_id);
    }
    return outcome;
}

/* ---- new users ---- */

static void close_sign_up(struct context *context, json_object *document, void *argument)
{
    (void)context;
    (void)argument;
    config_store_put(document, setting_rows[SETTING_ENABLE_SIGNUP].path, json_object_new_boolean(false));
}

struct addition {
    struct user_new *user;
    bool sign_up;
    int64_t created_at;
};

/* Who is first, and what a later one gets, is decided under a lock that every addition takes: the row of the first migration, which is always there. */
static enum outcome decide_first(struct context *context, struct addition *addition)
{
    struct user_new *user = addition->user;
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT number FROM schema_migration ORDER BY number LIMIT 1 FOR UPDATE", NULL, 0,
                                            &result, ERROR_NONE);
    if (outcome == OK) {
        outcome = database_execute(context, "SELECT MIN(created_at) FROM user", NULL, 0, &result, ERROR_NONE);
    }
    if (outcome != OK) {
        return outcome;
    }
    /* The primary administrator is the oldest account, by the second: whoever comes in the same second counts as a second younger. */
    const struct value *oldest = result_row(&result, 0);
    user->became_first = oldest->is_null;
    addition->created_at = oldest->is_null || context->now_seconds > oldest->integer ? context->now_seconds : oldest->integer + 1;
    if (addition->sign_up) {
        json_object *document;
        outcome = config_store_read(context, &document);
        if (outcome == OK && !user->became_first && !config_store_is_on(context, document, SETTING_ENABLE_SIGNUP)) {
            return problem_set_detail(context, ERROR_ACCESS_PROHIBITED, 403, "Sign-up is switched off; ask an administrator for an account.");
        }
        if (outcome == OK) {
            user->role = config_store_text(context, document, SETTING_DEFAULT_USER_ROLE);
            user->group_id = config_store_text(context, document, SETTING_DEFAULT_GROUP_ID);
        }
    }
    if (outcome == OK && user->became_first) {
        user->role = TEXT("admin");
        outcome = config_store_change_within(context, close_sign_up, NULL);
    }
    return outcome;
}

static enum outcome add_within(struct context *context, void *argument)
{
    struct addition *addition = argument;
    struct user_new *user = addition->user;
    enum outcome outcome = decide_first(context, addition);
    if (outcome == OK) {
        outcome = picture_store_keep(context, user->new_picture);
    }
    if (outcome == OK) {
        struct parameter parameters[] = {BIND_TEXT(user->id),
                                         BIND_TEXT(user->email),
                                         BIND_TEXT(user->role),
                                         BIND_TEXT(user->name),
                                         BIND_TEXT(user->picture),
                                         BIND_INTEGER(context->now_seconds),
                                         BIND_INTEGER(context->now_seconds),
                                         BIND_INTEGER(addition->created_at)};
        outcome = database_execute(context,
                                   "INSERT INTO user (id, email, role, name, profile_image_url, last_active_at, updated_at, created_at) "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                                   parameters, COUNT(parameters), NULL, ERROR_EMAIL_TAKEN);
    }
    if (outcome == OK && user->password_hash.data != NULL) {
        outcome = put_password(context, user->id, user->email, user->password_hash);
    }
    if (outcome == OK && user->group_id.length > 0) {
        struct parameter parameters[] = {BIND_TEXT(token_new_uuid(context->arena)), BIND_TEXT(user->id), BIND_INTEGER(context->now_seconds),
                                         BIND_INTEGER(context->now_seconds), BIND_TEXT(user->group_id)};
        outcome = database_execute(context,
                                   "INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) "
                                   "SELECT ?, g.id, ?, ?, ? FROM `group` g WHERE g.id = ?",
                                   parameters, COUNT(parameters), NULL, ERROR_NONE);
        if (outcome == OK) {
            outcome = database_execute(context, "UPDATE `group` SET updated_at = ? WHERE id = ?",
                                       (struct parameter[]){BIND_INTEGER(context->now_seconds), BIND_TEXT(user->group_id)}, 2, NULL, ERROR_NONE);
        }
    }
    return outcome;
}

enum outcome user_store_add(struct context *context, struct user_new *user, bool sign_up)
{
    struct addition addition = {user, sign_up, 0};
    user->id = token_new_uuid(context->arena);
    if (user->picture.data == NULL) {
        user->picture = TEXT("/user.png");
    }
    return database_transaction(context, add_within, &addition);
}

static enum outcome delete_within(struct context *context, void *argument)
{
    const struct text *user_id = argument;
    const struct value *old;
    struct text primary;
    enum outcome outcome = lock_user(context, *user_id, &old);
    if (outcome == OK) {
        outcome = user_store_primary(context, &primary);
    }
    if (outcome == OK && text_equal(primary, *user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "The primary administrator can't be deleted.");
    }
    if (outcome == OK) { /* the copies of shared chats: nobody owns them */
        outcome = database_execute(context,
                                   "DELETE copy FROM chat original JOIN chat copy ON copy.user_id = CONCAT('shared-', original.id) "
                                   "WHERE original.owner_id = ?",
                                   (struct parameter[]){BIND_TEXT(*user_id)}, 1, NULL, ERROR_NONE);
    }
    if (outcome == OK) { /* a group that loses a member has changed */
        outcome = database_execute(context, "UPDATE group_member m JOIN `group` g ON g.id = m.group_id SET g.updated_at = ? WHERE m.user_id = ?",
                                   (struct parameter[]){BIND_INTEGER(context->now_seconds), BIND_TEXT(*user_id)}, 2, NULL, ERROR_NONE);
    }
    if (outcome == OK) { /* foreign keys take credentials, memberships, chats, keys, sessions along */
        outcome = change_user(context, "DELETE FROM user WHERE id = ?", (struct parameter[]){BIND_TEXT(*user_id)}, 1);
    }
    if (outcome == OK) {
        outcome = picture_store_drop_unused(context, old[2].text);
    }
    return outcome;
}

enum outcome user_store_delete(struct context *context, struct text user_id)
{
    struct result sessions;
    enum outcome outcome = session_store_living(context, user_id, &sessions);
    if (outcome == OK) {
        outcome = database_transaction(context, delete_within, &user_id);
    }
    if (outcome == OK) {
        session_store_publish_rows(context, &sessions);
    }
    return outcome;
}

/* ---- passwords ---- */

/* The collation of emails also takes shapes of a letter for equal (full width, ligatures): they are not. */
static bool same_email(struct context *context, struct text left, struct text right)
{
    return text_equal(text_to_lower(context->arena, left), text_to_lower(context->arena, right));
}

enum outcome user_store_login(struct context *context, struct text email, struct user_login *login_r)
{
    struct result result;
    memset(login_r, 0, sizeof *login_r);
    enum outcome outcome = database_execute(
        context, "SELECT u.id, u.email, a.password, a.active FROM user u JOIN auth a ON a.id = u.id WHERE u.email = ?",
        (struct parameter[]){BIND_TEXT(email)}, 1, &result, ERROR_NONE);
    if (outcome == OK && result.row_count > 0 && same_email(context, result_row(&result, 0)[1].text, email)) {
        const struct value *row = result_row(&result, 0);
        *login_r = (struct user_login){true, row[0].text, row[2].text, row[3].integer != 0};
    }
    return outcome;
}

enum outcome user_store_find_by_email(struct context *context, struct text email, struct user_login *login_r)
{
    struct result result;
    memset(login_r, 0, sizeof *login_r);
    enum outcome outcome = database_execute(
        context, "SELECT u.id, u.email, a.active FROM user u LEFT JOIN auth a ON a.id = u.id WHERE u.email = ?",
        (struct parameter[]){BIND_TEXT(email)}, 1, &result, ERROR_NONE);
    if (outcome == OK && result.row_count > 0 && same_email(context, result_row(&result, 0)[1].text, email)) {
        const struct value *row = result_row(&result, 0);
        *login_r = (struct user_login){true, row[0].text, {NULL, 0}, row[2].is_null || row[2].integer != 0};
    }
    return outcome;
}

enum outcome user_store_password_hash(struct context *context, struct text user_id, struct text *hash_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT password FROM auth WHERE id = ?", (struct parameter[]){BIND_TEXT(user_id)}, 1,
                                            &result, ERROR_NONE);
    if (outcome == OK) {
        *hash_r = result.row_count > 0 ? result_row(&result, 0)->text : (struct text){NULL, 0};
    }
    return outcome;
}

enum outcome user_store_greatest_bcrypt_cost(struct context *context, int *cost_r)
{
    struct result result;
    enum outcome outcome =
        database_execute(context, "SELECT CAST(MAX(SUBSTR(password, 5, 2)) AS SIGNED) FROM auth WHERE password LIKE '$2%'", NULL, 0,
                         &result, ERROR_NONE);
    if (outcome == OK) {
        *cost_r = result_row(&result, 0)->is_null ? 0 : (int)result_row(&result, 0)->integer;
    }
    return outcome;
}

struct password_change {
    struct text user_id, old_hash, hash;
    enum error_code on_other;
    bool ends_sessions;
    struct text kept_jti;
    int64_t kept_expires_at;
};

static enum outcome set_password_within(struct context *context, void *argument)
{
    const struct password_change *change = argument;
    const struct value *old = NULL;
    enum outcome outcome = lock_user(context, change->user_id, &old);
    if (outcome == OK && change->old_hash.data != NULL) {
        struct result result;
        outcome = database_execute(context, "SELECT password FROM auth WHERE id = ? FOR UPDATE", (struct parameter[]){BIND_TEXT(change->user_id)},
                                   1, &result, ERROR_NONE);
        if (outcome == OK && (result.row_count == 0 || !text_equal(result_row(&result, 0)->text, change->old_hash))) {
            return problem_set(context, change->on_other);
        }
    }
    if (outcome == OK) {
        outcome = put_password(context, change->user_id, old[1].text, change->hash);
    }
    if (outcome == OK && change->ends_sessions) {
        outcome = session_store_end_all(context, change->user_id, change->kept_jti, change->kept_expires_at);
    }
    return outcome;
}

enum outcome user_store_replace_password(struct context *context, struct text user_id, struct text old_hash, struct text hash, bool ends_sessions,
                                         struct text kept_jti, int64_t kept_expires_at, enum error_code on_other)
{
    struct password_change change = {user_id, old_hash, hash, on_other, ends_sessions, kept_jti, kept_expires_at};
    enum outcome outcome = database_transaction(context, set_password_within, &change);
    if (outcome == OK && ends_sessions) {
        session_store_publish(context, user_id);
    }
    return outcome;
}

enum outcome user_store_set_password(struct context *context, struct text user_id, struct text hash, bool ends_sessions, struct text kept_jti,
                                     int64_t kept_expires_at)
{
    return user_store_replace_password(context, user_id, (struct text){NULL, 0}, hash, ends_sessions, kept_jti, kept_expires_at, ERROR_NONE);
}

enum outcome user_store_touch(struct context *context, struct text user_id, int64_t interval_seconds)
{
    return database_execute(context, "UPDATE user SET last_active_at = ? WHERE id = ? AND last_active_at <= ?",
                            (struct parameter[]){BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id),
                                                 BIND_INTEGER(context->now_seconds - interval_seconds)},
                            3, NULL, ERROR_NONE);
}
