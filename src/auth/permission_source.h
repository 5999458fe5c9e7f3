/* permission_source.h: where each of a user's effective permissions comes from. */
#ifndef ROSTER_AUTH_PERMISSION_SOURCE_H
#define ROSTER_AUTH_PERMISSION_SOURCE_H

#include <json.h>

#include "base/context.h"

/* What stands for the default permissions among the sources. It is no id of a group, which is a UUID. */
#define PERMISSION_SOURCE_DEFAULT "default"

/* The effective permissions of a user as permission_of_user has them; but in place of each boolean stands
 * {"value": BOOLEAN, "from": [SOURCE, …]}: PERMISSION_SOURCE_DEFAULT and ids of groups, all that have this value.
 * *sources_r is freed with the request.
 * OK, or FAULT of the store. */
enum outcome permission_source_of_user(struct context *context, struct text user_id, json_object **sources_r);

#endif
