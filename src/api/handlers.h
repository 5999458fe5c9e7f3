/* handlers.h: one handler per row of routes.def.
 *
 * A handler gets typed, validated input (request->input, request->query, request->parameters, request->identity) from a caller who may call it, and fills
 * request->response; it never writes to the client, and never checks a role. OK, PROBLEM or FAULT: see problem.h. */
#ifndef ROSTER_API_HANDLERS_H
#define ROSTER_API_HANDLERS_H

#include "worker/request.h"
#include "worker/response.h"
#include "worker/serialise.h"

#define ROUTE(name, method, path, place, who, permission, body, query, gives, pool, limit, text) \
    enum outcome handle_##name(struct request *request);
#include "tables/routes.def"
#undef ROUTE

/* `true` as the whole answer. */
enum outcome answer_true(struct request *request);

/* {"status":true} as the whole answer. */
enum outcome answer_status(struct request *request);

/* The caller is an administrator, or the user with this id: may see what is private. */
bool caller_sees_private(const struct request *request, struct text user_id);

#endif
