#include "worker/origin.h"

#include <arpa/inet.h>

#include "base/array.h"
#include "base/host_port.h"
#include "base/log.h"
#include "base/problem.h"

enum { HOST_LENGTH_MAX = 255, LOG_SECONDS = 60 };

struct origin {
    struct text scheme;
    const char *host; /* lower case, without a dot at its end; an IPv6 address in canonical form */
    int64_t port;
};

static const struct {
    const char *scheme;
    int64_t port;
} default_ports[] = {{"http", 80}, {"https", 443}};

static bool has_scheme(struct origin *origin, struct text scheme)
{
    for (size_t i = 0; i < ARRAY_COUNT(default_ports); i++) {
        if (text_is_ignoring_case(scheme, default_ports[i].scheme)) {
            origin->scheme = text_of(default_ports[i].scheme);
            origin->port = default_ports[i].port;
            return true;
        }
    }
    return false;
}

/* The canonical form of an IPv6 address between brackets; NULL where it is invalid. */
static const char *ipv6_of(struct arena *arena, struct text address)
{
    struct in6_addr bytes;
    char *form = arena_alloc(arena, INET6_ADDRSTRLEN);
    const char *typed = text_to_string(arena, address);
    bool good = memchr(address.data, '\0', address.length) == NULL && inet_pton(AF_INET6, typed, &bytes) == 1;
    return good ? inet_ntop(AF_INET6, &bytes, form, INET6_ADDRSTRLEN) : NULL;
}

/* HOST or HOST:PORT, as in Host (RFC 9110, section 7.2). Without a port: the scheme's. */
static bool has_authority(struct arena *arena, struct origin *origin, struct text authority)
{
    struct host_port parts;
    if (!host_port_split(authority, &parts)) {
        return false;
    }
    struct text host = parts.host, port = parts.port;
    if (port.length > 0 && (strspn(text_to_string(arena, port), "0123456789") != port.length ||
                            !text_to_integer(port, &origin->port) || origin->port > 65535)) {
        return false;
    }
    if (parts.has_brackets) {
        origin->host = ipv6_of(arena, host);
        return origin->host != NULL;
    }
    if (host.length > 0 && host.data[host.length - 1] == '.') {
        host.length--;
    }
    for (size_t i = 0; i < host.length; i++) {
        if (host.data[i] <= ' ' || strchr(":/?#@\\", host.data[i]) != NULL) {
            return false;
        }
    }
    origin->host = text_to_string(arena, text_to_lower(arena, host));
    return host.length > 0 && host.length <= HOST_LENGTH_MAX;
}

static bool read_origin(struct arena *arena, struct text text, bool may_have_path, struct origin *origin_r)
{
    const char *colon = text.length > 0 ? memchr(text.data, ':', text.length) : NULL;
    size_t scheme_length = colon != NULL ? (size_t)(colon - text.data) : 0;
    if (colon == NULL || text.length < scheme_length + 4 || memcmp(colon, "://", 3) != 0 ||
        !has_scheme(origin_r, (struct text){text.data, scheme_length})) {
        return false;
    }
    struct text authority = {colon + 3, text.length - scheme_length - 3};
    const char *slash = memchr(authority.data, '/', authority.length);
    if (may_have_path && slash != NULL) {
        authority.length = (size_t)(slash - authority.data);
    }
    return has_authority(arena, origin_r, authority);
}

static bool equal(const struct origin *left, const struct origin *right)
{
    return text_equal(left->scheme, right->scheme) && strcmp(left->host, right->host) == 0 && left->port == right->port;
}

bool origin_is_same(struct arena *arena, struct text left, struct text right)
{
    struct origin left_origin, right_origin;
    return read_origin(arena, left, false, &left_origin) && read_origin(arena, right, true, &right_origin) &&
           equal(&left_origin, &right_origin);
}

static bool is_configured(const struct request *request)
{
    const struct words *origins = &request->context.config->cors_origins;
    for (size_t i = 0; i < origins->count; i++) {
        if (origin_is_same(request->context.arena, request->origin, text_of(origins->items[i]))) {
            return true;
        }
    }
    return false;
}

static struct text site_at_host(const struct request *request, bool https)
{
    return text_format(request->context.arena, "%s://%.*s", https ? "https" : "http", (int)request->host.length,
                       request->host.data != NULL ? request->host.data : "");
}

static bool is_at_host(const struct request *request, bool https)
{
    return origin_is_same(request->context.arena, request->origin, site_at_host(request, https));
}

struct text origin_of_site(const struct request *request)
{
    const char *public_url = request->context.config->public_url;
    return public_url[0] != '\0' ? text_of(public_url) : site_at_host(request, request->https);
}

static bool is_own(const struct request *request)
{
    return origin_is_same(request->context.arena, request->origin, origin_of_site(request));
}

static bool is_from_elsewhere(const struct request *request)
{
    struct text site = text_trim(request->fetch_site);
    if (request->origin.length > 0 && is_configured(request)) {
        return false; /* a page that the administrator trusts; browsers still call its requests cross-site */
    }
    if (text_is_ignoring_case(site, "cross-site") || text_is_ignoring_case(site, "same-site")) {
        return true;
    }
    return request->origin.length > 0 && !is_own(request);
}

enum outcome origin_check(struct request *request)
{
    if (request->method == METHOD_GET || request->method == METHOD_OPTIONS || !is_from_elsewhere(request)) {
        return OK;
    }
    if (log_topic_due(LOG_TOPIC_CROSS_SITE, LOG_SECONDS)) {
        log_warning(&request->context,
                    "refused a request with a cookie from a page of another site: Origin \"%.*s\", "
                    "Sec-Fetch-Site \"%.*s\", Host \"%.*s\"; "
                    "if this is one of your own pages, set public_url or cors_origins",
                    (int)request->origin.length, request->origin.data != NULL ? request->origin.data : "",
                    (int)request->fetch_site.length, request->fetch_site.data != NULL ? request->fetch_site.data : "",
                    (int)request->host.length, request->host.data != NULL ? request->host.data : "");
    }
    /* our own page by https, behind a proxy that ends TLS in front of nginx */
    bool is_unknown_proxy =
        request->context.config->public_url[0] == '\0' && !request->https && is_at_host(request, true);
    return problem_set_detail(
        &request->context, ERROR_CROSS_SITE, 0,
        is_unknown_proxy
            ? "A page of another site sent this, as far as this server can tell: it received the request by http, but "
              "the page was loaded by https. If a proxy ends TLS in front of this server, its administrator must set "
              "public_url in roster.conf."
            : NULL);
}
