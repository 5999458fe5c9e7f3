/* check_nginx.c: see check_nginx.h. */
#include "check/check_nginx.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/file.h"
#include "base/quantity.h"
#include "check/nginx_config.h"

enum { DEPTH_MAX = 4 };

/* On Debian, where the site is as roster-setup has made it. */
#define CURE_FILES \
    "rosterctl nginx write /etc/nginx/snippets --nginx-directory /etc/nginx/snippets && systemctl reload nginx"

/* True where the text contains `unix:PATH`, not followed by more of a longer path. */
static bool names_socket(const char *content, const char *path)
{
    size_t length = strlen(path);
    for (const char *at = content; length > 0 && (at = strstr(at, "unix:")) != NULL; at += 5) {
        if (strncmp(at + 5, path, length) == 0 && strchr(" \t\r\n;:", at[5 + length]) != NULL) {
            return true;
        }
    }
    return false;
}

/* One file. */

static void check_socket(struct findings *findings, const char *file, const char *content, enum pool pool,
                         const char *path)
{
    if (*path != '\0' && !names_socket(content, path)) {
        findings_add(findings, FINDING_WARNING,
                     "%s does not pass requests to %s, where pool %s listens: replace it by the output of `rosterctl "
                     "nginx upstream', and the locations by that of `rosterctl nginx snippet'",
                     file, path, pool_names[pool]);
    }
}

void check_nginx_upstream(const struct config *config, struct findings *findings)
{
    static const char *const paths[] = {
        CHECK_NGINX_DIRECTORY "/snippets/roster-upstream.conf",
        CHECK_NGINX_DIRECTORY "/roster/roster-upstream.conf",
        CHECK_NGINX_DIRECTORY "/conf.d/roster-upstream.conf",
    };
    struct arena *arena = arena_new(0);
    struct text content;
    size_t found = 0;
    while (found < ARRAY_COUNT(paths) && !file_read(arena, paths[found], &content)) {
        found++;
    }
    for (int pool = 0; found < ARRAY_COUNT(paths) && pool < POOL_COUNT; pool++) {
        const struct pool_config *settings = &config->pools[pool];
        check_socket(findings, paths[found], content.data, (enum pool)pool, settings->listen);
        check_socket(findings, paths[found], content.data, (enum pool)pool, settings->listen_second);
    }
    arena_free(arena);
}

/* All files. */

/* What was found of Roster in nginx's files. */
struct nginx_walk {
    const struct config *config;
    struct findings *findings;
    struct arena *arena;
    bool pool_is_named[POOL_COUNT], second_is_named[POOL_COUNT];
    bool has_our_files;
    struct nginx_site *site;
    int64_t body_max;     /* the lowest client_max_body_size; 0: none found */
    int64_t read_timeout; /* the lowest fastcgi_read_timeout, in milliseconds; 0: none found */
};

/* The value of an nginx directive, which starts at `text`: up to `;`, a comment, or the end of the line. */
static struct text value_of(const char *text)
{
    return text_trim((struct text){text, strcspn(text, ";#\n")});
}

/* 0 is no limit for nginx. */
static void take_min(int64_t *min, struct text value, const struct unit *units, unsigned rules)
{
    int64_t number;
    if (quantity_sum(value, units, rules, &number) && number > 0 && (*min == 0 || number < *min)) {
        *min = number;
    }
}

/* Copies the first word of a value. */
static void take_word(char *place, size_t size, struct text value)
{
    size_t length = 0;
    while (length < value.length && value.data[length] != ' ' && value.data[length] != '\t') {
        length++;
    }
    snprintf(place, size, "%.*s", (int)length, value.data);
}

/* `listen ADDRESS [PARAMETER ...]`: an address with TLS goes before one without, one of IPv4 before one of IPv6. */
static void take_listen(struct nginx_site *site, struct text value)
{
    const char *line = value.data;
    const bool has_tls = memmem(line, value.length, " ssl", 4) != NULL;
    const bool is_better =
        site->listen[0] == '\0' || (has_tls && !site->has_tls) || (has_tls == site->has_tls && site->listen[0] == '[');
    if (is_better) {
        take_word(site->listen, sizeof site->listen, value);
        site->has_tls = has_tls;
        site->has_proxy_protocol = memmem(line, value.length, " proxy_protocol", 15) != NULL;
    }
}

static bool starts_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

/* `rosterctl nginx write' also writes roster.conf, a whole site, beside the files that it includes: nginx does not read
 * it there. */
static bool is_template(struct arena *arena, const char *path, const char *content)
{
    const char *slash = strrchr(path, '/');
    const char *included = text_format(arena, "include %.*s/roster-locations.conf;", (int)(slash - path), path).data;
    return strcmp(slash, "/roster.conf") == 0 && strstr(content, included) != NULL;
}

/* Takes from a file what it says of the site: from the one that includes our locations, and from what private.conf
 * includes. */
static void read_site(struct nginx_walk *walk, const char *path, const char *content)
{
    struct nginx_site *site = walk->site;
    const size_t length = strlen(path);
    const bool is_main = length >= 11 && strcmp(path + length - 11, "/nginx.conf") == 0;
    const bool is_site = strstr(content, "/roster-locations.conf;") != NULL && !is_template(walk->arena, path, content);
    const bool is_tls = strstr(path, "/private-tls.conf") != NULL;
    struct stat status;
    if (is_site) {
        site->is_there = true;
        snprintf(site->path, sizeof site->path, "%s", path);
    }
    for (const char *line = content; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *start = line + strspn(line, " \t");
        if (is_main && starts_word(start, "pid")) {
            take_word(site->pid_path, sizeof site->pid_path, value_of(start + 3));
        } else if ((is_site || is_tls) && starts_word(start, "listen")) {
            take_listen(site, value_of(start + 6));
        } else if (is_site && starts_word(start, "server_name") && start[12] != '_') {
            take_word(site->name, sizeof site->name, value_of(start + 11));
            site->has_name = true;
        }
    }
    if ((is_site || strstr(path, "/roster") != NULL) && stat(path, &status) == 0 &&
        status.st_mtime > site->changed_at) {
        site->changed_at = status.st_mtime;
        snprintf(site->changed_path, sizeof site->changed_path, "%s", path);
    }
}

/* Reads lines other than comments: reports placeholders, "@WORD@", and takes the two limits. */
static void read_lines(struct nginx_walk *walk, const char *path, const char *content)
{
    static const struct unit times[] = {{"ms", 1},       {"s", 1000}, {"m", 60000}, {"h", 3600000},
                                        {"d", 86400000}, {"", 1000},  {NULL, 0}};
    for (const char *line = content; *line != '\0';) {
        const char *start = line + strspn(line, " \t");
        size_t length = strcspn(start, "\n");
        const char *at = memchr(start, '@', length);
        if (*start != '#') {
            if (strncmp(start, "client_max_body_size", 20) == 0) {
                take_min(&walk->body_max, value_of(start + 20), nginx_config_sizes, QUANTITY_ANY_CASE);
            } else if (strncmp(start, "fastcgi_read_timeout", 20) == 0) {
                take_min(&walk->read_timeout, value_of(start + 20), times, 0);
            }
            size_t word = at != NULL ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;
            if (word > 0 && at[1 + word] == '@') {
                findings_add(walk->findings, FINDING_ERROR,
                             "%s still contains %.*s: write the files with `rosterctl nginx write'", path,
                             (int)word + 2, at);
            }
        }
        line = start + length + (start[length] == '\n' ? 1 : 0);
    }
}

static void read_nginx_file(struct nginx_walk *walk, const char *path)
{
    const struct config *config = walk->config;
    struct text content;
    if (!file_read(walk->arena, path, &content) || memchr(content.data, '\0', content.length) != NULL) {
        return;
    }
    read_site(walk, path, content.data);
    bool ours = strstr(content.data, "roster_api") != NULL || strstr(content.data, "roster-fastcgi.conf") != NULL ||
                strstr(path, "/roster") != NULL;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (names_socket(content.data, config->pools[pool].listen)) {
            walk->pool_is_named[pool] = ours = true;
        }
        if (names_socket(content.data, config->pools[pool].listen_second)) {
            walk->second_is_named[pool] = ours = true;
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
    DIR *opened = depth < DEPTH_MAX ? opendir(directory) : NULL;
    while (opened != NULL && (entry = readdir(opened)) != NULL) {
        struct stat status;
        const char *path = text_format(walk->arena, "%s/%s", directory, entry->d_name).data;
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

static void compare_pool(const struct nginx_walk *walk, const char *directory, enum pool pool)
{
    const struct pool_config *settings = &walk->config->pools[pool];
    bool is_needed = pool == POOL_API || pool == POOL_PASSWORD; /* old files use only these two */
    if (!walk->pool_is_named[pool]) {
        findings_add_cure(walk->findings, is_needed ? FINDING_ERROR : FINDING_WARNING, CURE_FILES,
                          "nothing in %s passes requests to %s, where pool %s listens: use the output of "
                          "`rosterctl nginx upstream' and `rosterctl nginx snippet'",
                          directory, settings->listen, pool_names[pool]);
    }
    if (settings->listen_second[0] != '\0' && !walk->second_is_named[pool]) {
        findings_add_cure(walk->findings, FINDING_WARNING, CURE_FILES,
                          "nothing in %s passes requests to %s, the second socket of pool %s: use the output of "
                          "`rosterctl nginx upstream' and `rosterctl nginx snippet'",
                          directory, settings->listen_second, pool_names[pool]);
    }
    if (walk->read_timeout > 0 && walk->read_timeout <= settings->request_timeout * 1000) {
        findings_add(walk->findings, FINDING_WARNING,
                     "fastcgi_read_timeout is %" PRId64 " s, not above [%s] request_timeout (%" PRId64
                     " s): nginx times out before the master logs which request hung",
                     walk->read_timeout / 1000, pool_names[pool], settings->request_timeout);
    }
}

static void compare(const struct nginx_walk *walk, const char *directory)
{
    if (!walk->has_our_files) {
        findings_add(walk->findings, FINDING_WARNING,
                     "nothing in %s passes requests to Roster: `rosterctl nginx write' writes the files", directory);
        return;
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        compare_pool(walk, directory, (enum pool)pool);
    }
    if (walk->body_max > 0 && walk->body_max != walk->config->request_body_limit) {
        findings_add(walk->findings, FINDING_WARNING,
                     "client_max_body_size is %" PRId64 ", request_body_limit is %" PRId64 ": make them the same",
                     walk->body_max, walk->config->request_body_limit);
    }
    if (findings_are_good(walk->findings)) {
        findings_add(walk->findings, FINDING_GOOD, "%s matches roster.conf", directory);
    }
}

void check_nginx(const struct config *config, const char *directory, struct findings *findings,
                 struct nginx_site *site_r)
{
    struct arena *arena = arena_new(0);
    struct nginx_walk walk = {.config = config, .findings = findings, .arena = arena, .site = site_r};
    *site_r = (struct nginx_site){.name = "localhost", .pid_path = "/run/nginx.pid"};
    if (access(directory, R_OK | X_OK) == 0) {
        walk_directory(&walk, directory, 0);
        compare(&walk, directory);
        site_r->is_there &= access(text_format(arena, "%s/nginx.conf", directory).data, R_OK) == 0;
    } else {
        findings_add(findings, FINDING_WARNING, "%s: %s; set the directory with `rosterctl nginx check --directory'",
                     directory, strerror(errno));
    }
    arena_free(arena);
}
