#include "worker/router.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"

/* A pattern, split: a segment without data is a parameter. */
struct pattern {
    struct text segments[ROUTE_SEGMENTS_MOST];
    unsigned segment_count;
};

static struct pattern patterns[ROUTE_COUNT];

static const char *const method_names[] = {"GET", "POST", "DELETE", "OPTIONS", "-"};

const char *method_name(enum method method)
{
    return method_names[method];
}

const char *router_route_name(int route)
{
    return route >= 0 && route < ROUTE_COUNT ? routes[route].name : "-";
}

void router_init(void)
{
    for (unsigned i = 0; i < ROUTE_COUNT; i++) {
        struct pattern *pattern = &patterns[i];
        pattern->segment_count = 0;
        for (const char *at = routes[i].path; *at == '/';) {
            const char *start = ++at;
            at += strcspn(at, "/");
            invariant(pattern->segment_count < ROUTE_SEGMENTS_MOST);
            struct text segment = {start, (size_t)(at - start)};
            pattern->segments[pattern->segment_count++] = *start == '{' ? (struct text){NULL, 0} : segment;
        }
    }
}

static int hexadecimal_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Decodes %XX in a segment. False for what can't be a segment: empty, `.`, `..`, one with a slash, a NUL or bytes that are no UTF-8. */
static bool decode_segment(struct arena *arena, struct text raw, struct text *segment_r)
{
    if (memchr(raw.data, '%', raw.length) == NULL) {
        *segment_r = raw;
    } else {
        char *decoded = arena_alloc(arena, raw.length + 1);
        size_t length = 0;
        for (size_t i = 0; i < raw.length; i++) {
            int high, low;
            if (raw.data[i] == '%' && i + 2 < raw.length && (high = hexadecimal_digit(raw.data[i + 1])) >= 0 &&
                (low = hexadecimal_digit(raw.data[i + 2])) >= 0) {
                decoded[length++] = (char)(high * 16 + low);
                i += 2;
            } else {
                decoded[length++] = raw.data[i];
            }
        }
        decoded[length] = '\0';
        *segment_r = (struct text){decoded, length};
    }
    return segment_r->length > 0 && !text_is(*segment_r, ".") && !text_is(*segment_r, "..") &&
           memchr(segment_r->data, '/', segment_r->length) == NULL && memchr(segment_r->data, '\0', segment_r->length) == NULL &&
           text_is_utf8(*segment_r);
}

static bool pattern_matches(const struct pattern *pattern, const struct text *segments, unsigned count)
{
    if (pattern->segment_count != count) {
        return false;
    }
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

struct match router_match(struct arena *arena, enum method method, struct text path)
{
    struct match match = {NULL, {{NULL, 0}}, NULL, {NULL, 0}};
    bool api = text_starts_with(path, "/api/v1") && (path.length == 7 || path.data[7] == '/');
    if (api) {
        path = (struct text){path.data + 7, path.length - 7};
    }
    while (path.length > 0 && path.data[path.length - 1] == '/') {
        path.length--;
    }

    struct text segments[ROUTE_SEGMENTS_MOST];
    unsigned count = 0;
    for (size_t at = 0; at < path.length;) {
        size_t start = at + 1;
        for (at = start; at < path.length && path.data[at] != '/'; at++) {
        }
        if (path.data[start - 1] != '/' || count == ROUTE_SEGMENTS_MOST ||
            !decode_segment(arena, (struct text){path.data + start, at - start}, &segments[count])) {
            return match;
        }
        count++;
    }
    if (count == 0) {
        return match;
    }

    struct buffer bare;
    buffer_init(&bare, arena);
    for (unsigned i = 0; i < count; i++) {
        buffer_add_byte(&bare, '/');
        buffer_add_text(&bare, segments[i]);
    }
    match.bare_path = buffer_text(&bare);

    bool methods[METHOD_OTHER + 1] = {false};
    bool found = false;
    for (unsigned i = 0; i < ROUTE_COUNT; i++) {
        if ((api && routes[i].place != PLACE_API) || !pattern_matches(&patterns[i], segments, count)) {
            continue;
        }
        found = true;
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
