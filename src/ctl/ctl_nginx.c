/* ctl_nginx.c: rosterctl nginx …: the templates of nginx/, with each @WORD@ replaced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/file.h"
#include "ctl/ctl.h"

/* The kinds of applications that `nginx protect' knows: a file in nginx/roster/ for each. */
#define NGINX_KINDS(row) \
    row("php") row("proxy") row("static") row("grafana") row("gitea") row("cgit") row("nextcloud") row("open-webui")

static const struct {
    const char *template, *name;
    enum option option; /* of `nginx write': the file is written if it is given; OPTION_NONE: always */
} files[] = {
    {"roster-upstream.conf", "roster-upstream.conf", OPTION_NONE},   /* in http { } */
    {"roster-locations.conf", "roster-locations.conf", OPTION_NONE}, /* in server { } */
    {"roster-pages.conf", "roster-pages.conf", OPTION_NONE},         /* in server { }, where pages are wanted */
    {"roster-fastcgi.conf", "roster-fastcgi.conf", OPTION_NONE},     /* included by the locations */
    {"roster-headers.conf", "roster-headers.conf", OPTION_NONE},     /* the same */
    {"roster.conf", "roster.conf", OPTION_server_name},              /* a site */
    {"roster/server.conf", "roster/server.conf", OPTION_NONE},       /* for protected applications: in server { } */
    {"roster/ask.conf", "roster/ask.conf", OPTION_NONE},             /* included by each of the following */
    {"roster/fastcgi-fields.conf", "roster/fastcgi-fields.conf", OPTION_NONE},
    {"roster/proxy-fields.conf", "roster/proxy-fields.conf", OPTION_NONE},
    {"roster/renew.conf", "roster/renew.conf", OPTION_NONE},
#define KIND_FILE(kind) {"roster/" kind ".conf", "roster/" kind ".conf", OPTION_NONE},
    NGINX_KINDS(KIND_FILE){"private.conf", "nginx.conf",
                           OPTION_private},                      /* the complete configuration of a private nginx */
    {"private-tls.conf", "private-tls.conf", OPTION_listen_tls}, /* in its server { } */
};

static const char *option_or(const struct invocation *invocation, enum option option, const char *otherwise)
{
    const char *value = ctl_option(invocation, option);
    return value != NULL ? value : otherwise;
}

static const char *templates_of(const struct invocation *invocation)
{
    return option_or(invocation, OPTION_templates, PKGDATADIR "/nginx");
}

/* The socket that a word stands for. NULL: it stands for no socket.
 * A pool without a second socket receives all requests at its first. */
static const char *socket_of_word(const struct config *config, struct text word)
{
    static const struct {
        const char *word;
        enum pool pool;
        bool is_second;
    } words[] = {
        {"API_SOCKET", POOL_API, false},
        {"API_WRITE_SOCKET", POOL_API, true},
        {"PASSWORD_SOCKET", POOL_PASSWORD, false},
        {"PASSWORD_FIRST_SOCKET", POOL_PASSWORD, true},
        {"DIRECTORY_SOCKET", POOL_DIRECTORY, false},
        {"STATUS_SOCKET", POOL_STATUS, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        const struct pool_config *pool = &config->pools[words[i].pool];
        if (text_is(word, words[i].word)) {
            return words[i].is_second && pool->listen_second[0] != '\0' ? pool->listen_second : pool->listen;
        }
    }
    return NULL;
}

/* Whether nginx has the directive http2: since 1.25.1. --nginx-version may be "nginx version: nginx/1.22.1". */
static bool has_http2_directive(const struct invocation *invocation)
{
    const char *version = option_or(invocation, OPTION_nginx_version, "");
    const char *slash = strrchr(version, '/');
    unsigned major = 0, minor = 0, patch = 0;
    sscanf(slash != NULL ? slash + 1 : version, "%u.%u.%u", &major, &minor, &patch);
    return major > 1 || (major == 1 && (minor > 25 || (minor == 25 && patch >= 1)));
}

/* The value of a word whose value may be empty. NULL: another word. */
static const char *word_that_may_be_empty(const struct invocation *invocation, struct text word)
{
    if (text_is(word, "HTTP2_PARAMETER")) {
        return has_http2_directive(invocation) ? "" : " http2";
    }
    if (text_is(word, "HTTP2_DIRECTIVE")) {
        return has_http2_directive(invocation) ? "http2 on;" : "";
    }
    if (text_is(word, "USER_DIRECTIVE")) {
        return geteuid() == 0 ? "user root;"
                              : ""; /* by default, workers of an nginx started by root run as another user */
    }
    return NULL;
}

/* The value of a word. *option_r: the option that gives it, or OPTION_NONE.
 * NULL: the word is unknown, or its option was not given. */
static const char *word_value(const struct invocation *invocation, struct text word, const char *nginx_directory,
                              enum option *option_r)
{
    static const struct {
        const char *word;
        enum option option;
        const char *otherwise;
        bool is_private; /* only `nginx write' has the option */
    } words[] = {
        {"STATIC_DIRECTORY", OPTION_static_directory, PKGDATADIR "/nginx/static", false},
        {"WWW_DIRECTORY", OPTION_www_directory, PKGDATADIR "/nginx/www", false},
        {"STORE_DIRECTORY", OPTION_store_directory, "/var/cache/roster", false},
        {"SERVER_NAME", OPTION_server_name, NULL, false},
        {"TLS_CERTIFICATE", OPTION_tls_certificate, NULL, false},
        {"TLS_KEY", OPTION_tls_key, NULL, false},
        {"LISTEN", OPTION_listen, NULL, true},
        {"LISTEN_TLS", OPTION_listen_tls, NULL, true},
        {"LOG_DIRECTORY", OPTION_log_directory, NULL, true},
    };
    *option_r = OPTION_NONE;
    const char *socket = socket_of_word(invocation->config, word);
    if (socket != NULL) {
        return socket;
    }
    if (text_is(word, "NGINX_DIRECTORY")) {
        return nginx_directory;
    }
    bool may_be_private = invocation->command == &commands[COMMAND_nginx_write];
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (text_is(word, words[i].word) && (may_be_private || !words[i].is_private)) {
            *option_r = words[i].option;
            return option_or(invocation, words[i].option, words[i].otherwise);
        }
    }
    return word_that_may_be_empty(invocation, word);
}

/* The word that starts at an at sign: `@NAME@`. Null: it is something else, as the name of a location. */
static struct text word_at(const char *at, const char *end)
{
    const char *stop = at + 1;
    while (stop < end && (ascii_is_upper(*stop) || ascii_is_digit(*stop) || *stop == '_')) {
        stop++;
    }
    return stop < end && *stop == '@' && stop > at + 1 ? (struct text){at + 1, (size_t)(stop - at - 1)} : TEXT_NULL;
}

static int fill(struct invocation *invocation, const char *file, const char *nginx_directory, struct buffer *filled)
{
    const char *path = text_format(invocation->context.arena, "%s/%s", templates_of(invocation), file).data;
    struct text template;
    if (!file_read(invocation->context.arena, path, &template)) {
        return ctl_fail(EXIT_FAILED, "%s: %s; name the directory of Roster's nginx files with --templates", path,
                        strerror(errno));
    }
    const char *end = template.data + template.length;
    for (const char *here = template.data; here < end;) {
        const char *at = memchr(here, '@', (size_t)(end - here));
        if (at == NULL) {
            buffer_add(filled, here, (size_t)(end - here));
            break;
        }
        struct text word = word_at(at, end);
        buffer_add(filled, here, (size_t)(at - here));
        if (word.data == NULL) {
            buffer_add_byte(filled, '@');
            here = at + 1;
            continue;
        }
        enum option option;
        const char *value = word_value(invocation, word, nginx_directory, &option);
        if (value == NULL && option != OPTION_NONE) {
            return ctl_fail(EXIT_USAGE, "%s needs --%s", file, option_names[option].words);
        }
        if (value == NULL) {
            return ctl_fail(EXIT_FAILED, "%s: unknown word @%.*s@", path, (int)word.length, word.data);
        }
        buffer_add_string(filled, value);
        here = word.data + word.length + 1;
    }
    return EXIT_DONE;
}

static int print_file(struct invocation *invocation, const char *file)
{
    struct buffer filled;
    buffer_init(&filled, invocation->context.arena);
    int status = fill(invocation, file, option_or(invocation, OPTION_nginx_directory, "/etc/nginx/roster"), &filled);
    if (status == EXIT_DONE) {
        ctl_print(&filled);
    }
    return status;
}

int command_nginx_snippet(struct invocation *invocation)
{
    return print_file(invocation, "roster-locations.conf");
}

int command_nginx_upstream(struct invocation *invocation)
{
    return print_file(invocation, "roster-upstream.conf");
}

int command_nginx_site(struct invocation *invocation)
{
    return print_file(invocation, "roster.conf");
}

int command_nginx_fastcgi(struct invocation *invocation)
{
    return print_file(invocation, "roster-fastcgi.conf");
}

int command_nginx_headers(struct invocation *invocation)
{
    return print_file(invocation, "roster-headers.conf");
}

int command_nginx_protect(struct invocation *invocation)
{
#define KIND_NAME(kind) kind,
    static const char *const kinds[] = {NGINX_KINDS(KIND_NAME)};
    const char *typed = ctl_argument(invocation, 0);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(typed, kinds[i]) == 0) {
            return print_file(invocation, text_format(invocation->context.arena, "roster/%s.conf", typed).data);
        }
    }
#define KIND_WORD(kind) " " kind
    return ctl_fail(EXIT_USAGE, "there is no kind \"%s\"; there are" NGINX_KINDS(KIND_WORD), typed);
}

int command_nginx_write(struct invocation *invocation)
{
    struct arena *arena = invocation->context.arena;
    const char *typed = ctl_argument(invocation, 0);
    char *whole = realpath(typed, NULL);
    if (whole == NULL) {
        return ctl_fail(EXIT_FAILED, "%s: %s", typed, strerror(errno));
    }
    struct text directory = text_copy(arena, text_of(whole));
    const char *nginx_directory = option_or(invocation, OPTION_nginx_directory, directory.data);
    free(whole);
    /* Fills in all files first: if one fails, nothing is written. */
    struct {
        const char *path;
        struct buffer content;
    } filled[ARRAY_COUNT(files)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        if (files[i].option == OPTION_NONE || ctl_has_option(invocation, files[i].option)) {
            filled[count].path = text_format(arena, "%s/%s", directory.data, files[i].name).data;
            buffer_init(&filled[count].content, arena);
            int status = fill(invocation, files[i].template, nginx_directory, &filled[count++].content);
            if (status != EXIT_DONE) {
                return status;
            }
        }
    }
    const char *subdirectory = text_format(arena, "%s/roster", directory.data).data;
    if (mkdir(subdirectory, 0755) != 0 && errno != EEXIST) {
        return ctl_fail(EXIT_FAILED, "%s: %s", subdirectory, strerror(errno));
    }
    for (size_t i = 0; i < count; i++) {
        if (!file_write(filled[i].path, buffer_text(&filled[i].content), 0644)) {
            return ctl_fail(EXIT_FAILED, "%s: %s", filled[i].path, strerror(errno));
        }
        ctl_say(invocation, "Wrote %s.", filled[i].path);
    }
    if (!ctl_has_option(invocation, OPTION_server_name) && !ctl_has_option(invocation, OPTION_private)) {
        ctl_say(invocation, "For a complete site, add --server-name, --tls-certificate and --tls-key.");
    }
    return EXIT_DONE;
}
