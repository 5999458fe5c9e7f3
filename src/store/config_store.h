/* config_store.h: the settings that administrators change at run time: the newest row of `config`. Requests that need
 * them read the row, so all workers on all hosts see a change at once. */
#ifndef ROSTER_STORE_CONFIG_STORE_H
#define ROSTER_STORE_CONFIG_STORE_H

#include <json.h>

#include "base/enums.h"
#include "store/database.h"

/* Settings of /auths/admin/config; from SETTING_LDAP_FIRST on, settings of the LDAP server. */
enum setting {
#define SETTING(key, path, type, needed, fresh, since, text) SETTING_##key,
#include "tables/settings.def"
    SETTING_LDAP_FIRST,
    SETTING_LDAP_BEFORE = SETTING_LDAP_FIRST - 1,
#define LDAP_SETTING(key, path, type, needed, fresh, since, text) SETTING_LDAP_##key,
#include "tables/settings.def"
    SETTING_COUNT
};

enum setting_type {
    SETTING_TYPE_TEXT,
    SETTING_TYPE_ROLE,
    SETTING_TYPE_BOOLEAN,
    SETTING_TYPE_INTEGER,
    SETTING_TYPE_PASSWORD, /* a text that answers mask */
    SETTING_TYPE_STRICT,   /* a boolean */
    SETTING_TYPE_AMOUNT,   /* a number, or an empty text */
    SETTING_TYPE_OBJECT,
    SETTING_TYPE_EMAIL /* a text */
};

struct setting_row {
    const char *key;
    const char *path; /* names of nested members, separated by dots */
    enum setting_type type;
    bool may_be_null;
    const char *default_json; /* in a new installation */
    enum compatibility since;
    const char *text; /* what it is for */
};

extern const struct setting_row setting_rows[SETTING_COUNT];

/* Reads the stored document; an empty object if there is no row. Freed with the request.
 * FAULT, INTERNAL_ERROR: the document is invalid. It does not count as empty, since defaults could then allow what
 * administrators have forbidden. */
enum outcome config_store_read(struct context *context, json_object **document_r);

/* Parses a document that another statement has read. Null: there is no row. Otherwise as config_store_read. */
enum outcome config_store_parse(struct context *context, struct text json, json_object **document_r);

/* Why a setting can't have a value of its type: a number that is too small. NULL: it can. */
const char *config_store_refusal(enum setting setting, json_object *value);

/* The value of a setting: the stored one, or the default if it is missing, or POST /auths/admin/config would refuse it.
 * The caller does not free it. */
json_object *config_store_get(struct context *context, json_object *document, enum setting setting);
bool config_store_is_on(struct context *context, json_object *document, enum setting setting);
struct text config_store_text(struct context *context, json_object *document, enum setting setting);

/* What the settings say of second factors, as bits. Where it changes, all sessions end (session_store_end_everybody).
 */
unsigned config_store_factors(struct context *context, json_object *document);

/* The value at a path of member names. NULL: it is missing, or null. */
json_object *config_store_at(json_object *document, const char *path);

/* Changes the document in one transaction: `change` modifies the stored one. Other members stay as they are stored.
 * FAULT as config_store_read; then nothing is changed. */
enum outcome config_store_change(struct context *context,
                                 void (*change)(struct context *, json_object *document, void *argument),
                                 void *argument);

/* The same where `check` gives OK for the document as it is stored, within the transaction; else its outcome, and
 * nothing is changed. */
enum outcome config_store_change_if(struct context *context,
                                    enum outcome (*check)(struct context *, json_object *document, void *argument),
                                    void (*change)(struct context *, json_object *document, void *argument),
                                    void *argument);

/* As config_store_change, inside a transaction that is already open. */
enum outcome config_store_change_within(struct context *context,
                                        void (*change)(struct context *, json_object *, void *), void *argument);

/* Sets the value at a path, and creates missing objects on the path. Takes ownership of `value`. */
void config_store_put(json_object *document, const char *path, json_object *value);

/* Removes the value at a path, if there is one: the default counts again. */
void config_store_remove(json_object *document, const char *path);

/* The configured lifetime of a session in seconds; -1: unlimited. */
int64_t config_store_lifetime(struct context *context, json_object *document);

/* The same of the stored document, which is read; it may come from the identity table. FAULT as config_store_read. */
enum outcome config_store_read_lifetime(struct context *context, int64_t *seconds_r);

/* Whether a setting is on, as it is stored; it may come from the identity table. FAULT as config_store_read. */
enum outcome config_store_read_is_on(struct context *context, enum setting setting, bool *is_on_r);

#endif
