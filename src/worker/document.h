/* document.h: routes.def, shapes.def and route_errors.def as C, for whoever describes the interface: OpenAPI and
 * roster-api(7). It needs no handler. */
#ifndef ROSTER_WORKER_DOCUMENT_H
#define ROSTER_WORKER_DOCUMENT_H

#include "base/problem.h"
#include "worker/schema.h"

/* A row of routes.def, as words. "NONE" stands for what there is not. */
struct route_document {
    const char *name;
    const char *method;
    const char *path;
    const char *place;
    const char *who;
    const char *permission;
    enum schema body, query;
    const char *gives;
    const char *pool;
    const char *limit;
    const char *text;
};

/* By its number; NULL behind the last. */
const struct route_document *document_route(size_t index);

/* True where any caller must prove who they are. */
bool document_route_is_protected(const struct route_document *route);

/* Calls `each` once for every error that a route can have, in the order of errors.def. */
void document_each_error(const struct route_document *route,
                         void (*each)(void *argument, enum error_code code, int status), void *argument);

enum shape_kind { SHAPE_OBJECT, SHAPE_LIST, SHAPE_OR_NULL, SHAPE_BOOLEAN, SHAPE_FREE, SHAPE_PLAIN, SHAPE_PICTURE };

struct shape_row {
    const char *name;
    enum shape_kind kind;
    const char *of; /* another shape, or "NONE" */
    const char *text;
};
const struct shape_row *document_shape(size_t index);
const struct shape_row *document_find_shape(const char *name);

/* True where further keys may follow the members. */
bool document_shape_has_extra(const struct shape_row *shape);

enum member_type {
    MEMBER_TEXT,
    MEMBER_INTEGER,
    MEMBER_BOOLEAN,
    MEMBER_TEXTS,
    MEMBER_FREE,
    MEMBER_SHAPE,
    MEMBER_LIST,
    MEMBER_DATE,   /* of a column */
    MEMBER_SECTION /* of permissions: an object of booleans, see permission_row */
};

struct member {
    const char *name;
    enum member_type type;
    const char *of; /* another shape, for SHAPE and LIST */
    bool may_be_null;
    const char *text; /* NULL: the tables have none */
};

/* Calls `each` for the members of an object, in order. */
void document_each_member(const struct shape_row *shape, void (*each)(void *argument, const struct member *member),
                          void *argument);

/* The row of limits.def by its number: the route's limit that it belongs to, and one line of text. NULL behind the
 * last. */
struct limit_document {
    const char *name;
    const char *directive;
    const char *text;
};
const struct limit_document *document_limit(size_t index);

#endif
