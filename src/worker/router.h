/* router.h: routes.def as C, and the search for the row that a request means. */
#ifndef ROSTER_WORKER_ROUTER_H
#define ROSTER_WORKER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/context.h"
#include "config/config.h"
#include "worker/schema.h"

struct request;

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };

enum who { WHO_ANYONE, WHO_ANY_ROLE, WHO_VERIFIED, WHO_ADMIN };

enum place { PLACE_API, PLACE_ROOT };

enum limit {
    LIMIT_NONE, /* further ones: limits.def; a name may have several rows there */
    LIMIT_sign_in,
    LIMIT_sign_up,
    LIMIT_password,
    LIMIT_api_key,
    LIMIT_update
};

enum route_id {
#define ROUTE(name, method, path, place, who, permission, body, query, gives, pool, limit, text) ROUTE_##name,
#include "tables/routes.def"
#undef ROUTE
    ROUTE_COUNT
};

enum { ROUTE_PARAMETERS_MOST = 2, ROUTE_SEGMENTS_MOST = 8 };

struct route {
    const char *name;
    enum method method;
    const char *path;        /* "/users/{user_id}/update" */
    enum place place;
    enum who who;
    const char *permission;  /* "features.api_keys", or NULL */
    enum schema body;
    enum schema query;
    const char *gives;       /* name of a shape */
    enum pool pool;
    enum limit limit;
    const char *text;
    enum outcome (*handler)(struct request *request);
};

/* One per row, in order; defined in api/handlers.c, since the handlers live there. */
extern const struct route routes[ROUTE_COUNT];

/* The name of a route by its number, for the log; "-" for what is none. */
const char *router_route_name(int route);

/* "GET", "POST", … */
const char *method_name(enum method method);

/* Splits the patterns once. Called before the first match. */
void router_init(void);

/* Where a path leads. `path` is what stands before `?` in the request's target, not decoded. */
struct match {
    const struct route *route;  /* NULL: see below */
    struct text parameters[ROUTE_PARAMETERS_MOST];
    const char *allow;          /* the value of Allow for this path; NULL where there is no such path */
    struct text bare_path;      /* decoded, without /api/v1 and trailing slashes: what an API key's list is compared with */
};

/* Finds the row for method and path. Segments are decoded one by one, so %2f never makes a segment of its own; `.`, `..` and empty segments lead nowhere; slashes
 * at the end do not count. HEAD is looked up as GET. */
struct match router_match(struct arena *arena, enum method method, struct text path);

#endif
