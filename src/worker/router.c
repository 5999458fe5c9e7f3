#include "worker/router.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/percent.h"
#include "store/prefetch.h"

/* A pattern, split: a segment without data is a parameter. */
struct pattern {
    struct text segments[ROUTE_SEGMENTS_MAX];
    unsigned segment_count;
};

#define ROUTE(name, method, path, place, who, takes, body, query, gives, pool, limit, text)      \
    {#name,         METHOD_##method, path,          PLACE_##place, WHO_##who,     TAKES_##takes, \
     SCHEMA_##body, SCHEMA_##query,  SHAPE_##gives, POOL_##pool,   LIMIT_##limit, text},
const struct route routes[ROUTE_COUNT] = {
#include "tables/routes.def"
};

static struct pattern patterns[ROUTE_COUNT];

/* The rows of each number of segments, in order; then ROUTE_COUNT. */
static uint16_t of_length[ROUTE_SEGMENTS_MAX + 1][ROUTE_COUNT + 1];

static const struct {
    enum route_id route;
    enum prefetch_part part;
} reads[] = {
#define ROUTE_READS(route, part) {ROUTE_##route, PREFETCH_##part},
#include "tables/routes.def"
};

static const struct {
    enum route_id route;
    enum audit_action action;
} audits[] = {
#define ROUTE_AUDIT(route, action) {ROUTE_##route, AUDIT_##action},
#include "tables/routes.def"
};

static const char *const unaudited[ROUTE_COUNT] = {
#define ROUTE_UNAUDITED(route, why) [ROUTE_##route] = why,
#include "tables/routes.def"
};

void router_each_audit(const struct route *route, void (*each)(enum audit_action action, void *argument),
                       void *argument)
{
    for (size_t i = 0; i < ARRAY_COUNT(audits); i++) {
        if (&routes[audits[i].route] == route) {
            each(audits[i].action, argument);
        }
    }
}

const char *router_unaudited(const struct route *route)
{
    return unaudited[route - routes];
}

static unsigned parts[ROUTE_COUNT];

static const bool for_monitors[ROUTE_COUNT] = {
#define ROUTE_FOR_MONITORS(route) [ROUTE_##route] = true,
#include "tables/routes.def"
};

bool router_is_for_monitors(const struct route *route)
{
    return for_monitors[route - routes];
}

static const bool confirmed[ROUTE_COUNT] = {
#define ROUTE_CONFIRM(route) [ROUTE_##route] = true,
#include "tables/routes.def"
};

bool router_needs_confirmation(const struct route *route)
{
    return confirmed[route - routes];
}

bool router_takes_session(const struct route *route, enum compatibility compatibility)
{
    return route->takes == TAKES_SESSION || (route->takes == TAKES_SESSION_0_12 && compatibility >= COMPATIBILITY_0_12);
}

static const struct route_need needs[] = {
#define ROUTE_NEEDS(route, permission, code, since) \
    {ROUTE_##route, PERMISSION_##permission, ERROR_##code, COMPATIBILITY_##since},
#include "tables/routes.def"
};

const struct route_need *router_need(const struct route *route, enum compatibility compatibility)
{
    for (size_t i = 0; i < ARRAY_COUNT(needs); i++) {
        if (&routes[needs[i].route] == route && needs[i].since <= compatibility) {
            return &needs[i];
        }
    }
    return NULL;
}

unsigned router_prefetch(const struct route *route)
{
    return parts[route - routes];
}

static const char *const method_names[] = {"GET", "POST", "DELETE", "OPTIONS", "-"};

const char *method_name(enum method method)
{
    return method_names[method];
}

static const char *const limit_names[LIMIT_COUNT] = {
    "NONE",
#define LIMIT(name) #name,
#include "tables/limits.def"
};

const char *limit_name(enum limit limit)
{
    return limit_names[limit];
}

const char *router_route_name(int route)
{
    return route >= 0 && route < ROUTE_COUNT ? routes[route].name : "-";
}

void router_init(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
        parts[reads[i].route] |= 1u << reads[i].part;
    }
    for (unsigned i = 0; i < ROUTE_COUNT; i++) {
        struct pattern *pattern = &patterns[i];
        pattern->segment_count = 0;
        for (const char *at = routes[i].path; *at == '/';) {
            const char *start = ++at;
            at += strcspn(at, "/");
            invariant(pattern->segment_count < ROUTE_SEGMENTS_MAX);
            struct text segment = {start, (size_t)(at - start)};
            pattern->segments[pattern->segment_count++] = *start == '{' ? TEXT_NULL : segment;
        }
    }
    for (unsigned length = 0; length <= ROUTE_SEGMENTS_MAX; length++) {
        uint16_t *next = of_length[length];
        for (unsigned i = 0; i < ROUTE_COUNT; i++) {
            if (patterns[i].segment_count == length) {
                *next++ = (uint16_t)i;
            }
        }
        *next = ROUTE_COUNT;
    }
}

/* Decodes %XX in a segment. False for an invalid one: empty, `.`, `..`, or with a slash, a NUL or invalid UTF-8. */
static bool decode_segment(struct arena *arena, struct text raw, struct text *segment_r)
{
    *segment_r = memchr(raw.data, '%', raw.length) != NULL ? percent_decode(arena, raw) : raw;
    return segment_r->length > 0 && !text_is(*segment_r, ".") && !text_is(*segment_r, "..") &&
           memchr(segment_r->data, '/', segment_r->length) == NULL &&
           memchr(segment_r->data, '\0', segment_r->length) == NULL && text_is_utf8(*segment_r);
}

/* `pattern` has as many segments. */
static bool pattern_matches(const struct pattern *pattern, const struct text *segments, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (pattern->segments[i].data != NULL && !text_equal(pattern->segments[i], segments[i])) {
            return false;
        }
    }
    return true;
}

static const char *list_of_methods(struct arena *arena, const bool *methods)
{
    struct buffer list;
    buffer_init(&list, arena);
    for (int method = METHOD_GET; method <= METHOD_DELETE; method++) {
        if (methods[method]) {
            buffer_add_string(&list, method_names[method]);
            buffer_add_string(&list, method == METHOD_GET ? ", HEAD, " : ", ");
        }
    }
    buffer_add_literal(&list, "OPTIONS");
    return buffer_text(&list).data;
}

static struct text join_segments(struct arena *arena, const struct text *segments, unsigned count)
{
    struct buffer path;
    buffer_init(&path, arena);
    for (unsigned i = 0; i < count; i++) {
        buffer_add_byte(&path, '/');
        buffer_add_text(&path, segments[i]);
    }
    return buffer_text(&path);
}

struct match router_match(struct arena *arena, enum method method, struct text path)
{
    bool api = text_starts_with(path, "/api/v1") && (path.length == 7 || path.data[7] == '/');
    if (api) {
        path = (struct text){path.data + 7, path.length - 7};
    }
    while (path.length > 0 && path.data[path.length - 1] == '/') {
        path.length--;
    }

    struct text segments[ROUTE_SEGMENTS_MAX];
    unsigned count = 0;
    struct match match = {NULL, {TEXT_NULL}, NULL, false, TEXT_NULL};
    for (size_t at = 0; at < path.length;) {
        size_t start = at + 1;
        for (at = start; at < path.length && path.data[at] != '/'; at++) {
        }
        if (path.data[start - 1] != '/' || count == ROUTE_SEGMENTS_MAX ||
            !decode_segment(arena, (struct text){path.data + start, at - start}, &segments[count])) {
            return match;
        }
        count++;
    }
    if (count == 0) {
        return match;
    }

    match.bare_path = memchr(path.data, '%', path.length) == NULL ? path : join_segments(arena, segments, count);

    bool methods[METHOD_OTHER + 1] = {false};
    bool found = false;
    for (const uint16_t *next = of_length[count]; *next != ROUTE_COUNT; next++) {
        const unsigned i = *next;
        if ((api && routes[i].place != PLACE_UNDER_API) || !pattern_matches(&patterns[i], segments, count)) {
            continue;
        }
        found = true;
        match.for_monitors |= for_monitors[i];
        methods[routes[i].method] = true;
        if (routes[i].method == method) {
            match.route = &routes[i];
            unsigned parameter = 0;
            for (unsigned s = 0; s < count; s++) {
                if (patterns[i].segments[s].data == NULL) {
                    match.parameters[parameter++] = segments[s];
                }
            }
            return match;
        }
    }
    if (found) {
        match.allow = list_of_methods(arena, methods);
    }
    return match;
}
