/* settings.c: the settings of the service that administrators change at run time. */
#include "api/handlers.h"
#include "base/array.h"
#include "base/json.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "store/session_store.h"
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

/* Adds the settings from `first` on, up to but not including `end`, to the open object. */
static void put_members(struct request *request, json_object *document, enum setting first, enum setting end)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    for (enum setting setting = first; setting < end; setting++) {
        if (!config_has(context->config, setting_rows[setting].since)) {
            continue;
        }
        json_object *value = config_store_get(context, document, setting);
        json_add_name_string(json, setting_rows[setting].key);
        if (setting_store_is_masked(setting, value)) {
            json_add_string(json, setting_store_mask);
        } else {
            json_add_raw(json, json_print(context->arena, value));
        }
    }
}

/* The same as the whole answer. */
static void answer_settings(struct request *request, json_object *document, enum setting first, enum setting end)
{
    json_begin_object(&request->response.json);
    put_members(request, document, first, end);
    json_end_object(&request->response.json);
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
    unsigned factors;      /* config_store_factors before */
};

static json_object *text_of_input(struct text text)
{
    return json_object_new_string_len(text.data, (int)text.length);
}

/* Texts of white space are left out, and languages without a text. */
static void drop_empty_texts(json_object *languages)
{
    json_object_object_foreach(languages, language, texts)
    {
        if (!json_object_is_type(texts, json_type_object)) {
            continue; /* which is going to be refused */
        }
        json_object_object_foreach(texts, name, text)
        {
            if (json_object_is_type(text, json_type_string) && text_trim(json_text(text)).length == 0) {
                json_object_object_del(texts, name);
            }
        }
        if (json_object_object_length(texts) == 0) {
            json_object_object_del(languages, language);
        }
    }
}

static json_object *value_of_input(const struct input *input, enum setting setting)
{
    const enum setting_type type = setting_rows[setting].type;
    if (type == SETTING_TYPE_AMOUNT) { /* null is no number, either */
        return input->present && input->text.data == NULL ? json_object_new_int64(input->integer)
                                                          : text_of_input(TEXT(""));
    }
    if (!input->present) {
        return NULL;
    }
    switch (type) {
    case SETTING_TYPE_BOOLEAN:
    case SETTING_TYPE_STRICT:
        return json_object_new_boolean(input->integer != 0);
    case SETTING_TYPE_INTEGER:
        return json_object_new_int64(input->integer);
    case SETTING_TYPE_OBJECT:
        if (setting == SETTING_I18N) {
            drop_empty_texts(input->json);
        }
        return json_object_get(input->json);
    default:
        return text_of_input(input->text);
    }
}

/* The value of a setting that the body omits: null where null is allowed, except for the ciphers, else the default of a
 * new installation. */
static json_object *value_where_absent(struct context *context, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    bool is_null = row->may_be_null && setting != SETTING_LDAP_ciphers;
    return is_null ? NULL : json_object_get(json_parse(context->arena, text_of(row->default_json)));
}

/* Whether a setting stays as it is stored: it is not shown, so the body has none; or it is absent, and that means so;
 * or it is the mask of a password. */
static bool stays(const struct context *context, enum setting setting, const struct input *input)
{
    const struct setting_row *row = &setting_rows[setting];
    if (!config_has(context->config, row->since)) {
        return true;
    }
    if (!input->present && !input->is_null) {
        return setting < SETTING_LDAP_FIRST && config_behaves(context->config, BEHAVIOUR_ABSENT_IS_STORED);
    }
    return row->type == SETTING_TYPE_PASSWORD && text_is(input->text, setting_store_mask);
}

static void put_settings(struct context *context, json_object *document, void *argument)
{
    struct settings_change *change = argument;
    change->factors = config_store_factors(context, document);
    for (size_t i = 0; i < change->count; i++) {
        enum setting setting = change->first + (enum setting)i;
        const struct input *input = &change->request->input[i];
        if (!stays(context, setting, input)) {
            bool absent = !input->present && !input->is_null;
            config_store_put(document, setting_rows[setting].path,
                             absent ? value_where_absent(context, setting) : value_of_input(input, setting));
        }
    }
    change->document = document;
}

/* Checks all texts of the body, so that all faults are told together. */
static enum outcome check_texts(struct request *request, enum setting first, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome != FAULT; i++) {
        enum outcome one = request->input[i].text.data != NULL
                               ? setting_store_check(&request->context, first + (enum setting)i, request->input[i].text)
                               : OK;
        outcome = one != OK ? one : outcome;
    }
    return outcome;
}

/* Whether the body leaves a setting as it is. */
static bool is_same(struct request *request, json_object *document, enum setting setting)
{
    struct context *context = &request->context;
    const struct input *input = &request->input[setting];
    if (stays(context, setting, input)) {
        return true;
    }
    json_object *wanted = json_keep(context->arena, value_of_input(input, setting));
    return json_object_equal(config_store_get(context, document, setting), wanted);
}

/* An API key can't change the restrictions of API keys, and so lift its own; nor who needs a second factor. An
 * unchanged value may be sent back. */
static enum outcome guard_key_settings(struct request *request)
{
    static const enum setting guarded[] = {SETTING_ENABLE_API_KEYS,
                                           SETTING_ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS,
                                           SETTING_API_KEYS_ALLOWED_ENDPOINTS,
                                           SETTING_ENABLE_MFA,
                                           SETTING_MFA_ALLOW_OAUTH_BYPASS,
                                           SETTING_MFA_ALLOW_TRUSTED_HEADER_BYPASS};
    struct context *context = &request->context;
    json_object *document;
    if (!request->identity.is_api_key) {
        return OK;
    }
    enum outcome outcome = config_store_read(context, &document);
    for (size_t i = 0; outcome == OK && i < ARRAY_COUNT(guarded); i++) {
        if (!is_same(request, document, guarded[i])) {
            outcome = problem_set_detail(
                context, ERROR_SESSION_REQUIRED, 0,
                text_format(context->arena, "An API key can't change %s: sign in, and use the session's token.",
                            setting_rows[guarded[i]].key)
                    .data);
        }
    }
    return outcome;
}

/* Whether a setting can have any value of its type, where that is no text. */
static bool takes_any(enum setting setting)
{
    return setting != SETTING_I18N && setting_rows[setting].type != SETTING_TYPE_INTEGER;
}

/* Refuses values that are no texts and can't be: numbers, and I18N. */
static enum outcome check_others(struct request *request)
{
    struct context *context = &request->context;
    enum outcome outcome = OK;
    for (enum setting setting = 0; setting < SETTING_LDAP_FIRST; setting++) {
        const struct input *input = &request->input[setting];
        if (!takes_any(setting) && !stays(context, setting, input) &&
            setting_store_check_value(context, setting, json_keep(context->arena, value_of_input(input, setting))) !=
                OK) {
            outcome = PROBLEM;
        }
    }
    return outcome;
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
    for (enum setting setting = 0; setting < SETTING_LDAP_FIRST; setting++) { /* also what is not shown */
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
    struct settings_change change = {request, 0, SETTING_LDAP_FIRST, NULL, 0};
    enum outcome outcome = check_texts(request, 0, SETTING_LDAP_FIRST);
    if (outcome == OK) {
        outcome = guard_key_settings(request);
    }
    if (outcome == OK) {
        outcome = check_others(request);
    }
    if (outcome == OK) {
        outcome = config_store_change_if(&request->context, check_settings, put_settings, &change);
    }
    bool ends_sessions = false;
    if (outcome ==
        OK) { /* who needs a second factor now is asked at once, whether this succeeds or not: auth/factor.c */
        ends_sessions = config_store_factors(&request->context, change.document) != change.factors;
        outcome = ends_sessions ? session_store_end_everybody(&request->context) : OK;
    }
    if (outcome == OK) {
        struct json_writer *json = &request->response.json;
        json_begin_object(json);
        put_members(request, change.document, 0, SETTING_LDAP_FIRST);
        if (config_has(request->context.config, (enum compatibility)SINCE_AdminConfigSaved_sessions_revoked)) {
            json_member_boolean(json, "sessions_revoked", ends_sessions);
        }
        json_end_object(json);
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
    struct settings_change change = {request, SETTING_LDAP_FIRST, INPUT_ldap_server_COUNT, NULL, 0};
    enum outcome outcome = check_texts(request, SETTING_LDAP_FIRST, INPUT_ldap_server_COUNT);
    if (outcome == OK) {
        outcome = config_store_change(&request->context, put_settings, &change);
    }
    if (outcome == OK) {
        answer_settings(request, change.document, SETTING_LDAP_FIRST, SETTING_COUNT);
    }
    return outcome;
}
