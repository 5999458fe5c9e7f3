#include "worker/document.h"

#include "base/array.h"

static const struct route_error {
    enum route_id route;
    enum error_code code;
    int status; /* 0: that of errors.def */
} route_errors[] = {
#define ROUTE_ERROR(route, code, status) {ROUTE_##route, ERROR_##code, status},
#include "tables/routes.def"
};

static const struct limit_document limits[] = {
#define LIMIT_RULE(limit, max, key, text) {LIMIT_##limit, #max, text},
#include "tables/limits.def"
};

bool document_route_is_protected(const struct route *route)
{
    return route->who != WHO_ANYONE;
}

const struct limit_document *document_limit(size_t index)
{
    return index < ARRAY_COUNT(limits) ? &limits[index] : NULL;
}

/* Errors that follow from the columns of the row. */
static bool row_has_error(const struct route *route, enum compatibility compatibility, enum error_code code)
{
    bool is_protected = document_route_is_protected(route);
    switch (code) {
    case ERROR_NOT_AUTHENTICATED:
    case ERROR_UNAUTHORIZED:
    case ERROR_INVALID_TOKEN:
    case ERROR_PASSWORD_CHANGE_REQUIRED:
    case ERROR_API_KEY_NOT_ALLOWED:
    case ERROR_API_KEY_ENDPOINT_NOT_ALLOWED:
        return is_protected;
    case ERROR_ACCESS_PROHIBITED:
        return route->who == WHO_VERIFIED || route->who == WHO_ADMIN;
    case ERROR_SESSION_REQUIRED:
        return router_takes_session(route, compatibility);
    case ERROR_CONFIRMATION_REQUIRED:
        return router_needs_confirmation(route);
    case ERROR_CROSS_SITE:
        return is_protected && route->method != METHOD_GET;
    case ERROR_BODY_PARSE_ERROR:
    case ERROR_BODY_INCOMPLETE:
    case ERROR_CONTENT_TOO_LARGE:
        return route->body != SCHEMA_NONE;
    case ERROR_VALIDATION_ERROR:
        return route->body != SCHEMA_NONE || route->query != SCHEMA_NONE;
    case ERROR_RATE_LIMIT_EXCEEDED:
        return route->limit != LIMIT_NONE;
    case ERROR_USER_NOT_FOUND: /* the caller is deleted during the request */
        return is_protected && route->limit != LIMIT_NONE;
    case ERROR_UNAVAILABLE:
        return route->place == PLACE_UNDER_API || route == &routes[ROUTE_ready] || route->gives == SHAPE_Picture;
    case ERROR_HEADER_FIELDS_TOO_LARGE:
    case ERROR_INTERNAL_ERROR:
        return true;
    default:
        return false;
    }
}

void document_each_error(const struct route *route, enum compatibility compatibility,
                         void (*each)(void *argument, enum error_code code, int status), void *argument)
{
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        if (row_has_error(route, compatibility, code)) {
            each(argument, code, error_status(code));
        }
        for (size_t i = 0; i < ARRAY_COUNT(route_errors); i++) {
            const struct route_error *error = &route_errors[i];
            if (error->code == code && route == &routes[error->route]) {
                each(argument, code, error->status != 0 ? error->status : error_status(code));
            }
        }
    }
}
