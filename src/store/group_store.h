/* group_store.h: groups and their members. */
#ifndef ROSTER_STORE_GROUP_STORE_H
#define ROSTER_STORE_GROUP_STORE_H

#include "store/rows.h"

/* Index of the column after GROUP_COLUMNS, in rows that have it. */
enum { GROUP_MEMBER_COUNT = GROUP_COLUMNS };

/* Called with each row of a list that is read row by row: see database_stream. */
typedef enum outcome group_each(struct context *context, const struct value *row, void *argument);

/* Groups of a user, in descending order of updated_at: rows of GROUP_COLUMNS. */
enum outcome group_store_of_user(struct context *context, struct text user_id, group_each *each, void *argument);

/* Ids and names of a user's groups, in descending order of updated_at: rows of two columns. */
enum outcome group_store_names_of_user(struct context *context, struct text user_id, struct result *names_r);

/* The same from rows of PREFETCH_GROUP_COLUMNS. */
void group_store_names_of_rows(struct context *context, const struct result *rows, struct result *names_r);

/* Groups of `member_id` and those above them (null: all groups), with GROUP_MEMBER_COUNT, in descending order of
 * updated_at. `share`: 0 or 1: only groups whose data.config.share is false or true (missing: true, and for a member
 * also `members`); -1: all. With SHARED_GROUPS of behaviours.def, 1 also gives a member the groups that are shared with
 * everybody, and does not count without a member. */
enum outcome group_store_list(struct context *context, struct text member_id, int share, struct result *groups_r);

/* The same row by row. */
enum outcome group_store_each(struct context *context, struct text member_id, int share, group_each *each,
                              void *argument);

/* One group with GROUP_MEMBER_COUNT. PROBLEM NOT_FOUND. */
enum outcome group_store_get(struct context *context, struct text group_id, const struct value **group_r);

/* Ids of a group's members, in the order in which they joined: rows of one column. */
enum outcome group_store_each_member_id(struct context *context, struct text group_id, group_each *each,
                                        void *argument);

struct group_change {
    struct text name, description;
    struct text data, meta, permissions; /* JSON; null: unchanged (in a new group: NULL). Members of `data`, and of its
                                          * member `config`, replace the stored ones */
    bool sets_parent;
    struct text parent_id; /* null: none */
    bool has_precondition; /* of a change: there is none unless updated_at is if_updated_at */
    int64_t if_updated_at;
};
enum outcome group_store_add(struct context *context, struct text owner_id, const struct group_change *group,
                             struct text *group_id_r);
/* PROBLEM NOT_FOUND, PRECONDITION_FAILED, INVALID_PARENT. */
enum outcome group_store_change(struct context *context, struct text group_id, const struct group_change *change);
/* The groups below it go below the one above it. */
enum outcome group_store_delete(struct context *context, struct text group_id);

/* Add and remove members. Ids of unknown users are ignored, and so are users that are members already.
 * PROBLEM NOT_FOUND: unknown group. */
enum outcome group_store_add_members(struct context *context, struct text group_id, const struct text *user_ids,
                                     size_t count);
enum outcome group_store_remove_members(struct context *context, struct text group_id, const struct text *user_ids,
                                        size_t count);

/* Which of the users are members of a group: rows of one column, the id. */
enum outcome group_store_members_among(struct context *context, struct text group_id, const struct text *user_ids,
                                       size_t count, struct result *ids_r);

/* Sets the memberships that a trusted header gives a user to the groups `names`. Unknown names are ignored.
 * Memberships that were added by hand do not change, and neither do those of an administrator. */
enum outcome group_store_synchronise(struct context *context, struct text user_id, const struct text *names,
                                     size_t count);

/* Whether a group has exactly this name. */
enum outcome group_store_has_name(struct context *context, struct text name, bool *has_r);

/* Whether a group has this id, or exactly this name. May be answered from the identity table. */
enum outcome group_store_exists(struct context *context, struct text id_or_name, bool *exists_r);

/* The sources of a user's permissions, in one statement, or two where a group is below another: rows of JSON and an id.
 * The first row is the document of settings (or NULL), without an id. The others are the permissions of the user's
 * groups and of the groups above them, with the id of the group. */
enum outcome group_store_permissions(struct context *context, struct text user_id, struct result *rows_r);

/* The same of the members of one group. */
enum outcome group_store_permissions_of_group(struct context *context, struct text group_id, struct result *rows_r);

#endif
