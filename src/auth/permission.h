/* permission.h: what a user may do: the defaults, with each group's permissions combined in. */
#ifndef ROSTER_AUTH_PERMISSION_H
#define ROSTER_AUTH_PERMISSION_H

#include <json.h>

#include "base/context.h"

/* All permissions of a user: true wins, nested objects are combined key by key, a group's own further keys appear, keys that nobody has are filled from permissions.def. Freed with the request. */
enum outcome permission_of_user(struct context *context, struct text user_id, json_object **permissions_r);

/* The same where the settings and groups have been read already. `groups` are JSON texts. */
json_object *permission_combine(struct context *context, json_object *defaults, const struct text *groups, size_t count);

/* The known keys of the defaults as they are stored, each section filled with those that are taken where a body leaves them out; a fresh install's own where nothing
 * is stored. */
json_object *permission_defaults(struct context *context, json_object *document);

/* Whether `name` ("features.api_keys") is true in `permissions`. */
bool permission_is_granted(json_object *permissions, const char *name);

/* Whether a user has a permission; administrators always. */
enum outcome permission_check(struct context *context, struct text user_id, bool is_admin, const char *name, bool *granted_r);

#endif
