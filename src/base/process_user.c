/* process_user.c: changes from root to the user of the workers. */
#include "base/process_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"

bool process_user_find(const char *name, uid_t *uid_r, gid_t *gid_r)
{
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        return false;
    }
    *uid_r = entry->pw_uid;
    *gid_r = entry->pw_gid;
    return true;
}

bool process_user_find_group(const char *name, gid_t *gid_r)
{
    const struct group *entry = getgrnam(name);
    if (entry == NULL) {
        return false;
    }
    *gid_r = entry->gr_gid;
    return true;
}

static bool find_own_groups(struct process_user *process_user)
{
    int count = getgroups(0, NULL);
    process_user->own_groups = count >= 0 ? calloc((size_t)count + 1, sizeof *process_user->own_groups) : NULL;
    if (process_user->own_groups == NULL) {
        return false;
    }
    process_user->own_group_count = getgroups(count, process_user->own_groups);
    return process_user->own_group_count >= 0;
}

/* getgrouplist(3) says how much room it needs. */
static bool find_groups(const char *user, struct process_user *process_user)
{
    int count = 16;
    for (int i = 0; i < 3; i++) {
        gid_t *groups = calloc((size_t)count, sizeof *groups);
        if (groups == NULL) {
            return false;
        }
        if (getgrouplist(user, process_user->gid, groups, &count) >= 0) {
            process_user->groups = groups;
            process_user->group_count = count;
            return true;
        }
        free(groups);
    }
    return false;
}

bool process_user_resolve(const char *user, const char *group, struct process_user *process_user_r, struct error *error)
{
    *process_user_r = (struct process_user){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0 || user == NULL || *user == '\0') {
        return true;
    }

    if (!process_user_find(user, &process_user_r->uid, &process_user_r->gid)) {
        return error_set(error, "there is no user '%s': create it, or set user to another one", user);
    }
    if (group != NULL && *group != '\0' && !process_user_find_group(group, &process_user_r->gid)) {
        return error_set(error, "there is no group '%s': create it, or set group to another one", group);
    }
    if (!find_groups(user, process_user_r) || !find_own_groups(process_user_r)) {
        return error_set(error, "the groups of user '%s' can't be listed", user);
    }
    process_user_r->changes = true;
    return true;
}

bool process_user_add_group(struct process_user *process_user, gid_t group, struct error *error)
{
    if (!process_user->changes || group == (gid_t)-1) {
        return true;
    }
    size_t size = ((size_t)process_user->group_count + 1) * sizeof *process_user->groups;
    gid_t *groups = realloc(process_user->groups, size);
    if (groups == NULL) {
        return error_set(error, "out of memory");
    }
    groups[process_user->group_count++] = group;
    process_user->groups = groups;
    return true;
}

bool process_user_assume(const struct process_user *process_user, struct error *error)
{
    if (!process_user->changes) {
        return true;
    }
    if (setgroups((size_t)process_user->group_count, process_user->groups) == -1 || setgid(process_user->gid) == -1 ||
        setuid(process_user->uid) == -1) {
        return error_set(error, "the process can't change to user %ld, group %ld: %s", (long)process_user->uid,
                         (long)process_user->gid, strerror(errno));
    }
    if (process_user->uid != 0 && setuid(0) == 0) {
        return error_set(error, "the process has changed to user %ld, but can change back to root",
                         (long)process_user->uid);
    }
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1); /* the leak checker traces its own process; the change of user has disabled that */
#endif
    return true;
}

bool process_user_become(const char *user, const char *group, struct error *error)
{
    struct process_user process_user;
    if (!process_user_resolve(user, group, &process_user, error)) {
        return false;
    }
    bool is_done = process_user_assume(&process_user, error);
    process_user_free(&process_user);
    return is_done;
}

bool process_user_act_as(const struct process_user *process_user)
{
    if (!process_user->changes || geteuid() != 0) {
        return true;
    }
    if (setgroups((size_t)process_user->group_count, process_user->groups) == 0 && setegid(process_user->gid) == 0 &&
        seteuid(process_user->uid) == 0) {
        return true;
    }
    int failure = errno;
    process_user_act_as_root(process_user);
    errno = failure;
    return false;
}

/* A process that is neither root nor the user must not continue. */
void process_user_act_as_root(const struct process_user *process_user)
{
    int failure = errno;
    if (!process_user->changes || getuid() != 0) {
        return;
    }
    invariant(seteuid(0) == 0 && setegid(0) == 0 &&
              setgroups((size_t)process_user->own_group_count, process_user->own_groups) == 0);
    errno = failure;
}

void process_user_free(struct process_user *process_user)
{
    free(process_user->own_groups);
    process_user->own_groups = NULL;
    free(process_user->groups);
    process_user->groups = NULL;
    process_user->group_count = 0;
}
