#include "store/config_store.h"

#include "auth/token.h"
#include "base/json.h"

const struct setting_row setting_rows[SETTING_COUNT] = {
#define SETTING(key, path, type, default_json) {#key, path, SETTING_TYPE_##type, default_json},
#define LDAP_SETTING(key, path, type, default_json) {#key, path, SETTING_TYPE_##type, default_json},
#include "tables/settings.def"
};

json_object *config_store_parse(struct context *context, struct text json)
{
    json_object *document = json_parse(context->arena, json);
    return json_object_get_type(document) == json_type_object ? document : json_keep(context->arena, json_object_new_object());
}

enum outcome config_store_read(struct context *context, json_object **document_r)
{
    struct result result;
    enum outcome outcome = database_execute(context, "SELECT data FROM config ORDER BY id DESC LIMIT 1", NULL, 0, &result, ERROR_NONE);
    if (outcome == OK) {
        *document_r = config_store_parse(context, result.row_count > 0 ? result_row(&result, 0)->text : (struct text){NULL, 0});
    }
    return outcome;
}

/* Finds what lies at a path. True where something does, be it null. */
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

static bool fits(json_object *value, enum setting_type type)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return type == SETTING_TYPE_BOOLEAN;
    case json_type_int:
        return type == SETTING_TYPE_INTEGER;
    case json_type_null:
        return type == SETTING_TYPE_NULLABLE || type == SETTING_TYPE_INTEGER;
    case json_type_string:
        return type == SETTING_TYPE_TEXT || type == SETTING_TYPE_NULLABLE || type == SETTING_TYPE_MASKED;
    default:
        return false;
    }
}

json_object *config_store_get(struct context *context, json_object *document, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    json_object *value = NULL;
    return find(document, row->path, &value) && fits(value, row->type) ? value : json_parse(context->arena, text_of(row->default_json));
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

struct change {
    void (*change)(struct context *, json_object *, void *);
    void *argument;
};

static enum outcome lock_document(struct context *context, struct result *result_r)
{
    return database_execute(context, "SELECT data, id FROM config ORDER BY id DESC LIMIT 1 FOR UPDATE", NULL, 0, result_r, ERROR_NONE);
}

static enum outcome change_document(struct context *context, void *argument)
{
    const struct change *change = argument;
    struct result result;
    enum outcome outcome = lock_document(context, &result);
    if (outcome == OK && result.row_count == 0) {
        /* Two first changes at once: the id is the same for both, so the second one waits here for the first, and then finds its row. */
        outcome = database_execute(context, "INSERT INTO config (id, data, version) VALUES (1, '{}', 0) ON DUPLICATE KEY UPDATE version = config.version",
                                   NULL, 0, NULL, ERROR_NONE);
        if (outcome == OK) {
            outcome = lock_document(context, &result);
        }
    }
    if (outcome != OK) {
        return outcome;
    }
    json_object *document = config_store_parse(context, result_row(&result, 0)->text);
    change->change(context, document, change->argument);
    struct text json = json_print(context->arena, document);
    return database_execute(context, "UPDATE config SET data = ?, updated_at = UTC_TIMESTAMP() WHERE id = ?",
                            (struct parameter[]){BIND_TEXT(json), BIND_INTEGER(result_row(&result, 0)[1].integer)}, 2, NULL, ERROR_NONE);
}

enum outcome config_store_change_within(struct context *context, void (*change)(struct context *, json_object *, void *), void *argument)
{
    struct change it = {change, argument};
    return change_document(context, &it);
}

enum outcome config_store_change(struct context *context, void (*change)(struct context *, json_object *, void *), void *argument)
{
    struct change it = {change, argument};
    return database_transaction(context, change_document, &it);
}

int64_t config_store_lifetime(struct context *context, json_object *document)
{
    int64_t seconds;
    if (!token_parse_lifetime(config_store_text(context, document, SETTING_JWT_EXPIRES_IN), &seconds)) {
        token_parse_lifetime(TEXT("4w"), &seconds);
    }
    return seconds;
}
