/* document.h: facts about the interface that follow from the tables, for OpenAPI and roster-api(7). The rows are those
 * of router.h, schema.h and shape.h; no handler is needed. */
#ifndef ROSTER_WORKER_DOCUMENT_H
#define ROSTER_WORKER_DOCUMENT_H

#include "base/problem.h"
#include "worker/router.h"

/* True where the route needs a session or an API key. */
bool document_route_is_protected(const struct route *route);

/* Calls `each` once for every error that a route can have with this value of the directive compatibility, in the order
 * of errors.def. */
void document_each_error(const struct route *route, enum compatibility compatibility,
                         void (*each)(void *argument, enum error_code code, int status), void *argument);

/* A row of limits.def: its limit, its directive, and a description of one line. document_limit returns NULL after the
 * last row. */
struct limit_document {
    enum limit limit;
    const char *directive;
    const char *text;
};
const struct limit_document *document_limit(size_t index);

#endif
