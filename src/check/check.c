/* check.c: the checks of files and services. Each finding says how to fix it. */
#include "check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/rule.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/process_user.h"
#include "base/safe_path.h"
#include "check/check_database.h"
#include "check/check_mail.h"
#include "check/systemd_unit.h"
#include "config/config_secrets.h"
#include "store/database.h"
#include "store/hiredis.h"
#include "store/redis.h"

/* Writes the directory of `path` to directory_r. */
static void directory_of(const char *path, char *directory_r, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL && slash != path ? (size_t)(slash - path) : 1;
    snprintf(directory_r, size, "%.*s", (int)length, path);
}

bool check_is_outsider(const struct config *config)
{
    uid_t uid;
    gid_t gid;
    return geteuid() != 0 && *config->user != '\0' && process_user_find(config->user, &uid, &gid) && uid != geteuid();
}

const char *check_log_command(struct arena *arena, const struct config *config)
{
    const bool has_systemd = access("/run/systemd/system", F_OK) == 0;
    if (config->error_log[0] == '/') {
        return text_format(arena, "tail %s", config->error_log).data;
    }
    return strcmp(config->error_log, "syslog") == 0 ? (has_systemd ? "journalctl -t roster" : "tail /var/log/syslog")
           : has_systemd                            ? "journalctl -u roster"
                                                    : "roster, in the foreground";
}

/* This machine. */

/* Whose rights count. A master that root starts does some things as root; systemd may start it as another user. */
struct service {
    struct systemd_unit unit;
    struct process_user user; /* of the workers, or of the unit */
    const char *name;         /* of that user */
};

static void check_users(struct findings *findings, const struct config *config)
{
    uid_t uid;
    gid_t gid;
    /* Only root changes the user. Otherwise (a unit with User=) the names are not used. */
    enum finding_severity severity = geteuid() == 0 ? FINDING_ERROR : FINDING_WARNING;
    if (*config->user != '\0' && !process_user_find(config->user, &uid, &gid)) {
        findings_add(findings, severity, "user: there is no user '%s': create it, or set another", config->user);
    }
    if (*config->group != '\0' && !process_user_find_group(config->group, &gid)) {
        findings_add(findings, severity, "group: there is no group '%s': create it, or set another", config->group);
    }
    if (geteuid() == 0 && *config->user == '\0') {
        findings_add(findings, FINDING_WARNING, "user is empty: workers of a master that root starts run as root");
    }
    for (int i = 0; i < POOL_COUNT; i++) {
        const struct pool_config *pool = &config->pools[i];
        if (*pool->listen_owner != '\0' && !process_user_find(pool->listen_owner, &uid, &gid)) {
            findings_add(findings, FINDING_ERROR, "[%s] listen_owner: there is no user '%s'", pool_names[i],
                         pool->listen_owner);
        }
        if (*pool->listen_group != '\0' && !process_user_find_group(pool->listen_group, &gid)) {
            findings_add(findings, FINDING_ERROR, "[%s] listen_group: there is no group '%s'", pool_names[i],
                         pool->listen_group);
        }
    }
}

/* As access(2), with the effective user. */
static bool may(const char *path, int what)
{
    return faccessat(AT_FDCWD, path, what, AT_EACCESS) == 0;
}

static bool may_write(const char *path)
{
    char directory[PATH_MAX];
    directory_of(path, directory, sizeof directory);
    return may(path, F_OK) ? may(path, W_OK) : errno == ENOENT && may(directory, W_OK | X_OK);
}

/* The workers open the logs themselves. Where they may not, a master of root's opens them if only root can change the
 * directory. */
static void check_log(struct findings *findings, const struct service *service, const char *directive, const char *path)
{
    const struct process_user *user = &service->user;
    if (*path != '/' || !process_user_act_as(user)) {
        return;
    }
    bool good = may_write(path);
    int failure = errno;
    process_user_act_as_root(user);
    if (good || (user->changes && service->unit.user == NULL && failure == EACCES &&
                 safe_path_directory(path, SAFE_PATH_WHOLE, NULL))) {
        return;
    }
    char directory[PATH_MAX], cure[2 * PATH_MAX];
    directory_of(path, directory, sizeof directory);
    snprintf(cure, sizeof cure, "install -d -o %s -m 2750 %s",
             user->changes || service->unit.user != NULL ? service->name : "\"$(id -un)\"", directory);
    if (service->unit.user != NULL) {
        findings_add_cure(
            findings, FINDING_ERROR, cure,
            "%s: %s can't write %s: %s; %s starts the service as that user: chown %s the file, or its directory",
            directive, service->name, path, strerror(failure), service->unit.file, service->name);
    } else if (user->changes) {
        findings_add_cure(findings, FINDING_ERROR, cure, "%s: the workers' user %s can't write %s: %s", directive,
                          service->name, path, strerror(failure));
    } else {
        findings_add_cure(findings, FINDING_ERROR, cure, "%s: %s can't be written: %s", directive, path,
                          strerror(failure));
    }
}

/* Under systemd the directory exists only while the service runs; a master of root's creates it. */
static void check_runtime_path(struct findings *findings, const struct service *service, const char *directive,
                               const char *path)
{
    const struct process_user *user = &service->user;
    char directory[PATH_MAX];
    struct error why;
    struct stat status;
    if (*path == '\0') {
        return;
    }
    directory_of(path, directory, sizeof directory);
    if (stat(directory, &status) == -1) {
        findings_add(findings, FINDING_WARNING, "%s: the directory %s does not exist (yet): %s", directive, directory,
                     strerror(errno));
    } else if (!S_ISDIR(status.st_mode)) {
        findings_add(findings, FINDING_ERROR, "%s: %s is not a directory", directive, directory);
    } else if (service->unit.user == NULL &&
               !safe_path_directory(path, user->changes ? SAFE_PATH_WHOLE : SAFE_PATH_DIRECTORY, &why)) {
        findings_add(findings, FINDING_ERROR, "%s: %s", directive, why.text);
    }
}

/* systemd makes the sockets that its unit names; the service has to make any other one itself. */
static void check_socket(struct findings *findings, const struct service *service, const char *directive,
                         const char *path)
{
    if (service->unit.user == NULL || *path == '\0' || systemd_unit_makes(&service->unit, path) ||
        !process_user_act_as(&service->user)) {
        return;
    }
    char directory[PATH_MAX];
    directory_of(path, directory, sizeof directory);
    bool good = may(directory, W_OK | X_OK);
    process_user_act_as_root(&service->user);
    if (!good) {
        findings_add(findings, FINDING_ERROR,
                     "%s: %s is no socket of roster.socket, and %s can't make it: let ListenStream= there (systemctl "
                     "edit roster.socket) and nginx's upstream have this path, or set %s back",
                     directive, path, service->name, directive);
    }
}

/* Whether the user may read a file that is set in the configuration. */
static void check_readable(struct findings *findings, const struct process_user *user, const char *directive,
                           const char *path, const char *cure)
{
    if (*path == '\0' || !process_user_act_as(user)) {
        return;
    }
    bool good = may(path, R_OK);
    int failure = errno;
    process_user_act_as_root(user);
    if (!good) {
        findings_add(findings, FINDING_ERROR, "%s: %s can't be read: %s%s", directive, path, strerror(failure), cure);
    }
}

/* root reads them, or systemd hands secrets over; but roster.conf, and what it names, is read by whom systemd starts.
 */
static void check_read_files(struct findings *findings, const struct config *config, const struct service *service)
{
    static const char cure[] = "; systemd starts the service as another user: leave the directive unset, so that "
                               "systemd reads the file, or chgrp it to that user's group, with mode 0640";
    if (service->unit.user == NULL) {
        return;
    }
    check_readable(findings, &service->user, "roster.conf", config->path,
                   "; systemd starts the service as another user: chmod go+r it");
    if (config_names_secret_keys(config)) {
        check_readable(findings, &service->user, "secret_key_file", config->secret_key_file, cure);
    }
    check_readable(findings, &service->user, "database_password_file", config->database_password_file, cure);
    check_readable(findings, &service->user, "redis_password_file", config->redis_password_file, cure);
}

/* Who the service is: the caller, if the caller is not root; else as systemd starts it, or as the configuration says.
 */
static void find_service(struct arena *arena, const struct config *config, struct service *service_r)
{
    *service_r = (struct service){.name = config->user};
    if (geteuid() == 0) {
        systemd_unit_read(arena, config->path, &service_r->unit);
    }
    const char *user = service_r->unit.user;
    if (user != NULL && process_user_resolve(user, service_r->unit.group, &service_r->user, NULL)) {
        service_r->name = user;
        return;
    }
    service_r->unit.user = NULL;
    /* check_users has reported an unknown user; the other checks then use the current user. */
    process_user_resolve(config->user, config->group, &service_r->user, NULL);
}

/* second_factor_for: a rule, but not one about second factors. */
static void check_factor_rule(struct findings *findings, const struct config *config, struct arena *arena)
{
    struct rule rule = {.count = 0};
    struct error why;
    if (*config->second_factor_for == '\0') {
        return;
    }
    if (!rule_parse(arena, text_of(config->second_factor_for), &rule, &why)) {
        findings_add(findings, FINDING_ERROR, "second_factor_for: %s", why.text);
    }
    for (size_t i = 0; i < rule.count; i++) {
        if (rule.terms[i].kind == RULE_FACTOR) {
            findings_add(findings, FINDING_ERROR,
                         "second_factor_for says who needs a second factor: mfa is no such term");
        }
    }
}

void check_files(const struct config *config, struct findings *findings)
{
    struct error why;
    struct service service;
    struct arena *arena = arena_new(0);

    check_users(findings, config);
    find_service(arena, config, &service);
    const struct process_user *user = &service.user;
    if (!safe_path_file(config->path, *config->user != '\0' ? SAFE_PATH_WHOLE : SAFE_PATH_DIRECTORY, &why)) {
        findings_add(findings, FINDING_ERROR, "%s", why.text);
    }
    const bool is_outsider = check_is_outsider(config);
    if (is_outsider) {
        findings_add(findings, FINDING_UNSEEN,
                     "whether the user %s can write the logs: only root and that user can try it", config->user);
    } else {
        check_log(findings, &service, "error_log", config->error_log);
        check_log(findings, &service, "access_log", config->access_log);
        check_log(findings, &service, "audit_log", config->audit_log);
        check_read_files(findings, config, &service);
    }
    check_runtime_path(findings, &service, "pid_file", config->pid_file);
    for (int i = 0; i < POOL_COUNT; i++) {
        check_runtime_path(findings, &service, "listen", config->pools[i].listen);
        check_runtime_path(findings, &service, "listen_second", config->pools[i].listen_second);
        check_socket(findings, &service, "listen", config->pools[i].listen);
        check_socket(findings, &service, "listen_second", config->pools[i].listen_second);
    }
    if (!is_outsider) {
        check_readable(findings, user, "database_tls_ca", config->database_tls_ca, "");
        check_mail(findings, config, user);
    }
    if (*config->password_pattern != '\0' && !password_check_pattern(config->password_pattern, &why)) {
        findings_add(findings, FINDING_ERROR, "password_pattern is not a valid PCRE2 pattern: %s", why.text);
    }
    check_factor_rule(findings, config, arena);
    process_user_free(&service.user);
    arena_free(arena);
}

/* Redis. */

/* Whether Redis answers who has no password. */
static bool redis_is_open(struct context *context)
{
    struct error ignored;
    struct config config = *context->config;
    struct context without = {.arena = context->arena, .config = &config, .stage = "check"};
    config.redis_password = TEXT_NULL;
    redis_close();
    const bool is_open = redis_ping(&without, &ignored);
    redis_close();
    return is_open;
}

/* Whoever can connect can read and change the revocations of sessions and the counters of sign-ins. */
static void check_redis_access(struct findings *findings, struct context *context)
{
    const struct config *config = context->config;
    struct stat status;
    const bool is_tcp = *config->redis_host != '\0';
    const bool others_may = is_tcp || (stat(config->redis_socket, &status) == 0 && (status.st_mode & S_IWOTH) != 0);
    if (!others_may || !redis_is_open(context)) {
        return;
    }
    if (config->redis_user[0] != '\0') {
        findings_add_cure(findings, FINDING_WARNING, "redis-cli ACL SETUSER default off && redis-cli CONFIG REWRITE",
                          "Redis at %s has the user %s, but its default user has no password: each local user can make "
                          "revoked sessions valid again",
                          is_tcp ? config->redis_host : config->redis_socket, config->redis_user);
    } else if (is_tcp) {
        findings_add_cure(
            findings, FINDING_WARNING,
            "p=$(openssl rand -hex 32); (umask 077; echo $p >/etc/roster/redis.password); echo requirepass $p "
            ">>/etc/redis/redis.conf; systemctl restart redis-server roster",
            "Redis at %s has no password: each local user can make revoked sessions valid again", config->redis_host);
    } else {
        findings_add_cure(findings, FINDING_WARNING,
                          "sed -i 's/^unixsocketperm .*/unixsocketperm 770/' /etc/redis/redis.conf && adduser roster "
                          "redis && systemctl restart redis-server roster",
                          "Redis at %s is open to each local user: who connects can make revoked sessions valid again",
                          config->redis_socket);
    }
}

/* Before 6.0 Redis does not tell what changes, so that rows can't be kept in memory. */
static void check_redis_version(struct findings *findings, struct context *context)
{
    const redisReply *reply = redis_append(context, "INFO server") ? redis_read(context) : NULL;
    const char *line = reply != NULL && reply->str != NULL ? strstr(reply->str, "redis_version:") : NULL;
    const int length = line != NULL ? (int)strcspn(line + 14, "\r\n") : 0;
    if (line != NULL && atoi(line + 14) < 6) {
        findings_add_cure(findings, FINDING_WARNING, "apt install redis-server",
                          "Redis %.*s is older than 6.0: identity_cache has no effect", length, line + 14);
    } else {
        findings_add(findings, FINDING_GOOD, "Redis answers");
    }
}

static void check_redis(struct findings *findings, struct context *context)
{
    static const char cure[] = "systemctl start redis-server";
    const bool is_required = context->config->redis_required;
    struct error error;
    if (redis_ping(context, &error)) {
        check_redis_version(findings, context);
        check_redis_access(findings, context);
    } else if (strstr(error.text, "AUTH ") != NULL || strstr(error.text, " NOAUTH") != NULL) {
        findings_add_cure(findings, is_required ? FINDING_ERROR : FINDING_WARNING,
                          "(umask 077; sed -n 's/^requirepass //p' /etc/redis/redis.conf | tail -n 1 "
                          ">/etc/roster/redis.password) && systemctl restart roster",
                          "Redis wants another password than that of redis_password_file: %s; without Redis no session "
                          "can be revoked before it expires",
                          error.text);
    } else if (is_required) {
        findings_add_cure(findings, FINDING_ERROR, cure, "Redis can't be reached, and redis_required is yes: %s",
                          error.text);
    } else {
        findings_add_cure(findings, FINDING_WARNING, cure,
                          "Redis can't be reached: %s; without it no session can be revoked before it expires",
                          error.text);
    }
}

void check_services(const struct config *config, struct findings *findings)
{
    struct arena *arena = arena_new(0);
    struct context context = {
        .arena = arena,
        .config = config,
        .now_seconds = clock_wall_seconds(),
        .stage = "check",
    };

    /* check_files reports an unknown user. */
    process_user_become(config->user, config->group, NULL);
    check_database(findings, &context);
    check_redis(findings, &context);
    database_close();
    redis_close();
    arena_free(arena);
}
