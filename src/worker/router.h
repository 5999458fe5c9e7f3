/* router.h: routes.def as C, and the search for the route of a request. */
#ifndef ROSTER_WORKER_ROUTER_H
#define ROSTER_WORKER_ROUTER_H

#include "base/context.h"
#include "base/permission_table.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "worker/schema.h"
#include "worker/shape.h"

struct request;

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHOD_OPTIONS, METHOD_OTHER };

enum who { WHO_ANYONE, WHO_ANY_ROLE, WHO_VERIFIED, WHO_ADMIN, WHO_RULE };

/* The accepted credentials: a session's token or an API key, or a session's token alone; or that since compatibility
 * with 0.12. */
enum takes { TAKES_ANY, TAKES_SESSION, TAKES_SESSION_0_12 };

/* With or without the prefix /api/v1, or only without it. */
enum place { PLACE_UNDER_API, PLACE_AT_ROOT };

enum limit {
    LIMIT_NONE,
#define LIMIT(name) LIMIT_##name,
#include "tables/limits.def"
    LIMIT_COUNT
};

enum route_id {
#define ROUTE(name, method, path, place, who, takes, body, query, gives, pool, limit, text) ROUTE_##name,
#include "tables/routes.def"
    ROUTE_COUNT
};

enum { ROUTE_PARAMETERS_MAX = 2, ROUTE_SEGMENTS_MAX = 8 };

struct route {
    const char *name;
    enum method method;
    const char *path; /* "/users/{user_id}/update" */
    enum place place;
    enum who who;
    enum takes takes;
    enum schema body;
    enum schema query;
    enum shape gives;
    enum pool pool; /* nginx chooses it; t/e2e/00-stack.t compares its choice with this */
    enum limit limit;
    const char *text;
};

/* One for each row of routes.def, in its order. */
extern const struct route routes[ROUTE_COUNT];

/* The parts that a route reads with the caller: a set of store/prefetch.h. After router_init. */
unsigned router_prefetch(const struct route *route);

/* Whether a route refuses API keys. `compatibility`: the value of the directive. */
bool router_takes_session(const struct route *route, enum compatibility compatibility);

/* ROUTE_CONFIRM: with confirm_changes, administrators must have confirmed that it is them. */
bool router_needs_confirmation(const struct route *route);

/* ROUTE_NEEDS: a permission that callers of a route need. NULL: none. */
struct route_need {
    enum route_id route;
    enum permission permission;
    enum error_code code; /* without it */
    enum compatibility since;
};
const struct route_need *router_need(const struct route *route, enum compatibility compatibility);

/* ROUTE_FOR_MONITORS: only programs on this machine and the addresses of status_allow may call it. After router_init.
 */
bool router_is_for_monitors(const struct route *route);

/* Calls `each` for each action that a request of this route may write into the audit. */
void router_each_audit(const struct route *route, void (*each)(enum audit_action action, void *argument),
                       void *argument);

/* Why the audit does not tell of a route that is no GET; NULL: it does. */
const char *router_unaudited(const struct route *route);

/* The name of a route by its number, for the log; "-" where there is no such route. */
const char *router_route_name(int route);

/* "GET", "POST", … */
const char *method_name(enum method method);

/* "sign_in", …; "NONE" for LIMIT_NONE. */
const char *limit_name(enum limit limit);

/* Splits the patterns, and makes the sets of parts. Called once, before the first router_match. */
void router_init(void);

/* The result of router_match. */
struct match {
    const struct route *route; /* NULL: no route for this method and path */
    struct text parameters[ROUTE_PARAMETERS_MAX];
    const char *allow; /* the value of Allow for this path; NULL: there is no such path */
    bool for_monitors; /* ROUTE_FOR_MONITORS: see monitors_may */
    /* decoded, without /api/v1 and trailing slashes; compared with the list of an API key */
    struct text bare_path;
};

/* Finds the route for method and path.
 * `path` is the part of the request target before `?`, still percent-encoded.
 * Each segment is decoded by itself, so %2f does not separate segments.
 * A path with `.`, `..` or an empty segment has no route. Trailing slashes are ignored.
 * HEAD is METHOD_GET. */
struct match router_match(struct arena *arena, enum method method, struct text path);

#endif
