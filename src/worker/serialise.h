/* serialise.h: rows → the shapes of api.md, streamed into the answer, after columns.def. */
#ifndef ROSTER_WORKER_SERIALISE_H
#define ROSTER_WORKER_SERIALISE_H

#include "base/buffer.h"
#include "store/rows.h"

/* The members of a User, without braces, so that more can follow. `show_private` false: info, settings and oauth are null. */
void serialise_user_members(struct buffer *buffer, const struct value *user, bool show_private);

/* A whole User. */
void serialise_user(struct buffer *buffer, const struct value *user, bool show_private);

/* A whole UserInfo. `info` is a row of the short selection (USER_INFO_COLUMNS). */
void serialise_user_info(struct buffer *buffer, const struct value *info);

/* The members of a Group, without braces. */
void serialise_group_members(struct buffer *buffer, const struct value *group);

/* Whole lists of rows whose columns are exactly the shape's. */
void serialise_groups(struct buffer *buffer, const struct result *groups);
void serialise_oauth_session(struct buffer *buffer, const struct value *session);
void serialise_session(struct buffer *buffer, const struct value *session, struct text present_jti);

/* "name": with the comma before it unless first. */
void serialise_key(struct buffer *buffer, const char *key, bool first);
void serialise_text_member(struct buffer *buffer, const char *key, struct text text, bool first);
void serialise_integer_member(struct buffer *buffer, const char *key, int64_t integer, bool first);

#endif
