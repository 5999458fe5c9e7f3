/* ctl_nginx.c: rosterctl nginx …: the files of nginx/, with the words between at signs filled in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/file.h"

static const char *const files[] = {"roster-upstream.conf", "roster-locations.conf", "roster-fastcgi.conf",
                                    "roster-headers.conf", "roster.conf"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *option_or(const struct invocation *invocation, const char *name, const char *otherwise)
{
    const char *value = ctl_option(invocation, name);
    return value != NULL ? value : otherwise;
}

static const char *templates_of(const struct invocation *invocation)
{
    return option_or(invocation, "templates", PKGDATADIR "/nginx");
}

/* What stands for a word; NULL where it is unknown, or an option that was not given. *option_r: the option that gives
 * it, or NULL. */
static const char *word_value(const struct invocation *invocation, struct text word, const char *nginx_directory,
                              const char **option_r)
{
    static const struct {
        const char *word, *option, *otherwise;
    } words[] = {
        {"STATIC_DIRECTORY", "static-directory", PKGDATADIR "/nginx/static"},
        {"STORE_DIRECTORY", "store-directory", "/var/cache/roster"},
        {"SERVER_NAME", "server-name", NULL},
        {"TLS_CERTIFICATE", "tls-certificate", NULL},
        {"TLS_KEY", "tls-key", NULL},
    };
    *option_r = NULL;
    if (text_is(word, "API_SOCKET")) {
        return invocation->config->pools[POOL_API].listen;
    }
    if (text_is(word, "PASSWORD_SOCKET")) {
        return invocation->config->pools[POOL_PASSWORD].listen;
    }
    if (text_is(word, "NGINX_DIRECTORY")) {
        return nginx_directory;
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        if (text_is(word, words[i].word)) {
            *option_r = words[i].option;
            return option_or(invocation, words[i].option, words[i].otherwise);
        }
    }
    return NULL;
}

/* The word that starts at an at sign: `@NAME@`. A null text where it is something else, as the name of a location. */
static struct text word_at(const char *at, const char *end)
{
    const char *stop = at + 1;
    while (stop < end && ((*stop >= 'A' && *stop <= 'Z') || *stop == '_')) {
        stop++;
    }
    return stop < end && *stop == '@' && stop > at + 1 ? (struct text){at + 1, (size_t)(stop - at - 1)}
                                                       : (struct text){NULL, 0};
}

static int fill(struct invocation *invocation, const char *file, const char *nginx_directory, struct buffer *filled)
{
    const char *path = text_format(invocation->context.arena, "%s/%s", templates_of(invocation), file).data;
    struct text template;
    const char *option;
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
        const char *value = word_value(invocation, word, nginx_directory, &option);
        if (value == NULL && option != NULL) {
            return ctl_fail(EXIT_USAGE, "%s needs --%s", file, option);
        }
        if (value == NULL) {
            return ctl_fail(EXIT_FAILED, "%s: @%.*s@ is unknown to this version", path, (int)word.length, word.data);
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
    int status = fill(invocation, file, option_or(invocation, "nginx-directory", "/etc/nginx/roster"), &filled);
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

int command_nginx_write(struct invocation *invocation)
{
    struct arena *arena = invocation->context.arena;
    const char *typed = ctl_argument(invocation, 0);
    char *whole = realpath(typed, NULL);
    if (whole == NULL) {
        return ctl_fail(EXIT_FAILED, "%s: %s", typed, strerror(errno));
    }
    struct text directory = text_copy(arena, text_of(whole));
    free(whole);
    /* Without a name there is no site to write: the other files serve one that exists. */
    bool with_site = ctl_has_option(invocation, "server-name");
    size_t count = with_site ? COUNT(files) : COUNT(files) - 1; /* the site is the last */
    struct buffer filled[COUNT(files)];
    for (size_t i = 0; i < count; i++) { /* all of them first: where one can't be filled in, nothing is written */
        buffer_init(&filled[i], arena);
        int status = fill(invocation, files[i], option_or(invocation, "nginx-directory", directory.data), &filled[i]);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = text_format(arena, "%s/%s", directory.data, files[i]).data;
        if (!file_write(path, buffer_text(&filled[i]), 0644)) {
            return ctl_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
        }
        ctl_say(invocation, "Wrote %s.", path);
    }
    if (!with_site) {
        ctl_say(invocation, "For a complete site give --server-name, --tls-certificate and --tls-key too.");
    }
    return EXIT_DONE;
}
