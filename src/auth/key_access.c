/* key_access.c: see key_access.h. */
#include "auth/key_access.h"

#include "auth/permission.h"
#include "store/config_store.h"
#include "store/row_cache.h"

static bool is_usable(const struct context *context, const struct key_owner *owner)
{
    return owner->found && owner->caller.standing != CALLER_DISABLED &&
           (owner->expires_at < 0 || owner->expires_at > context->now_seconds);
}

/* What the settings and the owner's permissions say. */
static enum outcome judge(struct context *context, struct key_access *access)
{
    json_object *document;
    const struct caller *caller = &access->owner.caller;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome == OK) {
        outcome = permission_check_api_keys(context, document, caller->user_id, text_is(caller->role, "admin"),
                                            &access->is_granted);
    }
    if (outcome == OK && config_store_is_on(context, document, SETTING_ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS)) {
        const struct text list = config_store_text(context, document, SETTING_API_KEYS_ALLOWED_ENDPOINTS);
        access->allowed = list.data != NULL ? list : TEXT("");
    }
    return outcome;
}

/* ---- What is kept of a key that can be used ---- */

/* The columns: those of caller_of_row, and then: */
enum {
    KEPT_KEY_ID = CALLER_END,
    KEPT_EXPIRES_AT,
    KEPT_LAST_USED_AT,
    KEPT_ROUTES,
    KEPT_IS_GRANTED,
    KEPT_ALLOWED,
    KEPT_COLUMNS
};

static struct value text_value(struct text text)
{
    return (struct value){.text = text, .is_null = text.data == NULL};
}

static void keep(struct context *context, const struct table_key *entry, const struct table_stamp *stamp,
                 const struct key_access *access)
{
    const struct key_owner *owner = &access->owner;
    struct value values[KEPT_COLUMNS] = {
        [KEPT_KEY_ID] = {.text = owner->key_id},
        [KEPT_EXPIRES_AT] = {.integer = owner->expires_at},
        [KEPT_LAST_USED_AT] = {.integer = owner->last_used_at},
        [KEPT_ROUTES] = text_value(owner->routes),
        [KEPT_IS_GRANTED] = {.integer = access->is_granted},
        [KEPT_ALLOWED] = text_value(access->allowed),
    };
    caller_to_row(&owner->caller, values);
    row_cache_put_results(context, entry, stamp, &(struct result){values, 1, KEPT_COLUMNS, 1}, 1);
}

static bool recall(struct context *context, const struct table_key *entry, struct key_access *access_r)
{
    struct result result;
    if (!row_cache_get_results(context, entry, &result, 1)) {
        return false;
    }
    const struct value *row = result_row(&result, 0);
    *access_r = (struct key_access){
        .owner = {.found = true,
                  .caller = caller_of_row(row),
                  .key_id = row[KEPT_KEY_ID].text,
                  .expires_at = row[KEPT_EXPIRES_AT].integer,
                  .last_used_at = row[KEPT_LAST_USED_AT].integer,
                  .routes = row[KEPT_ROUTES].text},
        .is_granted = row[KEPT_IS_GRANTED].integer != 0,
        .allowed = row[KEPT_ALLOWED].text,
    };
    return true;
}

/* Whom an entry concerns has to be known before what is kept is read: so the key is read again where it can be kept. */
enum outcome key_access_find(struct context *context, struct text key, struct key_access *access_r)
{
    struct table_key entry = {.name = key_store_hash(context, key)};
    if (recall(context, &entry, access_r)) {
        return OK;
    }
    *access_r = (struct key_access){.owner = {.found = false}};
    enum outcome outcome = key_store_find(context, key, &access_r->owner);
    if (outcome != OK || !is_usable(context, &access_r->owner)) {
        return outcome;
    }
    const struct text owner_id = entry.concerns[0] = access_r->owner.caller.user_id;
    entry.concerns[1] = VERSION_GROUPS;
    entry.concerns[2] = VERSION_SETTINGS;
    const struct table_stamp stamp = row_cache_stamp(context, &entry);
    if (stamp.may_store) {
        outcome = key_store_find(context, key, &access_r->owner);
    }
    if (outcome == OK && is_usable(context, &access_r->owner)) {
        outcome = judge(context, access_r);
        if (outcome == OK && !access_r->owner.is_plain && text_equal(access_r->owner.caller.user_id, owner_id)) {
            keep(context, &entry, &stamp, access_r);
        }
    }
    return outcome;
}
