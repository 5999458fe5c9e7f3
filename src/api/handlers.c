#include "api/handlers.h"

#define PERMISSION_NAME_NONE NULL
#define SCHEMA_OF(name) SCHEMA_##name

#define ROUTE(name, method, path, place, who, permission, body, query, gives, pool, limit, text)                       \
    {#name, METHOD_##method, path, PLACE_##place, WHO_##who, PERMISSION_NAME_##permission, SCHEMA_OF(body),           \
     SCHEMA_OF(query), #gives, POOL_##pool, LIMIT_##limit, text, handle_##name},
const struct route routes[ROUTE_COUNT] = {
#include "tables/routes.def"
};
#undef ROUTE

enum outcome answer_true(struct request *request)
{
    buffer_add_literal(&request->response.body, "true");
    return OK;
}

enum outcome answer_status(struct request *request)
{
    buffer_add_literal(&request->response.body, "{\"status\":true}");
    return OK;
}

bool caller_sees_private(const struct request *request, struct text user_id)
{
    return request->context.config->privacy == PRIVACY_COMPATIBLE || identity_is_admin(&request->identity) ||
           text_equal(request->identity.user_id, user_id);
}
