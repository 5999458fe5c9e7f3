/* test_config.c: config/config.h: every directive, every message, the dump, the sample, secrets and networks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/array.h"
#include "config/config.h"
#include "config/config_accounts.h"
#include "config/config_print.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "config/config_table.h"
#include "config/config_value.h"
#include "config/network.h"
#include "unit.h"

static char directory[64];
static char path[128];

static int set_up_group(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/roster-config-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/roster.conf", directory);
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *name, const char *content, size_t length)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static struct config *read_content(const char *content)
{
    struct error error;
    struct config *config;

    write_file(path, content, strlen(content));
    config = config_read(path, &error);
    if (config == NULL) {
        fail_msg("%s", error.text);
    }
    return config;
}

/* The message of a file that is refused, without the path before it. */
static const char *message_of_bytes(const char *content, size_t length)
{
    static struct error error;
    struct config *config;

    write_file(path, content, length);
    config = config_read(path, &error);
    if (config != NULL) {
        fail_msg("this was taken: %s", content);
    }
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    assert_int_equal(error.text[strlen(path)], ':');
    return error.text + strlen(path) + 1;
}

static void assert_refused(const char *content, const char *message)
{
    assert_string_equal(message_of_bytes(content, strlen(content)), message);
}

static char *dump(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    config_dump(config, out);
    fclose(out);
    return text;
}

/* The table. */

static void test_rows(void **state)
{
    const struct directive *row, *other;
    size_t i, j, sections = 0;

    (void)state;
    for (i = 0; (row = config_directive(i)) != NULL; i++) {
        assert_non_null(row->text);
        assert_int_equal(row->text[strlen(row->text) - 1], '.');
        if (row->name == NULL) {
            assert_non_null(row->title);
            sections++;
            continue;
        }
        assert_null(row->title);
        assert_non_null(row->type_name);
        assert_int_equal(row->words != NULL, row->type == DIRECTIVE_BOOLEAN || row->type == DIRECTIVE_ENUM);
        assert_true(row->min <= row->max);
        assert_true(row->is_pool || row->default_text != NULL);
        for (j = 0; j < i; j++) {
            other = config_directive(j);
            assert_true(other->name == NULL || strcmp(other->name, row->name) != 0);
        }
    }
    assert_int_equal(i, CONFIG_ROW_COUNT);
    assert_true(sections > 5);
    assert_null(config_directive(CONFIG_ROW_COUNT));
    assert_null(config_directive(SIZE_MAX));
}

static void test_pool_defaults(void **state)
{
    size_t i;
    int pool;

    (void)state;
    assert_string_equal(config_pool_default(POOL_API, "listen"), "/run/roster/api.sock");
    assert_string_equal(config_pool_default(POOL_PASSWORD, "listen_backlog"), "64");
    assert_string_equal(config_pool_default(POOL_PASSWORD, "max_requests"), "0");
    assert_null(config_pool_default(POOL_API, "user"));
    assert_null(config_pool_default(POOL_API, "nothing"));
    for (i = 0; config_directive(i) != NULL; i++) {
        for (pool = 0; pool < POOL_COUNT && config_directive(i)->name != NULL && config_directive(i)->is_pool; pool++) {
            assert_non_null(config_pool_default((enum pool)pool, config_directive(i)->name));
        }
    }
}

static void test_defaults(void **state)
{
    struct config *config = read_content("");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    (void)state;
    assert_string_equal(config->path, path);
    assert_string_equal(config->user, "roster");
    assert_int_equal(config->shutdown_timeout, 30);
    assert_int_equal(config->slow_request, 1000);
    assert_int_equal(config->log_level, LOG_SEVERITY_NOTICE);
    assert_int_equal(config->request_body_limit, 4 * 1048576);
    assert_int_equal(config->redis_timeout, 500);
    assert_int_equal(config->rate_limit_window, 180);
    assert_int_equal(config->privacy, PRIVACY_STRICT);
    assert_int_equal(config->compatibility, COMPATIBILITY_0_6);
    assert_int_equal(config->cookie_secure, COOKIE_SECURE_AUTO);
    assert_true(config->rate_limits);
    assert_false(config->redis_required);
    assert_string_equal(config->public_url, "");
    assert_int_equal(config->database_host.count, 0);
    assert_int_equal(config->trusted_proxies.count, 0);
    assert_int_equal(config->status_allow.count, 0);
    assert_string_equal(config->pools[POOL_API].listen, "/run/roster/api.sock");
    assert_string_equal(config->pools[POOL_PASSWORD].listen, "/run/roster/password.sock");
    assert_int_equal(config->pools[POOL_PASSWORD].request_timeout, 60);
    assert_int_equal(config->pools[POOL_API].workers, cores * 2);
    assert_int_equal(config->pools[POOL_PASSWORD].workers, cores > 1 ? cores : 2);
    assert_int_equal(config->pools[POOL_DIRECTORY].workers, cores);
    assert_int_equal(config->pools[POOL_STATUS].workers, 1);
    assert_null(config->secret_keys.items[0].data);
    config_free(config);
    config_free(NULL);
}

/* Lines. */

static void test_values(void **state)
{
    struct config *config = read_content("\xEF\xBB\xBF# a comment\n"
                                         "\r\n"
                                         "  user=one   # another\r\n"
                                         "\tgroup = \"a # b\"\t# comment\n"
                                         "password_pattern = ^(?=.*\\d)[#a-z]\"x\" y$ \n"
                                         "public_url = # nothing\n"
                                         "redis_prefix = \"\\\\a\\\"b\\d\"\n"
                                         "database_name = a#b\n"
                                         "trusted_email_header = \"X-Email\"\n"
                                         "trusted_proxies = 127.0.0.1, 10.0.0.0/8\t::1\n"
                                         "[ api ] # comment\n"
                                         "workers = \"3\"\n"
                                         "[password]\n"
                                         "workers = 2");

    (void)state;
    assert_string_equal(config->user, "one");
    assert_string_equal(config->group, "a # b");
    assert_string_equal(config->password_pattern, "^(?=.*\\d)[#a-z]\"x\" y$");
    assert_string_equal(config->public_url, "");
    assert_string_equal(config->redis_prefix, "\\a\"b\\d");
    assert_string_equal(config->database_name, "a#b");
    assert_int_equal(config->trusted_proxies.count, 3);
    assert_int_equal(config->pools[POOL_API].workers, 3);
    assert_int_equal(config->pools[POOL_PASSWORD].workers, 2);
    config_free(config);
}

static void test_bad_lines(void **state)
{
    (void)state;
    assert_refused(
        "\nuser roster\n",
        "2: this line is neither a directive nor a section nor a comment: write NAME = VALUE, [POOL] or # TEXT");
    assert_refused("= x\n", "1: the name of the directive is missing: write NAME = VALUE");
    assert_refused("user = \"abc\n", "1: the closing quote of this value is missing: write \" at its end");
    assert_refused("user = \"abc\\\"\n", "1: the closing quote of this value is missing: write \" at its end");
    assert_refused("user = \"a\" b\n",
                   "1: text follows the closing quote: put the whole value between the quotes, and write \\\" "
                   "for a quote in it");
    assert_refused("user = \"a\"#b\n",
                   "1: text follows the closing quote: put the whole value between the quotes, and write \\\" "
                   "for a quote in it");
    assert_refused("user = a\x01\n", "1: this line contains a control character (code 1) in column 9: remove it");
    assert_refused("# \xff\n", "1: this line is not UTF-8: save the file in UTF-8");
    assert_string_equal(message_of_bytes("user = a\0b\n", 11),
                        "1: this line contains a control character (code 0) in column 9: remove it");
}

static void test_bad_sections(void **state)
{
    (void)state;
    assert_refused("[api\n",
                   "1: the ] of this section is missing: the sections are [api], [password], [directory] and [status]");
    assert_refused("[api] workers = 3\n", "1: text follows [api] on its line: move it to the next line");
    assert_refused("[apis]\n", "1: there is no section [apis]: did you mean [api]?");
    assert_refused("[Passwords]\n", "1: there is no section [Passwords]: did you mean [password]?");
    assert_refused("[global]\n",
                   "1: there is no section [global]: the sections are [api], [password], [directory] and [status]");
    assert_refused("[api]\n[password]\n[api]\n", "3: [api] is repeated, after line 1: merge both sections into one");
}

static void test_bad_names(void **state)
{
    (void)state;
    assert_refused("log_levle = info\n", "1: there is no directive log_levle: did you mean log_level?");
    assert_refused("Log-Level = info\n", "1: there is no directive Log-Level: did you mean log_level?");
    assert_refused("database_password = hunter2\n",
                   "1: there is no directive database_password: did you mean database_password_file?");
    assert_refused("sesame = x\n", "1: there is no directive sesame: roster.conf(5) lists them all");
    assert_refused("[api]\nworker = 3\n", "2: there is no directive worker: did you mean workers?");
    assert_refused("workers = 3\n", "1: workers is a directive of a pool: move it into one of the sections [api], "
                                    "[password], [directory] and [status]");
    assert_refused(
        "\n[api]\nuser = x\n",
        "3: user is not a directive of a pool: move it above the first section; this one, [api], starts on line 2");
    assert_refused("user = a\n\nuser = a\n", "3: user is set again, after line 1: keep one of the two");
    assert_refused("[api]\nworkers = 1\nworkers = 2\n", "3: workers is set again, after line 2: keep one of the two");
}

/* Values. */

static void test_bad_values(void **state)
{
    (void)state;
    assert_refused("log_level = verbose\n",
                   "1: log_level is \"verbose\": write alert, error, warning, notice, info or debug");
    assert_refused("rate_limits = true\n", "1: rate_limits is \"true\": write yes or no");
    assert_refused("cookie_secure =\n", "1: cookie_secure is \"\": write auto, yes or no");
    assert_refused("restart_limit = 4k\n", "1: restart_limit is \"4k\": write a whole number, without a unit");
    assert_refused("restart_limit = -1\n", "1: restart_limit is \"-1\": write a whole number, without a unit");
    assert_refused("restart_limit =\n", "1: restart_limit is \"\": write a whole number, without a unit");
    assert_refused("restart_limit = 99999999999999999999\n",
                   "1: restart_limit is 99999999999999999999: it may be from 0 to 10000");
    assert_refused("request_body_limit = 4 MB\n", "1: request_body_limit is \"4 MB\": write a whole number of bytes, "
                                                  "or one with k, m or g, for example 512k or 4m");
    assert_refused("request_body_limit = 1m1k\n", "1: request_body_limit is \"1m1k\": write a whole number of bytes, "
                                                  "or one with k, m or g, for example 512k or 4m");
    assert_refused("request_body_limit = 2g\n", "1: request_body_limit is 2g: it may be from 1k to 1g");
    assert_refused("request_body_limit = 99999999999g\n",
                   "1: request_body_limit is 99999999999g: it may be from 1k to 1g");
    assert_refused(
        "shutdown_timeout = 30\n",
        "1: shutdown_timeout is \"30\": write a whole number of seconds with a unit, for example 30s, 5m, 12h "
        "or 7d");
    assert_refused("shutdown_timeout = 1500ms\n",
                   "1: shutdown_timeout is \"1500ms\": write a whole number of seconds with a unit, for example 30s, "
                   "5m, 12h or 7d");
    assert_refused("shutdown_timeout = 2h\n", "1: shutdown_timeout is 2h: it may be from 1s to 1h");
    assert_refused("redis_timeout = 1\n",
                   "1: redis_timeout is \"1\": write a number with a unit, for example 500ms, 30s or 5m");
    assert_refused("redis_timeout = 9999999999999999d\n",
                   "1: redis_timeout is 9999999999999999d: it may be from 10ms to 1m");
    assert_refused(
        "shutdown_timeout = 1h0\n",
        "1: shutdown_timeout is \"1h0\": write a whole number of seconds with a unit, for example 30s, 5m, 12h or 7d");
    assert_refused("slow_request = 1.5s\n",
                   "1: slow_request is \"1.5s\": write a number with a unit, for example 500ms, 30s or 5m");
    assert_refused("slow_request = 1w\n",
                   "1: slow_request is \"1w\": write a number with a unit, for example 500ms, 30s or 5m");
    assert_refused("request_body_limit = 4m4k\n", "1: request_body_limit is \"4m4k\": write a whole number of bytes, "
                                                  "or one with k, m or g, for example 512k or 4m");
    assert_refused("pid_file = roster.pid\n", "1: pid_file must be an absolute path, which starts with /");
    assert_refused("pid_file = /run/\n", "1: pid_file must be the path of a file: remove the / at its end");
    assert_refused("database_password_file = hunter2\n",
                   "1: database_password_file must be an absolute path, which starts with /");
    assert_refused("database_name =\n", "1: database_name is empty: write a value, or remove the line for the default");
    assert_refused("user = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "1: user is 33 bytes long: it may be 0 to 32");
    assert_refused("trusted_proxies = localhost\n",
                   "1: trusted_proxies: \"localhost\" is not an address: write addresses and networks like "
                   "192.0.2.1, 10.0.0.0/8, 2001:db8::1 or fd00::/8, separated by spaces");
    assert_refused("trusted_proxies = 10.0.0.1/8\n",
                   "1: trusted_proxies: 10.0.0.1/8 has bits set after its prefix: write 10.0.0.0/8, or "
                   "the address without a prefix");
    assert_refused("trusted_proxies = 10.0.0.0/33\n",
                   "1: trusted_proxies: the prefix of 10.0.0.0/33 must be a number from 0 to 32");
    assert_refused("trusted_proxies = ::/x\n", "1: trusted_proxies: the prefix of ::/x must be a number from 0 to 128");
}

static void test_times_and_sizes(void **state)
{
    struct config *config =
        read_content("last_active_interval = 1h30m\nslow_request = 1s500ms\nrequest_body_limit = 2000\n"
                     "request_memory_limit = 4G\npicture_size_limit = 1M\nshutdown_timeout = 2000ms\n"
                     "rate_limit_window = 1d\n");

    (void)state;
    assert_int_equal(config->last_active_interval, 5400);
    assert_int_equal(config->slow_request, 1500);
    assert_int_equal(config->request_body_limit, 2000);
    assert_int_equal(config->request_memory_limit, INT64_C(4294967296));
    assert_int_equal(config->picture_size_limit, 1048576);
    assert_int_equal(config->shutdown_timeout, 2);
    assert_int_equal(config->rate_limit_window, 86400);
    config_free(config);
    config = read_content("last_active_interval = 0\nslow_request = 0s\n");
    assert_int_equal(config->last_active_interval, 0);
    assert_int_equal(config->slow_request, 0);
    char *text = dump(config);
    assert_non_null(strstr(text, "\nlast_active_interval = 0\n"));
    free(text);
    config_free(config);
}

static bool takes(const struct directive *directive, const char *form, int64_t number)
{
    struct arena *arena = arena_new(0);
    struct error error;
    char value[64];
    int64_t slot = -1;
    bool result;

    snprintf(value, sizeof value, form, (long long)number);
    result = config_value_parse(arena, directive, text_of(value), &slot, &error);
    if (result) {
        assert_int_equal(slot, number);
    }
    arena_free(arena);
    return result;
}

/* Each number at both ends of its range, and one step beyond. */
static void test_ranges_of_numbers(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        const char *form = directive->type == DIRECTIVE_SECONDS        ? "%llds"
                           : directive->type == DIRECTIVE_MILLISECONDS ? "%lldms"
                                                                       : "%lld";
        if (directive->name == NULL || directive->type < DIRECTIVE_INTEGER ||
            directive->type > DIRECTIVE_MILLISECONDS) {
            continue;
        }
        assert_true(takes(directive, form, directive->min));
        assert_true(takes(directive, form, directive->max));
        assert_false(takes(directive, form, directive->max + 1));
        assert_false(takes(directive, form, directive->min - 1));
    }
}

/* Each text at both ends of its length, and one byte beyond. */
static void test_ranges_of_texts(void **state)
{
    static char value[8192];
    struct error error;
    struct arena *arena = arena_new(0);
    const char *slot;
    size_t i;

    (void)state;
    memset(value, '/', 1);
    memset(value + 1, 'x', sizeof value - 1);
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        const struct directive *directive = &config_table[i];
        size_t min = (size_t)directive->min, max = (size_t)directive->max;
        if (directive->name == NULL || directive->type > DIRECTIVE_SECRET_PATH) {
            continue;
        }
        if (directive->type == DIRECTIVE_TEXT || min != 1) { /* "/" alone names no file */
            assert_true(config_value_parse(arena, directive, (struct text){value, min}, &slot, &error));
        }
        assert_true(config_value_parse(arena, directive, (struct text){value, max}, &slot, &error));
        assert_int_equal(strlen(slot), max);
        assert_false(config_value_parse(arena, directive, (struct text){value, max + 1}, &slot, &error));
        if (min > 0) {
            assert_false(config_value_parse(arena, directive, (struct text){value, min - 1}, &slot, &error));
        }
    }
    arena_free(arena);
}

/* Values against each other. */

static void test_forms(void **state)
{
    (void)state;
    assert_refused("error_log = off\n", "1: error_log is \"off\": write an absolute path, stderr, syslog or journal");
    assert_refused("access_log = logs/x\n",
                   "1: access_log is \"logs/x\": write an absolute path, stderr, syslog, journal or off");
    assert_refused("database_host = db:99999\n",
                   "1: database_host is \"db:99999\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6");
    assert_refused("database_host = one ::1\n",
                   "1: database_host is \"::1\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6");
    assert_refused("redis_host = [127.0.0.1]\n",
                   "1: redis_host is \"[127.0.0.1]\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6");
    assert_refused("redis_host = a:\n", "1: redis_host is \"a:\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6");
    assert_refused("public_url = https://a.example/\n",
                   "1: public_url is \"https://a.example/\": write http:// or https://, the host, and no / at the end, "
                   "for example https://users.example.org");
    assert_refused("public_url = users.example.org\n",
                   "1: public_url is \"users.example.org\": write http:// or https://, the host, and no / at the end, "
                   "for example https://users.example.org");
    assert_refused("public_url = https://\n", "1: public_url is \"https://\": write http:// or https://, the host, and "
                                              "no / at the end, for example https://users.example.org");
    assert_refused("cors_origins = *\n", "1: cors_origins is *: browsers send no cookies where all origins are "
                                         "allowed, so list each origin, for example https://app.example.org");
    assert_refused("cors_origins = https://a.example https://b.example/app\n",
                   "1: cors_origins contains \"https://b.example/app\": write each origin as scheme and host, without "
                   "a path, for example https://app.example.org");
    static const char *const domains[] = {
        ".example.org", "example.org.",  "localhost", "a..example", "10.0.0.5",
        "a.5",          "*.example.org", "a.b:443",   "[::1]",      "b\xC3\xBC.example"};
    for (size_t i = 0; i < ARRAY_COUNT(domains); i++) {
        char line[64], expected[256];
        snprintf(line, sizeof line, "cookie_domain = %s\n", domains[i]);
        snprintf(expected, sizeof expected,
                 "1: cookie_domain is \"%s\": write a domain with a dot within it, and none at its ends, for example "
                 "example.org; letters beyond ASCII as xn--",
                 domains[i]);
        assert_refused(line, expected);
    }
    assert_refused("return_hosts = a.example https://b.example\n",
                   "1: return_hosts is \"https://b.example\": write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6");
    assert_refused("trusted_email_header = X_Email\n",
                   "1: trusted_email_header is \"X_Email\": write the name of a header field, of letters, digits and "
                   "-, for example X-Forwarded-Email");
    assert_refused("default_picture = //evil.example/x\n",
                   "1: default_picture is \"//evil.example/x\": write a path at nginx that starts with one /, for "
                   "example /roster-static/user.png");
    assert_refused(
        "site_picture = https://other.example/logo.svg\n",
        "1: site_picture is \"https://other.example/logo.svg\": write a path at nginx that starts with one /, "
        "for example /logo.svg");
    assert_refused("[api]\nlisten_mode = 0888\n",
                   "2: listen_mode is 0888: write three octal digits, with or without a leading 0, for example 0660");
    assert_refused("[password]\nlisten_mode = 4755\n",
                   "2: listen_mode is 4755: write three octal digits, with or without a leading 0, for example 0660");
    config_free(read_content(
        "error_log = journal\naccess_log = off\ndatabase_host = db1 db2:3307 [fd00::1]:3306\nredis_host = [::1]\n"
        "public_url = https://a.example:8443/users\ncors_origins = http://localhost:3000\n[api]\nlisten_mode = 666\n"));
}

static void test_cross_checks(void **state)
{
    (void)state;
    assert_refused(
        "password_length_most = 10\npassword_length_least = 12\n",
        "2: password_length_least (12) is greater than password_length_most (10): no password could satisfy both");
    assert_refused("password_scrypt_n = 20000\n",
                   "1: password_scrypt_n is 20000: it must be a power of two, for example 16384 or 32768");
    assert_refused("cookie_secure = no\ncookie_same_site = none\n",
                   "2: cookie_same_site = none needs cookie_secure = yes or auto: browsers reject such cookies without "
                   "the attribute Secure");
    assert_refused("cookie_domain = example.org\npublic_url = https://users.example.net:8443/x\n",
                   "2: cookie_domain example.org does not cover the host of public_url "
                   "https://users.example.net:8443/x: browsers would refuse the cookie");
    config_free(read_content("cookie_domain = Example.org\npublic_url = https://users.example.org:8443/x\n"));
    assert_refused("rate_limit_window = 90s\n", "1: rate_limit_window is 90s: write whole minutes, for example 2m");
    assert_refused("user = a\ntrusted_email_header = X-Email\n",
                   "2: trusted_email_header needs trusted_proxies: without it any client could sign in as any user, so "
                   "set it to the address of the proxy in front");
    assert_refused("confirm_changes = yes\npassword_sign_in = no\n",
                   "2: confirm_changes needs sign-in with passwords: nobody could confirm anything");
    assert_refused("trusted_groups_header = X-Groups\ntrusted_proxies = ::1\n",
                   "1: trusted_groups_header has no effect without trusted_email_header: set that, too");
    assert_refused("[api]\nlisten = /run/a\n[password]\nlisten = /run/a\n",
                   "4: [api] and [password] both listen on /run/a: give each its own socket");
    assert_refused("[password]\nlisten = /run/roster/api.sock\n",
                   "2: [api] and [password] both listen on /run/roster/api.sock: give each its own socket");
    config_free(read_content("cookie_secure = auto\ncookie_same_site = none\n"));
}

static void assert_sockets(const char *content, const char *const expected[2 * POOL_COUNT])
{
    struct config *config = read_content(content);

    for (int pool = 0; pool < POOL_COUNT; pool++) {
        assert_string_equal(config->pools[pool].listen, expected[2 * pool]);
        assert_string_equal(config->pools[pool].listen_second, expected[2 * pool + 1]);
    }
    config_free(config);
}

/* A file of an earlier version knows two sockets; the others have to be found, and to stay apart from those of another
 * copy. */
static void test_sockets_beside_each_other(void **state)
{
    (void)state;
    assert_sockets("", (const char *const[]){"/run/roster/api.sock", "/run/roster/api-write.sock",
                                             "/run/roster/password.sock", "/run/roster/password-first.sock",
                                             "/run/roster/directory.sock", "", "/run/roster/status.sock", ""});
    assert_sockets("[api]\nlisten = /srv/x/api.sock\n[password]\nlisten = /srv/x/password.sock\n",
                   (const char *const[]){"/srv/x/api.sock", "/srv/x/api-write.sock", "/srv/x/password.sock",
                                         "/srv/x/password-first.sock", "/srv/x/directory.sock", "",
                                         "/srv/x/status.sock", ""});
    assert_sockets("[api]\nlisten = /srv/one-api.sock\n[password]\nlisten = /srv/hash\n",
                   (const char *const[]){"/srv/one-api.sock", "/srv/one-api-write.sock", "/srv/hash", "/srv/hash-first",
                                         "/srv/one-directory.sock", "", "/srv/one-status.sock", ""});
    assert_sockets("[api]\nlisten = /srv/one.sock\n[status]\nlisten = /srv/s\n[password]\nlisten_second =\n",
                   (const char *const[]){"/srv/one.sock", "/srv/one-write.sock", "/run/roster/password.sock", "",
                                         "/srv/one-directory.sock", "", "/srv/s", ""});
    assert_sockets("[api]\nlisten = /srv/roster\nlisten_second = /srv/w\n",
                   (const char *const[]){"/srv/roster", "/srv/w", "/run/roster/password.sock",
                                         "/run/roster/password-first.sock", "/srv/roster-directory", "",
                                         "/srv/roster-status", ""});
}

static void test_sockets_that_are_refused(void **state)
{
    char content[200], message[400];

    (void)state;
    assert_refused("[status]\nlisten_second = /run/a\n", "2: [status] has only one socket: remove listen_second");
    assert_refused("[api]\nlisten = /run/a\nlisten_second = /run/a\n",
                   "3: listen and listen_second of [api] are both /run/a: give each its own path");
    assert_refused("[api]\nlisten = /run/a\n[directory]\nlisten = /run/a-write\n",
                   "4: [api] and [directory] both listen on /run/a-write: give each its own socket");
    /* 105 bytes, so that there is room for this one, and none for those beside it. */
    snprintf(content, sizeof content, "[api]\nlisten = /%0*d/api.sock\n", 95, 0);
    snprintf(message, sizeof message,
             " listen_second of [api] would be /%0*d/api-write.sock, which is longer than 107 bytes: set it to a "
             "shorter path",
             95, 0);
    assert_refused(content, message);
}

static void test_hashing_memory(void **state)
{
    static const char content[] = "password_scrypt_n = 1048576\npassword_scrypt_r = 64\n[password]\nworkers = 1024\n";
    const char *message = message_of_bytes(content, strlen(content));

    (void)state;
    assert_non_null(strstr(
        message, "4: 1024 password workers that hash with password_scrypt_n = 1048576 and password_scrypt_r = 64 take "
                 "8388608 MiB, and this machine has "));
    assert_non_null(strstr(message, " MiB: lower one of them, or workers of [password]"));
}

/* The dump. */

/* A value that is not the default, for each directive. */
static const struct {
    const char *name;
    const char *value;
} others[] = {
    {"user", "\"a \\\"b\\\" \\\\\""},
    {"group", "\" #x\""},
    {"pid_file", "/run/other.pid"},
    {"shutdown_timeout", "90s"},
    {"restart_limit", "0"},
    {"restart_interval", "59s"},
    {"error_log", "syslog"},
    {"access_log", "off"},
    {"log_level", "debug"},
    {"log_format", "json"},
    {"slow_request", "1500ms"},
    {"audit_log", "journal"},
    {"audit_retention", "400d"},
    {"audit_refusals", "1"},
    {"audit_host", "one"},
    {"database_socket", ""},
    {"database_host", "db1, db2:3307"},
    {"database_name", "people"},
    {"database_user", "someone"},
    {"database_password_file", "/etc/roster/database#1"},
    {"database_accounts", "/etc/roster/database.d"},
    {"migration_user", "changer"},
    {"migration_password_file", "/etc/roster/changer"},
    {"database_tls_ca", "/etc/ssl/ca.pem"},
    {"database_connect_timeout", "1m"},
    {"database_read_timeout", "61s"},
    {"redis_socket", "/run/redis.sock"},
    {"redis_host", "[::1]:6380"},
    {"redis_user", "roster"},
    {"redis_password_file", "/etc/roster/redis"},
    {"redis_database", "15"},
    {"redis_prefix", "a b"},
    {"redis_timeout", "10ms"},
    {"redis_required", "yes"},
    {"secret_key_file", "/etc/roster/other.key"},
    {"status_allow", "192.0.2.10, 2001:db8::/32"},
    {"backup_stamp", ""},
    {"public_url", "https://users.example.org/x"},
    {"cookie_secure", "yes"},
    {"cookie_same_site", "strict"},
    {"cors_origins", "https://a.example http://b.example:8080"},
    {"cookie_domain", "example.org"},
    {"return_hosts", "a.example b.example:8443 [::1]"},
    {"trusted_email_header", "X-Forwarded-Email"},
    {"trusted_name_header", "X-Forwarded-User"},
    {"trusted_groups_header", "X-Forwarded-Groups"},
    {"trusted_groups_separator", ",;|"},
    {"trusted_header_encoding", "latin1"},
    {"trusted_proxies", "192.0.2.1 10.0.0.0/8 2001:db8::/32 ::1 0.0.0.0/0 ::/0 ::ffff:10.1.0.0/112"},
    {"privacy", "compatible"},
    {"compatibility", "0.12"},
    {"last_active_interval", "1d"},
    {"session_idle", "30m"},
    {"sessions_per_user", "5"},
    {"confirm_changes", "yes"},
    {"identity_cache", "30s"},
    {"identity_cache_size", "32M"},
    {"directory_size", "0"},
    {"password_sign_in", "no"},
    {"password_length_least", "12"},
    {"password_length_most", "64"},
    {"second_factor_for", "role:admin, group:staff"},
    {"password_pattern", "^\\d\\\\+ \"x\" *$"},
    {"password_refuse_common", "no"},
    {"password_scrypt_n", "1024"},
    {"password_scrypt_r", "4"},
    {"password_scrypt_p", "1"},
    {"password_hash_memory_limit", "1g"},
    {"remote_user", "id"},
    {"remote_encoding", "rfc8187"},
    {"site_name", "Example"},
    {"site_picture", "/logo.svg"},
    {"sendmail_command", "/usr/bin/msmtp -C /etc/roster/msmtprc"},
    {"sendmail_timeout", "5s"},
    {"mail_from", "users@example.org"},
    {"mail_notices", "email"},
    {"mail_directory", "/etc/mails"},
    {"mail_language", "de"},
    {"reset_link_lifetime", "30m"},
    {"invitation_lifetime", "2d"},
    {"verification_lifetime", "1d"},
    {"verify_email", "yes"},
    {"mail_retry_time", "12h"},
    {"request_body_limit", "1025"},
    {"request_memory_limit", "4g"},
    {"core_dumps", "yes"},
    {"sandbox", "no"},
    {"request_header_limit", "50"},
    {"document_size_limit", "1m"},
    {"rate_limits", "no"},
    {"rate_limit_window", "1h1m"},
    {"rate_limit_sign_in", "1"},
    {"rate_limit_sign_in_address", "10000000"},
    {"rate_limit_sign_in_email", "1000"},
    {"rate_limit_list", "1"},
    {"rate_limit_sign_up", "2"},
    {"rate_limit_factor", "7"},
    {"rate_limit_link", "6"},
    {"rate_limit_link_mail", "7"},
    {"rate_limit_password", "3"},
    {"rate_limit_api_key", "4"},
    {"rate_limit_update", "5"},
    {"default_picture", "/x.png"},
    {"picture_size_limit", "16777215"},
    {"picture_side_limit", "512"},
    {"listen", "/run/other.sock"},
    {"listen_second", "/run/second.sock"},
    {"listen_owner", "www-data"},
    {"listen_group", "www-data"},
    {"listen_mode", "600"},
    {"listen_backlog", "7"},
    {"workers", "5"},
    {"max_requests", "1000"},
    {"nice", "5"},
    {"request_timeout", "2m5s"},
};
enum { OTHER_COUNT = ARRAY_COUNT(others) };

static void assert_dump_parses_back(const struct config *config)
{
    char *first = dump(config), *second;
    struct config *again = read_content(first);

    second = dump(again);
    assert_string_equal(first, second);
    config_free(again);
    free(first);
    free(second);
}

static void test_dump_of_the_defaults(void **state)
{
    struct config *config = read_content("");

    (void)state;
    assert_dump_parses_back(config);
    config_free(config);
}

/* What some values need besides themselves. */
static const char *companion_of(const char *name)
{
    if (strcmp(name, "trusted_email_header") == 0) {
        return "trusted_proxies = ::1\n";
    }
    if (strncmp(name, "trusted_name", 12) == 0 || strncmp(name, "trusted_groups", 14) == 0) {
        return "trusted_proxies = ::1\ntrusted_email_header = E\n";
    }
    return "";
}

static bool may_stand_in(const char *name, size_t scope)
{
    return strcmp(name, "listen_second") != 0 || pool_second[scope] != SECOND_NONE;
}

/* A socket that is set takes those along that are not. */
static size_t lines_changed_by(const char *name, size_t scope)
{
    return strcmp(name, "listen") != 0 ? 1 : scope == POOL_API ? 4 : scope == POOL_PASSWORD ? 2 : 1;
}

static size_t count_different_lines(const char *left, const char *right)
{
    size_t count = 0, left_length, right_length;

    while (*left != '\0' && *right != '\0') {
        left_length = strcspn(left, "\n");
        right_length = strcspn(right, "\n");
        count += left_length != right_length || strncmp(left, right, left_length) != 0;
        left += left_length + 1;
        right += right_length + 1;
    }
    assert_true(*left == '\0' && *right == '\0');
    return count;
}

/* Each directive alone, set to something else in each place where it may stand: it changes its line of the dump, which
 * parses back. */
static void test_dump_of_each_directive(void **state)
{
    char content[512], *before, *after;
    struct config *config;
    size_t i, scope;

    (void)state;
    for (i = 0; i < OTHER_COUNT; i++) {
        const struct directive *directive = config_find(text_of(others[i].name));
        assert_non_null(directive);
        for (scope = 0; scope < (directive->is_pool ? POOL_COUNT : 1); scope++) {
            if (!may_stand_in(others[i].name, scope)) {
                continue;
            }
            snprintf(content, sizeof content, "%s%s%s%s", companion_of(others[i].name), directive->is_pool ? "[" : "",
                     directive->is_pool ? pool_names[scope] : "", directive->is_pool ? "]\n" : "");
            config = read_content(content);
            before = dump(config);
            config_free(config);
            snprintf(content + strlen(content), sizeof content - strlen(content), "%s = %s\n", others[i].name,
                     others[i].value);
            config = read_content(content);
            after = dump(config);
            if (count_different_lines(before, after) != lines_changed_by(others[i].name, scope)) {
                fail_msg("%s changes other lines of the dump", others[i].name);
            }
            assert_dump_parses_back(config);
            config_free(config);
            free(before);
            free(after);
        }
    }
}

static void test_every_directive_is_covered(void **state)
{
    size_t i, j;

    (void)state;
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name == NULL) {
            continue;
        }
        for (j = 0; j < OTHER_COUNT; j++) {
            if (strcmp(config_table[i].name, others[j].name) == 0) {
                break;
            }
        }
        if (j == OTHER_COUNT) {
            fail_msg("this test has no value for %s: add a line to `others`", config_table[i].name);
        }
    }
}

static void test_dump_of_all_at_once(void **state)
{
    static const char *const endings[POOL_COUNT] = {"1", "2", "3", "4"};
    char *content = NULL, *text;
    struct config *config;
    size_t i, size;
    int pool;
    FILE *out = open_memstream(&content, &size);

    (void)state;
    for (i = 0; i < OTHER_COUNT; i++) { /* confirm_changes needs passwords, which password_sign_in switches off */
        if (!config_find(text_of(others[i].name))->is_pool && strcmp(others[i].name, "confirm_changes") != 0) {
            fprintf(out, "%s = %s\n", others[i].name, others[i].value);
        }
    }
    for (pool = 0; pool < POOL_COUNT; pool++) {
        fprintf(out, "[%s]\n", pool_names[pool]);
        for (i = 0; i < OTHER_COUNT; i++) {
            if (config_find(text_of(others[i].name))->is_pool && may_stand_in(others[i].name, (size_t)pool)) {
                fprintf(out, "%s = %s%s\n", others[i].name, others[i].value,
                        strncmp(others[i].name, "listen", 6) == 0 && others[i].value[0] == '/' ? endings[pool] : "");
            }
        }
    }
    fclose(out);
    config = read_content(content);
    assert_string_equal(config->user, "a \"b\" \\");
    assert_string_equal(config->group, " #x");
    assert_string_equal(config->password_pattern, "^\\d\\\\+ \"x\" *$");
    assert_dump_parses_back(config);
    text = dump(config);
    assert_non_null(strstr(text, "user = \"a \\\"b\\\" \\\\\"\n"));
    assert_non_null(strstr(text, "database_host = db1 db2:3307\n"));
    assert_non_null(
        strstr(text, "trusted_proxies = 192.0.2.1 10.0.0.0/8 2001:db8::/32 ::1 0.0.0.0/0 ::/0 10.1.0.0/16\n"));
    assert_non_null(strstr(text, "rate_limit_window = 61m\n"));
    assert_non_null(strstr(text, "request_timeout = 125s\n"));
    config_free(config);
    free(text);
    free(content);
}

/* The sample. */

static char *sample(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    config_print_sample(out);
    fclose(out);
    return text;
}

static void test_sample_is_taken(void **state)
{
    struct config *config = read_content(""), *of_sample;
    char *text = sample(), *left, *right;

    (void)state;
    of_sample = read_content(text);
    left = dump(config);
    right = dump(of_sample);
    assert_string_equal(left, right);
    config_free(config);
    config_free(of_sample);
    free(left);
    free(right);
    free(text);
}

/* With every "#name = value" made live it is still the default, and names everything. */
static void test_sample_shows_the_defaults(void **state)
{
    struct config *config = read_content(""), *of_sample;
    char *text = sample(), *line, *left, *right;
    size_t i, count = 0, expected = 0;

    (void)state;
    for (line = text; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        assert_in_range(strcspn(line, "\n"), 0, 100);
        if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z') {
            line[0] = ' ';
            count++;
        }
    }
    for (i = 0; i < CONFIG_ROW_COUNT; i++) {
        if (config_table[i].name != NULL) {
            expected += config_table[i].is_pool ? POOL_COUNT : 1;
        }
    }
    assert_int_equal(count, expected);
    of_sample = read_content(text);
    left = dump(config);
    right = dump(of_sample);
    assert_string_equal(left, right);
    config_free(config);
    config_free(of_sample);
    free(left);
    free(right);
    free(text);
}

/* Files. */

static void test_files_that_cannot_be_read(void **state)
{
    struct error error;

    (void)state;
    assert_null(config_read("/proc/none/roster.conf", &error));
    assert_string_equal(error.text, "/proc/none/roster.conf: can't be read: No such file or directory");
    assert_null(config_read("/", &error));
    assert_string_equal(error.text, "/: can't be read: Is a directory");
    assert_null(config_read("/dev/zero", &error));
    assert_string_equal(error.text, "/dev/zero: can't be read: File too large");
}

static struct config *with_key(const char *name, const char *key, size_t length, mode_t mode)
{
    char content[256];

    write_file(name, key, length);
    assert_int_equal(chmod(name, mode), 0);
    snprintf(content, sizeof content, "secret_key_file = %s\n", name);
    return read_content(content);
}

static void assert_key_refused(const char *name, const char *key, size_t length, mode_t mode, const char *message)
{
    struct config *config = with_key(name, key, length, mode);
    struct error error;

    assert_false(config_load_secrets(config, &error));
    assert_int_equal(strncmp(error.text, name, strlen(name)), 0);
    assert_string_equal(error.text + strlen(name), message);
    assert_null(config->secret_keys.items[0].data);
    config_free(config);
    unlink(name);
}

#define KEY "0123456789abcdef0123456789abcdef"
#define THREE_KEYS KEY "1\n" KEY "2\n" KEY "3\n"
#define NINE_KEYS THREE_KEYS THREE_KEYS THREE_KEYS

/* Each line is a key; what is written back has the owner and the mode of what was there. */
static void test_several_keys(void **state)
{
    (void)state;
    char name[128];
    struct error error;
    struct stat status;
    snprintf(name, sizeof name, "%s/key", directory);
    struct config *config = with_key(name, "\n" KEY "1\r\n\n" KEY "2", 2 * strlen(KEY) + 6, 0640);
    assert_true(config_load_secrets(config, &error));
    assert_int_equal(config->secret_keys.count, 2);
    assert_memory_equal(config->secret_keys.items[0].data, KEY "1", 34);
    assert_memory_equal(config->secret_keys.items[1].data, KEY "2", 34);
    assert_null(config->secret_keys.items[2].data);

    struct secret_keys keys = {{TEXT(KEY "3"), config->secret_keys.items[0]}, 2};
    assert_true(config_write_secret_keys(config, &keys, &error));
    assert_int_equal(stat(name, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_true(config_load_secrets(config, &error));
    assert_int_equal(config->secret_keys.count, 2);
    assert_memory_equal(config->secret_keys.items[0].data, KEY "3", 34);
    assert_memory_equal(config->secret_keys.items[1].data, KEY "1", 34);
    config_free(config);
    unlink(name);

    config = read_content("secret_key_file = /proc/none/key\n");
    assert_false(config_write_secret_keys(config, &keys, &error));
    assert_string_equal(error.text, "/proc/none/key: can't be written: No such file or directory");
    config_free(config);
}

static void test_secrets(void **state)
{
    struct config *config;
    struct error error;
    char name[128];

    (void)state;
    snprintf(name, sizeof name, "%s/key", directory);
    config = with_key(name, KEY "\n", strlen(KEY) + 1, 0640);
    assert_true(config_load_secrets(config, &error));
    assert_int_equal(config->secret_keys.items[0].length, 32);
    assert_memory_equal(config->secret_keys.items[0].data, KEY, 32);
    assert_null(config->database_password.data);
    assert_null(config->redis_password.data);
    assert_true(config_load_secrets(config, &error));
    assert_memory_equal(config->secret_keys.items[0].data, KEY, 32);
    config_free(config);
    config = with_key(name, KEY "\r\n", strlen(KEY) + 2, 0600);
    assert_true(config_load_secrets(config, &error));
    assert_int_equal(config->secret_keys.items[0].length, 32);
    config_free(config);
    unlink(name);

    assert_key_refused(name, KEY, 31, 0600,
                       " (secret_key_file): line 1 is 31 bytes long and must be 32 or more: write a key with "
                       "`openssl rand -base64 48`");
    assert_key_refused(name, KEY, 32, 0644,
                       " (secret_key_file): others may read or change it (mode 0644): run chmod 0640 on it");
    assert_key_refused(
        name, KEY "\n\nshort\n", strlen(KEY) + 8, 0600,
        " (secret_key_file): line 3 is 5 bytes long and must be 32 or more: write a key with `openssl rand "
        "-base64 48`");
    assert_key_refused(name, NINE_KEYS, strlen(NINE_KEYS), 0600,
                       " (secret_key_file): has more than 8 keys: `rosterctl secret retire' removes old ones");
    assert_key_refused(name, "\n\r\n\n", 4, 0600, " (secret_key_file): is empty");
    assert_key_refused(name, "\n", 1, 0600, " (secret_key_file): is empty");
    assert_key_refused(name, KEY "\0x", 34, 0600, " (secret_key_file): contains a NUL byte: it must be text");

    config = read_content("secret_key_file = /proc/none\n");
    assert_false(config_load_secrets(config, &error));
    assert_string_equal(error.text, "/proc/none (secret_key_file): can't be read: No such file or directory");
    config_free(config);
    config = read_content("secret_key_file = /dev/null\n");
    assert_false(config_load_secrets(config, &error));
    assert_string_equal(error.text, "/dev/null (secret_key_file): must be a regular file of at most 65536 bytes");
    config_free(config);
}

static void test_credentials_of_systemd(void **state)
{
    char key[128], password[128], other[128], content[256];
    struct config *config;

    (void)state;
    snprintf(key, sizeof key, "%s/secret_key", directory);
    snprintf(password, sizeof password, "%s/database_password", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    write_file(key, KEY KEY, 64);
    write_file(password, "swordfish\n", 10);
    write_file(other, KEY, 32);
    chmod(key, 0400);
    chmod(password, 0400);
    chmod(other, 0600);
    setenv("CREDENTIALS_DIRECTORY", directory, 1);

    config = read_content("");
    assert_true(config_load_secrets(config, NULL));
    assert_int_equal(config->secret_keys.items[0].length, 64);
    assert_int_equal(config->database_password.length, 9);
    assert_memory_equal(config->database_password.data, "swordfish", 9);
    assert_null(config->redis_password.data);
    config_free(config);

    snprintf(content, sizeof content, "secret_key_file = %s\ndatabase_password_file =\n", other);
    config = read_content(content);
    assert_true(config_load_secrets(config, NULL));
    assert_int_equal(config->secret_keys.items[0].length, 32);
    assert_null(config->database_password.data);
    config_free(config);

    /* An empty line, which SetCredential= puts in the place of a file that is not there, is no password. */
    chmod(password, 0600);
    write_file(password, "\n", 1);
    config = read_content("");
    assert_true(config_load_secrets(config, NULL));
    assert_null(config->database_password.data);
    config_free(config);

    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(key);
    unlink(password);
    unlink(other);
}

/* An account of MariaDB for each kind of process. */

static void write_secret(const char *name, const char *content)
{
    char file[128];
    snprintf(file, sizeof file, "%s/%s", directory, name);
    write_file(file, content, strlen(content));
    chmod(file, 0400);
}

static void remove_secret(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s/%s", directory, name);
    unlink(file);
}

static void test_accounts(void **state)
{
    struct error error;
    char content[256], name[32];

    (void)state;
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        snprintf(name, sizeof name, "of %s\n", config_account_suffix(account));
        write_secret(config_account_suffix(account), name);
    }
    snprintf(content, sizeof content, "user =\ndatabase_user = people\ndatabase_accounts = %s\n", directory);
    struct config *config = read_content(content), *older = read_content(content);
    assert_true(config_load_database_secret(config, &error));
    assert_true(config_load_database_secret(older, &error));
    assert_true(config_has_accounts(config));
    assert_string_equal(config_account(config).user, "people-rosterctl");
    config_choose_account(ACCOUNT_API);
    assert_string_equal(config_account(config).user, "people-api");
    assert_true(text_is(config_account(config).password, "of api"));

    /* systemd's credential comes first */
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    write_secret("database_accounts_mailer", "of systemd\n");
    assert_true(config_load_account_secret(config, ACCOUNT_MAILER, &error));
    assert_true(text_is(config->accounts[ACCOUNT_MAILER].password, "of systemd"));
    unsetenv("CREDENTIALS_DIRECTORY");
    remove_secret("database_accounts_mailer");

    /* a process forgets all others, those of an older configuration, too */
    config_keep_account(ACCOUNT_STATUS);
    assert_true(text_is(config_account(config).password, "of status"));
    assert_true(text_is(config_account(older).password, "of status"));
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        assert_int_equal(config->accounts[account].password.data != NULL, account == ACCOUNT_STATUS);
        assert_int_equal(older->accounts[account].password.data != NULL, account == ACCOUNT_STATUS);
    }
    config_keep_account(ACCOUNT_COUNT);
    assert_null(config_account(config).password.data);
    config_free(config);
    config_free(older);
    config_choose_account(ACCOUNT_ROSTERCTL);

    remove_secret("watcher");
    config = read_content(content);
    assert_false(config_load_database_secret(config, &error));
    assert_non_null(strstr(error.text, "/watcher (database_accounts): can't be read: No such file"));
    config_free(config);
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        remove_secret(config_account_suffix(account));
    }
    config = read_content("database_user = people\n");
    assert_false(config_has_accounts(config));
    assert_string_equal(config_account(config).user, "people");
    config_free(config);

    snprintf(content, sizeof content, "database_accounts = /x\ndatabase_user = %070d\n", 0);
    assert_non_null(
        strstr(message_of_bytes(content, strlen(content)), "2: database_user is too long for database_accounts: 0000"));
}

/* Comparing. */

struct reported {
    char text[512];
};

static void report(const char *directive, void *argument)
{
    struct reported *reported = argument;

    strcat(reported->text, directive);
    strcat(reported->text, "; ");
}

static void test_compare_restart(void **state)
{
    struct config *old_config = read_content(""), *new_config;
    struct reported reported = {""};

    (void)state;
    new_config = read_content(
        "user = other\nlog_level = debug\n[api]\nworkers = 3\n[password]\nlisten = /run/x\nlisten_backlog = 5\n");
    config_compare_restart(old_config, new_config, report, &reported);
    assert_string_equal(reported.text,
                        "user; listen of [password]; listen_second of [password]; listen_backlog of [password]; ");
    reported.text[0] = '\0';
    config_compare_restart(old_config, old_config, report, &reported);
    assert_string_equal(reported.text, "");
    config_free(old_config);
    config_free(new_config);
}

/* Networks. */

static void assert_contains(const char *networks, const char *address, bool expected)
{
    char content[256];
    struct config *config;

    snprintf(content, sizeof content, "trusted_proxies = %s\n", networks);
    config = read_content(content);
    if (networks_contain(&config->trusted_proxies, address) != expected) {
        fail_msg("%s %s %s", networks, expected ? "does not contain" : "contains", address != NULL ? address : "NULL");
    }
    config_free(config);
}

static void test_networks(void **state)
{
    (void)state;
    assert_contains("192.0.2.1", "192.0.2.1", true);
    assert_contains("192.0.2.1", "192.0.2.2", false);
    assert_contains("192.0.2.1", "::ffff:192.0.2.1", true);
    assert_contains("10.0.0.0/8", "10.255.255.255", true);
    assert_contains("10.0.0.0/8", "11.0.0.0", false);
    assert_contains("172.16.0.0/12", "172.31.255.255", true);
    assert_contains("172.16.0.0/12", "172.32.0.0", false);
    assert_contains("192.0.2.128/25", "192.0.2.127", false);
    assert_contains("192.0.2.128/25", "192.0.2.128", true);
    assert_contains("192.0.2.2/31", "192.0.2.3", true);
    assert_contains("192.0.2.2/31", "192.0.2.4", false);
    assert_contains("0.0.0.0/0", "203.0.113.9", true);
    assert_contains("0.0.0.0/0", "2001:db8::1", false);
    assert_contains("::/0", "2001:db8::1", true);
    assert_contains("2001:db8::/33", "2001:db8:7fff::1", true);
    assert_contains("2001:db8::/33", "2001:db8:8000::1", false);
    assert_contains("::1", "::1", true);
    assert_contains("::1", "0:0:0:0:0:0:0:1", true);
    assert_contains("192.0.2.1 fd00::/8", "fdff::1", true);
    assert_contains("", "192.0.2.1", false);
    assert_contains("0.0.0.0/0 ::/0", "unix:", false);
    assert_contains("0.0.0.0/0 ::/0", "", false);
    assert_contains("0.0.0.0/0 ::/0", "192.0.2.1 ", false);
    assert_contains("0.0.0.0/0 ::/0", "fe80::1%eth0", false);
    assert_contains("0.0.0.0/0 ::/0", NULL, false);
}

static void test_network_names(void **state)
{
    static const char *const names[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::1", "::/64"},
        {"2001:db8::1", "2001:db8::/64"},
        {"2001:db8:1:2::3", "2001:db8:1:2::/64"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"2001:0DB8:1:2::", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::", "2001:db8:1:3::/64"},
        {"fe80::1%eth0", "fe80::1%eth0"},
        {"unix:", "unix:"},
        {"", ""},
        {NULL, "-"},
    };
    char name[NETWORK_NAME_SIZE], text[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        network_name(names[i][0], name);
        assert_string_equal(name, names[i][1]);
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    network_name(text, name);
    assert_int_equal(strlen(name), NETWORK_NAME_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_pool_defaults),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_bad_sections),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_times_and_sizes),
        cmocka_unit_test(test_ranges_of_numbers),
        cmocka_unit_test(test_ranges_of_texts),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_cross_checks),
        cmocka_unit_test(test_sockets_beside_each_other),
        cmocka_unit_test(test_sockets_that_are_refused),
        cmocka_unit_test(test_hashing_memory),
        cmocka_unit_test(test_every_directive_is_covered),
        cmocka_unit_test(test_dump_of_the_defaults),
        cmocka_unit_test(test_dump_of_each_directive),
        cmocka_unit_test(test_dump_of_all_at_once),
        cmocka_unit_test(test_sample_is_taken),
        cmocka_unit_test(test_sample_shows_the_defaults),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_credentials_of_systemd),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_compare_restart),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_network_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("config", tests, set_up_group, tear_down_group);
}
