/* serialise.h: writes rows of the database as the objects of roster-api(7), SHAPES. columns.def has their columns. */
#ifndef ROSTER_WORKER_SERIALISE_H
#define ROSTER_WORKER_SERIALISE_H

#include "base/context.h"
#include "base/json_writer.h"
#include "store/rows.h"

/* Adds the members of a User to the open object: those that the configuration's compatibility has.
 * `show_private` false: those that are private are null. */
void serialise_user_members(const struct context *context, struct json_writer *json, const struct value *user,
                            bool show_private);

/* Adds one of those members, without regard to who may see it. */
void serialise_user_column(struct json_writer *json, const struct value *user, enum user_column column);

/* Adds a whole UserInfo. `info` is a row of rows_of_user_info. */
void serialise_user_info(const struct context *context, struct json_writer *json, const struct value *info);

/* Adds the members that UserInfo has with the newest compatibility to the open object, from a row of rows_of_user_info
 * of it. */
void serialise_info_card(const struct context *context, struct json_writer *json, const struct value *info);

/* Adds those of them that are columns, from a whole row of the user. */
void serialise_card_members(struct json_writer *json, const struct value *user);

/* Whether a user was active at a time that makes them so now: the member `is_active`. */
bool serialise_is_active(const struct context *context, int64_t last_active_at);

/* Adds the members of a Group to the open object. */
void serialise_group_members(const struct context *context, struct json_writer *json, const struct value *group);

/* Add a whole row. Its columns are exactly the members of the shape. */
void serialise_group(const struct context *context, struct json_writer *json, const struct value *group);
void serialise_oauth_session(struct json_writer *json, const struct value *session);
void serialise_session(const struct context *context, struct json_writer *json, const struct value *session,
                       struct text present_jti);

/* Adds the members of the same row to the open object. */
void serialise_session_members(const struct context *context, struct json_writer *json, const struct value *session,
                               struct text present_jti);

/* Adds the members models, knowledge and tools of a preview to the open object: they are the application's, so nothing
 * is known of them. */
void serialise_no_resources(struct json_writer *json);

/* Adds [{"id":…,"name":…}], from rows of group_store_names_of_user. */
void serialise_group_names(struct json_writer *json, const struct result *groups);

/* Adds an integer, or null. */
void serialise_integer(struct json_writer *json, const struct value *value);

/* Adds a stored JSON document unchanged.
 * A JSON document that was stored as a JSON string is decoded first.
 * Invalid JSON is shown as null, and logged with its table, its column and the `id` of its row, so that one broken row
 * does not make a list fail. */
void serialise_document(struct json_writer *json, const char *table, const char *column, struct text id,
                        struct text stored);

#endif
