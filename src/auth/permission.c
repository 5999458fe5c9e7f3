#include "auth/permission.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/permission_table.h"
#include "config/compatibility.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "store/row_cache.h"

static json_object *member(json_object *object, const char *name)
{
    json_object *value = NULL;
    return json_object_get_type(object) == json_type_object && json_object_object_get_ex(object, name, &value) ? value
                                                                                                               : NULL;
}

static json_object *section_of(json_object *permissions, const char *name)
{
    json_object *section = member(permissions, name);
    if (json_object_get_type(section) != json_type_object) {
        section = json_object_new_object();
        json_object_object_add(permissions, name, section);
    }
    return section;
}

/* Sets each permission that is missing or no boolean in `permissions` to its value in permissions.def: that of a new
 * installation (`fresh`), or that of a missing key. Those alone that `compatibility` has. */
static void fill(const struct context *context, json_object *permissions, bool fresh, enum compatibility compatibility)
{
    const struct permission_row *row;
    fresh = fresh || config_behaves(context->config, BEHAVIOUR_ABSENT_IS_STORED);
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (row->since > compatibility) {
            continue;
        }
        json_object *section = section_of(permissions, row->section);
        if (json_object_get_type(member(section, row->key)) != json_type_boolean) {
            json_object_object_add(section, row->key, json_object_new_boolean(fresh ? row->fresh : row->absent));
        }
    }
}

/* The type that permissions.def requires: an object for a section, a boolean for a permission, null for an unknown key.
 * `section` is NULL at the top level. */
static json_type wanted_at(const char *section, const char *key)
{
    if (section == NULL) {
        return permission_is_section(key) ? json_type_object : json_type_null;
    }
    return permission_find(section, key) != NULL ? json_type_boolean : json_type_null;
}

/* Whether permissions.def has a key, or all of a section, only for a later `compatibility`. */
static bool is_hidden(const char *section, const char *key, enum compatibility compatibility)
{
    if (compatibility == COMPATIBILITY_NEWEST) {
        return false;
    }
    if (section != NULL) {
        const struct permission_row *row = permission_find(section, key);
        return row != NULL && row->since > compatibility;
    }
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (strcmp(row->section, key) == 0 && row->since <= compatibility) {
            return false;
        }
    }
    return permission_is_section(key);
}

/* Adds the permissions that `more` grants. A value of the wrong type (imported rows may hold anything) grants nothing,
 * and does not replace a valid value. */
static void combine(json_object *permissions, json_object *more, const char *section, enum compatibility compatibility)
{
    json_object_object_foreach(more, key, value)
    {
        json_object *present = member(permissions, key);
        json_type wanted = wanted_at(section, key);
        if ((wanted != json_type_null && json_object_get_type(value) != wanted) ||
            is_hidden(section, key, compatibility)) {
            continue;
        }
        if (json_object_get_type(value) == json_type_object) {
            if (present == NULL) {
                present = json_object_new_object();
                json_object_object_add(permissions, key, present);
            }
            if (json_object_get_type(present) == json_type_object) {
                combine(present, value, section == NULL ? key : "", compatibility);
            }
        } else if (json_object_get_type(value) == json_type_boolean) {
            bool granted = json_object_get_boolean(value);
            if (present == NULL || (granted && json_object_get_type(present) == json_type_boolean)) {
                json_object_object_add(permissions, key, json_object_new_boolean(granted));
            }
        }
    }
}

json_object *permission_defaults(struct context *context, json_object *document, enum compatibility compatibility)
{
    json_object *stored = config_store_at(document, "user.permissions");
    json_object *permissions = json_keep(context->arena, json_object_new_object());
    bool fresh = json_object_get_type(stored) != json_type_object;
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        json_object *value = member(member(stored, row->section), row->key);
        if (row->since <= compatibility && json_object_get_type(value) == json_type_boolean) {
            json_object_object_add(section_of(permissions, row->section), row->key, json_object_get(value));
        }
    }
    fill(context, permissions, fresh, compatibility);
    return permissions;
}

json_object *permission_combine(struct context *context, json_object *defaults, const struct text *groups, size_t count,
                                enum compatibility compatibility)
{
    json_object *permissions = json_keep(context->arena, json_object_new_object());
    if (json_object_get_type(defaults) == json_type_object) {
        combine(permissions, defaults, NULL, compatibility);
    } else {
        fill(context, permissions, true, compatibility);
    }
    for (size_t i = 0; i < count; i++) {
        json_object *group;
        json_text_parse(context->arena, groups[i], &group);
        if (json_object_get_type(group) == json_type_object) {
            combine(permissions, group, NULL, COMPATIBILITY_NEWEST);
        }
    }
    fill(context, permissions, true, compatibility);
    return permissions;
}

/* Not a fault: unreadable permissions grant nothing, and the group's members can still sign in. */
static void report_broken(struct context *context, const struct value *row)
{
    struct text json;
    if (json_text_read(context->arena, row[0].text, &json) == JSON_BROKEN) {
        log_error(context, "group.permissions of %.*s is invalid JSON and grants nothing; fix the row",
                  (int)row[1].text.length, row[1].text.data);
    }
}

/* The parts of rows as group_store_permissions gives them. */
static enum outcome take_sources(struct context *context, struct permission_sources *sources_r)
{
    struct result *rows = &sources_r->rows;
    json_object *document;
    invariant(rows->row_count > 0);
    enum outcome outcome = config_store_parse(context, result_row(rows, 0)->text, &document);
    if (outcome != OK) {
        return outcome;
    }
    sources_r->defaults = config_store_at(document, "user.permissions");
    sources_r->group_count = rows->row_count - 1;
    sources_r->groups = arena_zero(context->arena, rows->row_count, sizeof *sources_r->groups);
    for (size_t i = 0; i < sources_r->group_count; i++) {
        sources_r->groups[i] = result_row(rows, i + 1)->text;
    }
    return OK;
}

enum outcome permission_read_sources(struct context *context, struct text user_id, struct permission_sources *sources_r)
{
    enum outcome outcome = group_store_permissions(context, user_id, &sources_r->rows);
    return outcome == OK ? take_sources(context, sources_r) : outcome;
}

/* *full_r: with each key, to look whether something is granted; NULL: it is not wanted. *shown_r: as the
 * configuration's compatibility shows them. */
static enum outcome combine_sources(struct context *context, struct text user_id, json_object **full_r,
                                    json_object **shown_r)
{
    const enum compatibility compatibility = context->config->compatibility;
    struct permission_sources sources;
    enum outcome outcome = permission_read_sources(context, user_id, &sources);
    if (outcome != OK) {
        return outcome;
    }
    for (size_t i = 1; i < sources.rows.row_count; i++) {
        report_broken(context, result_row(&sources.rows, i));
    }
    *shown_r = permission_combine(context, sources.defaults, sources.groups, sources.group_count, compatibility);
    if (full_r != NULL) {
        *full_r = compatibility == COMPATIBILITY_NEWEST ? *shown_r
                                                        : permission_combine(context, sources.defaults, sources.groups,
                                                                             sources.group_count, COMPATIBILITY_NEWEST);
    }
    return OK;
}

enum outcome permission_of_user(struct context *context, struct text user_id, json_object **permissions_r)
{
    return combine_sources(context, user_id, NULL, permissions_r);
}

enum outcome permission_of_group(struct context *context, struct text group_id, json_object **permissions_r)
{
    struct permission_sources sources;
    enum outcome outcome = group_store_permissions_of_group(context, group_id, &sources.rows);
    if (outcome == OK) {
        outcome = take_sources(context, &sources);
    }
    if (outcome == OK) {
        *permissions_r = permission_combine(context, sources.defaults, sources.groups, sources.group_count,
                                            context->config->compatibility);
    }
    return outcome;
}

/* ---- What is kept of it ---- */

/* The effective permissions of one user. Many users have the same ones, so the JSON is kept once, by its digest. */
struct kept {
    uint64_t granted[(PERMISSION_COUNT + 63) / 64]; /* a bit for each row of permissions.def */
    char digest[32];                                /* the first half of its digits */
};

static bool is_kept(const struct kept *kept, enum permission permission)
{
    return kept->granted[permission / 64] >> permission % 64 & 1;
}

static struct table_key user_key(struct context *context, struct text user_id)
{
    /* a letter for each compatibility, whose JSON has other keys */
    static const char letters[] = {[COMPATIBILITY_0_6] = 'p', [COMPATIBILITY_0_12] = 'q'};
    struct table_key key =
        row_cache_user_key(context, letters[context->config->compatibility], user_id, VERSION_GROUPS);
    key.concerns[2] = VERSION_SETTINGS;
    return key;
}

static bool recall(struct context *context, const struct table_key *key, struct kept *kept_r)
{
    struct text found = row_cache_get(context, key);
    if (found.data != NULL) {
        memcpy(kept_r, found.data, sizeof *kept_r);
    }
    return found.data != NULL;
}

static void keep(struct context *context, const struct table_key *key, const struct table_stamp *stamp,
                 json_object *full, json_object *shown)
{
    struct kept kept = {.granted = {0}};
    for (unsigned i = 0; i < PERMISSION_COUNT; i++) {
        kept.granted[i / 64] |= (uint64_t)permission_is_granted(full, i) << i % 64;
    }
    const struct text json = json_print(context->arena, shown);
    memcpy(kept.digest, digest_sha256(context->arena, json).data, sizeof kept.digest);
    row_cache_put_content(context, (struct text){kept.digest, sizeof kept.digest}, json);
    row_cache_put(key, stamp, (struct text){(const char *)&kept, sizeof kept});
}

/* Computes the permissions, and keeps what they come to. *full_r, *shown_r: as of combine_sources; full_r NULL: it is
 * not wanted. */
static enum outcome compute(struct context *context, const struct table_key *key, struct text user_id,
                            json_object **full_r, json_object **shown_r)
{
    const struct table_stamp stamp = row_cache_stamp(context, key);
    json_object *full = NULL;
    full_r = full_r == NULL && stamp.may_store ? &full : full_r;
    enum outcome outcome = combine_sources(context, user_id, full_r, shown_r);
    if (outcome == OK && stamp.may_store) {
        keep(context, key, &stamp, *full_r, *shown_r);
    }
    return outcome;
}

enum outcome permission_document(struct context *context, struct text user_id, struct text *json_r)
{
    const struct table_key key = user_key(context, user_id);
    struct kept kept;
    if (recall(context, &key, &kept)) {
        *json_r = row_cache_get_content(context, (struct text){kept.digest, sizeof kept.digest});
        if (json_r->data != NULL) {
            return OK;
        }
    }
    json_object *permissions;
    enum outcome outcome = compute(context, &key, user_id, NULL, &permissions);
    *json_r = outcome == OK ? json_print(context->arena, permissions) : TEXT_NULL;
    return outcome;
}

bool permission_is_granted(json_object *permissions, enum permission permission)
{
    const struct permission_row *row = permission_row(permission);
    json_object *found = member(member(permissions, row->section), row->key);
    return json_object_get_type(found) == json_type_boolean && json_object_get_boolean(found);
}

enum outcome permission_check(struct context *context, struct text user_id, bool is_admin, enum permission permission,
                              bool *granted_r)
{
    *granted_r = is_admin;
    if (is_admin) {
        return OK;
    }
    const struct table_key key = user_key(context, user_id);
    struct kept kept;
    if (recall(context, &key, &kept)) {
        *granted_r = is_kept(&kept, permission);
        return OK;
    }
    json_object *full, *shown;
    enum outcome outcome = compute(context, &key, user_id, &full, &shown);
    if (outcome == OK) {
        *granted_r = permission_is_granted(full, permission);
    }
    return outcome;
}

enum outcome permission_check_api_keys(struct context *context, json_object *document, struct text user_id,
                                       bool is_admin, bool *granted_r)
{
    *granted_r = false;
    return config_store_is_on(context, document, SETTING_ENABLE_API_KEYS)
               ? permission_check(context, user_id, is_admin, PERMISSION_features_api_keys, granted_r)
               : OK;
}
