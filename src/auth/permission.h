/* permission.h: a user's effective permissions: the defaults, combined with the permissions of the user's groups. */
#ifndef ROSTER_AUTH_PERMISSION_H
#define ROSTER_AUTH_PERMISSION_H

#include <json.h>

#include "base/context.h"
#include "base/permission_table.h"
#include "store/database.h"

/* The effective permissions of a user: roster-api(7), PERMISSIONS.
 * *permissions_r is freed with the request.
 * OK, or FAULT of the store. */
enum outcome permission_of_user(struct context *context, struct text user_id, json_object **permissions_r);

/* The same as JSON, in the arena. It may come from the identity table, and so may the answers below. */
enum outcome permission_document(struct context *context, struct text user_id, struct text *json_r);

/* What a user's permissions are combined from, in the arena. */
struct permission_sources {
    struct result rows;    /* of group_store_permissions */
    json_object *defaults; /* NULL: none are stored */
    struct text *groups;   /* the JSON text of each group's permissions */
    size_t group_count;
};

/* OK, or FAULT of the store. */
enum outcome permission_read_sources(struct context *context, struct text user_id,
                                     struct permission_sources *sources_r);

/* The effective permissions of the members of a group alone, and of those above it. Otherwise as permission_of_user. */
enum outcome permission_of_group(struct context *context, struct text group_id, json_object **permissions_r);

/* The effective permissions from `defaults` and the JSON texts of the groups' permissions, as this value of the
 * directive compatibility shows them: keys that it has not are there only where a group has them. */
json_object *permission_combine(struct context *context, json_object *defaults, const struct text *groups, size_t count,
                                enum compatibility compatibility);

/* The default permissions, from the stored settings `document`: the keys alone that this value of the directive
 * compatibility has. A key that is missing in a section gets the value that permissions.def has for it. Where nothing
 * is stored: the defaults of a new installation. */
json_object *permission_defaults(struct context *context, json_object *document, enum compatibility compatibility);

/* True where `permissions` grants `permission`. */
bool permission_is_granted(json_object *permissions, enum permission permission);

/* Whether a user has a permission. Administrators have all.
 * OK, or FAULT of the store. */
enum outcome permission_check(struct context *context, struct text user_id, bool is_admin, enum permission permission,
                              bool *granted_r);

/* Whether a user may create and use API keys: `document` (the stored settings) has them enabled, and the user has the
 * permission.
 * OK, or FAULT of the store. */
enum outcome permission_check_api_keys(struct context *context, json_object *document, struct text user_id,
                                       bool is_admin, bool *granted_r);

#endif
