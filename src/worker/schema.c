#include "worker/schema.h"

#include <string.h>

#include "base/log.h"
#include "config/compatibility.h"

/* Each FIELD must be below the SCHEMA that it names. */
enum place {
#define SCHEMA(name, kind, text) BEGIN_##name,
#define FIELD(schema, name, type, needed, since, min, max, text) AT_##schema##_##name,
#define SCHEMA_END(name) END_##name,
#include "tables/schemas.def"
};
#define FIELD(schema, name, type, needed, since, min, max, text)                                 \
    _Static_assert(AT_##schema##_##name > BEGIN_##schema && AT_##schema##_##name < END_##schema, \
                   "a field of " #schema " is not below its schema");
#include "tables/schemas.def"

/* The fields of each schema: a static array, with a row whose name is NULL at its end, so that a schema without fields
 * has an array, too. */
#define SCHEMA(name, kind, text) static const struct field_row fields_of_##name[] = {
#define FIELD(schema, name, type, needed, since, min, max, text) \
    {#name, FIELD_##type, FIELD_##needed, COMPATIBILITY_##since, min, max, text},
#define SCHEMA_END(name)                                                \
    {                                                                   \
        NULL, FIELD_TEXT, FIELD_OPTIONAL, COMPATIBILITY_0_6, 0, 0, NULL \
    }                                                                   \
    }                                                                   \
    ;
#include "tables/schemas.def"

static const struct schema_row schemas[SCHEMA_COUNT] = {
    {NULL, SCHEMA_KIND_BODY, NULL, NULL, 0},
#define SCHEMA(name, kind, text) {#name, SCHEMA_KIND_##kind, text, fields_of_##name, INPUT_##name##_COUNT},
#include "tables/schemas.def"
};

const struct schema_row *schema_row(enum schema schema)
{
    invariant(schema > SCHEMA_NONE && schema < SCHEMA_COUNT);
    return &schemas[schema];
}

bool field_is_required(const struct field_row *field, enum compatibility compatibility)
{
    return field->since <= compatibility &&
           (field->needed == FIELD_REQUIRED ||
            (field->needed == FIELD_RELAXED && compatibility < behaviour_rows[BEHAVIOUR_ABSENT_IS_STORED].since));
}

bool field_is_precondition(const struct field_row *field)
{
    return strncmp(field->name, "if_", 3) == 0;
}
