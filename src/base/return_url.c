#include "base/return_url.h"

#include "base/arena.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/host_port.h"
#include "base/percent.h"

enum { HOST_BYTES = 253, PORT_DIGITS = 5 };

/* An address in its parts. */
struct address {
    const char *scheme; /* NULL: a path of this site */
    struct text host;   /* lower case; with the brackets of an IPv6 address */
    int64_t port;
    struct text rest; /* path, query and fragment, as they came */
};

static const struct {
    const char *name, *prefix;
    int64_t port;
} schemes[] = {{"http", "http://", 80}, {"https", "https://", 443}};

static int64_t default_port(const char *scheme)
{
    return strcmp(scheme, schemes[0].name) == 0 ? schemes[0].port : schemes[1].port;
}

/* ---- taking apart ---- */

/* A name, or digits and dots. Percent-encoding, letters beyond ASCII and much else mean something to a browser. */
static bool is_name(struct text host)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
    char before = '.'; /* no label is empty */
    for (size_t i = 0; i < host.length; i++) {
        if (host.data[i] == '\0' || strchr(bytes, host.data[i]) == NULL || (host.data[i] == '.' && before == '.')) {
            return false;
        }
        before = host.data[i];
    }
    return before != '.' && host.length <= HOST_BYTES;
}

static bool is_ipv6(struct text host)
{
    for (size_t i = 0; i < host.length; i++) {
        if (host.data[i] == '\0' || strchr("0123456789abcdef:.", host.data[i]) == NULL) {
            return false;
        }
    }
    return host.length > 1;
}

/* Digits alone: text_to_integer accepts a sign. */
static bool read_port(struct text digits, int64_t *port_r)
{
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
    }
    return digits.length > 0 && digits.length <= PORT_DIGITS && text_to_integer(digits, port_r) && *port_r > 0 &&
           *port_r <= UINT16_MAX;
}

/* HOST or HOST:PORT. Leaves *port_r alone where there is none. */
static bool read_authority(struct arena *arena, struct text authority, struct text *host_r, int64_t *port_r)
{
    struct host_port parts;
    if (!host_port_split(authority, &parts) || (parts.port.data != NULL && !read_port(parts.port, port_r))) {
        return false;
    }
    struct text host = text_copy(arena, parts.host);
    for (size_t i = 0; i < host.length; i++) {
        ((char *)host.data)[i] = ascii_to_lower(host.data[i]);
    }
    *host_r = parts.has_brackets ? text_format(arena, "[%.*s]", (int)host.length, host.data) : host;
    return parts.has_brackets ? is_ipv6(host) : is_name(host);
}

/* True where `text` has a segment that is `.` or `..`, encoded or not: browsers and nginx leave these out. */
static bool has_dot_segment(struct text decoded)
{
    while (decoded.length > 0) {
        struct text segment = text_take(&decoded, '/');
        if (text_is(segment, ".") || text_is(segment, "..")) {
            return true;
        }
    }
    return false;
}

/* The path of `rest`, without query and fragment. */
static struct text path_of(struct text rest)
{
    size_t length = 0;
    while (length < rest.length && rest.data[length] != '?' && rest.data[length] != '#') {
        length++;
    }
    return (struct text){rest.data, length};
}

/* Browsers drop tabs and line ends wherever they stand, and other control characters at both ends. */
static bool has_blank(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == ' ' || ascii_is_control(text.data[i])) {
            return true;
        }
    }
    return false;
}

static bool take_scheme(struct text text, struct address *address_r)
{
    for (size_t i = 0; i < ARRAY_COUNT(schemes); i++) {
        if (text_starts_with_ignoring_case(text, schemes[i].prefix)) {
            size_t length = strlen(schemes[i].prefix);
            address_r->scheme = schemes[i].name;
            address_r->port = schemes[i].port;
            address_r->rest = (struct text){text.data + length, text.length - length};
            return true;
        }
    }
    return false;
}

static bool split(struct arena *arena, struct text text, struct address *address_r)
{
    *address_r = (struct address){.rest = text};
    if (text.length == 0 || text.length > RETURN_URL_BYTES || has_blank(text)) {
        return false;
    }
    if (text.data[0] != '/') {
        if (!take_scheme(text, address_r)) {
            return false;
        }
        struct text authority = address_r->rest;
        authority.length = 0;
        while (authority.length < address_r->rest.length && strchr("/?#", authority.data[authority.length]) == NULL) {
            authority.length++;
        }
        address_r->rest.data += authority.length;
        address_r->rest.length -= authority.length;
        if (authority.length == 0 || !read_authority(arena, authority, &address_r->host, &address_r->port)) {
            return false;
        }
    } else if (text.length > 1 && (text.data[1] == '/' || text.data[1] == '\\')) {
        return false; /* a host follows */
    }
    struct text path = path_of(address_r->rest);
    return memchr(path.data, '\\', path.length) == NULL && !has_dot_segment(percent_decode(arena, path));
}

/* ---- the rules ---- */

/* The last label of an IPv4 address is a number, and that of no name. */
static bool ends_in_number(struct text host)
{
    size_t at = host.length;
    while (at > 0 && host.data[at - 1] >= '0' && host.data[at - 1] <= '9') {
        at--;
    }
    return at < host.length && (at == 0 || host.data[at - 1] == '.');
}

bool return_url_domain_covers(struct text domain, struct text host)
{
    if (domain.length == 0 || host.length < domain.length || ends_in_number(host)) {
        return false;
    }
    size_t before = host.length - domain.length;
    for (size_t i = 0; i < domain.length; i++) {
        if (ascii_to_lower(host.data[before + i]) != ascii_to_lower(domain.data[i])) {
            return false;
        }
    }
    return before == 0 || (before > 1 && host.data[before - 1] == '.');
}

/* Without a port of its own a rule means the usual one. */
static bool has_usual_port(const struct address *address, const struct address *own)
{
    return address->port == default_port(address->scheme) ||
           (address->port == own->port && strcmp(address->scheme, own->scheme) == 0);
}

static bool is_listed(struct arena *arena, const struct return_rules *rules, const struct address *address,
                      const struct address *own)
{
    for (size_t i = 0; i < rules->host_count; i++) {
        struct text host;
        int64_t port = -1;
        if (read_authority(arena, text_of(rules->hosts[i]), &host, &port) && text_equal(host, address->host) &&
            (port < 0 ? has_usual_port(address, own) : port == address->port)) {
            return true;
        }
    }
    return false;
}

static bool is_own(const struct address *address, const struct address *own)
{
    return address->scheme == NULL || (strcmp(address->scheme, own->scheme) == 0 &&
                                       text_equal(address->host, own->host) && address->port == own->port);
}

/* After signing in, these would ask for it again, or end it. */
static bool leads_back(struct arena *arena, struct text path)
{
    static const char *const paths[] = {"account/sign-in", "account/sign-up", "auths/signout", "api/v1/auths/signout"};
    struct text decoded = percent_decode(arena, path);
    struct buffer buffer;
    buffer_init(&buffer, arena);
    while (decoded.length > 0) {
        struct text segment = text_take(&decoded, '/');
        if (segment.length > 0) {
            buffer_add(&buffer, "/", buffer.length > 0);
            buffer_add(&buffer, segment.data, segment.length);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        if (text_is(buffer_text(&buffer), paths[i])) {
            return true;
        }
    }
    return false;
}

static bool is_allowed(struct arena *arena, const struct return_rules *rules, const struct address *address)
{
    struct address own;
    bool knows_own = split(arena, rules->own, &own) && own.scheme != NULL;
    if (address->scheme != NULL && !knows_own) {
        return false;
    }
    if (is_own(address, &own)) {
        return !leads_back(arena, path_of(address->rest));
    }
    /* a page by http would not get the cookie, which is Secure */
    bool is_lower = strcmp(address->scheme, own.scheme) != 0 && strcmp(own.scheme, schemes[1].name) == 0;
    return !is_lower &&
           ((return_url_domain_covers(text_of(rules->domain), address->host) && has_usual_port(address, &own)) ||
            is_listed(arena, rules, address, &own));
}

/* ---- the answer ---- */

/* Adds what follows the host; what is not allowed in a URI is encoded. */
static struct text put_together(struct arena *arena, const struct address *address)
{
    struct buffer buffer;
    buffer_init(&buffer, arena);
    if (address->scheme != NULL) {
        buffer_add_format(&buffer, "%s://%.*s", address->scheme, (int)address->host.length, address->host.data);
        if (address->port != default_port(address->scheme)) {
            buffer_add_format(&buffer, ":%lld", (long long)address->port);
        }
        if (address->rest.length == 0 || address->rest.data[0] != '/') {
            buffer_add_literal(&buffer, "/");
        }
    }
    for (size_t i = 0; i < address->rest.length; i++) {
        const char byte = address->rest.data[i];
        if ((unsigned char)byte > '~' || strchr("\"<>\\^`{|}", byte) != NULL) {
            buffer_add_format(&buffer, "%%%02X", (unsigned char)byte);
        } else {
            buffer_add_byte(&buffer, byte);
        }
    }
    return buffer_text(&buffer);
}

struct text return_url_check(struct arena *arena, const struct return_rules *rules, struct text address)
{
    struct address parts;
    return split(arena, address, &parts) && is_allowed(arena, rules, &parts) ? put_together(arena, &parts) : TEXT_NULL;
}

struct text return_url_find(struct arena *arena, struct text query)
{
    while (query.length > 0) {
        const struct text here = query;
        struct text value = text_take(&query, '&');
        if (!text_starts_with(value, "rd=")) {
            continue;
        }
        text_take(&value, '=');
        const struct text whole = {here.data + 3, here.length - 3};
        if (whole.length > 0 && (whole.data[0] == '/' || text_starts_with_ignoring_case(whole, schemes[0].prefix) ||
                                 text_starts_with_ignoring_case(whole, schemes[1].prefix))) {
            return whole;
        }
        return percent_decode_query(arena, value);
    }
    return TEXT_NULL;
}
