/* openapi_schema.h: the schemas of the OpenAPI document: request bodies, queries, responses and errors. */
#ifndef ROSTER_WORKER_OPENAPI_SCHEMA_H
#define ROSTER_WORKER_OPENAPI_SCHEMA_H

#include <stddef.h>

#include "base/json_writer.h"
#include "worker/schema.h"

/* Adds all schemas of the components as members of the open object. */
void openapi_put_schemas(struct json_writer *out, enum compatibility compatibility);

/* The schema of one field of a body or a query. */
void openapi_put_field_schema(struct json_writer *out, const struct field_row *field, enum compatibility compatibility);

/* Adds a schema with a type alone: {"type":"string"}. */
void openapi_put_type_schema(struct json_writer *out, const char *type);

/* Writes the name of a body's schema into `name` of `size` bytes, and returns it: user_update → UserUpdateBody. No
 * name of a shape ends in Body. */
const char *openapi_body_name(enum schema schema, char *name, size_t size);

/* The member "$ref":"#/components/KIND/NAME". */
void openapi_put_ref_member(struct json_writer *out, const char *kind, const char *name);

/* An object with that member alone. */
void openapi_put_ref(struct json_writer *out, const char *kind, const char *name);

/* The member "description", or nothing where `text` is NULL. */
void openapi_put_description(struct json_writer *out, const char *text);

#endif
