/* process_user.c: from root to the workers' user. */
#include "master/process_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char error_text[256];

bool process_user_find(const char *name, uid_t *uid_r, gid_t *gid_r)
{
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL)
        return false;
    *uid_r = entry->pw_uid;
    *gid_r = entry->pw_gid;
    return true;
}

bool process_user_find_group(const char *name, gid_t *gid_r)
{
    const struct group *entry = getgrnam(name);
    if (entry == NULL)
        return false;
    *gid_r = entry->gr_gid;
    return true;
}

/* getgrouplist(3) says how much room it needs. */
static bool find_groups(const char *user, struct process_user *process_user)
{
    int count = 16;
    for (int i = 0; i < 3; i++) {
        gid_t *groups = calloc((size_t)count, sizeof *groups);
        if (groups == NULL)
            return false;
        if (getgrouplist(user, process_user->gid, groups, &count) >= 0) {
            process_user->groups = groups;
            process_user->group_count = count;
            return true;
        }
        free(groups);
    }
    return false;
}

bool process_user_resolve(const char *user, const char *group, struct process_user *process_user_r,
                          const char **error_r)
{
    *error_r = error_text;
    *process_user_r = (struct process_user){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0 || user == NULL || *user == '\0')
        return true;

    if (!process_user_find(user, &process_user_r->uid, &process_user_r->gid)) {
        snprintf(error_text, sizeof error_text, "there is no user '%s': make it, or set user to another", user);
        return false;
    }
    if (group != NULL && *group != '\0' && !process_user_find_group(group, &process_user_r->gid)) {
        snprintf(error_text, sizeof error_text, "there is no group '%s': make it, or set group to another", group);
        return false;
    }
    if (!find_groups(user, process_user_r)) {
        snprintf(error_text, sizeof error_text, "the groups of user '%s' can't be listed", user);
        return false;
    }
    process_user_r->changes = true;
    return true;
}

bool process_user_assume(const struct process_user *process_user, const char **error_r)
{
    *error_r = error_text;
    if (!process_user->changes)
        return true;
    if (setgroups((size_t)process_user->group_count, process_user->groups) == -1 || setgid(process_user->gid) == -1 ||
        setuid(process_user->uid) == -1) {
        snprintf(error_text, sizeof error_text, "the user can't be changed to %ld:%ld: %s", (long)process_user->uid,
                 (long)process_user->gid, strerror(errno));
        return false;
    }
    if (process_user->uid != 0 && setuid(0) == 0) {
        snprintf(error_text, sizeof error_text, "the user was changed to %ld, but can change back to root",
                 (long)process_user->uid);
        return false;
    }
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1); /* the leak checker traces its own process, which the change of user forbids */
#endif
    return true;
}

bool process_user_become(const char *user, const char *group, const char **error_r)
{
    struct process_user process_user;
    if (!process_user_resolve(user, group, &process_user, error_r))
        return false;
    bool is_done = process_user_assume(&process_user, error_r);
    process_user_free(&process_user);
    return is_done;
}

void process_user_free(struct process_user *process_user)
{
    free(process_user->groups);
    process_user->groups = NULL;
    process_user->group_count = 0;
}
