/* check.c: roster -t. It says what to change, as a check that only says 'no' helps nobody. */
#include "master/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/context.h"
#include "master/process_user.h"
#include "store/database.h"
#include "store/migration.h"
#include "store/redis.h"

/* Statements that one worker keeps prepared, at most: STATEMENTS_MOST of store/database.c. */
enum { STATEMENTS_PER_WORKER = 128 };

#ifndef PKGDATADIR
#define PKGDATADIR "/usr/share/roster"
#endif

/* Where nginx may have been given our files. */
static const char *const nginx_directories[] = {"/etc/nginx/snippets", "/etc/nginx/roster", "/etc/nginx/conf.d"};

struct findings {
    FILE *out;
    const char *path; /* of the configuration */
    bool good;
};

static void print_finding(const struct findings *findings, const char *kind, const char *format, va_list arguments)
{
    fprintf(findings->out, "roster: %s: %s: ", findings->path, kind);
    vfprintf(findings->out, format, arguments);
    fputc('\n', findings->out);
}

static void add_error(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_error(struct findings *findings, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_finding(findings, "error", format, arguments);
    va_end(arguments);
    findings->good = false;
}

static void add_warning(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_warning(struct findings *findings, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_finding(findings, "warning", format, arguments);
    va_end(arguments);
}

/* The directory that holds `path`. */
static void directory_of(const char *path, char *directory_r, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL && slash != path ? (size_t)(slash - path) : 1;
    snprintf(directory_r, size, "%.*s", (int)length, path);
}

/* This machine. */

static void check_users(struct findings *findings, const struct config *config)
{
    uid_t uid;
    gid_t gid;
    /* Only root changes the user; elsewhere (a unit with User=) the names stand idle. */
    void (*add)(struct findings *, const char *, ...) = geteuid() == 0 ? add_error : add_warning;
    if (*config->user != '\0' && !process_user_find(config->user, &uid, &gid))
        add(findings, "user: there is no user '%s': make it, or name another", config->user);
    if (*config->group != '\0' && !process_user_find_group(config->group, &gid))
        add(findings, "group: there is no group '%s': make it, or name another", config->group);
    if (geteuid() == 0 && *config->user == '\0')
        add_warning(findings, "user is empty: workers of a master that root starts run as root");
    for (int i = 0; i < POOL_COUNT; i++) {
        const struct pool_config *pool = &config->pools[i];
        if (*pool->listen_owner != '\0' && !process_user_find(pool->listen_owner, &uid, &gid))
            add_error(findings, "[%s] listen_owner: there is no user '%s'", pool_names[i], pool->listen_owner);
        if (*pool->listen_group != '\0' && !process_user_find_group(pool->listen_group, &gid))
            add_error(findings, "[%s] listen_group: there is no group '%s'", pool_names[i], pool->listen_group);
    }
}

static void check_log(struct findings *findings, const char *directive, const char *path)
{
    char directory[4100];
    if (*path != '/')
        return;
    directory_of(path, directory, sizeof directory);
    if (access(path, F_OK) == 0 ? access(path, W_OK) == -1 : access(directory, W_OK | X_OK) == -1)
        add_error(findings, "%s: %s can't be written: %s", directive, path, strerror(errno));
}

/* Under systemd the directory exists only while the service runs. */
static void check_runtime_path(struct findings *findings, const char *directive, const char *path)
{
    char directory[4100];
    struct stat status;
    if (*path == '\0')
        return;
    directory_of(path, directory, sizeof directory);
    if (stat(directory, &status) == -1)
        add_warning(findings, "%s: the directory %s is not there (yet): %s", directive, directory, strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        add_error(findings, "%s: %s is no directory", directive, directory);
}

bool check_files(const struct config *config, FILE *out)
{
    struct findings findings = {out, config->path, true};
    const char *reason = NULL;

    check_users(&findings, config);
    check_log(&findings, "error_log", config->error_log);
    check_log(&findings, "access_log", config->access_log);
    check_runtime_path(&findings, "pid_file", config->pid_file);
    for (int i = 0; i < POOL_COUNT; i++)
        check_runtime_path(&findings, "listen", config->pools[i].listen);
    if (*config->database_tls_ca != '\0' && access(config->database_tls_ca, R_OK) == -1)
        add_error(&findings, "database_tls_ca: %s can't be read: %s", config->database_tls_ca, strerror(errno));
    if (*config->password_pattern != '\0' && !password_check_pattern(config->password_pattern, &reason))
        add_error(&findings, "password_pattern is no PCRE2 pattern: %s", reason);
    return findings.good;
}

/* MariaDB. */

static void check_number(struct findings *findings, struct context *context, const char *variable, int64_t per_worker)
{
    int64_t workers = context->config->pools[POOL_API].workers + context->config->pools[POOL_PASSWORD].workers;
    int64_t needed = workers * per_worker;
    int64_t most = database_server_variable(context, variable);
    if (most < 0)
        add_warning(findings, "MariaDB does not tell its %s", variable);
    else if (most < needed)
        add_error(findings,
                  "MariaDB's %s is %" PRId64 ", but %" PRId64 " workers may take %" PRId64 ": raise it to %" PRId64
                  " or more, or lower workers",
                  variable, most, workers, needed, 2 * needed);
    else if (most < 2 * needed) /* at a reload, old and new workers are there together */
        add_warning(findings,
                    "MariaDB's %s is %" PRId64 ", but %" PRId64 " workers may take %" PRId64
                    " while a reload replaces them: raise it, or lower workers",
                    variable, most, workers, 2 * needed);
}

/* The tables, against the migrations that were installed with this program. */
static void check_schema(struct findings *findings, struct context *context)
{
    int present = migration_schema_version(context);
    int newest = migration_newest(PKGDATADIR "/sql");
    if (present < 0)
        add_error(findings, "MariaDB does not tell the version of the tables: see the line above");
    else if (present == 0)
        add_error(findings, "the database %s has no tables of Roster's: call `rosterctl migrate`",
                  context->config->database_name);
    else if (present < newest)
        add_error(findings, "the tables are at version %d, but this program wants %d: call `rosterctl migrate`",
                  present, newest);
    else if (newest > 0 && present > newest)
        add_warning(findings, "the tables are at version %d, made by a newer program than this one, which knows %d",
                    present, newest);
    else
        fprintf(findings->out, "roster: the tables are at version %d%s\n", present,
                newest > 0 ? "" : ", and no migrations were found to compare with");
}

static void check_database(struct findings *findings, struct context *context)
{
    const char *error = NULL;
    if (!database_connect(context, &error)) {
        add_error(findings, "MariaDB can't be reached: %s", error);
        return;
    }
    fprintf(findings->out, "roster: MariaDB %s answers\n", database_server_version());
    check_schema(findings, context);
    check_number(findings, context, "max_connections", 1);
    check_number(findings, context, "max_prepared_stmt_count", STATEMENTS_PER_WORKER);
}

/* Redis. */

static void check_redis(struct findings *findings, struct context *context)
{
    const char *error = NULL;
    if (redis_ping(context, &error))
        fprintf(findings->out, "roster: Redis answers\n");
    else if (context->config->redis_required)
        add_error(findings, "Redis can't be reached, and redis_required is yes: %s", error);
    else
        add_warning(findings, "Redis can't be reached: %s; without it no session can be revoked before it expires",
                    error);
}

/* nginx. */

/* The whole file, NUL-terminated, in the arena; NULL where it can't be read or is no small text. */
static char *read_small_file(struct arena *arena, const char *path)
{
    enum { SIZE_MOST = 256 * 1024 };
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *content = arena_alloc(arena, SIZE_MOST);
    size_t length = fread(content, 1, SIZE_MOST - 1, file);
    fclose(file);
    content[length] = '\0';
    return content;
}

/* True where an address `unix:PATH` stands in the text, with nothing of a longer path behind it. */
static bool names_socket(const char *content, const char *path)
{
    size_t length = strlen(path);
    for (const char *at = content; (at = strstr(at, "unix:")) != NULL; at += 5)
        if (strncmp(at + 5, path, length) == 0 && strchr(" \t\n;:", at[5 + length]) != NULL)
            return true;
    return false;
}

static void check_nginx(struct findings *findings, struct context *context)
{
    for (size_t i = 0; i < sizeof nginx_directories / sizeof *nginx_directories; i++) {
        const char *path = text_format(context->arena, "%s/roster-upstream.conf", nginx_directories[i]).data;
        const char *content = read_small_file(context->arena, path);
        if (content == NULL)
            continue;
        for (int j = 0; j < POOL_COUNT; j++)
            if (!names_socket(content, context->config->pools[j].listen))
                add_warning(findings,
                            "%s does not pass requests to %s, where pool %s listens: `rosterctl nginx upstream` prints "
                            "what should stand there",
                            path, context->config->pools[j].listen, pool_names[j]);
        return;
    }
}

bool check_services(const struct config *config, FILE *out)
{
    struct findings findings = {out, config->path, true};
    struct arena *arena = arena_new(0);
    struct context context = {
        .arena = arena,
        .config = config,
        .now_seconds = clock_wall_seconds(),
        .started_microseconds = clock_monotonic_microseconds(),
        .stage = "check",
    };

    /* A user that does not exist is one of check_files' findings. */
    const char *ignored;
    process_user_become(config->user, config->group, &ignored);
    check_database(&findings, &context);
    check_redis(&findings, &context);
    check_nginx(&findings, &context);
    database_close();
    redis_close();
    arena_free(arena);
    return findings.good;
}
