/* find.h: finds the rows that arguments name: USER is an id or an email address, GROUP an id or a name. */
#ifndef ROSTER_CTL_FIND_H
#define ROSTER_CTL_FIND_H

#include "ctl/ctl.h"
#include "store/rows.h"

/* Finds a user. *user_r: the row, with the columns of columns.def in their order, in the arena.
 * EXIT_DONE, EXIT_NOT_FOUND, or another exit status; errors are printed to stderr. */
int find_user(struct invocation *invocation, const char *typed, const struct value **user_r);

/* The same for one of many users in a file: the id alone. Messages begin with `where`, a place as "people.txt:3". */
int find_user_at(struct invocation *invocation, const char *where, const char *typed, struct text *user_id_r);

/* Finds a group. *group_r: the row with GROUP_MEMBER_COUNT, in the arena.
 * EXIT_USAGE: several groups have this name. Otherwise as find_user. */
int find_group(struct invocation *invocation, const char *typed, const struct value **group_r);

/* A user in a message, in the arena: "Ada Lovelace <ada@example.org>". */
const char *find_user_title(struct invocation *invocation, const struct value *user);

/* Whether a text is valid as a name: 1 to `max` characters of UTF-8, without odd characters (text.h). */
bool find_is_name(struct text name, size_t max);

/* Prints to stderr that a name is invalid. `what`: the option or argument. Returns EXIT_USAGE. */
int find_bad_name(const char *what, size_t max);

/* A number and its noun, in the arena: "1 session", "3 sessions". */
const char *find_count(struct invocation *invocation, size_t count, const char *noun);

#endif
