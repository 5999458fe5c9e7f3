/* check_protect.c: see check_protect.h. */
#include "check/check_protect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/error.h"
#include "base/host_port.h"
#include "base/return_url.h"
#include "check/nginx_config.h"

static const char question[] = "/roster-verify";

/* What /verify may answer (nginx/roster/server.conf). */
enum { ANSWER_BYTES = 16384 };

/* What a block has, or gets from the blocks around it. */
struct scope {
    const struct nginx_directive *auth_request, *satisfy, *underscores;
    const struct nginx_directive *require; /* of a location */
};

struct protect {
    const struct config *config;
    struct findings *findings;
    struct arena *arena;
    const struct nginx_directive *http, *server;
    const struct nginx_directive *told[2]; /* of http { }, which all servers have: see check_real_ip */
    size_t protected_count;                /* locations of this server */
    size_t all_count;                      /* of all servers */
    const char *own_names[8];              /* names of the server of Roster itself */
    size_t own_count;
};

/* FILE:LINE: and the findings' text. */
static void __attribute__((format(printf, 4, 5))) say(const struct protect *protect, enum finding_severity severity,
                                                      const struct nginx_directive *at, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    findings_add(protect->findings, severity, "%s:%u: %s", at->file, at->line, text);
}

static bool is_on(const struct nginx_directive *directive, const char *value)
{
    return directive != NULL && strcmp(nginx_config_word(directive, 1), value) == 0;
}

static bool asks(const struct scope *scope)
{
    return is_on(scope->auth_request, question);
}

/* What passes requests on; NULL: nothing, or only to Roster itself. */
static const struct nginx_directive *passes(const struct nginx_directive *block)
{
    static const char *const names[] = {"fastcgi_pass", "proxy_pass", "uwsgi_pass", "scgi_pass", "grpc_pass"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct nginx_directive *found = nginx_config_find(block->children, names[i]);
        const char *target = found != NULL ? nginx_config_word(found, 1) : "";
        if (found != NULL && strncmp(target, "roster_", 7) != 0 && strncmp(target, "$roster_", 8) != 0) {
            return found;
        }
    }
    return NULL;
}

static const struct nginx_directive *set_of(const struct nginx_directive *first, const char *variable)
{
    const struct nginx_directive *found = NULL;
    for (; first != NULL; first = first->next) {
        if (nginx_config_is(first, "set") && strcmp(nginx_config_word(first, 1), variable) == 0) {
            found = first;
        }
    }
    return found;
}

static struct scope enter(struct scope scope, const struct nginx_directive *block)
{
    const struct nginx_directive *found;
    scope.auth_request =
        (found = nginx_config_find(block->children, "auth_request")) != NULL ? found : scope.auth_request;
    scope.satisfy = (found = nginx_config_find(block->children, "satisfy")) != NULL ? found : scope.satisfy;
    scope.underscores =
        (found = nginx_config_find(block->children, "underscores_in_headers")) != NULL ? found : scope.underscores;
    if (nginx_config_is(block, "location") && (found = set_of(block->children, "$roster_require")) != NULL) {
        scope.require = found;
    }
    return scope;
}

/* ---- a location ---- */

/* nginx answers these before it asks. */
static void check_answered_before(const struct protect *protect, const struct nginx_directive *location)
{
    const struct nginx_directive *found = nginx_config_find(location->children, "return");
    if (found != NULL) {
        say(protect, FINDING_ERROR, found,
            "nginx carries out `return' before it asks who is calling, so everybody gets this answer: move it to a "
            "location of its own");
    }
    for (const struct nginx_directive *at = location->children; at != NULL; at = at->next) {
        const char *flag = nginx_config_word(at, 3);
        if (nginx_config_is(at, "rewrite") && (strcmp(flag, "redirect") == 0 || strcmp(flag, "permanent") == 0)) {
            say(protect, FINDING_WARNING, at,
                "nginx carries out this redirect before it asks who is calling, so everybody is redirected");
        }
    }
}

static void check_cache(const struct protect *protect, const struct nginx_directive *location)
{
    static const char *const names[][2] = {{"fastcgi_cache", "fastcgi_cache_key"}, {"proxy_cache", "proxy_cache_key"}};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct nginx_directive *cache = nginx_config_find(location->children, names[i][0]);
        const struct nginx_directive *key = nginx_config_find(location->children, names[i][1]);
        if (cache != NULL && !is_on(cache, "off") &&
            (key == NULL || strstr(nginx_config_word(key, 1), "$roster_user") == NULL)) {
            say(protect, FINDING_ERROR, cache,
                "the cache gives one person's answers to all others that are let in: add $roster_user to %s, or "
                "remove the cache",
                names[i][1]);
        }
    }
}

/* The fields that say who is calling are set, and so those of the client don't arrive. */
static void check_identity(const struct protect *protect, const struct nginx_directive *location)
{
    const struct nginx_directive *pass = passes(location);
    if (pass == NULL) {
        return;
    }
    const bool is_fastcgi = nginx_config_is(pass, "fastcgi_pass");
    bool has_user = false, has_cookie = false;
    for (const struct nginx_directive *at = location->children; at != NULL; at = at->next) {
        if (nginx_config_is(at, is_fastcgi ? "fastcgi_param" : "proxy_set_header")) {
            has_user = has_user || strstr(nginx_config_word(at, 2), "$roster_") != NULL;
            has_cookie = has_cookie || strcmp(nginx_config_word(at, 1), is_fastcgi ? "HTTP_COOKIE" : "Cookie") == 0;
        }
    }
    if (!has_user) {
        say(protect, FINDING_ERROR, pass,
            "the application is not told who is calling, and a client may claim to be anyone in Remote-User: include "
            "roster/php.conf or the file of its kind here (`rosterctl nginx protect')");
    } else if (!has_cookie) {
        say(protect, FINDING_WARNING, pass,
            "the application gets the session of its callers in Cookie, and can act in their names: include the file "
            "of "
            "its kind here (`rosterctl nginx protect')");
    }
}

static void check_asking(struct protect *protect, const struct nginx_directive *location, const struct scope *scope)
{
    protect->protected_count++;
    if (is_on(scope->satisfy, "any")) {
        say(protect, FINDING_ERROR, scope->satisfy,
            "`satisfy any' lets in whoever an `allow' names or a password opens to, without asking Roster: remove it, "
            "or write `satisfy all'");
    }
    if (is_on(scope->underscores, "on")) {
        say(protect, FINDING_WARNING, scope->underscores,
            "with underscores_in_headers a client's Remote_User may arrive as Remote-User: remove it, or write off");
    }
    check_answered_before(protect, location);
    check_cache(protect, location);
    check_identity(protect, location);
}

/* A location that asks in another way than nginx/roster/ does. */
static void check_other_question(const struct protect *protect, const struct nginx_directive *auth_request)
{
    const char *path = nginx_config_word(auth_request, 1);
    for (const struct nginx_directive *at = protect->server->children; at != NULL; at = at->next) {
        const char *target = nginx_config_word(at, at->word_count - 1);
        const struct nginx_directive *pass = nginx_config_is(at, "location") && strcmp(target, path) == 0
                                                 ? nginx_config_find(at->children, "proxy_pass")
                                                 : NULL;
        if (pass != NULL && strstr(nginx_config_word(pass, 1), "/auths") != NULL) {
            say(protect, FINDING_ERROR, pass,
                "/auths/ answers whoever has an account, also pending people, and knows no rules: ask %s instead "
                "(roster/server.conf)",
                question);
        }
    }
}

static void walk(struct protect *protect, const struct nginx_directive *block, struct scope scope);

static void walk_location(struct protect *protect, const struct nginx_directive *location, struct scope outer)
{
    struct scope scope = enter(outer, location);
    const bool is_own = strncmp(nginx_config_word(location, location->word_count - 1), "/roster-", 8) == 0;
    if (asks(&scope) && !is_own) {
        check_asking(protect, location, &scope);
    } else if (scope.auth_request != NULL && !is_on(scope.auth_request, "off")) {
        check_other_question(protect, scope.auth_request);
    } else if (!is_own && scope.require != NULL) {
        say(protect, FINDING_ERROR, scope.require,
            "the rule has no effect: nothing here asks who is calling; include the file of the application's kind "
            "(`rosterctl nginx protect')");
    }
    walk(protect, location, scope);
}

static void walk(struct protect *protect, const struct nginx_directive *block, struct scope scope)
{
    for (const struct nginx_directive *at = block->children; at != NULL; at = at->next) {
        if (nginx_config_is(at, "location")) {
            walk_location(protect, at, scope);
        } else if (at->is_block && (nginx_config_is(at, "if") || nginx_config_is(at, "limit_except"))) {
            walk(protect, at, scope);
        }
    }
}

/* Where one location asks, another of the same application that does not is mostly forgotten: `location ~ \.php$'. */
static void find_open(const struct protect *protect, const struct nginx_directive *block, struct scope scope)
{
    for (const struct nginx_directive *at = block->children; at != NULL; at = at->next) {
        if (!nginx_config_is(at, "location")) {
            continue;
        }
        struct scope inner = enter(scope, at);
        const struct nginx_directive *pass = passes(at);
        if (pass != NULL && !asks(&inner) && (inner.auth_request == NULL || is_on(inner.auth_request, "off"))) {
            say(protect, FINDING_WARNING, pass,
                "location %s passes requests of everybody on, while other locations of this server ask who is calling: "
                "if it belongs to a protected application, include the file of its kind here, too",
                nginx_config_word(at, at->word_count - 1));
        }
        find_open(protect, at, inner);
    }
}

/* ---- a server ---- */

/* The location in which the question goes to Roster. */
static const struct nginx_directive *find_question(const struct nginx_directive *server)
{
    for (const struct nginx_directive *at = server->children; at != NULL; at = at->next) {
        if (nginx_config_is(at, "location") && strcmp(nginx_config_word(at, at->word_count - 1), question) == 0) {
            return at;
        }
    }
    return NULL;
}

static bool has_param(const struct nginx_directive *location, const char *name, const char *value)
{
    for (const struct nginx_directive *at = location->children; at != NULL; at = at->next) {
        if (nginx_config_is(at, "fastcgi_param") && strcmp(nginx_config_word(at, 1), name) == 0 &&
            (value == NULL || strcmp(nginx_config_word(at, 2), value) == 0)) {
            return true;
        }
    }
    return false;
}

static int64_t size_in_bytes(const char *word)
{
    int64_t bytes;
    return quantity_sum(text_of(word), nginx_config_sizes, QUANTITY_ANY_CASE, &bytes) ? bytes : 0;
}

static void check_question(const struct protect *protect, const struct nginx_directive *server)
{
    static const struct {
        const char *name, *value, *effect;
    } params[] = {
        {"ROSTER_REQUIRE", "$roster_require", "everybody who is signed in gets in, whatever the rules"},
        {"ROSTER_APPLICATION", "$roster_application", "API keys for one application are refused"},
        {"REQUEST_METHOD", "GET", "requests that are no GET fail"},
        {"REQUEST_URI", "/verify", "Roster is asked something else"},
        {"HTTP_HOST", NULL, "Roster does not know the host"},
        {"HTTPS", "$https", "a cookie that is renewed is not for https alone"},
        {"REMOTE_ADDR", NULL, "the log does not have the client"},
    };
    const struct nginx_directive *location = find_question(server);
    if (location == NULL) {
        say(protect, FINDING_ERROR, server,
            "there is no location %s, so that every protected request fails with 500: include roster/server.conf in "
            "this server { }",
            question);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(params); i++) {
        if (!has_param(location, params[i].name, params[i].value)) {
            say(protect, FINDING_ERROR, location,
                "the question lacks `fastcgi_param %s %s': %s; use roster/server.conf", params[i].name,
                params[i].value != NULL ? params[i].value : "...", params[i].effect);
        }
    }
    if (nginx_config_find(location->children, "internal") == NULL) {
        say(protect, FINDING_WARNING, location, "the location of the question should be `internal'");
    }
    const struct nginx_directive *size = nginx_config_find(location->children, "fastcgi_buffer_size");
    if (size == NULL || size_in_bytes(nginx_config_word(size, 1)) < ANSWER_BYTES) {
        say(protect, FINDING_WARNING, size != NULL ? size : location,
            "without `fastcgi_buffer_size 16k' the answer for a person in many groups is too large for nginx: 500");
    }
}

/* The server that passes its requests to Roster as a whole. */
static bool is_of_roster(const struct nginx_directive *server)
{
    for (const struct nginx_directive *at = server->children; at != NULL; at = at->next) {
        const struct nginx_directive *pass =
            nginx_config_is(at, "location") ? nginx_config_find(at->children, "fastcgi_pass") : NULL;
        if (pass != NULL && strcmp(nginx_config_word(pass, 1), "$roster_pool") == 0) {
            return true;
        }
    }
    return false;
}

/* Whether one of its `listen' has this parameter. */
static bool listens_with(const struct nginx_directive *server, const char *parameter)
{
    for (const struct nginx_directive *at = server->children; at != NULL; at = at->next) {
        for (size_t i = 2; nginx_config_is(at, "listen") && i < at->word_count; i++) {
            if (strcmp(at->words[i], parameter) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool listens_with_tls(const struct nginx_directive *server)
{
    return listens_with(server, "ssl") || listens_with(server, "quic");
}

static bool is_own_name(const struct protect *protect, const char *name)
{
    for (size_t i = 0; i < protect->own_count; i++) {
        if (strcmp(protect->own_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the cookie reaches the hosts of a server, and where its people sign in. */
static void check_names(const struct protect *protect, const struct nginx_directive *server)
{
    const struct nginx_directive *names = nginx_config_find(server->children, "server_name");
    const struct nginx_directive *sign_in = set_of(server->children, "$roster_sign_in");
    const char *domain = protect->config->cookie_domain;
    bool is_elsewhere = false;
    for (size_t i = 1; names != NULL && i < names->word_count; i++) {
        const char *name = names->words[i];
        if (name[0] == '_' || name[0] == '~' || name[0] == '\0' || strchr(name, '*') != NULL ||
            strchr(name, '.') == NULL || is_own_name(protect, name)) {
            continue;
        }
        is_elsewhere = protect->own_count > 0;
        if (is_elsewhere && !return_url_domain_covers(text_of(domain), text_of(name))) {
            say(protect, FINDING_ERROR, names,
                "browsers do not send the cookie of %s to %s, so people sign in there for ever: set cookie_domain in "
                "roster.conf to a domain of both%s%s%s",
                protect->own_names[0], name, domain[0] != '\0' ? " (it is " : "", domain, domain[0] != '\0' ? ")" : "");
        }
    }
    if (is_elsewhere && (sign_in == NULL || strncmp(nginx_config_word(sign_in, 2), "http", 4) != 0)) {
        say(protect, FINDING_ERROR, names,
            "the sign-in page is not at this server: write `set $roster_sign_in https://%s/account/sign-in;' in "
            "server { }",
            protect->own_names[0]);
    }
}

/* ---- the client's address ---- */

/* A directive of the server; of http where the server has none. */
static const struct nginx_directive *of_server(const struct protect *protect, const struct nginx_directive *server,
                                               const char *name)
{
    const struct nginx_directive *own = nginx_config_find(server->children, name);
    return own != NULL ? own : nginx_config_find(protect->http->children, name);
}

/* The last set_real_ip_from that counts in a server; NULL: none. */
static const struct nginx_directive *trusted_proxies(const struct protect *protect,
                                                     const struct nginx_directive *server)
{
    return of_server(protect, server, "set_real_ip_from");
}

/* A network that is no one's own: of IPv4 more than a /8, of IPv6 more than fc00::/7. */
static bool is_everybody(const char *network)
{
    enum { IPV4_BITS = 8, IPV6_BITS = 7 };
    const char *slash = strrchr(network, '/');
    int64_t bits;
    return slash != NULL && text_to_integer(text_of(slash + 1), &bits) &&
           bits < (strchr(network, ':') != NULL ? IPV6_BITS : IPV4_BITS);
}

static bool is_on_this_host(const char *address)
{
    static const char *const starts[] = {"unix:", "127.", "[::1]", "localhost"};
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        if (strncmp(address, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether another program has to pass on what people send to this server; public_url says that they do. */
static bool is_behind_a_proxy(const struct protect *protect, const struct nginx_directive *server)
{
    bool listens = false;
    for (const struct nginx_directive *at = server->children; at != NULL; at = at->next) {
        if (nginx_config_is(at, "listen")) {
            listens = true;
            if (!is_on_this_host(nginx_config_word(at, 1))) {
                return listens_with(server, "proxy_protocol");
            }
        }
    }
    return listens_with(server, "proxy_protocol") || (listens && protect->config->public_url[0] != '\0');
}

/* The first network that is everybody, of those that count in a server; NULL: none. */
static const struct nginx_directive *find_everybody(const struct protect *protect, const struct nginx_directive *server)
{
    const bool is_own = nginx_config_find(server->children, "set_real_ip_from") != NULL;
    const struct nginx_directive *at = is_own ? server->children : protect->http->children;
    while (at != NULL && !(nginx_config_is(at, "set_real_ip_from") && is_everybody(nginx_config_word(at, 1)))) {
        at = at->next;
    }
    return at;
}

/* Whether it was not told of already, for another server. */
static bool is_news(struct protect *protect, size_t which, const struct nginx_directive *directive)
{
    const bool is_new = protect->told[which] != directive;
    protect->told[which] = directive;
    return is_new;
}

static void check_real_ip(struct protect *protect, const struct nginx_directive *server)
{
    const struct nginx_directive *from = trusted_proxies(protect, server);
    const struct nginx_directive *header = of_server(protect, server, "real_ip_header");
    const struct nginx_directive *everybody = find_everybody(protect, server);
    if (everybody != NULL && is_news(protect, 0, everybody)) {
        say(protect, FINDING_ERROR, everybody,
            "any client may say which address it has, and so pass by `allow' and the limits of sign-ins: name the "
            "addresses of your proxy alone");
    }
    if (from != NULL && header == NULL && is_news(protect, 1, from)) {
        say(protect, FINDING_WARNING, from,
            "without real_ip_header nginx takes the client's address from X-Real-IP, which a client can send, too, if "
            "the proxy does not set it: write the field that it sets, for example `real_ip_header X-Forwarded-For'");
    } else if (from == NULL && header != NULL && is_news(protect, 1, header)) {
        say(protect, FINDING_WARNING, header,
            "real_ip_header has no effect without set_real_ip_from, so that all people have the address of the proxy");
    } else if (from == NULL && header == NULL && is_behind_a_proxy(protect, server)) {
        say(protect, FINDING_WARNING, server,
            "a proxy passes requests on to this server, and all people have its address: after some wrong passwords of "
            "one nobody can sign in, and no log tells who it was. Set set_real_ip_from to the address of the proxy, "
            "and real_ip_header to the field that it sets");
    }
}

static void check_scheme(const struct protect *protect, const struct nginx_directive *server)
{
    const struct config *config = protect->config;
    bool is_https = strncmp(config->public_url, "https:", 6) == 0 || config->cookie_secure == COOKIE_SECURE_YES;
    if (is_https && !listens_with_tls(server) && trusted_proxies(protect, server) == NULL) {
        say(protect, FINDING_WARNING, server,
            "cookies are for https alone, but this server listens without TLS, so people sign in for ever, unless a "
            "proxy in front ends TLS: then set set_real_ip_from and real_ip_header for it");
    }
}

static void check_server(struct protect *protect, const struct nginx_directive *server, struct scope outer)
{
    struct scope scope = enter(outer, server);
    protect->server = server;
    protect->protected_count = 0;
    walk(protect, server, scope);
    protect->all_count += protect->protected_count;
    if (protect->protected_count > 0 || is_of_roster(server)) {
        check_real_ip(protect, server);
    }
    if (protect->protected_count == 0) {
        return;
    }
    const struct nginx_directive *rule = set_of(server->children, "$roster_require");
    if (rule != NULL) {
        say(protect, FINDING_ERROR, rule,
            "$roster_require is set in server { }, where it replaces the rules of locations, since nginx carries out "
            "the `set' once more for the question: set it in each location");
    }
    check_question(protect, server);
    check_names(protect, server);
    check_scheme(protect, server);
    find_open(protect, server, scope);
}

static void take_own_names(struct protect *protect, const struct nginx_directive *server)
{
    const struct nginx_directive *names = nginx_config_find(server->children, "server_name");
    for (size_t i = 1; names != NULL && i < names->word_count && protect->own_count < ARRAY_COUNT(protect->own_names);
         i++) {
        protect->own_names[protect->own_count++] = names->words[i];
    }
}

static void each_server(struct protect *protect, const struct nginx_directive *first, bool is_checked)
{
    for (; first != NULL; first = first->next) {
        struct scope scope = enter((struct scope){NULL, NULL, NULL, NULL}, first);
        protect->http = first;
        for (const struct nginx_directive *at = first->children; nginx_config_is(first, "http") && at != NULL;
             at = at->next) {
            if (nginx_config_is(at, "server") && is_checked) {
                check_server(protect, at, scope);
            } else if (nginx_config_is(at, "server") && is_of_roster(at)) {
                take_own_names(protect, at);
            }
        }
    }
}

void check_protect(const struct config *config, struct text dump, struct findings *findings)
{
    struct error error;
    struct arena *arena = arena_new(0);
    struct protect protect = {.config = config, .findings = findings, .arena = arena};
    struct nginx_directive *first = nginx_config_read(arena, dump, &error);
    if (first == NULL) {
        findings_add(findings, FINDING_ERROR, "%s", error.text);
    } else {
        each_server(&protect, first, false);
        each_server(&protect, first, true);
        if (protect.all_count == 0) {
            findings_add(findings, FINDING_WARNING, "no location asks %s: `rosterctl nginx protect' says how to",
                         question);
        } else if (findings_are_good(findings)) {
            findings_add(findings, FINDING_GOOD, "%zu locations are protected", protect.all_count);
        }
    }
    arena_free(arena);
}
