/* group_store.h: groups and their members. */
#ifndef ROSTER_STORE_GROUP_STORE_H
#define ROSTER_STORE_GROUP_STORE_H

#include "store/rows.h"

/* The column behind GROUP_COLUMNS in rows that have it. */
enum { GROUP_MEMBER_COUNT = GROUP_COLUMNS };

/* Groups of a user, last updated first; rows of GROUP_COLUMNS. */
enum outcome group_store_of_user(struct context *context, struct text user_id, struct result *groups_r);

/* Ids and names of a user's groups, last updated first: rows of two columns. */
enum outcome group_store_names_of_user(struct context *context, struct text user_id, struct result *names_r);

/* The groups of up to USER_PAGE_ROWS users in one statement: rows of user id and group id, of each user last updated first. */
enum outcome group_store_ids_of_users(struct context *context, const struct text *user_ids, size_t count, struct result *ids_r);

/* All groups, or those of `member_id` (null: all), with GROUP_MEMBER_COUNT, last updated first. `share`: -1 any, else data.config.share must be that (true also where absent). */
enum outcome group_store_list(struct context *context, struct text member_id, int share, struct result *groups_r);

/* One group with GROUP_MEMBER_COUNT: NOT_FOUND. */
enum outcome group_store_get(struct context *context, struct text group_id, const struct value **group_r);

/* Ids of a group's members, in the order in which they came. One column. */
enum outcome group_store_member_ids(struct context *context, struct text group_id, struct result *ids_r);

struct group_change {
    struct text name, description;
    struct text data, meta, permissions; /* JSON; null: as it is (NULL for a new one) */
};
enum outcome group_store_add(struct context *context, struct text owner_id, const struct group_change *group, struct text *group_id_r);
enum outcome group_store_change(struct context *context, struct text group_id, const struct group_change *change);
enum outcome group_store_delete(struct context *context, struct text group_id);

/* Unknown users and present members are passed over. NOT_FOUND for an unknown group. */
enum outcome group_store_add_members(struct context *context, struct text group_id, const struct text *user_ids, size_t count);
enum outcome group_store_remove_members(struct context *context, struct text group_id, const struct text *user_ids, size_t count);

/* Makes the memberships that came from a trusted header those of `names`, leaving alone those set by hand, and all of an administrator; unknown names are passed over. */
enum outcome group_store_synchronise(struct context *context, struct text user_id, const struct text *names, size_t count);

/* What permissions come from: one statement; rows of one column, JSON: the first row is the document of settings (or NULL), the rest are the user's groups' permissions. */
enum outcome group_store_permissions(struct context *context, struct text user_id, struct result *rows_r);

#endif
