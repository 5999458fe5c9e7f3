/* import_settings.c: reads the settings of an import's file into one document with the names and the types of Roster.
 *
 * Some releases keep them in one document, others in a row for each setting. The names are paths, or names of
 * environment variables; one release has paths as flat names in a document.
 * A known setting must have the type that it has here. Otherwise it is left out and reported: the default may open what
 * was closed. */
#include <stdio.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "import/import_internal.h"
#include "store/config_store.h"

enum { DEPTH_MAX = 64, PATH_MAX = 1024, PART_MAX = 128, IDLE_MAX = 5000 };

#define NO_ID (TEXT_NULL)

static json_object *text_object(struct text text)
{
    return json_object_new_string_len(text.data, (int)text.length);
}

/* ---- reading ---- */

/* True where a value can be stored at a path: no part of it is too long or empty, and no other value is on the way. */
static bool has_room(json_object *document, const char *path)
{
    for (;;) {
        char name[PART_MAX];
        size_t length = strcspn(path, ".");
        if (length == 0 || length >= sizeof name) {
            return false;
        }
        if (path[length] == '\0') {
            return true;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        if (document != NULL && json_object_object_get_ex(document, name, &document) &&
            json_object_get_type(document) != json_type_object) {
            return false;
        }
        path += length + 1;
    }
}

/* Stores a value at its path, or, where that is not possible, with the path as its name. Takes the reference. */
static void put(json_object *document, const char *path, json_object *value)
{
    if (has_room(document, path)) {
        config_store_put(document, path, value);
    } else {
        json_object_object_add(document, path, value);
    }
}

static void remove_setting(json_object *document, const char *path)
{
    const char *name = strrchr(path, '.');
    if (name == NULL) {
        json_object_object_del(document, path);
        return;
    }
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%.*s", (int)(name - path), path);
    json_object *object = config_store_at(document, above);
    if (json_object_is_type(object, json_type_object)) {
        json_object_object_del(object, name + 1);
    }
}

/* The path of a setting that has the name of an environment variable. Else the name. */
static const char *path_of(const char *name)
{
    for (enum setting setting = 0; setting < SETTING_LDAP_FIRST; setting++) {
        if (strcmp(setting_rows[setting].key, name) == 0) {
            return setting_rows[setting].path;
        }
    }
    return strcmp(name, "USER_PERMISSIONS") == 0 ? "user.permissions" : name;
}

/* Moves settings whose name is a path, or an environment variable, to their path. */
static json_object *unfold(struct import *import, json_object *flat)
{
    json_object *document = json_keep(import->context->arena, json_object_new_object());
    json_object_object_foreach(flat, plain, value)
    {
        if (strcmp(path_of(plain), plain) == 0 && strchr(plain, '.') == NULL) {
            json_object_object_add(document, plain, json_object_get(value));
        }
    }
    json_object_object_foreach(flat, name, flat_value)
    {
        const char *path = path_of(name);
        if (strcmp(path, name) == 0 && strchr(name, '.') == NULL) {
            continue;
        }
        if (config_store_at(document, path) == NULL) {
            put(document, path, json_object_get(flat_value));
        }
    }
    return document;
}

static json_object *read_document(struct import *import, struct text text)
{
    struct arena *arena = import->context->arena;
    struct text object;
    const char *fault = import_decode_object(arena, text, &object);
    json_object *document = fault == NULL ? json_parse(arena, object) : NULL;
    if (json_object_get_type(document) != json_type_object) {
        import_add_finding(import, IMPORT_BROKEN, NO_ID, "data: %s", fault != NULL ? fault : "not a JSON object");
        return NULL;
    }
    return document;
}

static bool read_value(struct import *import, struct text key, struct text text, json_object **value_r)
{
    struct arena *arena = import->context->arena;
    struct json_scan scan = json_scan(arena, text_trim(text), DEPTH_MAX - 8);
    if (scan.verdict != JSON_GOOD) {
        import_add_finding(import, IMPORT_PARTIAL, key, "%s; left out",
                           scan.verdict == JSON_TOO_DEEP ? "nested too deeply" : "not JSON");
        return false;
    }
    *value_r = json_parse(arena, scan.document); /* NULL is json-c's null */
    return true;
}

static struct text column_text(struct import *import, sqlite3_stmt *statement, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    struct text text = {bytes != NULL ? bytes : "",
                        bytes != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0};
    return text_copy(import->context->arena, text);
}

/* Adds one row: a whole document (without a key), or one setting. */
static json_object *take_row(struct import *import, sqlite3_stmt *statement, json_object *document)
{
    struct text value_text = column_text(import, statement, 1);
    if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
        return read_document(import, value_text);
    }
    struct text key = column_text(import, statement, 0);
    if (key.length == 0 || key.length >= PATH_MAX || !text_is_utf8(key) || strlen(key.data) != key.length) {
        import_add_finding(import, IMPORT_PARTIAL, NO_ID, "a setting without a proper name; left out");
        return document;
    }
    json_object *value;
    if (read_value(import, key, value_text, &value)) {
        json_object_object_add(document, key.data, json_object_get(value));
    }
    return document;
}

static json_object *read_rows(struct import *import, struct text *moment_r, bool *failed_r)
{
    sqlite3_stmt *statement = import_source_read(import->source, IMPORT_config);
    json_object *document = json_keep(import->context->arena, json_object_new_object());
    int step = SQLITE_ERROR;
    *moment_r = NO_ID;
    while (document != NULL && statement != NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct text moment = column_text(import, statement, 2);
        document = take_row(import, statement, document);
        if (moment_r->data == NULL || strcmp(moment.data, moment_r->data) > 0) {
            *moment_r = moment;
        }
    }
    sqlite3_finalize(statement);
    *failed_r = document != NULL && step != SQLITE_DONE;
    return document;
}

/* ---- checking ---- */

/* Converts a value to the type of its setting: older releases wrote numbers, or JSON in strings.
 * NULL where that is not possible. */
static json_object *convert(struct arena *arena, json_object *value, enum setting_type type)
{
    struct text text = json_text(value);
    int64_t integer;
    switch (type) {
    case SETTING_TYPE_BOOLEAN:
    case SETTING_TYPE_STRICT:
        if (json_object_is_type(value, json_type_boolean)) {
            return json_object_get(value);
        }
        if (json_object_is_type(value, json_type_int) && (json_object_get_int64(value) | 1) == 1) {
            return json_object_new_boolean(json_object_get_int64(value) == 1);
        }
        return text_is_ignoring_case(text, "true")    ? json_object_new_boolean(true)
               : text_is_ignoring_case(text, "false") ? json_object_new_boolean(false)
                                                      : NULL;
    case SETTING_TYPE_OBJECT:
        if (text.data != NULL) { /* as older releases kept objects */
            value = json_parse(arena, text);
        }
        return json_object_is_type(value, json_type_object) ? json_object_get(value) : NULL;
    case SETTING_TYPE_AMOUNT:
        if (text.data != NULL && text.length == 0) {
            return json_object_get(value);
        }
        /* fall through */
    case SETTING_TYPE_INTEGER:
        if (json_object_is_type(value, json_type_int)) {
            return json_object_get(value);
        }
        return text_to_integer(text_trim(text), &integer) ? json_object_new_int64(integer) : NULL;
    case SETTING_TYPE_TEXT:
    case SETTING_TYPE_ROLE:
    case SETTING_TYPE_PASSWORD:
    case SETTING_TYPE_EMAIL:
        break;
    }
    if (json_object_is_type(value, json_type_int)) {
        return text_object(text_format(arena, "%lld", (long long)json_object_get_int64(value)));
    }
    if (text.length >= 2 && text.data[0] == '"' && json_scan(arena, text, 1).verdict == JSON_GOOD) {
        text = json_text(json_parse(arena, text));
    }
    return text.data != NULL ? text_object(text) : NULL;
}

/* The reason why an administrator could not set this value of the right type here. NULL: it is valid. */
static const char *check_setting(struct context *context, enum setting setting, json_object *value)
{
    struct text text = json_text(value);
    const char *refusal = config_store_refusal(setting, value);
    if (refusal != NULL) {
        return text_format(context->arena, "%s Left out.", refusal).data;
    }
    if (setting_rows[setting].type == SETTING_TYPE_ROLE && !text_is(text, "pending") && !text_is(text, "user") &&
        !text_is(text, "admin")) {
        return "not admin, user or pending; replaced by pending";
    }
    int64_t seconds;
    if (setting == SETTING_JWT_EXPIRES_IN && !duration_parse(text, &seconds)) {
        return "not a lifetime; replaced by 4w";
    }
    return NULL;
}

static void settle_setting(struct import *import, json_object *document, enum setting setting)
{
    const struct setting_row *row = &setting_rows[setting];
    json_object *value = config_store_at(document, row->path);
    if (value == NULL) { /* missing, or null, which means the same unless null is a valid value */
        if (!row->may_be_null || row->type == SETTING_TYPE_INTEGER || row->type == SETTING_TYPE_AMOUNT) {
            remove_setting(document, row->path);
        }
        return;
    }
    json_object *converted = convert(import->context->arena, value, row->type);
    const char *fault = converted == NULL ? "of a type that it can't have; replaced by the default"
                                          : check_setting(import->context, setting, converted);
    if (fault != NULL) {
        json_object_put(converted);
        remove_setting(document, row->path);
        import_add_finding(import, IMPORT_PARTIAL, text_of(row->path), "%s", fault);
        return;
    }
    config_store_put(document, row->path, converted);
}

static void settle_permissions(struct import *import, json_object *document)
{
    static const char path[] = "user.permissions";
    struct arena *arena = import->context->arena;
    json_object *permissions = config_store_at(document, path);
    struct text object = json_text(permissions);
    if (permissions == NULL) {
        return;
    }
    if (object.data != NULL && import_decode_object(arena, object, &object) == NULL && object.data != NULL) {
        permissions = json_parse(arena, object);
        config_store_put(document, path, json_object_get(permissions));
    }
    if (json_object_get_type(permissions) != json_type_object) {
        import_add_finding(import, IMPORT_PARTIAL, text_of(path), "not a JSON object; replaced by the defaults");
        remove_setting(document, path);
        return;
    }
    import_clean_permissions(import, NO_ID, permissions);
}

/* A section must be an object: merging another value would remove all settings of the section here. */
static void settle_section(struct import *import, json_object *document, const char *path)
{
    char section[PATH_MAX];
    for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        snprintf(section, sizeof section, "%.*s", (int)(dot - path), path);
        json_object *value = config_store_at(document, section);
        if (value != NULL && json_object_get_type(value) != json_type_object) {
            import_add_finding(import, IMPORT_PARTIAL, text_of(section), "not a JSON object; left out");
            remove_setting(document, section);
            return;
        }
    }
}

/* The name in releases up to 0.6. */
static void rename_older(json_object *document)
{
    json_object *older = config_store_at(document, "auth.api_key.enable");
    if (older != NULL && config_store_at(document, "auth.enable_api_keys") == NULL) {
        put(document, "auth.enable_api_keys", json_object_get(older));
    }
}

/* ---- settings without effect here ---- */

/* Adds a finding about a setting that made the site safer, or allowed sign-in, and has no effect here. */
static void report_effect(struct import *import, const char *path, json_object *value)
{
    bool is_on = json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
    bool is_off = json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
    if (is_on && strcmp(path, "ldap.enable") == 0) {
        import_add_finding(import, IMPORT_IDLE, text_of(path),
                           "is on: there is no LDAP here; users who sign in by LDAP need a password");
    } else if (is_off && strcmp(path, "ui.enable_login_form") == 0) {
        import_add_finding(
            import, IMPORT_IDLE, text_of(path),
            "is off: here people may sign in with a password, unless password_sign_in in roster.conf is no");
    }
}

static bool is_used_here(const char *path)
{
    static const char *const others[] = {"user.permissions", "version", "auth.api_key.enable"};
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(setting_rows[i].path, path) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (strcmp(others[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static void list_idle(struct import *import, json_object *object, const char *prefix)
{
    struct import_report *report = import->report;
    json_object_object_foreach(object, name, value)
    {
        struct text path = text_format(import->context->arena, "%s%s%s", prefix, *prefix != '\0' ? "." : "", name);
        const bool is_used = is_used_here(path.data);
        if (!is_used && json_object_get_type(value) == json_type_object) {
            list_idle(import, value, path.data);
            continue;
        }
        report_effect(import, path.data, value);
        if (!is_used && report->idle_setting_count < IDLE_MAX && text_is_utf8(path)) {
            if (report->idle_settings == NULL) {
                report->idle_settings = arena_zero(report->arena, IDLE_MAX, sizeof *report->idle_settings);
            }
            report->idle_settings[report->idle_setting_count++] = text_copy(report->arena, path);
        }
    }
}

enum import_reading import_read_settings(struct import *import, json_object **document_r, struct text *moment_r)
{
    bool failed = false;
    *moment_r = NO_ID;
    json_object *flat = import->options->settings.data != NULL ? read_document(import, import->options->settings)
                                                               : read_rows(import, moment_r, &failed);
    if (failed) {
        return IMPORT_READING_FAILED;
    }
    if (flat == NULL) {
        return IMPORT_READING_BROKEN;
    }
    json_object *document = unfold(import, flat);
    for (int i = 0; i < SETTING_COUNT; i++) {
        settle_section(import, document, setting_rows[i].path);
    }
    settle_section(import, document, "user.permissions");
    rename_older(document);
    for (int i = 0; i < SETTING_COUNT; i++) {
        settle_setting(import, document, (enum setting)i);
    }
    settle_permissions(import, document);
    struct arena *arena = import->context->arena;
    struct text printed = json_print(arena, document);
    if (json_scan(arena, printed, DEPTH_MAX).verdict != JSON_GOOD) {
        import_add_finding(import, IMPORT_BROKEN, NO_ID, "data: nested deeper than 64");
        return IMPORT_READING_BROKEN;
    }
    list_idle(import, document, "");
    *document_r = document;
    return IMPORT_READING_DONE;
}
