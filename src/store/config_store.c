#include "store/config_store.h"

#include "base/duration.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/permission_table.h"
#include "base/problem.h"
#include "store/audit_store.h"
#include "store/prefetch.h"
#include "store/row_cache.h"

/* Where the default permissions are. */
#define PERMISSIONS_PATH "user.permissions"

/* Defaults as JSON, from a literal of the setting's type. */
#define ROLE_pending "pending"
#define ROLE_user "user"
#define ROLE_admin "admin"
#define JSON_OF_TEXT(literal) "\"" literal "\""
#define JSON_OF_PASSWORD(literal) JSON_OF_TEXT(literal)
#define JSON_OF_ROLE(role) JSON_OF_TEXT(ROLE_##role)
#define JSON_OF_BOOLEAN(literal) ((literal) ? "true" : "false")
#define JSON_OF_STRICT(literal) JSON_OF_BOOLEAN(literal)
#define JSON_OF_INTEGER(literal) (&#literal[0 * (literal)])
#define JSON_OF_AMOUNT(literal) JSON_OF_TEXT(literal)
#define JSON_OF_OBJECT(literal) literal
enum { null };
#define JSON_OF_EMAIL(literal) (&"null"[literal])

enum { NULL_IF_REQUIRED = false, NULL_IF_RELAXED = false, NULL_IF_OPTIONAL = false, NULL_IF_NULLABLE = true };

const struct setting_row setting_rows[SETTING_COUNT] = {
#define SETTING(key, path, type, needed, fresh, since, text) \
    [SETTING_##key] = {                                      \
        #key, path, SETTING_TYPE_##type, NULL_IF_##needed, JSON_OF_##type(fresh), COMPATIBILITY_##since, text},
#define LDAP_SETTING(key, path, type, needed, fresh, since, text) \
    [SETTING_LDAP_##key] = {                                      \
        #key, path, SETTING_TYPE_##type, NULL_IF_##needed, JSON_OF_##type(fresh), COMPATIBILITY_##since, text},
#include "tables/settings.def"
};

static json_object *default_of(struct context *context, enum setting setting)
{
    return json_parse(context->arena, text_of(setting_rows[setting].default_json));
}

/* json-c saturates integers beyond 64 bits. */
static bool integer_fits(json_object *value, enum setting setting)
{
    const bool is_positive = setting == SETTING_SKILL_CONTENT_MAX_CHARS || setting == SETTING_SKILL_PREVIEW_MAX_CHARS;
    return json_object_get_uint64(value) <= INT64_MAX && (!is_positive || json_object_get_int64(value) >= 1);
}

const char *config_store_refusal(enum setting setting, json_object *value)
{
    if (json_object_is_type(value, json_type_int) && !integer_fits(value, setting)) {
        return "This must be 1 or more.";
    }
    return NULL;
}

enum outcome config_store_parse(struct context *context, struct text json, json_object **document_r)
{
    enum json_state state = json_text_parse(context->arena, json, document_r);
    if (state == JSON_ABSENT) {
        *document_r = json_keep(context->arena, json_object_new_object());
    } else if (json_object_get_type(*document_r) != json_type_object) {
        log_error(context,
                  "table config: column data of the newest row is not a valid JSON object: the settings are neither "
                  "used nor changed; fix it, or remove the row to restore the previous settings");
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
    return OK;
}

enum outcome config_store_read(struct context *context, json_object **document_r)
{
    struct text json;
    struct result rows;
    if (prefetch_take(context, PREFETCH_CONFIG, TEXT_NULL, &rows)) {
        return config_store_parse(context, rows.values->text, document_r);
    }
    enum outcome outcome = database_get_text(context, "SELECT data FROM config ORDER BY id DESC LIMIT 1", NO_PARAMETERS,
                                             &json, ERROR_NONE);
    return outcome == OK ? config_store_parse(context, json, document_r) : outcome;
}

/* Finds the value at a path. True: there is one, which may be null. */
static bool find(json_object *document, const char *path, json_object **value_r)
{
    char name[128];
    for (;;) {
        size_t length = strcspn(path, ".");
        if (json_object_get_type(document) != json_type_object || length >= sizeof name) {
            return false;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        if (!json_object_object_get_ex(document, name, &document)) {
            return false;
        }
        if (path[length] == '\0') {
            *value_r = document;
            return true;
        }
        path += length + 1;
    }
}

json_object *config_store_at(json_object *document, const char *path)
{
    json_object *value = NULL;
    return find(document, path, &value) ? value : NULL;
}

/* Whether the endpoint would accept a text. Other programs may have stored any text. */
static bool text_fits(struct text text, enum setting setting)
{
    int64_t seconds;
    if (setting_rows[setting].type == SETTING_TYPE_ROLE) {
        return text_is(text, ROLE_pending) || text_is(text, ROLE_user) || text_is(text, ROLE_admin);
    }
    if (setting == SETTING_JWT_EXPIRES_IN) {
        return duration_parse(text, &seconds);
    }
    if (setting == SETTING_CHANNEL_MODEL_RESPONSE_MODE) {
        return text_is(text, "thread") || text_is(text, "channel");
    }
    return text.length == 0 || memchr(text.data, '\0', text.length) == NULL;
}

static bool is_boolean(enum setting_type type)
{
    return type == SETTING_TYPE_BOOLEAN || type == SETTING_TYPE_STRICT;
}

static bool fits(json_object *value, enum setting setting)
{
    enum setting_type type = setting_rows[setting].type;
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return is_boolean(type);
    case json_type_int:
        return (type == SETTING_TYPE_INTEGER || type == SETTING_TYPE_AMOUNT) && integer_fits(value, setting);
    case json_type_object:
        return type == SETTING_TYPE_OBJECT;
    case json_type_null:
        return setting_rows[setting].may_be_null && type != SETTING_TYPE_AMOUNT;
    case json_type_string:
        return type == SETTING_TYPE_AMOUNT ? json_object_get_string_len(value) == 0
                                           : !is_boolean(type) && type != SETTING_TYPE_INTEGER &&
                                                 type != SETTING_TYPE_OBJECT && text_fits(json_text(value), setting);
    default:
        return false;
    }
}

json_object *config_store_get(struct context *context, json_object *document, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    json_object *value = NULL;
    bool found = find(document, row->path, &value);
    if (found && is_boolean(row->type) && json_object_get_type(value) == json_type_int) {
        /* set by hand in SQL: 0 means off */
        return json_keep(context->arena, json_object_new_boolean(json_object_get_int64(value) != 0));
    }
    return found && fits(value, setting) ? value : default_of(context, setting);
}

bool config_store_is_on(struct context *context, json_object *document, enum setting setting)
{
    return json_object_get_boolean(config_store_get(context, document, setting));
}

struct text config_store_text(struct context *context, json_object *document, enum setting setting)
{
    return json_text(config_store_get(context, document, setting));
}

void config_store_put(json_object *document, const char *path, json_object *value)
{
    char name[128];
    for (;;) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof name) {
            length = sizeof name - 1;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        if (path[length] == '\0') {
            json_object_object_add(document, name, value);
            return;
        }
        json_object *next = NULL;
        if (!json_object_object_get_ex(document, name, &next) || json_object_get_type(next) != json_type_object) {
            next = json_object_new_object();
            json_object_object_add(document, name, next);
        }
        document = next;
        path += length + 1;
    }
}

void config_store_remove(json_object *document, const char *path)
{
    json_object *value;
    const char *last = strrchr(path, '.');
    struct text parent = {path, last != NULL ? (size_t)(last - path) : 0};
    char name[128];
    if (last != NULL && parent.length < sizeof name) {
        memcpy(name, parent.data, parent.length);
        name[parent.length] = '\0';
        document = find(document, name, &value) ? value : NULL;
        path = last + 1;
    }
    if (json_object_get_type(document) == json_type_object) {
        json_object_object_del(document, path);
    }
}

unsigned config_store_factors(struct context *context, json_object *document)
{
    return (config_store_is_on(context, document, SETTING_ENABLE_MFA) ? 1U : 0U) |
           (config_store_is_on(context, document, SETTING_MFA_ALLOW_OAUTH_BYPASS) ? 2U : 0U) |
           (config_store_is_on(context, document, SETTING_MFA_ALLOW_TRUSTED_HEADER_BYPASS) ? 4U : 0U);
}

struct change {
    enum outcome (*check)(struct context *, json_object *, void *); /* NULL: none */
    void (*change)(struct context *, json_object *, void *);
    void *argument;
};

/* *row_r: data and id. NULL: there is no document yet. */
static enum outcome lock_document(struct context *context, const struct value **row_r)
{
    return database_get_row(context, "SELECT data, id FROM config ORDER BY id DESC LIMIT 1 FOR UPDATE", NO_PARAMETERS,
                            row_r, ERROR_NONE);
}

/* ---- what the audit tells of a change ---- */

enum { SHOWN_CHARACTERS = 200 };

static void add_value(struct json_writer *json, const char *name, enum setting_type type, json_object *value)
{
    json_add_name_string(json, name);
    if (value != NULL && type == SETTING_TYPE_PASSWORD) {
        json_add_string(json, "********");
    } else if (json_object_is_type(value, json_type_string)) {
        json_add_text(json, text_cut_characters(json_text(value), SHOWN_CHARACTERS));
    } else {
        json_add_string(json, value != NULL ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN) : NULL);
    }
}

static void add_change(struct json_writer *json, const char *name, enum setting_type type, json_object *from,
                       json_object *to)
{
    if (!json_object_equal(from, to)) {
        json_add_name_string(json, name);
        json_begin_object(json);
        add_value(json, "from", type, from);
        add_value(json, "to", type, to);
        json_end_object(json);
    }
}

static void note_as(struct context *context, struct json_writer *json, enum audit_action action)
{
    const struct text detail = json_finish(json);
    if (!text_is(detail, "{}")) {
        audit_store_note(context, &(struct audit_note){action, .detail = detail});
    }
}

/* {"ENABLE_SIGNUP": {"from": "true", "to": "false"}}; of the settings of LDAP: "ldap.host". */
static void note_settings(struct context *context, json_object *before, json_object *after)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &setting_rows[i];
        const char *name = i < SETTING_LDAP_FIRST ? row->key : text_format(context->arena, "ldap.%s", row->key).data;
        add_change(&json, name, row->type, config_store_get(context, before, (enum setting)i),
                   config_store_get(context, after, (enum setting)i));
    }
    json_end_object(&json);
    note_as(context, &json, AUDIT_settings_change);
}

/* {"chat.delete": {"from": "true", "to": "false"}} */
static void note_permissions(struct context *context, json_object *before, json_object *after)
{
    struct json_writer json;
    json_start(&json, context->arena);
    json_begin_object(&json);
    for (size_t i = 0; permission_row(i) != NULL; i++) {
        const struct permission_row *row = permission_row(i);
        const char *path = text_format(context->arena, PERMISSIONS_PATH ".%s.%s", row->section, row->key).data;
        add_change(&json, path + sizeof PERMISSIONS_PATH, SETTING_TYPE_BOOLEAN, config_store_at(before, path),
                   config_store_at(after, path));
    }
    json_end_object(&json);
    note_as(context, &json, AUDIT_permissions_change);
}

static enum outcome change_document(struct context *context, void *argument)
{
    const struct change *change = argument;
    const struct value *row;
    enum outcome outcome = lock_document(context, &row);
    if (outcome == OK && row == NULL) {
        /* Of two concurrent first changes, both use the same id, so the second one waits here for the first, and then
         * finds its row. */
        outcome = database_execute(context,
                                   "INSERT INTO config (id, data, version) VALUES (1, '{}', 0) ON DUPLICATE KEY UPDATE "
                                   "version = config.version",
                                   NO_PARAMETERS, NULL, ERROR_NONE);
        if (outcome == OK) {
            outcome = lock_document(context, &row);
        }
    }
    if (outcome != OK) {
        return outcome;
    }
    json_object *document, *present;
    struct text before;
    outcome = config_store_parse(context, row[0].text, &document);
    if (outcome == OK) {
        outcome = config_store_parse(context, row[0].text, &present);
    }
    if (outcome != OK) {
        return outcome;
    }
    outcome = change->check != NULL ? change->check(context, document, change->argument) : OK;
    if (outcome != OK) {
        return outcome;
    }
    json_text_read(context->arena, row[0].text, &before);
    change->change(context, document, change->argument);
    note_settings(context, present, document);
    note_permissions(context, present, document);
    struct text json = json_text_rewrite(context->arena, before, document);
    return database_execute(context, "UPDATE config SET data = ?, updated_at = UTC_TIMESTAMP() WHERE id = ?",
                            PARAMETERS(BIND_TEXT(json), BIND_INTEGER(row[1].integer)), NULL, ERROR_NONE);
}

enum outcome config_store_change_within(struct context *context,
                                        void (*change)(struct context *, json_object *, void *), void *argument)
{
    struct change it = {NULL, change, argument};
    return change_document(context, &it);
}

enum outcome config_store_change(struct context *context, void (*change)(struct context *, json_object *, void *),
                                 void *argument)
{
    struct change it = {NULL, change, argument};
    database_concerns_nobody();
    return database_transaction(context, change_document, &it);
}

enum outcome config_store_change_if(struct context *context,
                                    enum outcome (*check)(struct context *, json_object *, void *),
                                    void (*change)(struct context *, json_object *, void *), void *argument)
{
    struct change it = {check, change, argument};
    database_concerns_nobody();
    return database_transaction(context, change_document, &it);
}

int64_t config_store_lifetime(struct context *context, json_object *document)
{
    int64_t seconds;
    if (!duration_parse(config_store_text(context, document, SETTING_JWT_EXPIRES_IN), &seconds)) {
        duration_parse(TEXT("4w"), &seconds);
    }
    return seconds;
}

enum outcome config_store_read_lifetime(struct context *context, int64_t *seconds_r)
{
    const struct table_key key = {.name = TEXT("lifetime"), .concerns = {VERSION_SETTINGS}};
    const struct text found = row_cache_get(context, &key);
    if (found.data != NULL) {
        memcpy(seconds_r, found.data, sizeof *seconds_r);
        return OK;
    }
    const struct table_stamp stamp = row_cache_stamp(context, &key);
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome == OK) {
        *seconds_r = config_store_lifetime(context, document);
        row_cache_put(&key, &stamp, (struct text){(const char *)seconds_r, sizeof *seconds_r});
    }
    return outcome;
}

enum outcome config_store_read_is_on(struct context *context, enum setting setting, bool *is_on_r)
{
    const struct table_key key = {.name = text_format(context->arena, "\002setting %s", setting_rows[setting].key),
                                  .concerns = {VERSION_SETTINGS}};
    const struct text found = row_cache_get(context, &key);
    if (found.length == sizeof *is_on_r) {
        memcpy(is_on_r, found.data, sizeof *is_on_r);
        return OK;
    }
    const struct table_stamp stamp = row_cache_stamp(context, &key);
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome == OK) {
        *is_on_r = config_store_is_on(context, document, setting);
        row_cache_put(&key, &stamp, (struct text){(const char *)is_on_r, sizeof *is_on_r});
    }
    return outcome;
}
