/* shape.h: shapes.def as C: one enumerator per shape, and their rows. */
#ifndef ROSTER_WORKER_SHAPE_H
#define ROSTER_WORKER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/enums.h"

enum shape {
    SHAPE_NONE,
#define SHAPE(name, kind, of, text) SHAPE_##name,
#include "tables/shapes.def"
    SHAPE_COUNT
};

enum shape_kind {
    SHAPE_KIND_OBJECT,
    SHAPE_KIND_LIST,
    SHAPE_KIND_OR_NULL,
    SHAPE_KIND_EITHER,
    SHAPE_KIND_BOOLEAN,
    SHAPE_KIND_FREE,
    SHAPE_KIND_PLAIN,
    SHAPE_KIND_PICTURE,
    SHAPE_KIND_PORTRAIT,
    SHAPE_KIND_FIELDS
};

struct shape_row {
    const char *name;
    enum shape_kind kind;
    enum shape of; /* for LIST and OR_NULL; else SHAPE_NONE */
    const char *text;
};

/* The row of a shape, static. Not for SHAPE_NONE. */
const struct shape_row *shape_row(enum shape shape);

/* The alternatives of a shape EITHER, from 0 on. SHAPE_NONE: there are no more. */
enum shape shape_either(enum shape shape, size_t index);

/* True where an object of this shape may have further members. */
bool shape_has_extra(enum shape shape);

enum member_type {
    MEMBER_TEXT,
    MEMBER_ROLE,
    MEMBER_INTEGER,
    MEMBER_BOOLEAN,
    MEMBER_TEXTS,
    MEMBER_FREE,
    MEMBER_SHAPE,
    MEMBER_LIST,
    MEMBER_DATE,   /* only of a column */
    MEMBER_AMOUNT, /* a number, or an empty text */
    MEMBER_SECTION /* of permissions: an object of booleans, or of the shape `of`; see permission_row */
};

struct member {
    const char *name;
    enum member_type type;
    enum shape of; /* for SHAPE and LIST, and for some SECTIONs; else SHAPE_NONE */
    bool may_be_null;
    bool may_be_absent;
    enum compatibility since;
    const char *text; /* NULL: the tables have none */
};

/* Calls `each` for each member of an object that this value of compatibility shows, in order. Not for SHAPE_NONE. */
void shape_each_member(enum shape shape, enum compatibility compatibility,
                       void (*each)(void *argument, const struct member *member), void *argument);

/* SINCE_UserInfo_groups, …: the first value of compatibility that shows a member, an enum compatibility. */
enum shape_since {
#define MEMBER(shape, name, type, of, null, since, text) SINCE_##shape##_##name = COMPATIBILITY_##since,
#include "tables/shapes.def"
};

struct arena;

/* The name of a member as that of a header field, in the arena: Remote_User is Remote-User. */
const char *shape_field_name(struct arena *arena, const struct member *member);

#endif
