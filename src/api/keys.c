/* keys.c: /auths/api_key, the one key of the original, and /auths/api_keys, named keys. */
#include "api/handlers.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "auth/token.h"
#include "base/json.h"
#include "store/config_store.h"
#include "store/key_store.h"

enum { KEY_RANDOM_BYTES = 16, ROUTES_MOST = 100, ROUTE_LENGTH_MOST = 255 };

/* What a key looks like everywhere but in the answer that makes it. */
static struct text masked_key(struct request *request, struct text suffix)
{
    return text_format(request->context.arena, "sk-…%.*s", (int)suffix.length, suffix.data);
}

static struct text new_key(struct context *context)
{
    unsigned char bytes[KEY_RANDOM_BYTES];

    token_random_bytes(bytes, sizeof bytes);
    struct text digits = text_hex(context->arena, bytes, sizeof bytes);
    struct text key = text_format(context->arena, "sk-%.*s", (int)digits.length, digits.data);
    explicit_bzero(bytes, sizeof bytes);
    password_wipe(digits);
    return key;
}

/* Keys can be made where they are switched on, by those who have the permission. */
static enum outcome check_creation(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    bool granted = false;
    json_object *document;

    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK)
        return outcome;
    if (config_store_is_on(context, document, SETTING_ENABLE_API_KEYS)) {
        outcome =
            permission_check(context, identity->user_id, identity_is_admin(identity), "features.api_keys", &granted);
        if (outcome != OK)
            return outcome;
    }
    return granted ? OK : problem_set(context, ERROR_API_KEY_CREATION_NOT_ALLOWED);
}

static void answer_key(struct request *request, struct text key)
{
    struct buffer *body = &request->response.body;

    buffer_add_byte(body, '{');
    serialise_text_member(body, "api_key", key, true);
    buffer_add_byte(body, '}');
}

enum outcome handle_api_key_get(struct request *request)
{
    struct text suffix;

    enum outcome outcome = key_store_primary(&request->context, request->identity.user_id, &suffix);
    if (outcome == OK)
        answer_key(request, masked_key(request, suffix));
    return outcome;
}

enum outcome handle_api_key_set(struct request *request)
{
    enum outcome outcome = check_creation(request);
    if (outcome != OK)
        return outcome;

    struct text key = new_key(&request->context);
    outcome = key_store_set_primary(&request->context, request->identity.user_id, key);
    if (outcome == OK)
        answer_key(request, key);
    password_wipe(key);
    return outcome;
}

enum outcome handle_api_key_delete(struct request *request)
{
    enum outcome outcome = key_store_delete_primary(&request->context, request->identity.user_id);
    return outcome == OK ? answer_true(request) : outcome;
}

/* Named keys. */

static void serialise_optional_integer(struct buffer *buffer, const char *name, const struct value *value)
{
    serialise_key(buffer, name, false);
    if (value->is_null)
        buffer_add_literal(buffer, "null");
    else
        buffer_add_integer(buffer, value->integer);
}

/* `key` is the key itself where it was made just now, else the null text. */
static void serialise_named_key(struct request *request, const struct value *row, struct text key)
{
    struct buffer *buffer = &request->response.body;

    buffer_add_byte(buffer, '{');
    serialise_text_member(buffer, "id", row[KEY_id].text, true);
    serialise_text_member(buffer, "name", row[KEY_name].text, false);
    serialise_text_member(buffer, "api_key", key.data != NULL ? key : masked_key(request, row[KEY_suffix].text), false);
    serialise_optional_integer(buffer, "expires_at", &row[KEY_expires_at]);
    serialise_optional_integer(buffer, "last_used_at", &row[KEY_last_used_at]);
    serialise_key(buffer, "routes", false);
    if (row[KEY_routes].is_null)
        buffer_add_literal(buffer, "null");
    else
        buffer_add_text(buffer, row[KEY_routes].text);
    serialise_integer_member(buffer, "created_at", row[KEY_created_at].integer, false);
    serialise_integer_member(buffer, "updated_at", row[KEY_updated_at].integer, false);
    buffer_add_byte(buffer, '}');
}

/* A named key as it is now, as the whole answer. */
static enum outcome answer_named_key(struct request *request, struct text key_id, struct text key)
{
    const struct value *row;

    enum outcome outcome = key_store_get(&request->context, request->identity.user_id, key_id, &row);
    if (outcome == OK)
        serialise_named_key(request, row, key);
    return outcome;
}

/* A path as requests are compared with it: without /api/v1 and slashes at the end. Nothing is left of one that means everything. */
static struct text bare_route(struct text route)
{
    static const struct text prefix = {"/api/v1", 7};

    if (text_starts_with(route, prefix.data) && (route.length == prefix.length || route.data[prefix.length] == '/')) {
        route.data += prefix.length;
        route.length -= prefix.length;
    }
    while (route.length > 0 && route.data[route.length - 1] == '/')
        route.length--;
    return route;
}

static enum outcome take_expiry(struct context *context, const struct input *input, struct key_change *change)
{
    change->set_expiry = input->present || input->is_null;
    change->expires_at = input->present ? input->integer : -1;
    if (!input->present || input->integer > context->now_seconds)
        return OK;
    problem_add_fault(context, "greater_than", TEXT("[\"body\",\"expires_at\"]"), "This must be a time in the future.");
    return PROBLEM;
}

static enum outcome take_routes(struct context *context, const struct input *input, struct key_change *change)
{
    enum outcome outcome = OK;

    change->set_routes = input->present || input->is_null;
    if (!input->present)
        return OK;
    if (input->text_count > ROUTES_MOST) {
        problem_add_fault(context, "too_long", TEXT("[\"body\",\"routes\"]"),
                          "This list is too long: a key takes 100 paths.");
        return PROBLEM;
    }
    struct text *paths = arena_zero(context->arena, input->text_count, sizeof *paths);
    for (size_t i = 0; i < input->text_count; i++) {
        const char *type = NULL, *msg = NULL;
        paths[i] = bare_route(input->texts[i]);
        if (!text_starts_with(input->texts[i], "/")) {
            type = "string_pattern_mismatch";
            msg = "This must be a path: it starts with a slash.";
        } else if (paths[i].length == 0) {
            type = "string_pattern_mismatch";
            msg = "This is above all paths: for a key that may call everything, send null in place of the list.";
        } else if (paths[i].length > ROUTE_LENGTH_MOST) {
            type = "string_too_long";
            msg = "This text is too long.";
        }
        if (type != NULL) {
            problem_add_fault(context, type, text_format(context->arena, "[\"body\",\"routes\",%zu]", i), msg);
            outcome = PROBLEM;
        }
    }
    change->routes = json_list_of_texts(context->arena, paths, input->text_count);
    return outcome;
}

/* All faults are told at once. */
static enum outcome take_change(struct context *context, const struct input *name, const struct input *expires_at,
                                const struct input *paths, struct key_change *change_r)
{
    *change_r = (struct key_change){.name = name->present ? name->text : (struct text){NULL, 0}};
    enum outcome expiry_outcome = take_expiry(context, expires_at, change_r);
    enum outcome routes_outcome = take_routes(context, paths, change_r);
    return expiry_outcome == OK ? routes_outcome : expiry_outcome;
}

enum outcome handle_api_keys_list(struct request *request)
{
    struct buffer *body = &request->response.body;
    struct result keys;

    enum outcome outcome = key_store_list(&request->context, request->identity.user_id, &keys);
    if (outcome != OK)
        return outcome;
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < keys.row_count; i++) {
        if (i > 0)
            buffer_add_byte(body, ',');
        serialise_named_key(request, result_row(&keys, i), (struct text){NULL, 0});
    }
    buffer_add_byte(body, ']');
    return OK;
}

enum outcome handle_api_keys_create(struct request *request)
{
    const struct input *input = request->input;
    struct key_change change;
    struct text key_id;

    enum outcome outcome = take_change(&request->context, &input[INPUT_named_key_name],
                                       &input[INPUT_named_key_expires_at], &input[INPUT_named_key_routes], &change);
    if (outcome == OK)
        outcome = check_creation(request);
    if (outcome != OK)
        return outcome;

    struct text key = new_key(&request->context);
    outcome = key_store_add(&request->context, request->identity.user_id, key, &change, &key_id);
    if (outcome == OK)
        outcome = answer_named_key(request, key_id, key);
    password_wipe(key);
    return outcome;
}

enum outcome handle_api_keys_get(struct request *request)
{
    return answer_named_key(request, request->parameters[0], (struct text){NULL, 0});
}

enum outcome handle_api_keys_update(struct request *request)
{
    const struct input *input = request->input;
    struct key_change change;

    enum outcome outcome =
        take_change(&request->context, &input[INPUT_named_key_update_name], &input[INPUT_named_key_update_expires_at],
                    &input[INPUT_named_key_update_routes], &change);
    if (outcome == OK)
        outcome = key_store_change(&request->context, request->identity.user_id, request->parameters[0], &change);
    return outcome == OK ? answer_named_key(request, request->parameters[0], (struct text){NULL, 0}) : outcome;
}

enum outcome handle_api_keys_delete(struct request *request)
{
    enum outcome outcome = key_store_delete(&request->context, request->identity.user_id, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}
