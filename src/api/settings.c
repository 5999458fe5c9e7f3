/* settings.c: the settings of the service that administrators change at run time. */
#include "api/handlers.h"
#include "auth/token.h"
#include "base/json.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "store/user_store.h"

/* What is shown in the place of a password; sent back, it leaves the stored one as it is. */
static const char mask[] = "********";

enum outcome handle_admin_details(struct request *request)
{
    struct context *context = &request->context;
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    if (!config_store_is_on(context, document, SETTING_SHOW_ADMIN_DETAILS)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 400, "Who the administrator is is not shown here.");
    }
    struct text email = json_text(config_store_at(document, "auth.admin.email"));
    struct user_login by_email = {.found = false};
    struct text user_id = {NULL, 0};
    const struct value *admin = NULL;
    if (email.length > 0) {
        outcome = user_store_find_by_email(context, email, &by_email);
        user_id = by_email.id;
    } else {
        outcome = user_store_primary(context, &user_id);
    }
    if (outcome == OK && user_id.data != NULL) {
        outcome = user_store_get(context, user_id, &admin);
    }
    if (outcome == OK) {
        struct buffer *body = &request->response.body;
        buffer_add_byte(body, '{');
        serialise_text_member(body, "name", admin != NULL ? admin[USER_name].text : (struct text){NULL, 0}, true);
        serialise_text_member(body, "email", admin != NULL ? admin[USER_email].text : email, false);
        buffer_add_byte(body, '}');
    }
    return outcome;
}

/* The settings from `first` to `last`, as an object. */
static void answer_settings(struct request *request, json_object *document, enum setting first, enum setting last)
{
    struct context *context = &request->context;
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '{');
    for (enum setting setting = first; setting <= last; setting++) {
        json_object *value = config_store_get(context, document, setting);
        serialise_key(body, setting_rows[setting].key, setting == first);
        if (setting_rows[setting].type == SETTING_TYPE_MASKED && json_object_get_string_len(value) > 0) {
            buffer_add_json(body, text_of(mask));
        } else {
            buffer_add_text(body, json_print(context->arena, value));
        }
    }
    buffer_add_byte(body, '}');
}

enum outcome handle_admin_config_get(struct request *request)
{
    json_object *document;
    enum outcome outcome = config_store_read(&request->context, &document);
    if (outcome == OK) {
        answer_settings(request, document, SETTING_SHOW_ADMIN_DETAILS, SETTING_RESPONSE_WATERMARK);
    }
    return outcome;
}

/* The settings that a body brings: its fields in the order of the rows from `first` on. */
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

/* What is left out is not kept: it becomes null where that is a value, but for the ciphers, and else what a fresh install has. */
static json_object *value_where_absent(struct context *context, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    bool is_null = setting != SETTING_LDAP_ciphers && (row->type == SETTING_TYPE_NULLABLE || row->type == SETTING_TYPE_INTEGER);
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
        if (row->type != SETTING_TYPE_MASKED || !text_is(input->text, mask)) {
            config_store_put(document, row->path, absent ? value_where_absent(context, setting) : value_of_input(input, row->type));
        }
    }
    change->document = document;
}

/* What the schema can't know: the group exists, the lifetime can be read. */
static enum outcome check_admin_config(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct text group_id = input[INPUT_admin_config_DEFAULT_GROUP_ID].text;
    enum outcome outcome = OK;
    if (group_id.length > 0) {
        const struct value *group;
        enum outcome found = group_store_get(context, group_id, &group);
        if (found == FAULT) {
            return found;
        }
        if (found == PROBLEM) {
            context->problem = (struct problem){.code = ERROR_NONE};
            problem_add_fault(context, "value_error", TEXT("[\"body\",\"DEFAULT_GROUP_ID\"]"), "There is no group with this id.");
            outcome = PROBLEM;
        }
    }
    int64_t seconds;
    if (!token_parse_lifetime(input[INPUT_admin_config_JWT_EXPIRES_IN].text, &seconds)) {
        problem_add_fault(context, "string_pattern_mismatch", TEXT("[\"body\",\"JWT_EXPIRES_IN\"]"),
                          "This must be -1 or 0 (for ever), or numbers with ms, s, m, h, d or w, as 4w.");
        outcome = PROBLEM;
    }
    return outcome;
}

enum outcome handle_admin_config_set(struct request *request)
{
    struct settings_change change = {request, SETTING_SHOW_ADMIN_DETAILS, INPUT_admin_config_COUNT, NULL};
    enum outcome outcome = check_admin_config(request);
    if (outcome == OK) {
        outcome = config_store_change(&request->context, put_settings, &change);
    }
    if (outcome == OK) {
        answer_settings(request, change.document, SETTING_SHOW_ADMIN_DETAILS, SETTING_RESPONSE_WATERMARK);
    }
    return outcome;
}

_Static_assert((int)INPUT_admin_config_COUNT == (int)SETTING_RESPONSE_WATERMARK + 1 &&
                   (int)INPUT_ldap_server_COUNT == (int)SETTING_COUNT - (int)SETTING_LDAP_label,
               "schemas.def and settings.def list the same fields in the same order");

enum outcome handle_ldap_get(struct request *request)
{
    buffer_add_literal(&request->response.body, "{\"ENABLE_LDAP\":false}");
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
        answer_settings(request, document, SETTING_LDAP_label, SETTING_LDAP_ciphers);
    }
    return outcome;
}

enum outcome handle_ldap_server_set(struct request *request)
{
    struct settings_change change = {request, SETTING_LDAP_label, INPUT_ldap_server_COUNT, NULL};
    enum outcome outcome = config_store_change(&request->context, put_settings, &change);
    if (outcome == OK) {
        answer_settings(request, change.document, SETTING_LDAP_label, SETTING_LDAP_ciphers);
    }
    return outcome;
}
