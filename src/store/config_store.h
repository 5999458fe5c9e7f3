/* config_store.h: the settings that administrators change at run time: the newest row of `config`, read when it is needed, so that every worker of every host sees a
 * change with its next request. */
#ifndef ROSTER_STORE_CONFIG_STORE_H
#define ROSTER_STORE_CONFIG_STORE_H

#include <json.h>

#include "store/database.h"

enum setting {
#define SETTING(key, path, type, default_json) SETTING_##key,
#define LDAP_SETTING(key, path, type, default_json) SETTING_LDAP_##key,
#include "tables/settings.def"
    SETTING_COUNT
};

enum setting_type { SETTING_TYPE_TEXT, SETTING_TYPE_BOOLEAN, SETTING_TYPE_NULLABLE, SETTING_TYPE_INTEGER, SETTING_TYPE_MASKED };

struct setting_row {
    const char *key;
    const char *path;         /* of members, separated by dots */
    enum setting_type type;
    const char *default_json;
};

extern const struct setting_row setting_rows[SETTING_COUNT];

/* The stored document; an empty object where there is none. Freed with the request. */
enum outcome config_store_read(struct context *context, json_object **document_r);

/* Parses a document that another statement brought along. */
json_object *config_store_parse(struct context *context, struct text json);

/* A setting: the stored value, or the default where it is absent or of the wrong type. Never freed by the caller. */
json_object *config_store_get(struct context *context, json_object *document, enum setting setting);
bool config_store_is_on(struct context *context, json_object *document, enum setting setting);
struct text config_store_text(struct context *context, json_object *document, enum setting setting);

/* What lies at a path; NULL where nothing does. */
json_object *config_store_at(json_object *document, const char *path);

/* Changes the document in one transaction: `change` gets the stored one, which it may alter. */
enum outcome config_store_change(struct context *context, void (*change)(struct context *, json_object *document, void *argument), void *argument);

/* The same inside a transaction that is already open. */
enum outcome config_store_change_within(struct context *context, void (*change)(struct context *, json_object *, void *), void *argument);

/* Sets what lies at a path, making the objects on the way. Takes the reference to `value`. */
void config_store_put(json_object *document, const char *path, json_object *value);

/* The configured lifetime of a session in seconds; -1: unlimited. */
int64_t config_store_lifetime(struct context *context, json_object *document);

#endif
