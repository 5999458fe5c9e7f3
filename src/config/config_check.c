/* config_check.c: what no single value shows: forms of certain texts, values against each other and against the
 * machine. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config_internal.h"

struct check {
    struct config_loaded *loaded;
    struct config_message *message;
    unsigned *line_r;
};

/* The line of a directive in a scope; 0 where it has its default. */
static unsigned line_of(const struct check *check, const char *name, unsigned scope)
{
    const struct config_field *field = config_find(text_of(name));

    invariant(field != NULL);
    return check->loaded->lines[scope][config_field_index(field)];
}

/* A check failed on account of up to two directives: the later of their lines is named. */
static void blame(const struct check *check, const char *name, const char *other)
{
    unsigned line = line_of(check, name, CONFIG_SCOPE_GLOBAL);
    unsigned other_line = other != NULL ? line_of(check, other, CONFIG_SCOPE_GLOBAL) : 0;

    *check->line_r = line > other_line ? line : other_line;
}

/* Forms of certain texts. */

static bool check_log_target(const struct check *check, const char *name, const char *value, bool may_be_off)
{
    size_t length = strlen(value);

    if (strcmp(value, "stderr") == 0 || strcmp(value, "syslog") == 0 || strcmp(value, "journal") == 0 ||
        (may_be_off && strcmp(value, "off") == 0) || (value[0] == '/' && value[length - 1] != '/'))
        return true;
    blame(check, name, NULL);
    config_message_set(check->message, "%s is \"%.200s\": write an absolute path, stderr, syslog%s", name, value,
                       may_be_off ? ", journal or off" : " or journal");
    return false;
}

static bool is_port(const char *string)
{
    char *end;
    long port;

    if (*string < '1' || *string > '9')
        return false;
    port = strtol(string, &end, 10);
    return *end == '\0' && port <= 65535;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; HOST of letters, digits, '-', '.' and '_'. */
static bool is_host(const char *host)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct config_message ignored;
    struct network network;
    size_t length;

    if (host[0] == '[') {
        length = strcspn(++host, "]");
        if (host[length] != ']' || !network_parse((struct text){host, length}, &network, &ignored) ||
            network.prefix_bits != 128 || memchr(host, ':', length) == NULL)
            return false;
        length++;
    } else {
        length = strspn(host, name_bytes);
        if (length == 0)
            return false;
    }
    return host[length] == '\0' || (host[length] == ':' && is_port(host + length + 1));
}

static bool check_host(const struct check *check, const char *name, const char *host)
{
    if (is_host(host))
        return true;
    blame(check, name, NULL);
    config_message_set(check->message, "%s is \"%.200s\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6", name,
                       host);
    return false;
}

/* http:// or https://, a host with or without a port, and a path where `may_have_path`; no slash at the end. */
static bool is_origin(const char *url, bool may_have_path)
{
    char host[1100];
    const char *rest;
    size_t length;

    if (strncmp(url, "https://", 8) == 0)
        rest = url + 8;
    else if (strncmp(url, "http://", 7) == 0)
        rest = url + 7;
    else
        return false;
    length = strcspn(rest, "/");
    if (length >= sizeof host || (rest[length] != '\0' && !may_have_path) || rest[strlen(rest) - 1] == '/')
        return false;
    memcpy(host, rest, length);
    host[length] = '\0';
    return is_host(host) && strpbrk(rest, "?# \"<>\\") == NULL;
}

static bool check_public_url(const struct check *check, const char *url)
{
    if (url[0] == '\0' || is_origin(url, true))
        return true;
    blame(check, "public_url", NULL);
    config_message_set(check->message,
                       "public_url is \"%.200s\": write http:// or https://, the host, and no / at the end, as "
                       "https://users.example.org",
                       url);
    return false;
}

static bool check_cors_origins(const struct check *check, const struct words *origins)
{
    size_t i;

    for (i = 0; i < origins->count; i++) {
        if (is_origin(origins->items[i], false))
            continue;
        blame(check, "cors_origins", NULL);
        if (strcmp(origins->items[i], "*") == 0)
            config_message_set(check->message,
                               "cors_origins is *: browsers send no cookies where all origins are allowed, so "
                               "name each, as https://app.example.org");
        else
            config_message_set(check->message,
                               "cors_origins holds \"%.200s\": write each origin as scheme and host, without a path, "
                               "as https://app.example.org",
                               origins->items[i]);
        return false;
    }
    return true;
}

static bool check_header_name(const struct check *check, const char *name, const char *header)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

    if (header[strspn(header, name_bytes)] == '\0')
        return true;
    blame(check, name, NULL);
    config_message_set(check->message,
                       "%s is \"%.100s\": write the name of a header field, of letters, digits and -, as "
                       "X-Forwarded-Email",
                       name, header);
    return false;
}

static bool check_listen_mode(const struct check *check, unsigned pool)
{
    const char *mode = check->loaded->config.pools[pool].listen_mode;
    size_t length = strlen(mode);

    if (strspn(mode, "01234567") == length && (length == 3 || mode[0] == '0'))
        return true;
    *check->line_r = line_of(check, "listen_mode", pool);
    config_message_set(check->message,
                       "listen_mode is %s: write three octal digits with or without a 0 before them, as 0660", mode);
    return false;
}

static bool check_default_picture(const struct check *check, const char *location)
{
    if (location[0] == '/' && location[1] != '/' && strpbrk(location, " \t?#\\") == NULL)
        return true;
    blame(check, "default_picture", NULL);
    config_message_set(check->message,
                       "default_picture is \"%.200s\": write a path at nginx that starts with one /, as "
                       "/roster-static/user.png",
                       location);
    return false;
}

static bool check_forms(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    unsigned pool;
    size_t i;

    for (i = 0; i < config->database_host.count; i++)
        if (!check_host(check, "database_host", config->database_host.items[i]))
            return false;
    for (pool = 0; pool < POOL_COUNT; pool++)
        if (!check_listen_mode(check, pool))
            return false;
    return check_log_target(check, "error_log", config->error_log, false) &&
           check_log_target(check, "access_log", config->access_log, true) &&
           (config->redis_host[0] == '\0' || check_host(check, "redis_host", config->redis_host)) &&
           check_public_url(check, config->public_url) && check_cors_origins(check, &config->cors_origins) &&
           check_header_name(check, "trusted_email_header", config->trusted_email_header) &&
           check_header_name(check, "trusted_name_header", config->trusted_name_header) &&
           check_header_name(check, "trusted_groups_header", config->trusted_groups_header) &&
           check_default_picture(check, config->default_picture);
}

/* Values against each other. */

static bool check_passwords(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    int64_t n = config->password_scrypt_n, below = 1;

    if (config->password_length_least > config->password_length_most) {
        blame(check, "password_length_least", "password_length_most");
        config_message_set(check->message,
                           "password_length_least (%" PRId64 ") is over password_length_most (%" PRId64
                           "): no password would do",
                           config->password_length_least, config->password_length_most);
        return false;
    }
    while (below * 2 <= n)
        below *= 2;
    if (below != n) {
        blame(check, "password_scrypt_n", NULL);
        config_message_set(check->message,
                           "password_scrypt_n is %" PRId64 ": it must be a power of two, as %" PRId64 " or %" PRId64, n,
                           below, below * 2);
        return false;
    }
    return true;
}

static bool check_cookies_and_windows(const struct check *check)
{
    const struct config *config = &check->loaded->config;

    if (config->cookie_same_site == SAME_SITE_NONE && config->cookie_secure == COOKIE_SECURE_NO) {
        blame(check, "cookie_same_site", "cookie_secure");
        config_message_set(check->message,
                           "cookie_same_site = none needs cookie_secure = yes or auto: browsers drop such cookies "
                           "where they are not for https only");
        return false;
    }
    if (config->rate_limit_window % 60 != 0) {
        blame(check, "rate_limit_window", NULL);
        config_message_set(check->message, "rate_limit_window is %" PRId64 "s: write whole minutes, as %" PRId64 "m",
                           config->rate_limit_window, config->rate_limit_window / 60 + 1);
        return false;
    }
    return true;
}

static bool check_trusted_headers(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    const char *others[] = {config->trusted_name_header, config->trusted_groups_header};
    const char *names[] = {"trusted_name_header", "trusted_groups_header"};
    size_t i;

    for (i = 0; i < 2; i++) {
        if (others[i][0] != '\0' && config->trusted_email_header[0] == '\0') {
            blame(check, names[i], NULL);
            config_message_set(check->message, "%s is of no use without trusted_email_header: set that too", names[i]);
            return false;
        }
    }
    if (config->trusted_email_header[0] != '\0' && config->trusted_proxies.count == 0) {
        blame(check, "trusted_email_header", "trusted_proxies");
        config_message_set(
            check->message,
            "trusted_email_header needs trusted_proxies: without it anybody could sign in as anybody, so "
            "write the address of the proxy in front there");
        return false;
    }
    return true;
}

static bool check_pools(const struct check *check)
{
    const struct pool_config *pools = check->loaded->config.pools;
    unsigned line, other;

    if (strcmp(pools[POOL_API].listen, pools[POOL_PASSWORD].listen) != 0)
        return true;
    line = line_of(check, "listen", POOL_API);
    other = line_of(check, "listen", POOL_PASSWORD);
    *check->line_r = line > other ? line : other;
    config_message_set(check->message, "[api] and [password] both listen on %.200s: give each its own socket",
                       pools[POOL_API].listen);
    return false;
}

/* The machine. */

static void resolve_workers(struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        cores = 1;
    if (cores > 512)
        cores = 512; /* the range of `workers` ends at 1024 */
    if (config->pools[POOL_API].workers == 0)
        config->pools[POOL_API].workers = cores * 2;
    if (config->pools[POOL_PASSWORD].workers == 0)
        config->pools[POOL_PASSWORD].workers = cores > 1 ? cores - 1 : 1;
}

static bool check_hashing_memory(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    int64_t workers = config->pools[POOL_PASSWORD].workers, physical;
    int64_t each = 128 * config->password_scrypt_n * config->password_scrypt_r;
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    unsigned line;

    if (pages <= 0 || page_size <= 0)
        return true;
    physical = (int64_t)pages * page_size;
    if (each <= physical / workers)
        return true;
    blame(check, "password_scrypt_n", "password_scrypt_r");
    line = line_of(check, "workers", POOL_PASSWORD);
    if (line > *check->line_r)
        *check->line_r = line;
    config_message_set(check->message,
                       "%" PRId64 " password workers that hash with password_scrypt_n = %" PRId64 " and "
                       "password_scrypt_r = %" PRId64 " take %" PRId64 " MiB, and this machine has %" PRId64
                       " MiB: lower one of them, "
                       "or workers of [password]",
                       workers, config->password_scrypt_n, config->password_scrypt_r, each / 1048576 * workers,
                       physical / 1048576);
    return false;
}

bool config_check(struct config_loaded *loaded, unsigned *line_r, struct config_message *message)
{
    struct check check = {loaded, message, line_r};

    *line_r = 0;
    resolve_workers(&loaded->config);
    return check_forms(&check) && check_passwords(&check) && check_cookies_and_windows(&check) &&
           check_trusted_headers(&check) && check_pools(&check) && check_hashing_memory(&check);
}
