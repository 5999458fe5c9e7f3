/* schema.h: schemas.def as C: one enumerator per schema and per field, and their rows. */
#ifndef ROSTER_WORKER_SCHEMA_H
#define ROSTER_WORKER_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/enums.h"

enum schema {
    SCHEMA_NONE,
#define SCHEMA(name, kind, text) SCHEMA_##name,
#include "tables/schemas.def"
    SCHEMA_COUNT
};

/* INPUT_user_update_role, …: the index of a field within its schema. */
#define SCHEMA(name, kind, text) \
    enum input_of_##name         \
    {
#define FIELD(schema, name, type, needed, since, min, max, text) INPUT_##schema##_##name,
#define SCHEMA_END(name) \
    INPUT_##name##_COUNT \
    }                    \
    ;
#include "tables/schemas.def"

enum schema_kind { SCHEMA_KIND_BODY, SCHEMA_KIND_CLOSED, SCHEMA_KIND_EXTRA, SCHEMA_KIND_FREE, SCHEMA_KIND_QUERY };

enum field_type {
    FIELD_TEXT,
    FIELD_PASSWORD,
    FIELD_NAME,
    FIELD_ROLE,
    FIELD_ADDRESS,
    FIELD_ACTION,
    FIELD_INTEGER,
    FIELD_BOOLEAN,
    FIELD_DATE,
    FIELD_OBJECT,
    FIELD_TEXTS,
    FIELD_SECTION,
    FIELD_OVERLAY,
    FIELD_STRICT,
    FIELD_AMOUNT,
    FIELD_EMAIL
};

enum field_needed { FIELD_REQUIRED, FIELD_NULLABLE, FIELD_OPTIONAL, FIELD_RELAXED };

struct field_row {
    const char *name;
    enum field_type type;
    enum field_needed needed;
    enum compatibility since;
    size_t min, max; /* characters */
    const char *text;
};

struct schema_row {
    const char *name;
    enum schema_kind kind;
    const char *text;
    const struct field_row *fields;
    size_t field_count;
};

/* The row of a schema, static. Not for SCHEMA_NONE. */
const struct schema_row *schema_row(enum schema schema);

/* Whether a body must have a field. `compatibility`: the value of the directive. */
bool field_is_required(const struct field_row *field, enum compatibility compatibility);

/* Whether a field of a body says how what is changed was before: `if_…`. */
bool field_is_precondition(const struct field_row *field);

#endif
