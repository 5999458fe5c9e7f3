/* hierarchy_store.h: groups above and below others, by `group`.parent_group_id. Members of a group count as members of
 * the groups above it: what these may do, they may do.
 *
 * What is read goes up or down in one recursive statement, however many levels there are, and ends where an import or
 * SQL has made a circle. */
#ifndef ROSTER_STORE_HIERARCHY_STORE_H
#define ROSTER_STORE_HIERARCHY_STORE_H

#include "store/rows.h"
#include "store/user_page.h"

/* Levels of a hierarchy, the uppermost group included. */
enum { HIERARCHY_LEVELS_MAX = 64 };

/* Within a transaction, before it looks at groups: keeps others from moving, making or deleting groups until it ends.
 */
enum outcome hierarchy_store_lock(struct context *context);

/* Within a transaction that has the lock: whether a group may be below another. `group_id`: null for a new group.
 * PROBLEM NOT_FOUND: there is no group `parent_id`. INVALID_PARENT: it is the group itself, or below it, or there would
 * be too many levels. */
enum outcome hierarchy_store_check(struct context *context, struct text group_id, struct text parent_id);

/* Within a transaction that has the lock: the groups below one that is going to be deleted go below the one above it.
 */
enum outcome hierarchy_store_lift_children(struct context *context, struct text group_id);

/* A user's groups and those above them: rows of GROUP_COLUMNS and HIERARCHY_IS_DIRECT, last changed first. */
enum { HIERARCHY_IS_DIRECT = GROUP_COLUMNS };
enum outcome hierarchy_store_of_user(struct context *context, struct text user_id,
                                     enum outcome (*each)(struct context *, const struct value *, void *),
                                     void *argument);

/* The groups above one, the nearest first: rows of GROUP_COLUMNS. */
enum outcome hierarchy_store_above(struct context *context, struct text group_id, struct result *groups_r);

/* Permissions of a user's groups and of those above them; or of a group and those above it: rows of JSON and an id.
 * Groups without permissions are left out. */
enum outcome hierarchy_store_permissions_of_user(struct context *context, struct text user_id, struct result *rows_r);
enum outcome hierarchy_store_permissions_of_group(struct context *context, struct text group_id, struct result *rows_r);

/* Members of a group and of the groups below it. */
enum hierarchy_membership { HIERARCHY_EFFECTIVE, HIERARCHY_DIRECT, HIERARCHY_INHERITED };

struct hierarchy_members {
    int64_t direct, effective; /* whatever is asked for */
    int64_t total;             /* of those that are asked for */
    struct result rows;        /* those of the page, by name: rows_of_user_info of the newest compatibility, and: */
};
enum { HIERARCHY_MEMBER_IS_DIRECT = USER_INFO_groups + 1, HIERARCHY_MEMBER_VIA };

/* HIERARCHY_MEMBER_VIA: the groups below through which somebody is a member, as user_listing_next_group reads them;
 * null: none. `query`: a part of name or address; null: everybody. `page`: from 1. */
enum outcome hierarchy_store_members(struct context *context, struct text group_id,
                                     enum hierarchy_membership membership, struct text query, int64_t page,
                                     struct hierarchy_members *members_r);

#endif
