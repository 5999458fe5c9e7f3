#include "api/handlers.h"

#define ROUTE(name, method, path, place, who, takes, body, query, gives, pool, limit, text) handle_##name,
const worker_handler handlers[ROUTE_COUNT] = {
#include "tables/routes.def"
};
