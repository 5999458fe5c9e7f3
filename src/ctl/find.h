/* find.h: from what people type to a row: USER is an id or an email address, GROUP an id or a name. */
#ifndef ROSTER_CTL_FIND_H
#define ROSTER_CTL_FIND_H

#include "ctl/ctl.h"
#include "store/rows.h"

/* A user: the row in columns.def's order. EXIT_DONE, or EXIT_NOT_FOUND and others with their message. */
int find_user(struct invocation *invocation, const char *typed, const struct value **user_r);

/* A group with GROUP_MEMBER_COUNT. A name that several groups have is refused: EXIT_USAGE. */
int find_group(struct invocation *invocation, const char *typed, const struct value **group_r);

/* A name for a user in a message: "Ada Lovelace <ada@example.org>". */
const char *find_user_title(struct invocation *invocation, const struct value *user);

/* A number and its noun: "1 session", "3 sessions". */
const char *find_count(struct invocation *invocation, size_t count, const char *noun);

#endif
