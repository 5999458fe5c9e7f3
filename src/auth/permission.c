#include "auth/permission.h"

#include "base/json.h"
#include "base/log.h"
#include "store/config_store.h"
#include "store/group_store.h"

/* The table of permissions, without the worker's header: auth lies below it. */
static const struct {
    const char *section, *key;
    bool absent, fresh;
} rows[] = {
#define PERMISSION(section, key, absent, fresh) {#section, #key, absent, fresh},
#include "tables/permissions.def"
};

static json_object *member(json_object *object, const char *name)
{
    json_object *value = NULL;
    return json_object_get_type(object) == json_type_object && json_object_object_get_ex(object, name, &value) ? value : NULL;
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

/* Puts the table's value wherever `permissions` has no boolean of its own. */
static void fill(json_object *permissions, bool fresh)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_object *section = section_of(permissions, rows[i].section);
        if (json_object_get_type(member(section, rows[i].key)) != json_type_boolean) {
            json_object_object_add(section, rows[i].key, json_object_new_boolean(fresh ? rows[i].fresh : rows[i].absent));
        }
    }
}

/* What the table wants at a place: an object for a section, a boolean for a permission, and null where it knows nothing of it. `section` is NULL at the top. */
static json_type wanted_at(const char *section, const char *key)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (section == NULL && strcmp(rows[i].section, key) == 0) {
            return json_type_object;
        }
        if (section != NULL && strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0) {
            return json_type_boolean;
        }
    }
    return json_type_null;
}

/* Adds what `more` grants. What is no boolean where one belongs (rows moved over may hold anything) grants nothing, and takes no place from what is right. */
static void combine(json_object *permissions, json_object *more, const char *section)
{
    json_object_object_foreach(more, key, value)
    {
        json_object *present = member(permissions, key);
        json_type wanted = wanted_at(section, key);
        if (wanted != json_type_null && json_object_get_type(value) != wanted) {
            continue;
        }
        if (json_object_get_type(value) == json_type_object) {
            if (present == NULL) {
                present = json_object_new_object();
                json_object_object_add(permissions, key, present);
            }
            if (json_object_get_type(present) == json_type_object) {
                combine(present, value, section == NULL ? key : "");
            }
        } else if (json_object_get_type(value) == json_type_boolean) {
            bool granted = json_object_get_boolean(value);
            if (present == NULL || (granted && json_object_get_type(present) == json_type_boolean)) {
                json_object_object_add(permissions, key, json_object_new_boolean(granted));
            }
        }
    }
}

json_object *permission_defaults(struct context *context, json_object *document)
{
    json_object *stored = config_store_at(document, "user.permissions");
    json_object *permissions = json_keep(context->arena, json_object_new_object());
    bool fresh = json_object_get_type(stored) != json_type_object;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_object *value = member(member(stored, rows[i].section), rows[i].key);
        if (json_object_get_type(value) == json_type_boolean) {
            json_object_object_add(section_of(permissions, rows[i].section), rows[i].key, json_object_get(value));
        }
    }
    fill(permissions, fresh);
    return permissions;
}

json_object *permission_combine(struct context *context, json_object *defaults, const struct text *groups, size_t count)
{
    json_object *permissions = json_keep(context->arena, json_object_new_object());
    if (json_object_get_type(defaults) == json_type_object) {
        combine(permissions, defaults, NULL);
    } else {
        fill(permissions, true);
    }
    for (size_t i = 0; i < count; i++) {
        json_object *group = json_parse(context->arena, groups[i]);
        if (json_object_get_type(group) == json_type_object) {
            combine(permissions, group, NULL);
        }
    }
    fill(permissions, true);
    return permissions;
}

enum outcome permission_of_user(struct context *context, struct text user_id, json_object **permissions_r)
{
    struct result sources;
    enum outcome outcome = group_store_permissions(context, user_id, &sources);
    if (outcome != OK) {
        return outcome;
    }
    invariant(sources.row_count > 0);
    json_object *document = json_parse(context->arena, result_row(&sources, 0)->text);
    struct text *groups = arena_zero(context->arena, sources.row_count, sizeof *groups);
    for (size_t i = 1; i < sources.row_count; i++) {
        groups[i - 1] = result_row(&sources, i)->text;
    }
    *permissions_r = permission_combine(context, config_store_at(document, "user.permissions"), groups, sources.row_count - 1);
    return OK;
}

bool permission_is_granted(json_object *permissions, const char *name)
{
    json_object *found = config_store_at(permissions, name);
    return json_object_get_type(found) == json_type_boolean && json_object_get_boolean(found);
}

enum outcome permission_check(struct context *context, struct text user_id, bool is_admin, const char *name, bool *granted_r)
{
    *granted_r = is_admin;
    if (is_admin) {
        return OK;
    }
    json_object *permissions;
    enum outcome outcome = permission_of_user(context, user_id, &permissions);
    if (outcome == OK) {
        *granted_r = permission_is_granted(permissions, name);
    }
    return outcome;
}
