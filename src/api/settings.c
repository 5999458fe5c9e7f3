/* settings.c: the settings of the service that administrators change at run time. */
#include "api/handlers.h"
#include "base/json.h"
#include "base/problem.h"
#include "store/setting_store.h"
#include "store/user_store.h"

enum outcome handle_admin_details(struct request *request)
{
    struct context *context = &request->context;
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    if (!config_store_is_on(context, document, SETTING_SHOW_ADMIN_DETAILS)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 400,
                                  "This service does not show who its administrators are.");
    }
    struct text email = json_text(config_store_at(document, "auth.admin.email"));
    struct user_login by_email = {.found = false};
    struct text user_id = TEXT_NULL;
    if (email.length > 0) {
        outcome = user_store_find_by_email(context, email, &by_email);
        user_id = by_email.id;
    } else {
        outcome = user_store_primary(context, &user_id);
    }
    const struct value *admin = NULL;
    if (outcome == OK && user_id.data != NULL) {
        outcome = user_store_get(context, user_id, &admin);
    }
    if (outcome == OK) {
        struct json_writer *json = &request->response.json;
        json_begin_object(json);
        json_member_text(json, "name", admin != NULL ? admin[USER_name].text : TEXT_NULL);
        json_member_text(json, "email", admin != NULL ? admin[USER_email].text : email);
        json_end_object(json);
    }
    return outcome;
}

/* The settings from `first` on, up to but not including `end`, as an object. */
static void answer_settings(struct request *request, json_object *document, enum setting first, enum setting end)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    for (enum setting setting = first; setting < end; setting++) {
        json_object *value = config_store_get(context, document, setting);
        json_add_name_string(json, setting_rows[setting].key);
        if (setting_store_is_masked(setting, value)) {
            json_add_string(json, setting_store_mask);
        } else {
            json_add_raw(json, json_print(context->arena, value));
        }
    }
    json_end_object(json);
}

enum outcome handle_admin_config_get(struct request *request)
{
    json_object *document;
    enum outcome outcome = setting_store_read(&request->context, &document);
    if (outcome == OK) {
        answer_settings(request, document, 0, SETTING_LDAP_FIRST);
    }
    return outcome;
}

/* The settings of a body. Its fields are in the order of the rows from `first` on. */
struct settings_change {
    struct request *request;
    enum setting first;
    size_t count;
    json_object *document; /* as it was stored */
};

static json_object *value_of_input(const struct input *input, enum setting_type type)
{
    if (!input->present) {
        return NULL;
    }
    return type == SETTING_TYPE_BOOLEAN   ? json_object_new_boolean(input->integer != 0)
           : type == SETTING_TYPE_INTEGER ? json_object_new_int64(input->integer)
                                          : json_object_new_string_len(input->text.data, (int)input->text.length);
}

/* The value of a setting that the body omits: null where null is allowed, except for the ciphers, else the default of a
 * new installation. */
static json_object *value_where_absent(struct context *context, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    bool is_null = row->may_be_null && setting != SETTING_LDAP_ciphers;
    return is_null ? NULL : json_object_get(json_parse(context->arena, text_of(row->default_json)));
}

static void put_settings(struct context *context, json_object *document, void *argument)
{
    struct settings_change *change = argument;
    for (size_t i = 0; i < change->count; i++) {
        enum setting setting = change->first + (enum setting)i;
        const struct setting_row *row = &setting_rows[setting];
        const struct input *input = &change->request->input[i];
        bool absent = !input->present && !input->is_null;
        if (row->type != SETTING_TYPE_PASSWORD || !text_is(input->text, setting_store_mask)) {
            config_store_put(document, row->path,
                             absent ? value_where_absent(context, setting) : value_of_input(input, row->type));
        }
    }
    change->document = document;
}

/* Checks all texts of the body, so that all faults are told together. */
static enum outcome check_texts(struct request *request, enum setting first, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome != FAULT; i++) {
        enum outcome one = setting_store_check(&request->context, first + (enum setting)i, request->input[i].text);
        outcome = one != OK ? one : outcome;
    }
    return outcome;
}

/* An API key can't change the restrictions of API keys, and so lift its own. An unchanged value may be sent back. */
static enum outcome guard_key_settings(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    if (!request->identity.is_api_key) {
        return OK;
    }
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    bool same = config_store_is_on(context, document, SETTING_ENABLE_API_KEYS) ==
                    (input[INPUT_admin_config_ENABLE_API_KEYS].integer != 0) &&
                config_store_is_on(context, document, SETTING_ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS) ==
                    (input[INPUT_admin_config_ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS].integer != 0) &&
                text_equal(config_store_text(context, document, SETTING_API_KEYS_ALLOWED_ENDPOINTS),
                           input[INPUT_admin_config_API_KEYS_ALLOWED_ENDPOINTS].text);
    return same ? OK
                : problem_set_detail(
                      context, ERROR_SESSION_REQUIRED, 0,
                      "An API key can't change the restrictions of API keys: sign in, and use the session's token.");
}

_Static_assert((int)INPUT_admin_config_if_was == (int)SETTING_LDAP_FIRST, "the settings come first");

/* Whether the settings are still as the client has seen them. */
static enum outcome check_settings(struct context *context, json_object *document, void *argument)
{
    const struct settings_change *change = argument;
    json_object *was = change->request->input[INPUT_admin_config_if_was].json;
    if (was == NULL) {
        return OK;
    }
    json_object *present = json_keep(context->arena, json_object_new_object());
    for (enum setting setting = 0; setting < SETTING_LDAP_FIRST; setting++) {
        json_object_object_add(present, setting_rows[setting].key,
                               json_object_get(config_store_get(context, document, setting)));
    }
    return json_includes(present, was)
               ? OK
               : problem_set_detail(context, ERROR_PRECONDITION_FAILED, 0,
                                    "Somebody has changed the settings meanwhile: read them again.");
}

enum outcome handle_admin_config_set(struct request *request)
{
    struct settings_change change = {request, 0, SETTING_LDAP_FIRST, NULL};
    enum outcome outcome = check_texts(request, 0, SETTING_LDAP_FIRST);
    if (outcome == OK) {
        outcome = guard_key_settings(request);
    }
    if (outcome == OK) {
        outcome = config_store_change_if(&request->context, check_settings, put_settings, &change);
    }
    if (outcome == OK) {
        answer_settings(request, change.document, 0, SETTING_LDAP_FIRST);
    }
    return outcome;
}

enum outcome handle_ldap_get(struct request *request)
{
    json_begin_object(&request->response.json);
    json_member_boolean(&request->response.json, "ENABLE_LDAP", false);
    json_end_object(&request->response.json);
    return OK;
}

enum outcome handle_ldap_set(struct request *request)
{
    if (request->input[INPUT_ldap_enable_ldap].integer != 0) {
        return problem_set(&request->context, ERROR_LDAP_NOT_SUPPORTED);
    }
    return handle_ldap_get(request);
}

enum outcome handle_ldap_server_get(struct request *request)
{
    json_object *document;
    enum outcome outcome = config_store_read(&request->context, &document);
    if (outcome == OK) {
        answer_settings(request, document, SETTING_LDAP_FIRST, SETTING_COUNT);
    }
    return outcome;
}

enum outcome handle_ldap_server_set(struct request *request)
{
    struct settings_change change = {request, SETTING_LDAP_FIRST, INPUT_ldap_server_COUNT, NULL};
    enum outcome outcome = check_texts(request, SETTING_LDAP_FIRST, INPUT_ldap_server_COUNT);
    if (outcome == OK) {
        outcome = config_store_change(&request->context, put_settings, &change);
    }
    if (outcome == OK) {
        answer_settings(request, change.document, SETTING_LDAP_FIRST, SETTING_COUNT);
    }
    return outcome;
}
