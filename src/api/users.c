/* users.c: /users: the accounts, for administrators and other users. */
#include "api/handlers.h"
#include "api/picture_address.h"
#include "api/settings_patch.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "auth/permission_source.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "store/account_store.h"
#include "store/config_store.h"
#include "store/document_store.h"
#include "store/group_store.h"
#include "store/hierarchy_store.h"
#include "store/overview_store.h"
#include "store/profile_store.h"
#include "store/user_listing.h"
#include "store/user_store.h"
#include "worker/admission.h"

/* ---- lists ---- */

/* Both queries begin alike. */
_Static_assert((int)INPUT_users_query_query == (int)INPUT_users_list_query_query &&
                   (int)INPUT_users_query_order_by == (int)INPUT_users_list_query_order_by &&
                   (int)INPUT_users_query_direction == (int)INPUT_users_list_query_direction &&
                   (int)INPUT_users_query_page == (int)INPUT_users_list_query_page,
               "listing_of reads both");

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

static struct user_filter filter_of(const struct input *role, const struct input *group, const struct input *disabled,
                                    const struct input *active_since)
{
    return (struct user_filter){
        .role = role->text,
        .group_id = group->text,
        .by_disabled = disabled->present,
        .is_disabled = disabled->integer != 0,
        .by_activity = active_since->present,
        .active_since = active_since->integer,
    };
}

/* {"users": …, "total": …} */
static void begin_users(struct json_writer *json)
{
    json_begin_object(json);
    json_member_array(json, "users");
}

static void end_users(struct json_writer *json, int64_t total)
{
    json_end_array(json);
    json_member_integer(json, "total", total);
    json_end_object(json);
}

static void serialise_group_ids(struct json_writer *json, struct text groups)
{
    struct text id;
    json_begin_array(json);
    while (user_listing_next_group(&groups, &id)) {
        json_add_text(json, id);
    }
    json_end_array(json);
}

/* A row of the list, but for its end. */
static void serialise_whole(struct json_writer *json, struct context *context, const struct value *user)
{
    json_begin_object(json);
    serialise_user_members(context, json, document_store_complete(context, user), true);
    json_name(json, "group_ids");
    serialise_group_ids(json, user[USER_LISTED_groups].text);
}

/* Adds the member `account`, where it is wanted, and ends the row. */
static void end_whole(struct json_writer *json, const struct account_overview *account)
{
    if (account != NULL) {
        json_member_object(json, "account");
        json_member_boolean(json, "disabled", account->is_disabled);
        json_member_boolean(json, "has_password", account->has_password);
        json_member_integer(json, "sessions", account->session_count);
        json_member_integer(json, "api_keys", account->key_count);
        json_name(json, "last_sign_in_at");
        if (account->last_sign_in_at < 0) {
            json_add_null(json);
        } else {
            json_add_integer(json, account->last_sign_in_at);
        }
        json_end_object(json);
    }
    json_end_object(json);
}

/* One with large documents, from an arena of its own. */
static enum outcome flow_whole(struct request *request, const struct value *user,
                               const struct account_overview *account)
{
    struct context *context = &request->context;
    struct arena *arena = context->arena;
    struct flow flow = {.request = request};
    context->arena = arena_new((size_t)context->config->request_memory_limit);
    struct json_writer *json = flow_begin(&flow, context->arena);
    serialise_whole(json, context, user);
    end_whole(json, account);
    enum outcome outcome = flow_end(&flow);
    arena_free(context->arena);
    context->arena = arena;
    return outcome;
}

/* Writes a row that is not large, and keeps it as it was written, without its end. */
static void write_row(struct request *request, const struct listed_user *user, bool whole)
{
    struct buffer *body = &request->response.body;
    struct json_writer *json = &request->response.json;
    size_t start = body->length;
    if (whole) {
        serialise_whole(json, &request->context, user->row);
    } else {
        serialise_user_info(&request->context, json, user->row);
    }
    start += body->data[start] == ',';
    user_listing_keep(user, (struct text){body->data + start, body->length - start});
}

/* `account`: NULL where it is not wanted. */
static enum outcome flow_listed(struct request *request, const struct listed_user *user, bool whole,
                                const struct account_overview *account)
{
    struct json_writer *json = &request->response.json;
    if (whole && user->shown.data == NULL && !document_store_is_complete(user->row)) {
        return flow_whole(request, user->row, account);
    }
    if (user->shown.data == NULL) {
        write_row(request, user, whole);
    } else if (whole) {
        json_reopen_object(json, user->shown);
    } else {
        json_add_raw(json, user->shown);
    }
    if (whole) {
        end_whole(json, account);
    }
    return response_flow_written(request);
}

/* The accounts of a page. */
static enum outcome read_accounts(struct request *request, const struct listed_page *page,
                                  struct account_overview accounts_r[static USER_PAGE_ROWS])
{
    struct text ids[USER_PAGE_ROWS];
    for (size_t i = 0; i < page->count; i++) {
        ids[i] = page->users[i].id;
    }
    return overview_store_accounts(&request->context, ids, page->count, accounts_r);
}

static enum outcome answer_listing(struct request *request, const struct user_listing *listing, bool with_accounts)
{
    struct listed_page page;
    struct account_overview accounts[USER_PAGE_ROWS];
    enum outcome outcome = user_listing_show(&request->context, listing, &page);
    if (outcome == OK && with_accounts) {
        outcome = read_accounts(request, &page, accounts);
    }
    if (outcome != OK) {
        return outcome;
    }
    begin_users(&request->response.json);
    for (size_t i = 0; outcome == OK && i < page.count; i++) {
        outcome = flow_listed(request, &page.users[i], listing->whole, with_accounts ? &accounts[i] : NULL);
    }
    if (outcome == OK) {
        end_users(&request->response.json, page.total);
    }
    return outcome;
}

enum outcome handle_users_list(struct request *request)
{
    const struct input *query = request->query;
    struct user_listing listing = listing_of(request, true);
    listing.filter = filter_of(&query[INPUT_users_list_query_role], &query[INPUT_users_list_query_group],
                               &query[INPUT_users_list_query_disabled], &query[INPUT_users_list_query_active_since]);
    return answer_listing(request, &listing, text_is(query[INPUT_users_list_query_include].text, "account"));
}

enum outcome handle_users_search(struct request *request)
{
    const struct user_listing listing = listing_of(request, false);
    return answer_listing(request, &listing, false);
}

enum outcome handle_users_all(struct request *request)
{
    struct flow flow = {.request = request};
    begin_users(&request->response.json);
    enum outcome outcome = user_listing_all(&request->context, flow_info, &flow);
    if (outcome == OK) {
        end_users(&request->response.json, flow.count);
    }
    return outcome;
}

/* ---- groups and permissions ---- */

static enum outcome flow_group(struct context *context, const struct value *group, void *flow)
{
    serialise_group(context, flow_begin(flow, context->arena), group);
    return flow_end(flow);
}

static enum outcome flow_group_of_line(struct context *context, const struct value *group, void *flow)
{
    struct json_writer *json = flow_begin(flow, context->arena);
    json_begin_object(json);
    serialise_group_members(context, json, group);
    json_member_string(json, "membership_type", group[HIERARCHY_IS_DIRECT].integer != 0 ? "direct" : "inherited");
    json_end_object(json);
    return flow_end(flow);
}

static enum outcome answer_groups(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    struct flow flow = {.request = request};
    const bool with_inherited = request->query[INPUT_user_groups_query_include_inherited].integer != 0;
    json_begin_array(&request->response.json);
    enum outcome outcome = with_inherited ? hierarchy_store_of_user(context, user_id, flow_group_of_line, &flow)
                                          : group_store_of_user(context, user_id, flow_group, &flow);
    json_end_array(&request->response.json);
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
    json_add_raw(&request->response.json, json_print(request->context.arena, object));
}

enum outcome handle_users_own_permissions(struct request *request)
{
    struct text permissions;
    enum outcome outcome = permission_document(&request->context, request->identity.user_id, &permissions);
    if (outcome == OK) {
        json_add_raw(&request->response.json, permissions);
    }
    return outcome;
}

enum outcome handle_user_permissions(struct request *request)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0];
    int64_t last_active_at;
    json_object *sources;
    enum outcome outcome = user_store_last_active(context, user_id, &last_active_at);
    if (outcome == OK && last_active_at < 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    if (outcome == OK) {
        outcome = permission_source_of_user(context, user_id, &sources);
    }
    if (outcome == OK) {
        answer_json(request, sources);
    }
    return outcome;
}

enum outcome handle_own_permission_sources(struct request *request)
{
    json_object *sources;
    enum outcome outcome = permission_source_of_user(&request->context, request->identity.user_id, &sources);
    if (outcome == OK) {
        answer_json(request, sources);
    }
    return outcome;
}

enum outcome handle_default_permissions_get(struct request *request)
{
    json_object *document;
    enum outcome outcome = config_store_read(&request->context, &document);
    if (outcome == OK) {
        answer_json(request, permission_defaults(&request->context, document, request->context.config->compatibility));
    }
    return outcome;
}

enum outcome handle_default_permissions_fresh(struct request *request)
{
    answer_json(request, permission_defaults(&request->context, NULL, request->context.config->compatibility));
    return OK;
}

struct permissions_change {
    const struct request *request;
    json_object *was;      /* NULL: whatever they were */
    json_object *document; /* as it was stored */
};

static enum outcome check_permissions(struct context *context, json_object *document, void *argument)
{
    const struct permissions_change *change = argument;
    return change->was == NULL ||
                   json_includes(permission_defaults(context, document, context->config->compatibility), change->was)
               ? OK
               : problem_set_detail(context, ERROR_PRECONDITION_FAILED, 0,
                                    "Somebody has changed the default permissions meanwhile: read them again.");
}

/* Each permission that the body has, or leaves out where that means something (check_section), replaces the stored one.
 * The others stay, and so do those that this compatibility does not show. */
static void put_permissions(struct context *context, json_object *document, void *argument)
{
    struct permissions_change *change = argument;
    const struct schema_row *schema = schema_row(SCHEMA_permissions);
    json_object *permissions = permission_defaults(context, document, COMPATIBILITY_NEWEST);
    for (size_t i = 0; i < schema->field_count; i++) {
        json_object *section = change->request->input[i].json, *present;
        if (section != NULL && !field_is_precondition(&schema->fields[i]) &&
            json_object_object_get_ex(permissions, schema->fields[i].name, &present)) {
            json_object_object_foreach(section, key, value)
            {
                json_object_object_add(present, key, json_object_get(value));
            }
        }
    }
    config_store_put(document, "user.permissions", json_object_get(permissions));
    change->document = document;
}

enum outcome handle_default_permissions_set(struct request *request)
{
    struct context *context = &request->context;
    struct permissions_change change = {.request = request, .was = request->input[INPUT_permissions_if_was].json};
    enum outcome outcome = config_store_change_if(context, check_permissions, put_permissions, &change);
    if (outcome == OK) {
        answer_json(request, permission_defaults(context, change.document, context->config->compatibility));
    }
    return outcome;
}

/* ---- the caller's own settings, status and info ---- */

/* The settings in an answer always have `ui`. */
static void answer_settings(struct request *request, struct text stored)
{
    struct arena *arena = request->context.arena;
    struct text settings;
    struct text complete = TEXT_NULL;
    if (json_text_read(arena, stored, &settings) == JSON_WHOLE) {
        complete = document_store_settings(arena, settings);
    }
    if (complete.data != NULL) {
        json_add_raw(&request->response.json, complete);
    } else {
        serialise_document(&request->response.json, "user", "settings", request->identity.user_id, stored);
    }
}

enum outcome handle_settings_get(struct request *request)
{
    struct text stored, shown;
    enum outcome outcome = document_store_get(&request->context, request->identity.user_id, USER_settings, &stored);
    if (outcome == OK) {
        outcome = settings_patch_show(request, stored, &shown);
    }
    if (outcome == OK) {
        answer_settings(request, shown);
    }
    return outcome;
}

enum outcome handle_settings_update(struct request *request)
{
    struct text whole;
    enum outcome outcome = settings_patch_store(request, &whole);
    if (outcome == OK) {
        answer_settings(request, whole);
    }
    return outcome;
}

/* Documents that the row leaves out are large. They get an arena of their own, and are sent as soon as they are
 * printed. */
static enum outcome flow_members(struct request *request, const struct value *user, bool show_private)
{
    if (!show_private || document_store_is_complete(user)) {
        serialise_user_members(&request->context, &request->response.json, user, show_private);
        return OK;
    }
    struct context *context = &request->context;
    struct arena *arena = context->arena;
    struct flow flow = {.request = request};
    context->arena = arena_new((size_t)context->config->request_memory_limit);
    serialise_user_members(context, flow_begin(&flow, context->arena), document_store_complete(context, user), true);
    enum outcome outcome = flow_end(&flow);
    arena_free(context->arena);
    context->arena = arena;
    return outcome;
}

static enum outcome flow_user(struct request *request, const struct value *user, bool show_private)
{
    json_begin_object(&request->response.json);
    enum outcome outcome = flow_members(request, user, show_private);
    json_end_object(&request->response.json);
    return outcome;
}

static enum outcome answer_user(struct request *request, struct text user_id)
{
    const struct value *user;
    enum outcome outcome = user_store_get(&request->context, user_id, &user);
    if (outcome == OK) {
        outcome = flow_user(request, user, caller_sees_private(request, user_id));
    }
    return outcome;
}

/* Whether people have a status here: ENABLE_USER_STATUS. */
static enum outcome check_status_enabled(struct request *request)
{
    bool is_on;
    enum outcome outcome = config_store_read_is_on(&request->context, SETTING_ENABLE_USER_STATUS, &is_on);
    return outcome == OK && !is_on ? problem_set_detail(&request->context, ERROR_ACTION_PROHIBITED, 0,
                                                        "An administrator has switched the status of users off.")
                                   : outcome;
}

enum outcome handle_status_get(struct request *request)
{
    enum outcome outcome = check_status_enabled(request);
    return outcome == OK ? answer_user(request, request->identity.user_id) : outcome;
}

enum outcome handle_status_update(struct request *request)
{
    const struct input *input = request->input;
    struct status_change status = {
        .emoji = input[INPUT_status_status_emoji].text,
        .message = input[INPUT_status_status_message].text,
        .has_expiry = input[INPUT_status_status_expires_at].present,
        .expires_at = input[INPUT_status_status_expires_at].integer,
    };
    const struct value *user;
    enum outcome outcome = check_status_enabled(request);
    if (outcome == OK) {
        outcome = profile_store_set_status(&request->context, request->identity.user_id, &status, &user);
    }
    return outcome == OK ? flow_user(request, user, true) : outcome;
}

enum outcome handle_info_get(struct request *request)
{
    struct text stored;
    enum outcome outcome = document_store_get(&request->context, request->identity.user_id, USER_info, &stored);
    if (outcome == OK) {
        serialise_document(&request->response.json, "user", "info", request->identity.user_id, stored);
    }
    return outcome;
}

enum outcome handle_info_update(struct request *request)
{
    struct json_members members = request_sent_members(request);
    struct text whole;
    enum outcome outcome =
        document_store_merge(&request->context, request->identity.user_id, USER_info, &members, NULL, &whole);
    if (outcome == OK) {
        json_add_raw(&request->response.json, whole);
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
    return user_store_chat_owner(&request->context, chat_id, request->identity.user_id,
                                 identity_is_admin(&request->identity), user_id);
}

enum outcome handle_user_get(struct request *request)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0];
    const struct value *user;
    struct result groups;
    enum outcome outcome = resolve_shared(request, &user_id);
    if (outcome == OK) {
        outcome = user_store_get_with_groups(context, user_id, &user, &groups);
    }
    struct json_writer *json = &request->response.json;
    if (outcome == OK) {
        json_begin_object(json);
        outcome = flow_members(request, user, caller_sees_private(request, user_id));
    }
    if (outcome != OK) {
        return outcome;
    }
    json_name(json, "groups");
    serialise_group_names(json, &groups);
    json_member_boolean(json, "is_active", serialise_is_active(context, user[USER_last_active_at].integer));
    json_end_object(json);
    return OK;
}

enum outcome handle_user_info(struct request *request)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    const struct value *user;
    struct result groups;
    enum outcome outcome = user_store_get_with_groups(context, request->parameters[0], &user, &groups);
    if (outcome == OK) {
        json_begin_object(json);
        serialise_card_members(json, user);
        json_name(json, "groups");
        serialise_group_names(json, &groups);
        json_member_boolean(json, "is_active", serialise_is_active(context, user[USER_last_active_at].integer));
        json_end_object(json);
    }
    return outcome;
}

static enum outcome flow_group_name(struct context *context, const struct value *group, void *flow)
{
    struct json_writer *json = flow_begin(flow, context->arena);
    json_begin_object(json);
    json_member_text(json, "id", group[GROUP_id].text);
    json_member_text(json, "name", group[GROUP_name].text);
    json_end_object(json);
    return flow_end(flow);
}

enum outcome handle_user_preview(struct request *request)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    struct flow flow = {.request = request};
    const struct value *user;
    enum outcome outcome = user_store_get(context, request->parameters[0], &user);
    if (outcome != OK) {
        return outcome == PROBLEM ? problem_set_detail(context, ERROR_USER_NOT_FOUND, 404, NULL) : outcome;
    }
    json_begin_object(json);
    json_member_object(json, "user");
    json_member_text(json, "id", user[USER_id].text);
    json_member_text(json, "name", user[USER_name].text);
    json_end_object(json);
    serialise_no_resources(json);
    json_member_array(json, "groups");
    outcome = hierarchy_store_of_user(context, request->parameters[0], flow_group_name, &flow);
    json_end_array(json);
    json_end_object(json);
    return outcome;
}

enum outcome handle_user_active(struct request *request)
{
    int64_t last_active_at;
    enum outcome outcome = user_store_last_active(&request->context, request->parameters[0], &last_active_at);
    if (outcome == OK) {
        struct json_writer *json = &request->response.json;
        json_begin_object(json);
        json_member_boolean(json, "active", serialise_is_active(&request->context, last_active_at));
        json_end_object(json);
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
    json_begin_array(&request->response.json);
    for (size_t i = 0; i < sessions.row_count; i++) {
        serialise_oauth_session(&request->response.json, result_row(&sessions, i));
    }
    json_end_array(&request->response.json);
    return OK;
}

enum outcome handle_own_oauth_session_end(struct request *request)
{
    enum outcome outcome =
        user_store_end_oauth_sessions(&request->context, request->identity.user_id, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}

/* roster-api(7), Primary administrator. */
static enum outcome guard_primary(struct request *request, struct text user_id, struct text role)
{
    struct context *context = &request->context;
    struct text primary;
    enum outcome outcome = user_store_primary(context, &primary);
    if (outcome != OK || !text_equal(primary, user_id)) {
        return outcome;
    }
    if (!text_equal(request->identity.user_id, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0,
                                  "Only the primary administrator can change this account.");
    }
    return text_is(role, "admin") ? OK
                                  : problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0,
                                                       "The primary administrator must stay an administrator.");
}

enum outcome handle_user_update(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct text user_id = request->parameters[0];
    const struct value *old;
    enum outcome outcome = user_store_get(context, user_id, &old);
    if (outcome == OK) {
        const struct input *role = &input[INPUT_user_update_role];
        outcome = guard_primary(request, user_id, role->present ? role->text : old[USER_role].text);
    }
    struct text password = input[INPUT_user_update_password].text;
    if (outcome == OK && password.length > 0 && request->identity.is_api_key) {
        outcome = problem_set_detail(
            context, ERROR_SESSION_REQUIRED, 0,
            "An API key can't change a password: omit `password`, or sign in and use the session's token.");
    }
    if (outcome != OK) {
        return outcome;
    }
    struct account_change change = {
        .user_id = user_id,
        .role = input[INPUT_user_update_role].text,
        .name = input[INPUT_user_update_name].text,
        .has_precondition = input[INPUT_user_update_if_updated_at].present,
        .if_updated_at = input[INPUT_user_update_if_updated_at].integer,
        .kept = {text_equal(user_id, request->identity.user_id) ? request->identity.jti : TEXT_NULL,
                 request->identity.expires_at},
    };
    if (input[INPUT_user_update_email].present) {
        outcome = account_store_take_email(context, input[INPUT_user_update_email].text, user_id, old[USER_email].text,
                                           &change.email);
    }
    if (outcome == OK && input[INPUT_user_update_profile_image_url].present) {
        outcome = picture_address_take(request, input[INPUT_user_update_profile_image_url].text, user_id,
                                       old[USER_profile_image_url].text, &change.picture, &change.new_picture);
    }
    if (outcome == OK && password.length > 0) {
        outcome =
            password_check_rules(context, password, change.email.data != NULL ? change.email : old[USER_email].text,
                                 change.name.data != NULL ? change.name : old[USER_name].text);
        if (outcome == OK && admission_ends_here(request, &outcome)) {
            return outcome;
        }
        outcome = outcome == OK ? password_hash(context, password, &change.password_hash) : outcome;
    }
    if (outcome == OK) {
        outcome = account_store_change(context, &change);
    }
    return outcome == OK ? flow_user(request, change.user, caller_sees_private(request, user_id)) : outcome;
}

/* PROBLEM where the account is the primary administrator's, or the caller's own. */
static enum outcome guard_account(struct request *request, struct text user_id, const char *of_primary,
                                  const char *of_oneself)
{
    struct context *context = &request->context;
    struct text primary;
    enum outcome outcome = user_store_primary(context, &primary);
    if (outcome == OK && text_equal(primary, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, of_primary);
    }
    if (outcome == OK && text_equal(request->identity.user_id, user_id)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, of_oneself);
    }
    return outcome;
}

/* Disables or enables an account. `done` is for the log. */
static enum outcome set_active(struct request *request, enum outcome (*set)(struct context *, struct text),
                               const char *of_primary, const char *of_oneself, const char *done)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0];
    enum outcome outcome = guard_account(request, user_id, of_primary, of_oneself);
    if (outcome == OK) {
        outcome = set(context, user_id);
    }
    if (outcome == OK) {
        log_notice(context, "account %.*s was %s by %.*s", (int)user_id.length, user_id.data, done,
                   (int)request->identity.user_id.length, request->identity.user_id.data);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

enum outcome handle_user_disable(struct request *request)
{
    return set_active(request, account_store_disable, "The primary administrator can't be disabled.",
                      "You can't disable your own account; another administrator can.", "disabled");
}

enum outcome handle_user_enable(struct request *request)
{
    return set_active(request, account_store_enable,
                      "The primary administrator can't be enabled here; after an import, use `rosterctl user enable'.",
                      "You can't enable your own account; another administrator can.", "enabled");
}

static enum outcome end_account(struct request *request, enum outcome (*end)(struct context *, struct text),
                                const char *of_primary, const char *of_oneself)
{
    struct context *context = &request->context;
    enum outcome outcome = guard_account(request, request->parameters[0], of_primary, of_oneself);
    if (outcome == OK) {
        outcome = end(context, request->parameters[0]);
    }
    if (outcome == FAULT && context->problem.code == ERROR_INTERNAL_ERROR) {
        return problem_set_fault(context, ERROR_DELETE_USER_ERROR);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

enum outcome handle_user_delete(struct request *request)
{
    return end_account(request, account_store_delete, "The primary administrator can't be deleted.",
                       "You can't delete your own account; another administrator can.");
}

enum outcome handle_user_erase(struct request *request)
{
    return end_account(request, account_store_erase, "The primary administrator can't be erased.",
                       "You can't erase your own account; another administrator can.");
}
