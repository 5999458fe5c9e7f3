/* users.c: /users: the accounts, as administrators and colleagues see them. */
#include "api/account.h"
#include "api/handlers.h"
#include "auth/permission.h"
#include "base/json.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "store/user_store.h"

/* ---- lists ---- */

static struct user_listing listing_of(const struct request *request, bool whole)
{
    const struct input *query = request->query;
    return (struct user_listing){
        .query = query[INPUT_users_query_query].text,
        .order_by = query[INPUT_users_query_order_by].text,
        .ascending = text_is(query[INPUT_users_query_direction].text, "asc"),
        .page = query[INPUT_users_query_page].present ? query[INPUT_users_query_page].integer : 1,
        .whole = whole,
    };
}

static void add_total(struct buffer *body, int64_t total)
{
    buffer_add_literal(body, "]");
    serialise_integer_member(body, "total", total, false);
    buffer_add_byte(body, '}');
}

static void serialise_infos(struct buffer *body, const struct result *users, int64_t total)
{
    buffer_add_literal(body, "{\"users\":[");
    for (size_t i = 0; i < users->row_count; i++) {
        if (i > 0) {
            buffer_add_byte(body, ',');
        }
        serialise_user_info(body, result_row(users, i));
    }
    add_total(body, total);
}

/* The groups of one of the page's users. */
static void serialise_group_ids(struct buffer *body, const struct result *groups, struct text user_id)
{
    bool first = true;
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < groups->row_count; i++) {
        const struct value *row = result_row(groups, i);
        if (text_equal(row[0].text, user_id)) {
            if (!first) {
                buffer_add_byte(body, ',');
            }
            buffer_add_json(body, row[1].text);
            first = false;
        }
    }
    buffer_add_byte(body, ']');
}

enum outcome handle_users_list(struct request *request)
{
    struct user_listing listing = listing_of(request, true);
    struct result users, groups;
    int64_t total;
    struct text ids[USER_PAGE_ROWS];
    enum outcome outcome = user_store_list(&request->context, &listing, &users, &total);
    for (size_t i = 0; outcome == OK && i < users.row_count; i++) {
        ids[i] = result_row(&users, i)[USER_id].text;
    }
    if (outcome == OK) {
        outcome = group_store_ids_of_users(&request->context, ids, users.row_count, &groups);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct buffer *body = &request->response.body;
    buffer_add_literal(body, "{\"users\":[");
    for (size_t i = 0; i < users.row_count; i++) {
        const struct value *user = result_row(&users, i);
        buffer_add_string(body, i > 0 ? ",{" : "{");
        serialise_user_members(body, user, true);
        serialise_key(body, "group_ids", false);
        serialise_group_ids(body, &groups, user[USER_id].text);
        buffer_add_byte(body, '}');
    }
    add_total(body, total);
    return OK;
}

enum outcome handle_users_search(struct request *request)
{
    struct user_listing listing = listing_of(request, false);
    struct result users;
    int64_t total;
    enum outcome outcome = user_store_list(&request->context, &listing, &users, &total);
    if (outcome == OK) {
        serialise_infos(&request->response.body, &users, total);
    }
    return outcome;
}

enum outcome handle_users_all(struct request *request)
{
    struct result users;
    enum outcome outcome = user_store_all(&request->context, &users);
    if (outcome == OK) {
        serialise_infos(&request->response.body, &users, (int64_t)users.row_count);
    }
    return outcome;
}

/* ---- groups and permissions ---- */

static enum outcome answer_groups(struct request *request, struct text user_id)
{
    struct result groups;
    enum outcome outcome = group_store_of_user(&request->context, user_id, &groups);
    if (outcome == OK) {
        serialise_groups(&request->response.body, &groups);
    }
    return outcome;
}

enum outcome handle_users_own_groups(struct request *request)
{
    return answer_groups(request, request->identity.user_id);
}

enum outcome handle_user_groups(struct request *request)
{
    return answer_groups(request, request->parameters[0]);
}

static void answer_json(struct request *request, json_object *object)
{
    buffer_add_text(&request->response.body, json_print(request->context.arena, object));
}

enum outcome handle_users_own_permissions(struct request *request)
{
    json_object *permissions;
    enum outcome outcome = permission_of_user(&request->context, request->identity.user_id, &permissions);
    if (outcome == OK) {
        answer_json(request, permissions);
    }
    return outcome;
}

enum outcome handle_default_permissions_get(struct request *request)
{
    json_object *document;
    enum outcome outcome = config_store_read(&request->context, &document);
    if (outcome == OK) {
        answer_json(request, permission_defaults(&request->context, document));
    }
    return outcome;
}

static void put_permissions(struct context *context, json_object *document, void *argument)
{
    (void)context;
    config_store_put(document, "user.permissions", json_object_get(argument));
}

enum outcome handle_default_permissions_set(struct request *request)
{
    struct context *context = &request->context;
    const struct schema_row *schema = schema_row(SCHEMA_permissions);
    json_object *permissions = json_keep(context->arena, json_object_new_object());
    for (size_t i = 0; i < schema->field_count; i++) {
        json_object_object_add(permissions, schema->fields[i].name, json_object_get(request->input[i].json));
    }
    enum outcome outcome = config_store_change(context, put_permissions, permissions);
    if (outcome == OK) {
        answer_json(request, permissions);
    }
    return outcome;
}

/* ---- the caller's own settings, status and info ---- */

static enum outcome answer_stored_json(struct request *request, enum user_column column)
{
    struct text json;
    enum outcome outcome = user_store_get_json(&request->context, request->identity.user_id, column, &json);
    if (outcome == OK) {
        buffer_add_text(&request->response.body, json.data != NULL ? json : TEXT("null"));
    }
    return outcome;
}

/* Settings always have `ui` when they are shown. */
static void answer_settings(struct request *request, struct text stored)
{
    json_object *settings = json_parse(request->context.arena, stored);
    if (json_object_get_type(settings) != json_type_object) {
        buffer_add_literal(&request->response.body, "null");
        return;
    }
    json_object *ui;
    if (json_object_object_get_ex(settings, "ui", &ui)) {
        buffer_add_text(&request->response.body, stored);
        return;
    }
    json_object_object_add(settings, "ui", json_object_new_object());
    answer_json(request, settings);
}

enum outcome handle_settings_get(struct request *request)
{
    struct text stored;
    enum outcome outcome = user_store_get_json(&request->context, request->identity.user_id, USER_settings, &stored);
    if (outcome == OK) {
        answer_settings(request, stored);
    }
    return outcome;
}

enum outcome handle_settings_update(struct request *request)
{
    struct context *context = &request->context;
    json_object *ui = request->input[INPUT_settings_ui].json;
    json_object *tool_servers;
    if (!request->input[INPUT_settings_ui].present) {
        json_object_object_del(request->json, "ui"); /* null counts as absent */
    } else if (json_object_object_get_ex(ui, "toolServers", &tool_servers)) {
        bool granted;
        enum outcome outcome = permission_check(context, request->identity.user_id, identity_is_admin(&request->identity),
                                                "features.direct_tool_servers", &granted);
        if (outcome != OK) {
            return outcome;
        }
        if (!granted) {
            json_object_object_del(ui, "toolServers");
        }
    }
    struct text whole;
    enum outcome outcome = user_store_merge_json(context, request->identity.user_id, USER_settings, request->json, &whole);
    if (outcome == OK) {
        answer_settings(request, whole);
    }
    return outcome;
}

static enum outcome answer_user(struct request *request, struct text user_id)
{
    const struct value *user;
    enum outcome outcome = user_store_get(&request->context, user_id, &user);
    if (outcome == OK) {
        serialise_user(&request->response.body, user, caller_sees_private(request, user_id));
    }
    return outcome;
}

enum outcome handle_status_get(struct request *request)
{
    return answer_user(request, request->identity.user_id);
}

enum outcome handle_status_update(struct request *request)
{
    const struct input *input = request->input;
    struct user_status status = {
        .emoji = input[INPUT_status_status_emoji].text,
        .message = input[INPUT_status_status_message].text,
        .has_expiry = input[INPUT_status_status_expires_at].present,
        .expires_at = input[INPUT_status_status_expires_at].integer,
    };
    enum outcome outcome = user_store_set_status(&request->context, request->identity.user_id, &status);
    return outcome == OK ? answer_user(request, request->identity.user_id) : outcome;
}

enum outcome handle_info_get(struct request *request)
{
    return answer_stored_json(request, USER_info);
}

enum outcome handle_info_update(struct request *request)
{
    struct text whole;
    enum outcome outcome =
        user_store_merge_json(&request->context, request->identity.user_id, USER_info, request->json, &whole);
    if (outcome == OK) {
        buffer_add_text(&request->response.body, whole);
    }
    return outcome;
}

/* ---- one user ---- */

/* `shared-CHAT` stands for the owner of that chat. */
static enum outcome resolve_shared(struct request *request, struct text *user_id)
{
    static const char prefix[] = "shared-";
    if (!text_starts_with(*user_id, prefix)) {
        return OK;
    }
    struct text chat_id = {user_id->data + sizeof prefix - 1, user_id->length - (sizeof prefix - 1)};
    return user_store_chat_owner(&request->context, chat_id, request->identity.user_id, identity_is_admin(&request->identity), user_id);
}

enum outcome handle_user_get(struct request *request)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0];
    const struct value *user;
    struct result groups;
    enum outcome outcome = resolve_shared(request, &user_id);
    if (outcome == OK) {
        outcome = user_store_get(context, user_id, &user);
    }
    if (outcome == OK) {
        outcome = group_store_names_of_user(context, user_id, &groups);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '{');
    serialise_user_members(body, user, caller_sees_private(request, user_id));
    serialise_key(body, "groups", false);
    for (size_t i = 0; i < groups.row_count; i++) {
        const struct value *group = result_row(&groups, i);
        buffer_add_string(body, i > 0 ? ",{" : "[{");
        serialise_text_member(body, "id", group[0].text, true);
        serialise_text_member(body, "name", group[1].text, false);
        buffer_add_byte(body, '}');
    }
    buffer_add_string(body, groups.row_count > 0 ? "]" : "[]");
    bool active = user[USER_last_active_at].integer >= context->now_seconds - USER_ACTIVE_SECONDS;
    serialise_key(body, "is_active", false);
    buffer_add_string(body, active ? "true}" : "false}");
    return OK;
}

enum outcome handle_user_active(struct request *request)
{
    int64_t last_active_at;
    enum outcome outcome = user_store_last_active(&request->context, request->parameters[0], &last_active_at);
    if (outcome == OK) {
        bool active = last_active_at >= request->context.now_seconds - USER_ACTIVE_SECONDS;
        buffer_add_string(&request->response.body, active ? "{\"active\":true}" : "{\"active\":false}");
    }
    return outcome;
}

enum outcome handle_user_oauth_sessions(struct request *request)
{
    struct result sessions;
    enum outcome outcome = user_store_oauth_sessions(&request->context, request->parameters[0], &sessions);
    if (outcome != OK) {
        return outcome;
    }
    if (sessions.row_count == 0) {
        return problem_set(&request->context, ERROR_USER_NOT_FOUND);
    }
    struct buffer *body = &request->response.body;
    for (size_t i = 0; i < sessions.row_count; i++) {
        buffer_add_byte(body, i > 0 ? ',' : '[');
        serialise_oauth_session(body, result_row(&sessions, i));
    }
    buffer_add_byte(body, ']');
    return OK;
}

/* The primary administrator is changed by themselves alone, and stays administrator. */
static enum outcome guard_primary(struct request *request, struct text user_id, struct text role)
{
    struct context *context = &request->context;
    struct text primary;
    enum outcome outcome = user_store_primary(context, &primary);
    if (outcome != OK || !text_equal(primary, user_id)) {
        return outcome;
    }
    if (!text_equal(request->identity.user_id, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "The primary administrator is changed by themselves alone.");
    }
    return text_is(role, "admin") ? OK
                                  : problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "The primary administrator stays administrator.");
}

enum outcome handle_user_update(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct text user_id = request->parameters[0];
    const struct value *old;
    enum outcome outcome = user_store_get(context, user_id, &old);
    if (outcome == OK) {
        outcome = guard_primary(request, user_id, input[INPUT_user_update_role].text);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct user_change change = {
        .role = input[INPUT_user_update_role].text,
        .name = input[INPUT_user_update_name].text,
        .kept_jti = text_equal(user_id, request->identity.user_id) ? request->identity.jti : (struct text){NULL, 0},
        .kept_expires_at = request->identity.expires_at,
    };
    outcome = account_take_email(context, input[INPUT_user_update_email].text, user_id, old[USER_email].text, &change.email);
    if (outcome == OK) {
        outcome = account_take_picture(context, input[INPUT_user_update_profile_image_url].text, old[USER_profile_image_url].text,
                                       &change.picture, &change.new_picture);
    }
    struct text password = input[INPUT_user_update_password].text;
    if (outcome == OK && password.length > 0) {
        outcome = account_take_password(context, password, change.email, change.name, &change.password_hash);
    }
    if (outcome == OK) {
        outcome = user_store_change(context, user_id, &change);
    }
    return outcome == OK ? answer_user(request, user_id) : outcome;
}

enum outcome handle_user_delete(struct request *request)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0];
    struct text primary;
    enum outcome outcome = user_store_primary(context, &primary);
    if (outcome == OK && text_equal(primary, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "The primary administrator can't be deleted.");
    }
    if (outcome == OK && text_equal(request->identity.user_id, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "Nobody deletes themselves; another administrator can.");
    }
    if (outcome == OK) {
        outcome = user_store_delete(context, user_id);
    }
    if (outcome == FAULT && context->problem.code == ERROR_INTERNAL_ERROR) {
        return problem_set_fault(context, ERROR_DELETE_USER_ERROR);
    }
    return outcome == OK ? answer_true(request) : outcome;
}
