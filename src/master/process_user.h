/* process_user.h: the user and the groups that workers run as. */
#ifndef ROSTER_MASTER_PROCESS_USER_H
#define ROSTER_MASTER_PROCESS_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process_user {
    bool changes; /* false: workers stay what the master is, and the rest is that */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned; supplementary groups, looked up once so that a worker's start doesn't ask the system's
                      databases */
    int group_count;
};

/* Looks `user` and `group` up where the process is root's and `user` is not empty. An empty group is the user's own.
 * False with *error_r (kept until the next call) where there is no such user or group. Free with process_user_free. */
bool process_user_resolve(const char *user, const char *group, struct process_user *process_user_r,
                          const char **error_r);

/* Becomes it, for good. False with *error_r. */
bool process_user_assume(const struct process_user *process_user, const char **error_r);

/* Both at once, for a program that is about to connect as the service does: root becomes `user`; anybody else, and root
 * where `user` is empty, stays. False with *error_r (kept until the next call). */
bool process_user_become(const char *user, const char *group, const char **error_r);

void process_user_free(struct process_user *process_user);

/* A user's or a group's number by name. False where there is none. */
bool process_user_find(const char *name, uid_t *uid_r, gid_t *gid_r);
bool process_user_find_group(const char *name, gid_t *gid_r);

#endif
