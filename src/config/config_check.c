/* config_check.c: checks the syntax of certain texts, and values against each other and against the machine. */
#include "config/config_check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/email.h"
#include "base/host_port.h"
#include "base/mail_table.h"
#include "base/return_url.h"
#include "config/config_accounts.h"
#include "config/config_pools.h"

struct check {
    struct config_loaded *loaded;
    struct error *error;
    unsigned *line_r;
};

/* Sets *line_r after a failed check of one or two directives: to the later of their lines. */
static void blame(const struct check *check, const char *name, const char *other)
{
    unsigned line = config_line(check->loaded, name, CONFIG_SCOPE_GLOBAL);
    unsigned other_line = other != NULL ? config_line(check->loaded, other, CONFIG_SCOPE_GLOBAL) : 0;

    *check->line_r = line > other_line ? line : other_line;
}

/* The syntax of certain texts. */

static bool check_log_target(const struct check *check, const char *name, const char *value, bool may_be_off)
{
    size_t length = strlen(value);

    if (strcmp(value, "stderr") == 0 || strcmp(value, "syslog") == 0 || strcmp(value, "journal") == 0 ||
        (may_be_off && strcmp(value, "off") == 0) || (value[0] == '/' && value[length - 1] != '/')) {
        return true;
    }
    blame(check, name, NULL);
    return error_set(check->error, "%s is \"%.200s\": write an absolute path, stderr, syslog%s", name, value,
                     may_be_off ? ", journal or off" : " or journal");
}

static bool is_port(const char *string)
{
    if (*string < '1' || *string > '9') {
        return false;
    }
    char *end;
    long port = strtol(string, &end, 10);
    return *end == '\0' && port <= 65535;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT; HOST of letters, digits, '-', '.' and '_'. */
static bool is_host(const char *host)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct network network;
    struct host_port parts;

    if (!host_port_split(text_of(host), &parts) || (parts.port.data != NULL && !is_port(parts.port.data))) {
        return false;
    }
    if (parts.has_brackets) {
        return network_parse(parts.host, &network, NULL) && network.prefix_bits == 128 &&
               memchr(parts.host.data, ':', parts.host.length) != NULL;
    }
    return parts.host.length > 0 && strspn(host, name_bytes) == parts.host.length;
}

static bool check_host(const struct check *check, const char *name, const char *host)
{
    if (is_host(host)) {
        return true;
    }
    blame(check, name, NULL);
    return error_set(check->error, "%s is \"%.200s\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6", name, host);
}

/* http:// or https://, a host with or without a port, and a path where `may_have_path`; no slash at the end. */
static bool is_origin(const char *url, bool may_have_path)
{
    char host[1100];
    const char *rest;
    if (strncmp(url, "https://", 8) == 0) {
        rest = url + 8;
    } else if (strncmp(url, "http://", 7) == 0) {
        rest = url + 7;
    } else {
        return false;
    }
    size_t length = strcspn(rest, "/");
    if (length >= sizeof host || (rest[length] != '\0' && !may_have_path) || rest[strlen(rest) - 1] == '/') {
        return false;
    }
    memcpy(host, rest, length);
    host[length] = '\0';
    return is_host(host) && strpbrk(rest, "?# \"<>\\") == NULL;
}

static bool check_public_url(const struct check *check, const char *url)
{
    if (url[0] == '\0' || is_origin(url, true)) {
        return true;
    }
    blame(check, "public_url", NULL);
    return error_set(check->error,
                     "public_url is \"%.200s\": write http:// or https://, the host, and no / at the end, for example "
                     "https://users.example.org",
                     url);
}

static bool check_cors_origins(const struct check *check, const struct words *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (is_origin(origins->items[i], false)) {
            continue;
        }
        blame(check, "cors_origins", NULL);
        if (strcmp(origins->items[i], "*") == 0) {
            error_set(check->error, "cors_origins is *: browsers send no cookies where all origins are allowed, so "
                                    "list each origin, for example https://app.example.org");
        } else {
            error_set(check->error,
                      "cors_origins contains \"%.200s\": write each origin as scheme and host, without a path, "
                      "for example https://app.example.org",
                      origins->items[i]);
        }
        return false;
    }
    return true;
}

/* A name of two labels or more, in lower or upper case; an IPv4 address is none. */
static bool is_domain(const char *domain)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    const char *dot = strchr(domain, '.');
    size_t length = strlen(domain);

    /* a domain covers itself, but for those that are none */
    return dot != NULL && dot != domain && domain[length - 1] != '.' && strstr(domain, "..") == NULL &&
           domain[strspn(domain, bytes)] == '\0' && return_url_domain_covers(text_of(domain), text_of(domain));
}

static bool check_cookie_domain(const struct check *check, const char *domain)
{
    if (domain[0] == '\0' || is_domain(domain)) {
        return true;
    }
    blame(check, "cookie_domain", NULL);
    return error_set(check->error,
                     "cookie_domain is \"%.253s\": write a domain with a dot within it, and none at its ends, for "
                     "example example.org; letters beyond ASCII as xn--",
                     domain);
}

static bool check_header_name(const struct check *check, const char *name, const char *header)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

    if (header[strspn(header, name_bytes)] == '\0') {
        return true;
    }
    blame(check, name, NULL);
    return error_set(check->error,
                     "%s is \"%.100s\": write the name of a header field, of letters, digits and -, for example "
                     "X-Forwarded-Email",
                     name, header);
}

static bool check_listen_mode(const struct check *check, unsigned pool)
{
    const char *mode = check->loaded->config.pools[pool].listen_mode;
    size_t length = strlen(mode);

    if (strspn(mode, "01234567") == length && (length == 3 || mode[0] == '0')) {
        return true;
    }
    *check->line_r = config_line(check->loaded, "listen_mode", pool);
    return error_set(check->error,
                     "listen_mode is %s: write three octal digits, with or without a leading 0, for example 0660",
                     mode);
}

static bool check_picture(const struct check *check, const char *directive, const char *location, const char *example)
{
    if (location[0] == '/' && location[1] != '/' && strpbrk(location, " \t?#\\") == NULL) {
        return true;
    }
    blame(check, directive, NULL);
    return error_set(check->error, "%s is \"%.200s\": write a path at nginx that starts with one /, for example %s",
                     directive, location, example);
}

static bool check_forms(const struct check *check)
{
    const struct config *config = &check->loaded->config;

    for (size_t i = 0; i < config->database_host.count; i++) {
        if (!check_host(check, "database_host", config->database_host.items[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < config->return_hosts.count; i++) {
        if (!check_host(check, "return_hosts", config->return_hosts.items[i])) {
            return false;
        }
    }
    for (unsigned pool = 0; pool < POOL_COUNT; pool++) {
        if (!check_listen_mode(check, pool)) {
            return false;
        }
    }
    return check_log_target(check, "error_log", config->error_log, false) &&
           check_log_target(check, "access_log", config->access_log, true) &&
           check_log_target(check, "audit_log", config->audit_log, true) &&
           (config->redis_host[0] == '\0' || check_host(check, "redis_host", config->redis_host)) &&
           check_public_url(check, config->public_url) && check_cors_origins(check, &config->cors_origins) &&
           check_cookie_domain(check, config->cookie_domain) &&
           check_header_name(check, "trusted_email_header", config->trusted_email_header) &&
           check_header_name(check, "trusted_name_header", config->trusted_name_header) &&
           check_header_name(check, "trusted_groups_header", config->trusted_groups_header) &&
           check_picture(check, "default_picture", config->default_picture, "/roster-static/user.png") &&
           (config->site_picture[0] == '\0' || check_picture(check, "site_picture", config->site_picture, "/logo.svg"));
}

/* Values against each other. */

static bool check_passwords(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    int64_t n = config->password_scrypt_n, below = 1;

    if (config->password_length_least > config->password_length_most) {
        blame(check, "password_length_least", "password_length_most");
        return error_set(check->error,
                         "password_length_least (%" PRId64 ") is greater than password_length_most (%" PRId64
                         "): no password could satisfy both",
                         config->password_length_least, config->password_length_most);
    }
    while (below * 2 <= n) {
        below *= 2;
    }
    if (below != n) {
        blame(check, "password_scrypt_n", NULL);
        return error_set(check->error,
                         "password_scrypt_n is %" PRId64 ": it must be a power of two, for example %" PRId64
                         " or %" PRId64,
                         n, below, below * 2);
    }
    return true;
}

static bool check_directory_size(const struct check *check)
{
    const int64_t size = check->loaded->config.directory_size;
    if (size == 0 || size >= 1024 * 1024) {
        return true;
    }
    blame(check, "directory_size", NULL);
    return error_set(check->error, "directory_size is %" PRId64 ": write 1M or more, or 0 for no directory", size);
}

/* Browsers refuse a cookie for a domain that the host that sets it does not belong to. */
static bool check_public_host(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    struct host_port parts;

    if (config->public_url[0] == '\0' || config->cookie_domain[0] == '\0') {
        return true;
    }
    const char *host = strstr(config->public_url, "://") + 3;
    if (host_port_split((struct text){host, strcspn(host, "/")}, &parts) &&
        return_url_domain_covers(text_of(config->cookie_domain), parts.host)) {
        return true;
    }
    blame(check, "cookie_domain", "public_url");
    return error_set(check->error,
                     "cookie_domain %s does not cover the host of public_url %.200s: browsers would refuse the cookie",
                     config->cookie_domain, config->public_url);
}

static bool check_cookies_and_windows(const struct check *check)
{
    const struct config *config = &check->loaded->config;

    if (config->cookie_same_site == SAME_SITE_NONE && config->cookie_secure == COOKIE_SECURE_NO) {
        blame(check, "cookie_same_site", "cookie_secure");
        return error_set(check->error,
                         "cookie_same_site = none needs cookie_secure = yes or auto: browsers reject such "
                         "cookies without the attribute Secure");
    }
    if (config->rate_limit_window % 60 != 0) {
        blame(check, "rate_limit_window", NULL);
        return error_set(check->error,
                         "rate_limit_window is %" PRId64 "s: write whole minutes, for example %" PRId64 "m",
                         config->rate_limit_window, config->rate_limit_window / 60 + 1);
    }
    return true;
}

static bool check_trusted_headers(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    const char *others[] = {config->trusted_name_header, config->trusted_groups_header};
    const char *names[] = {"trusted_name_header", "trusted_groups_header"};

    for (size_t i = 0; i < 2; i++) {
        if (others[i][0] != '\0' && config->trusted_email_header[0] == '\0') {
            blame(check, names[i], NULL);
            return error_set(check->error, "%s has no effect without trusted_email_header: set that, too", names[i]);
        }
    }
    if (strcmp(config->trusted_groups_separator, "auto") != 0 &&
        strspn(config->trusted_groups_separator, "!#$%&'*+,-./:;<=>?@\\^_`|~") !=
            strlen(config->trusted_groups_separator)) {
        blame(check, "trusted_groups_separator", NULL);
        return error_set(check->error,
                         "trusted_groups_separator is \"%.32s\": write auto, or punctuation, for example ; or ,;|",
                         config->trusted_groups_separator);
    }
    if (config->trusted_email_header[0] != '\0' && config->trusted_proxies.count == 0) {
        blame(check, "trusted_email_header", "trusted_proxies");
        return error_set(
            check->error,
            "trusted_email_header needs trusted_proxies: without it any client could sign in as any user, so "
            "set it to the address of the proxy in front");
    }
    return true;
}

static bool check_confirmation(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    const bool has_header = config->trusted_email_header[0] != '\0';
    if (config->confirm_changes && (has_header || !config->password_sign_in)) {
        blame(check, "confirm_changes", has_header ? "trusted_email_header" : "password_sign_in");
        return error_set(check->error, "confirm_changes needs sign-in with passwords: nobody could confirm anything");
    }
    return true;
}

static bool is_notice(const char *word)
{
    for (size_t i = 1; i < MAIL_NOTICES; i++) {
        if (strcmp(word, mail_notice_words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The program of sendmail_command, without its arguments. */
static bool has_program(struct arena *arena, const struct config *config)
{
    struct text rest = text_of(config->sendmail_command);
    return access(text_to_string(arena, text_take(&rest, ' ')), X_OK) == 0;
}

/* Sets sends_mail, too. */
static bool check_mail(const struct check *check)
{
    struct config *config = &check->loaded->config;
    const bool is_chosen = strcmp(config->sendmail_command,
                                  config_default(config_find(TEXT("sendmail_command")), CONFIG_SCOPE_GLOBAL)) != 0;
    for (size_t i = 0; i < config->mail_notices.count; i++) {
        if (!is_notice(config->mail_notices.items[i])) {
            blame(check, "mail_notices", NULL);
            return error_set(check->error, "mail_notices has \"%.60s\": write password, email, new_device, or nothing",
                             config->mail_notices.items[i]);
        }
    }
    if (config->sendmail_command[0] != '\0' && config->sendmail_command[0] != '/') {
        blame(check, "sendmail_command", NULL);
        return error_set(check->error, "sendmail_command must begin with the absolute path of a program");
    }
    if (config->mail_from[0] != '\0' && !email_is_valid(text_of(config->mail_from))) {
        blame(check, "mail_from", NULL);
        return error_set(check->error,
                         "mail_from is \"%.254s\": write an address alone, for example roster@example.org",
                         config->mail_from);
    }
    if (config
            ->mail_language[strspn(config->mail_language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] !=
        '\0') {
        blame(check, "mail_language", NULL);
        return error_set(check->error,
                         "mail_language is \"%.32s\": write the name of a directory below mail_directory, "
                         "of letters, - and _, for example de",
                         config->mail_language);
    }
    config->sends_mail = config->sendmail_command[0] != '\0' && config->public_url[0] != '\0' &&
                         (is_chosen || has_program(config->arena, config));
    return true;
}

/* The machine. */

static bool check_hashing_memory(const struct check *check)
{
    const struct config *config = &check->loaded->config;
    int64_t workers = config->pools[POOL_PASSWORD].workers;
    int64_t each = 128 * config->password_scrypt_n * config->password_scrypt_r;
    long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_size <= 0) {
        return true;
    }
    int64_t physical = (int64_t)pages * page_size;
    if (each <= physical / workers) {
        return true;
    }
    blame(check, "password_scrypt_n", "password_scrypt_r");
    unsigned line = config_line(check->loaded, "workers", POOL_PASSWORD);
    if (line > *check->line_r) {
        *check->line_r = line;
    }
    return error_set(check->error,
                     "%" PRId64 " password workers that hash with password_scrypt_n = %" PRId64 " and "
                     "password_scrypt_r = %" PRId64 " take %" PRId64 " MiB, and this machine has %" PRId64
                     " MiB: lower one of them, "
                     "or workers of [password]",
                     workers, config->password_scrypt_n, config->password_scrypt_r, each / 1048576 * workers,
                     physical / 1048576);
}

/* MariaDB's names of accounts have 80 characters at most, and each needs room for the longest suffix. */
static bool name_accounts(const struct check *check)
{
    enum { NAME_MAX_BYTES = 80 };
    struct config *config = &check->loaded->config;
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        const struct text name =
            text_format(config->arena, "%s-%s", config->database_user, config_account_suffix(account));
        config->accounts[account].user = name.data;
        if (config_has_accounts(config) && name.length > NAME_MAX_BYTES) {
            blame(check, "database_user", "database_accounts");
            return error_set(check->error, "database_user is too long for database_accounts: %s has more than %d bytes",
                             name.data, (int)NAME_MAX_BYTES);
        }
    }
    return true;
}

bool config_check(struct config_loaded *loaded, unsigned *line_r, struct error *error)
{
    struct check check = {loaded, error, line_r};

    *line_r = 0;
    config_pools_resolve(loaded);
    return check_forms(&check) && check_passwords(&check) && check_directory_size(&check) &&
           check_public_host(&check) && check_cookies_and_windows(&check) && check_trusted_headers(&check) &&
           check_confirmation(&check) && check_mail(&check) && name_accounts(&check) &&
           config_pools_check(loaded, line_r, error) && check_hashing_memory(&check);
}
