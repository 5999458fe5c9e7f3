#include "worker/schema.h"

#include "base/log.h"

/* The fields of each schema: a static array per schema, NULL-named row last so that a schema without fields has an array, too. */
#define SCHEMA(name, kind, text) static const struct field_row fields_of_##name[] = {
#define FIELD(schema, name, type, needed, least, most, text) {#name, FIELD_##type, FIELD_##needed, least, most, text},
#define SCHEMA_END(name) {NULL, FIELD_TEXT, FIELD_OPTIONAL, 0, 0, NULL}};
#include "tables/schemas.def"

static const struct schema_row schemas[SCHEMA_COUNT] = {
    {NULL, SCHEMA_KIND_BODY, NULL, NULL, 0},
#define SCHEMA(name, kind, text) {#name, SCHEMA_KIND_##kind, text, fields_of_##name, INPUT_##name##_COUNT},
#include "tables/schemas.def"
};

static const struct permission_row permissions[] = {
#define PERMISSION(section, key, absent, fresh) {#section, #key, absent, fresh},
#include "tables/permissions.def"
};

const struct schema_row *schema_row(enum schema schema)
{
    invariant(schema > SCHEMA_NONE && schema < SCHEMA_COUNT);
    return &schemas[schema];
}

const struct permission_row *permission_row(size_t index)
{
    return index < sizeof permissions / sizeof permissions[0] ? &permissions[index] : NULL;
}
