/* keys.c: /auths/api_key, the single key that existing clients use, and /auths/api_keys, named keys. */
#include "api/handlers.h"
#include "auth/api_key.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "base/problem.h"
#include "store/config_store.h"
#include "store/key_store.h"

enum { ROUTES_MAX = 100, ROUTE_LENGTH_MAX = 255 };

/* Keys can be created where they are enabled, by users with the permission. */
static enum outcome check_creation(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    json_object *document;
    bool granted;

    enum outcome outcome = config_store_read(context, &document);
    if (outcome == OK) {
        outcome =
            permission_check_api_keys(context, document, identity->user_id, identity_is_admin(identity), &granted);
    }
    if (outcome != OK) {
        return outcome;
    }
    return granted ? OK : problem_set(context, ERROR_API_KEY_CREATION_NOT_ALLOWED);
}

static void answer_key(struct request *request, struct text key)
{
    struct json_writer *json = &request->response.json;

    json_begin_object(json);
    json_member_text(json, "api_key", key);
    json_end_object(json);
}

enum outcome handle_api_key_get(struct request *request)
{
    struct text suffix;

    enum outcome outcome = key_store_primary(&request->context, request->identity.user_id, &suffix);
    if (outcome == OK) {
        answer_key(request, api_key_mask(request->context.arena, suffix));
    }
    return outcome;
}

enum outcome handle_api_key_set(struct request *request)
{
    enum outcome outcome = check_creation(request);
    if (outcome != OK) {
        return outcome;
    }

    struct text key = api_key_make(request->context.arena);
    outcome = key_store_set_primary(&request->context, request->identity.user_id, key);
    if (outcome == OK) {
        answer_key(request, key);
    }
    password_wipe(key);
    return outcome;
}

enum outcome handle_api_key_delete(struct request *request)
{
    enum outcome outcome = key_store_delete_primary(&request->context, request->identity.user_id);
    return outcome == OK ? answer_true(request) : outcome;
}

/* Named keys. */

/* `key`: the key itself where this request created it, else the null text. */
static void serialise_named_key(struct request *request, const struct value *row, struct text key)
{
    struct json_writer *json = &request->response.json;

    json_begin_object(json);
    json_member_text(json, "id", row[KEY_id].text);
    json_member_text(json, "name", row[KEY_name].text);
    json_member_text(json, "api_key",
                     key.data != NULL ? key : api_key_mask(request->context.arena, row[KEY_suffix].text));
    json_name(json, "expires_at");
    serialise_integer(json, &row[KEY_expires_at]);
    json_name(json, "last_used_at");
    serialise_integer(json, &row[KEY_last_used_at]);
    json_name(json, "routes");
    serialise_document(json, "api_key", "routes", row[KEY_id].text, row[KEY_routes].text);
    json_member_integer(json, "created_at", row[KEY_created_at].integer);
    json_member_integer(json, "updated_at", row[KEY_updated_at].integer);
    json_end_object(json);
}

/* Answers with the present state of a named key. */
static enum outcome answer_named_key(struct request *request, struct text key_id, struct text key)
{
    const struct value *row;

    enum outcome outcome = key_store_get(&request->context, request->identity.user_id, key_id, &row);
    if (outcome == OK) {
        serialise_named_key(request, row, key);
    }
    return outcome;
}

static enum outcome take_expiry(struct context *context, const struct input *input, struct key_change *change)
{
    change->set_expiry = input->present || input->is_null;
    change->expires_at = input->present ? input->integer : -1;
    if (!input->present || input->integer > context->now_seconds) {
        return OK;
    }
    problem_add_body_fault(context, FAULT_greater_than, "expires_at", -1, NULL);
    return PROBLEM;
}

/* `path`: what identity_bare_path made of what was typed. */
static enum fault_type fault_of_path(struct text typed, struct text path, const char **msg_r)
{
    if (!text_starts_with(typed, "/")) {
        *msg_r = "This must be a path that starts with a slash, or verify: and the name of an application.";
        return FAULT_string_pattern_mismatch;
    }
    if (path.length == 0) {
        *msg_r = "This would allow all paths: for a key that may call everything, send null instead of the list.";
        return FAULT_string_pattern_mismatch;
    }
    return FAULT_NONE;
}

static enum outcome take_routes(struct context *context, const struct input *input, struct key_change *change)
{
    change->set_routes = input->present || input->is_null;
    if (!input->present) {
        return OK;
    }
    if (input->text_count > ROUTES_MAX) {
        problem_add_body_fault(context, FAULT_too_long, "routes", -1, NULL);
        return PROBLEM;
    }
    struct text *paths = arena_zero(context->arena, input->text_count, sizeof *paths);
    enum outcome outcome = OK;
    for (size_t i = 0; i < input->text_count; i++) {
        enum fault_type type = FAULT_NONE;
        const char *msg = NULL;
        const struct text typed = text_trim(input->texts[i]);
        if (text_starts_with(typed, KEY_ROUTE_VERIFY)) {
            paths[i] = typed;
            if (typed.length == strlen(KEY_ROUTE_VERIFY)) {
                type = FAULT_string_pattern_mismatch;
                msg = "The name of an application must follow.";
            }
        } else {
            identity_bare_path(typed, &paths[i]);
            type = fault_of_path(typed, paths[i], &msg);
        }
        if (type == FAULT_NONE && paths[i].length > ROUTE_LENGTH_MAX) {
            type = FAULT_string_too_long;
        }
        if (type != FAULT_NONE) {
            problem_add_body_fault(context, type, "routes", (int64_t)i, msg);
            outcome = PROBLEM;
        }
    }
    change->routes = json_list_of_texts(context->arena, paths, input->text_count);
    return outcome;
}

/* Reports all faults in one response. */
static enum outcome take_change(struct context *context, const struct input *name, const struct input *expires_at,
                                const struct input *paths, struct key_change *change_r)
{
    *change_r = (struct key_change){.name = name->present ? name->text : TEXT_NULL};
    enum outcome expiry_outcome = take_expiry(context, expires_at, change_r);
    enum outcome routes_outcome = take_routes(context, paths, change_r);
    return expiry_outcome == OK ? routes_outcome : expiry_outcome;
}

enum outcome handle_api_keys_list(struct request *request)
{
    struct result keys;

    enum outcome outcome = key_store_list(&request->context, request->identity.user_id, &keys);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_array(&request->response.json);
    for (size_t i = 0; i < keys.row_count; i++) {
        serialise_named_key(request, result_row(&keys, i), TEXT_NULL);
    }
    json_end_array(&request->response.json);
    return OK;
}

enum outcome handle_api_keys_create(struct request *request)
{
    const struct input *input = request->input;
    struct key_change change;

    enum outcome outcome = take_change(&request->context, &input[INPUT_named_key_name],
                                       &input[INPUT_named_key_expires_at], &input[INPUT_named_key_routes], &change);
    if (outcome == OK) {
        outcome = check_creation(request);
    }
    if (outcome != OK) {
        return outcome;
    }

    struct text key = api_key_make(request->context.arena);
    struct text key_id;
    outcome = key_store_add(&request->context, request->identity.user_id, key, &change, &key_id);
    if (outcome == OK) {
        outcome = answer_named_key(request, key_id, key);
    }
    password_wipe(key);
    return outcome;
}

enum outcome handle_api_keys_get(struct request *request)
{
    return answer_named_key(request, request->parameters[0], TEXT_NULL);
}

enum outcome handle_api_keys_update(struct request *request)
{
    const struct input *input = request->input;
    struct key_change change;

    enum outcome outcome =
        take_change(&request->context, &input[INPUT_named_key_update_name], &input[INPUT_named_key_update_expires_at],
                    &input[INPUT_named_key_update_routes], &change);
    if (outcome == OK) {
        outcome = key_store_change(&request->context, request->identity.user_id, request->parameters[0], &change);
    }
    return outcome == OK ? answer_named_key(request, request->parameters[0], TEXT_NULL) : outcome;
}

enum outcome handle_api_keys_delete(struct request *request)
{
    enum outcome outcome = key_store_delete(&request->context, request->identity.user_id, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}
