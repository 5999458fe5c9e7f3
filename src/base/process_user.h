/* process_user.h: the user and the groups that workers run as. */
#ifndef ROSTER_BASE_PROCESS_USER_H
#define ROSTER_BASE_PROCESS_USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct process_user {
    bool changes; /* false: workers run as the user of the master; the other members describe that user */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned; supplementary groups, looked up once for all workers */
    int group_count;
    gid_t *own_groups; /* owned; the former groups of the process, for process_user_act_as_root */
    int own_group_count;
};

/* Looks up `user` and `group`, if the process runs as root and `user` is not empty.
 * An empty or NULL `group`: the primary group of the user.
 * False where there is no such user or group.
 * The caller frees the result with process_user_free, also after false. */
bool process_user_resolve(const char *user, const char *group, struct process_user *process_user_r,
                          struct error *error);

/* Adds a supplementary group to a resolved user. (gid_t)-1: adds no group. */
bool process_user_add_group(struct process_user *process_user, gid_t group, struct error *error);

/* Changes the process to this user, irrevocably. */
bool process_user_assume(const struct process_user *process_user, struct error *error);

/* Resolves and assumes a user, for a program that connects to servers as the service does.
 * Only root changes to `user`. Other users, and root with an empty `user`, stay. */
bool process_user_become(const char *user, const char *group, struct error *error);

/* Changes the effective user to `process_user`, and back to root, to open files with the permissions of that user.
 * Does nothing where the user does not change, or the process has assumed it.
 * False with errno set. The process is still root then. */
bool process_user_act_as(const struct process_user *process_user);
void process_user_act_as_root(const struct process_user *process_user);

void process_user_free(struct process_user *process_user);

/* The ids of a user or a group by name. False where there is no such user or group. */
bool process_user_find(const char *name, uid_t *uid_r, gid_t *gid_r);
bool process_user_find_group(const char *name, gid_t *gid_r);

#endif
