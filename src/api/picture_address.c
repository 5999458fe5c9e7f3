#include "api/picture_address.h"

#include "base/percent.h"
#include "base/picture.h"
#include "base/problem.h"
#include "store/picture_store.h"

enum { SEGMENTS_MAX = 8 };

/* A path as nginx and browsers resolve it: without query, escapes decoded, without `.`, `..` and empty segments. */
struct path {
    struct text segments[SEGMENTS_MAX];
    size_t count; /* SEGMENTS_MAX + 1: more */
};

static void add_segment(struct path *path, struct text segment)
{
    if (segment.length == 0 || text_is(segment, ".")) {
        return;
    }
    if (text_is(segment, "..")) {
        path->count -= path->count > 0;
    } else {
        if (path->count < SEGMENTS_MAX) {
            path->segments[path->count] = segment;
        }
        path->count += path->count <= SEGMENTS_MAX;
    }
}

static struct path split(struct arena *arena, struct text text)
{
    struct path path = {.count = 0};
    size_t end = 0;
    while (end < text.length && text.data[end] != '?' && text.data[end] != '#') {
        end++;
    }
    struct text decoded = percent_decode(arena, (struct text){text.data, end});
    size_t start = 0;
    for (size_t at = 0; at <= decoded.length; at++) {
        if (at == decoded.length || decoded.data[at] == '/' || decoded.data[at] == '\\') {
            add_segment(&path, (struct text){decoded.data + start, at - start});
            start = at + 1;
        }
    }
    if (path.count >= 2 && path.count <= SEGMENTS_MAX && text_is(path.segments[0], "api") &&
        text_is(path.segments[1], "v1")) {
        path.count -= 2;
        memmove(path.segments, path.segments + 2, path.count * sizeof *path.segments);
    }
    return path;
}

/* The rest of `address` after `origin`; the null text where it does not begin with it. */
static struct text behind(struct arena *arena, struct text address, struct text origin)
{
    while (origin.length > 0 && origin.data[origin.length - 1] == '/') {
        origin.length--;
    }
    if (origin.length == 0 || address.length <= origin.length || address.data[origin.length] != '/' ||
        !text_is_ignoring_case((struct text){address.data, origin.length}, text_to_string(arena, origin))) {
        return TEXT_NULL;
    }
    return (struct text){address.data + origin.length, address.length - origin.length};
}

/* The path of an address at this site; the null text for an address of another site. */
static struct text path_here(struct request *request, struct text address)
{
    struct arena *arena = request->context.arena;
    if (!picture_is_remote(address)) {
        return address;
    }
    struct text path = behind(arena, address, text_of(request->context.config->public_url));
    if (path.data == NULL && request->host.length > 0) {
        path = behind(arena, address,
                      text_format(arena, "%s://%.*s", request->https ? "https" : "http", (int)request->host.length,
                                  request->host.data));
    }
    return path;
}

static enum outcome refuse(struct request *request, const char *detail)
{
    return problem_set_detail(&request->context, ERROR_INVALID_IMAGE, 0, detail);
}

enum outcome picture_address_take(struct request *request, struct text sent, struct text user_id, struct text present,
                                  struct text *address_r, const struct picture **picture_r)
{
    struct context *context = &request->context;
    *address_r = TEXT_NULL;
    *picture_r = NULL;
    if (sent.data == NULL || (present.data != NULL && text_equal(sent, present))) {
        return OK;
    }
    if (picture_is_data_uri(sent)) {
        return picture_store_take(context, sent, address_r, picture_r);
    }
    if (!picture_is_address(sent)) {
        return problem_set(context, ERROR_INVALID_IMAGE);
    }
    if (sent.length > PICTURE_ADDRESS_MAX) {
        return refuse(request, text_format(context->arena, "The address of a picture may have at most %d bytes.",
                                           PICTURE_ADDRESS_MAX)
                                   .data);
    }
    *address_r = sent;
    struct text here = path_here(request, sent);
    struct path path = here.data != NULL ? split(context->arena, here) : (struct path){.count = 0};
    if (path.count == 4 && text_is(path.segments[0], "users") && text_is(path.segments[2], "profile") &&
        text_is(path.segments[3], "image")) {
        if (user_id.data == NULL || !text_equal(path.segments[1], user_id)) {
            return refuse(request, "This is the address of another user's picture: send the picture itself, "
                                   "or its address /pictures/…");
        }
        *address_r = TEXT_NULL;
    } else if (path.count >= 1 && text_is(path.segments[0], "pictures")) {
        struct text hash;
        enum picture_type type;
        if (!picture_store_parse_address(here, &hash, &type)) {
            return refuse(request, "This picture does not exist here.");
        }
        *address_r = here;
    } else if (path.count >= 1 && text_is(path.segments[0], "auths")) {
        return refuse(request, "This is no address of a picture."); /* whoever sees it would be signed out by it */
    }
    return OK;
}
