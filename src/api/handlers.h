/* handlers.h: one handler for each row of routes.def.
 *
 * A handler gets validated input (request->input, request->query, request->parameters, request->identity), from a
 * caller with the required role. It fills request->response. It never writes to the client, and never checks a role.
 * OK, PROBLEM or FAULT: see problem.h. */
#ifndef ROSTER_API_HANDLERS_H
#define ROSTER_API_HANDLERS_H

#include "api/answer.h"
#include "worker/worker.h"

#define ROUTE(name, method, path, place, who, takes, body, query, gives, pool, limit, text) \
    enum outcome handle_##name(struct request *request);
#include "tables/routes.def"

/* All handlers, in the order of routes.def; static. */
extern const worker_handler handlers[ROUTE_COUNT];

#endif
