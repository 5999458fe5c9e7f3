/* ctl_doctor.c: rosterctl doctor, nginx check: a walk over everything that Roster depends on, with what to do about
 * each finding. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/fastcgi_client.h"
#include "ctl/file.h"
#include "ctl/findings.h"
#include "master/check.h"
#include "store/config_store.h"
#include "store/database.h"
#include "store/user_store.h"

enum { ANSWER_MILLISECONDS = 5000, DEPTH_MOST = 4 };

static const char *const nginx_default = "/etc/nginx";

/* What roster -t finds. Its lines: "roster: FILE: error: TEXT", the same with warning, or "roster: TEXT". */

typedef bool check_function(const struct config *config, FILE *out);

static void take_lines(struct findings *findings, const char *subject, char *lines)
{
    char *cursor = lines;
    for (char *line; (line = strsep(&cursor, "\n")) != NULL;) {
        if (*line == '\0') {
            continue;
        }
        char *error = strstr(line, ": error: ");
        char *warning = strstr(line, ": warning: ");
        char *plain = strncmp(line, "roster: ", 8) == 0 ? line + 8 : line;
        if (error != NULL) {
            findings_add(findings, FINDING_ERROR, subject, "%s", error + strlen(": error: "));
        } else if (warning != NULL) {
            findings_add(findings, FINDING_WARNING, subject, "%s", warning + strlen(": warning: "));
        } else {
            findings_add(findings, FINDING_GOOD, subject, "%s", plain);
        }
    }
}

static void run_check(struct findings *findings, const char *subject, const struct config *config,
                      check_function *check)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL) {
        findings_add(findings, FINDING_ERROR, subject, "%s", strerror(errno));
        return;
    }
    check(config, out);
    fclose(out);
    size_t before = findings->error_count + findings->warning_count;
    take_lines(findings, subject, lines);
    if (size == 0 && findings->error_count + findings->warning_count == before) {
        findings_add(findings, FINDING_GOOD, subject, "nothing is missing");
    }
    free(lines);
}

/* The machine. */

/* The number behind `name` at the start of a line; -1 where there is none. */
static int64_t number_in_file(const char *path, const char *name)
{
    char line[256];
    FILE *file = fopen(path, "re");
    int64_t number = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoll(line + strlen(name), NULL, 10);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

static void check_machine(struct findings *findings, const struct config *config)
{
    int64_t most_waiting = number_in_file("/proc/sys/net/core/somaxconn", "");
    int64_t available = number_in_file("/proc/meminfo", "MemAvailable:") * 1024;
    int64_t hash = 128 * config->password_scrypt_n * config->password_scrypt_r;
    int64_t hashing = hash * config->pools[POOL_PASSWORD].workers;
    size_t before = findings->warning_count + findings->error_count;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (most_waiting >= 0 && config->pools[pool].listen_backlog > most_waiting) {
            findings_add(findings, FINDING_WARNING, "machine",
                         "[%s] listen_backlog is %" PRId64 ", but the kernel allows %" PRId64
                         ": raise net.core.somaxconn with sysctl, or lower listen_backlog",
                         pool_names[pool], config->pools[pool].listen_backlog, most_waiting);
        }
    }
    if (available > 0 && hashing > available / 2) {
        findings_add(findings, FINDING_WARNING, "machine",
                     "hashing takes up to %" PRId64 " MiB at once, of %" PRId64
                     " MiB that are free: lower [password] workers or password_scrypt_n",
                     hashing >> 20, available >> 20);
    }
    if (findings->warning_count + findings->error_count == before) {
        findings_add(findings, FINDING_GOOD, "machine", "memory and backlog are enough");
    }
}

static void check_disk(struct findings *findings, const char *log)
{
    struct statvfs disk;
    if (log[0] != '/') {
        return;
    }
    struct text directory = text_copy(findings->sheet.arena, (struct text){log, (size_t)(strrchr(log, '/') - log) + 1});
    if (statvfs(directory.data, &disk) != 0 || disk.f_blocks == 0) {
        return;
    }
    double share = 100.0 * (double)disk.f_bavail / (double)disk.f_blocks;
    findings_add(findings,
                 share < 1    ? FINDING_ERROR
                 : share < 10 ? FINDING_WARNING
                              : FINDING_GOOD,
                 "disk", "%.0f %% are free where %s lies%s", share, log,
                 share < 10 ? ": make room, and see that logrotate runs" : "");
}

/* The service. */

static void check_pool(struct findings *findings, const struct config *config, enum pool pool)
{
    struct stat status;
    struct fastcgi_answer answer;
    const char *error;
    const char *path = config->pools[pool].listen;
    if (stat(path, &status) != 0) {
        findings_add(findings, FINDING_ERROR, "service", "pool %s has no socket %s (%s): start the service",
                     pool_names[pool], path, strerror(errno));
    } else if (!fastcgi_get(findings->sheet.arena, path, "/ping", ANSWER_MILLISECONDS, &answer, &error)) {
        findings_add(findings, FINDING_ERROR, "service", "pool %s does not answer: %s; its log says why",
                     pool_names[pool], error);
    } else if (answer.status != 200) {
        findings_add(findings, FINDING_ERROR, "service", "pool %s answers %d to /ping; its log says why",
                     pool_names[pool], answer.status);
    } else if ((status.st_mode & S_IRWXO) != 0) {
        findings_add(findings, FINDING_WARNING, "service",
                     "pool %s answers, but everybody may open %s: set listen_mode to 0660", pool_names[pool], path);
    } else {
        findings_add(findings, FINDING_GOOD, "service", "pool %s answers", pool_names[pool]);
    }
}

static void check_ready(struct findings *findings, const struct config *config)
{
    struct fastcgi_answer answer;
    const char *error;
    if (fastcgi_get(findings->sheet.arena, config->pools[POOL_API].listen, "/ready", ANSWER_MILLISECONDS, &answer,
                    &error)) {
        findings_add(findings, answer.status == 200 ? FINDING_GOOD : FINDING_ERROR, "service", "/ready answers %d%s",
                     answer.status, answer.status == 200 ? "" : ": MariaDB (or Redis, where it is required) is away");
    }
}

/* People. */

static void check_accounts(struct findings *findings, struct context *context)
{
    json_object *document;
    struct text primary;
    if (user_store_primary(context, &primary) != OK || config_store_read(context, &document) != OK) {
        findings_add(findings, FINDING_ERROR, "accounts", "can't be read: see the lines above");
        return;
    }
    bool sign_up = config_store_is_on(context, document, SETTING_ENABLE_SIGNUP);
    if (primary.data == NULL) {
        findings_add(findings, FINDING_WARNING, "accounts",
                     "there are none, and whoever signs up first becomes the administrator: call `rosterctl user add --email ... --name ...'");
    } else if (sign_up && text_is(config_store_text(context, document, SETTING_DEFAULT_USER_ROLE), "admin")) {
        findings_add(findings, FINDING_ERROR, "accounts",
                     "whoever signs up becomes an administrator: change DEFAULT_USER_ROLE in /auths/admin/config");
    } else {
        findings_add(findings, FINDING_GOOD, "accounts", "there are some; sign-up is %s", sign_up ? "open" : "closed");
    }
}

/* nginx: what a walk over its files has seen of Roster. */

struct nginx_walk {
    struct findings *findings;
    bool pool_is_named[POOL_COUNT];
    bool has_our_files;
    int64_t body_most;            /* the least client_max_body_size; -1: none */
    int64_t read_timeout_seconds; /* the least fastcgi_read_timeout; -1: none */
};

/* "4m" → bytes, "65s" → seconds; `units` are pairs of a letter and a factor, as factors[letter]. */
static int64_t number_with_unit(const char *text, const char *units, const int64_t *factors)
{
    char *end;
    int64_t number = strtoll(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end | 0x20) : NULL;
    return unit != NULL ? number * factors[unit - units] : number;
}

static void take_least(int64_t *least, int64_t number)
{
    *least = *least < 0 || number < *least ? number : *least;
}

/* True where `unix:PATH` stands in the text, with nothing of a longer path behind it. */
static bool names_socket(const char *content, const char *path)
{
    size_t length = strlen(path);
    for (const char *at = content; (at = strstr(at, "unix:")) != NULL; at += 5) {
        if (strncmp(at + 5, path, length) == 0 && strchr(" \t\r\n;:", at[5 + length]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Lines that are no comments: "@WORD@" that nobody filled in, and the two limits. */
static void read_lines(struct nginx_walk *walk, const char *path, const char *content)
{
    static const int64_t size_factors[] = {1024, 1048576, 1073741824}, time_factors[] = {1, 60, 3600, 86400};
    for (const char *line = content; *line != '\0';) {
        const char *start = line + strspn(line, " \t");
        size_t length = strcspn(start, "\n");
        const char *at = memchr(start, '@', length);
        if (*start != '#') {
            if (strncmp(start, "client_max_body_size", 20) == 0) {
                take_least(&walk->body_most, number_with_unit(start + 20, "kmg", size_factors));
            } else if (strncmp(start, "fastcgi_read_timeout", 20) == 0) {
                take_least(&walk->read_timeout_seconds, number_with_unit(start + 20, "smhd", time_factors));
            }
            size_t word = at != NULL ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
            if (word > 0 && at[1 + word] == '@') {
                findings_add(walk->findings, FINDING_ERROR, "nginx",
                             "%s still holds %.*s: let `rosterctl nginx write' fill the files in", path, (int)word + 2,
                             at);
            }
        }
        line = start + length + (start[length] == '\n' ? 1 : 0);
    }
}

static void read_nginx_file(struct nginx_walk *walk, const char *path)
{
    const struct config *config = walk->findings->invocation->config;
    struct text content;
    if (!file_read(walk->findings->sheet.arena, path, &content) || memchr(content.data, '\0', content.length) != NULL) {
        return;
    }
    bool ours = strstr(content.data, "roster_api") != NULL || strstr(content.data, "roster-fastcgi.conf") != NULL ||
                strstr(path, "/roster") != NULL;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (names_socket(content.data, config->pools[pool].listen)) {
            walk->pool_is_named[pool] = ours = true;
        }
    }
    if (ours) {
        walk->has_our_files = true;
        read_lines(walk, path, content.data);
    }
}

static void walk_directory(struct nginx_walk *walk, const char *directory, unsigned depth)
{
    struct dirent *entry;
    DIR *opened = depth < DEPTH_MOST ? opendir(directory) : NULL;
    while (opened != NULL && (entry = readdir(opened)) != NULL) {
        struct stat status;
        const char *path = text_format(walk->findings->sheet.arena, "%s/%s", directory, entry->d_name).data;
        size_t length = strlen(entry->d_name);
        bool is_left_over =
            entry->d_name[0] == '.' || entry->d_name[length - 1] == '~' || strstr(entry->d_name, ".dpkg-") != NULL;
        if (is_left_over || strcmp(entry->d_name, "sites-available") == 0 ||
            strcmp(entry->d_name, "modules-available") == 0 || stat(path, &status) != 0) {
            continue; /* nginx does not read these */
        }
        if (S_ISDIR(status.st_mode)) {
            walk_directory(walk, path, depth + 1);
        } else if (S_ISREG(status.st_mode)) {
            read_nginx_file(walk, path);
        }
    }
    if (opened != NULL) {
        closedir(opened);
    }
}

void findings_of_nginx(struct findings *findings, const char *directory)
{
    const struct config *config = findings->invocation->config;
    struct nginx_walk walk = {.findings = findings, .body_most = -1, .read_timeout_seconds = -1};
    size_t before = findings->error_count + findings->warning_count;
    if (access(directory, R_OK | X_OK) != 0) {
        findings_add(findings, FINDING_WARNING, "nginx",
                     "%s: %s; name the place with `rosterctl nginx check --directory'", directory, strerror(errno));
        return;
    }
    walk_directory(&walk, directory, 0);
    if (!walk.has_our_files) {
        findings_add(findings, FINDING_WARNING, "nginx",
                     "nothing in %s passes requests to Roster: `rosterctl nginx write' makes the files", directory);
        return;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!walk.pool_is_named[pool]) {
            findings_add(findings, FINDING_ERROR, "nginx",
                         "nothing in %s passes requests to %s, where pool %s listens: `rosterctl nginx upstream' "
                         "prints what should",
                         directory, config->pools[pool].listen, pool_names[pool]);
        }
        if (walk.read_timeout_seconds >= 0 && walk.read_timeout_seconds <= config->pools[pool].request_timeout) {
            findings_add(findings, FINDING_WARNING, "nginx",
                         "fastcgi_read_timeout is %" PRId64 " s, not above [%s] request_timeout (%" PRId64
                         " s): nginx gives up before the master logs what hung",
                         walk.read_timeout_seconds, pool_names[pool], config->pools[pool].request_timeout);
        }
    }
    if (walk.body_most > 0 && walk.body_most != config->request_body_limit) {
        findings_add(findings, FINDING_WARNING, "nginx",
                     "client_max_body_size is %" PRId64 ", request_body_limit is %" PRId64 ": make them the same",
                     walk.body_most, config->request_body_limit);
    }
    if (findings->error_count + findings->warning_count == before) {
        findings_add(findings, FINDING_GOOD, "nginx", "%s goes with roster.conf", directory);
    }
}

int command_nginx_check(struct invocation *invocation)
{
    struct findings findings;
    const char *directory = ctl_option(invocation, "directory");
    findings_init(&findings, invocation);
    findings_of_nginx(&findings, directory != NULL ? directory : nginx_default);
    return findings_finish(&findings);
}

int command_doctor(struct invocation *invocation)
{
    struct findings findings;
    const char *error;
    findings_init(&findings, invocation);
    invocation->config = config_read(invocation->config_path, &error);
    if (invocation->config == NULL) {
        findings_add(&findings, FINDING_ERROR, "configuration", "%s", error);
        return findings_finish(&findings);
    }
    struct config *config = invocation->config;
    invocation->context.config = config;
    findings_add(&findings, FINDING_GOOD, "configuration", "%s is good", config->path);
    bool secrets = config_load_secrets(config, &error);
    findings_add(&findings, secrets ? FINDING_GOOD : FINDING_ERROR, "secrets", "%s",
                 secrets ? "all can be read, by nobody else" : error);
    run_check(&findings, "files", config, check_files);
    check_machine(&findings, config);
    check_disk(&findings, config->error_log);
    if (secrets) {
        run_check(&findings, "dependencies", config, check_services);
        if (database_connect(&invocation->context, &error)) {
            check_accounts(&findings, &invocation->context);
        }
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        check_pool(&findings, config, (enum pool)pool);
    }
    check_ready(&findings, config);
    const char *directory = ctl_option(invocation, "nginx-directory");
    findings_of_nginx(&findings, directory != NULL ? directory : nginx_default);
    return findings_finish(&findings);
}
