#include "worker/openapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/permission_table.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "store/audit_store.h"
#include "worker/shape.h"

void openapi_put_description(struct json_writer *out, const char *text)
{
    if (text != NULL) {
        json_member_string(out, "description", text);
    }
}

static void put_strings(struct json_writer *out, const char *const *strings)
{
    json_begin_array(out);
    for (; *strings != NULL; strings++) {
        json_add_string(out, *strings);
    }
    json_end_array(out);
}
#define PUT_STRINGS(out, ...) put_strings((out), (const char *const[]){__VA_ARGS__, NULL})

void openapi_put_ref_member(struct json_writer *out, const char *kind, const char *name)
{
    json_member_text(out, "$ref", text_format(out->buffer->arena, "#/components/%s/%s", kind, name));
}

void openapi_put_ref(struct json_writer *out, const char *kind, const char *name)
{
    json_begin_object(out);
    openapi_put_ref_member(out, kind, name);
    json_end_object(out);
}

void openapi_put_type_schema(struct json_writer *out, const char *type)
{
    json_begin_object(out);
    json_member_string(out, "type", type);
    json_end_object(out);
}

const char *openapi_body_name(enum schema schema, char *name, size_t size)
{
    size_t length = 0;
    bool upper = true;
    for (const char *from = schema_row(schema)->name; *from != '\0' && length + sizeof "Body" < size; from++) {
        if (*from == '_') {
            upper = true;
        } else {
            name[length++] = upper ? ascii_to_upper(*from) : *from;
            upper = false;
        }
    }
    snprintf(name + length, size - length, "Body");
    return name;
}

/* "type":"string", or with null. */
static void put_type(struct json_writer *out, const char *type, bool may_be_null)
{
    json_name(out, "type");
    if (may_be_null) {
        PUT_STRINGS(out, type, "null");
    } else {
        json_add_string(out, type);
    }
}

/* The schema NAME, or null. */
static void put_or_null(struct json_writer *out, const char *name)
{
    json_member_array(out, "anyOf");
    openapi_put_ref(out, "schemas", name);
    openapi_put_type_schema(out, "null");
    json_end_array(out);
}

/* A role: a schema of its own, so that requests and responses have one type. */
static void put_role(struct json_writer *out, bool may_be_null)
{
    if (may_be_null) {
        put_or_null(out, "Role");
    } else {
        openapi_put_ref_member(out, "schemas", "Role");
    }
}

static void put_list_of_texts(struct json_writer *out, bool may_be_null)
{
    put_type(out, "array", may_be_null);
    json_name(out, "items");
    openapi_put_type_schema(out, "string");
}

/* Any object. additionalProperties is explicit, since generators take an object without properties for an empty one. */
static void put_free_object(struct json_writer *out, bool may_be_null)
{
    put_type(out, "object", may_be_null);
    json_member_boolean(out, "additionalProperties", true);
}

/* How a section of the permissions is described. */
struct section_style {
    enum compatibility compatibility;
    enum shape of; /* of the values; SHAPE_NONE: booleans */
    bool with_defaults, all_there;
};

static bool is_in_section(const struct permission_row *row, const char *section, const struct section_style *style)
{
    return row->since <= style->compatibility && strcmp(row->section, section) == 0;
}

/* The booleans of a section of the permissions, with the default of each; or objects of a shape. */
static void put_section(struct json_writer *out, const char *section, struct section_style style)
{
    put_type(out, "object", false);
    json_member_object(out, "properties");
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (is_in_section(row, section, &style)) {
            json_add_name_string(out, row->key);
            json_begin_object(out);
            if (style.of != SHAPE_NONE) {
                openapi_put_ref_member(out, "schemas", shape_row(style.of)->name);
            } else {
                put_type(out, "boolean", false);
            }
            if (style.with_defaults) {
                json_member_boolean(out, "default", row->absent);
            }
            json_end_object(out);
        }
    }
    json_end_object(out);
    if (style.all_there) {
        json_member_array(out, "required");
        for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
            if (is_in_section(row, section, &style)) {
                json_add_string(out, row->key);
            }
        }
        json_end_array(out);
    }
}

/* A number, or an empty text. */
static void put_amount(struct json_writer *out, bool may_be_null)
{
    json_name(out, "type");
    if (may_be_null) {
        PUT_STRINGS(out, "integer", "string", "null");
    } else {
        PUT_STRINGS(out, "integer", "string");
    }
}

/* Bodies and queries. */

static void put_overlay(struct json_writer *out, enum compatibility compatibility)
{
    const struct schema_row *schema = schema_row(SCHEMA_permissions);
    json_member_object(out, "properties");
    for (size_t i = 0; i < schema->field_count; i++) {
        if (field_is_precondition(&schema->fields[i]) || schema->fields[i].since > compatibility) {
            continue;
        }
        json_add_name_string(out, schema->fields[i].name);
        json_begin_object(out);
        put_section(out, schema->fields[i].name, (struct section_style){.compatibility = compatibility});
        json_end_object(out);
    }
    json_end_object(out);
}

void openapi_put_field_schema(struct json_writer *out, const struct field_row *field, enum compatibility compatibility)
{
    bool may_be_null = field->needed == FIELD_NULLABLE;
    json_begin_object(out);
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_PASSWORD:
    case FIELD_ADDRESS:
    case FIELD_EMAIL:
        put_type(out, "string", may_be_null);
        break;
    case FIELD_AMOUNT:
        put_amount(out, may_be_null);
        break;
    case FIELD_NAME:
        put_type(out, "string", may_be_null);
        json_member_string(out, "pattern", TEXT_PLAIN_PATTERN);
        break;
    case FIELD_ROLE:
        put_role(out, may_be_null);
        break;
    case FIELD_ACTION:
        put_type(out, "string", may_be_null);
        json_member_array(out, "enum");
        for (size_t i = 0; i < AUDIT_ACTION_COUNT; i++) {
            json_add_string(out, audit_actions[i].name);
        }
        json_end_array(out);
        break;
    case FIELD_INTEGER:
        put_type(out, "integer", may_be_null);
        json_member_string(out, "format", "int64");
        break;
    case FIELD_BOOLEAN:
    case FIELD_STRICT:
        put_type(out, "boolean", may_be_null);
        break;
    case FIELD_DATE:
        put_type(out, "string", may_be_null);
        json_member_string(out, "format", "date");
        break;
    case FIELD_OBJECT:
        put_free_object(out, may_be_null);
        break;
    case FIELD_TEXTS:
        put_list_of_texts(out, may_be_null);
        break;
    case FIELD_SECTION:
        put_section(out, field->name,
                    (struct section_style){
                        .compatibility = compatibility,
                        /* else what is absent is as it is stored */
                        .with_defaults = compatibility < behaviour_rows[BEHAVIOUR_ABSENT_IS_STORED].since,
                    });
        break;
    case FIELD_OVERLAY: /* a group's own further sections are kept */
        put_free_object(out, may_be_null);
        put_overlay(out, compatibility);
        break;
    }
    if (field->min > 0) {
        json_member_integer(out, "minLength", (int64_t)field->min);
    }
    if (field->max > 0) {
        json_member_integer(out, "maxLength", (int64_t)field->max);
    }
    if (field->type == FIELD_PASSWORD) {
        json_member_string(out, "format", "password");
    }
    openapi_put_description(out, field->text);
    json_end_object(out);
}

static void put_body_schema(struct json_writer *out, const struct schema_row *schema, enum compatibility compatibility)
{
    json_begin_object(out);
    if (schema->kind == SCHEMA_KIND_FREE || schema->kind == SCHEMA_KIND_EXTRA) {
        put_free_object(out, false);
    } else {
        put_type(out, "object", false);
    }
    openapi_put_description(out, schema->text);
    if (schema->kind != SCHEMA_KIND_FREE) {
        json_member_object(out, "properties");
        for (size_t i = 0; i < schema->field_count; i++) {
            if (schema->fields[i].since <= compatibility) {
                json_add_name_string(out, schema->fields[i].name);
                openapi_put_field_schema(out, &schema->fields[i], compatibility);
            }
        }
        json_end_object(out);
        size_t required = 0;
        for (size_t i = 0; i < schema->field_count; i++) {
            if (field_is_required(&schema->fields[i], compatibility)) {
                if (required++ == 0) {
                    json_member_array(out, "required");
                }
                json_add_string(out, schema->fields[i].name);
            }
        }
        if (required > 0) {
            json_end_array(out);
        }
    }
    if (schema->kind == SCHEMA_KIND_CLOSED) {
        json_member_boolean(out, "additionalProperties", false);
    }
    json_end_object(out);
}

/* Shapes. */

/* Where the members of a shape go. */
struct shape_output {
    struct json_writer *out;
    enum compatibility compatibility;
};

static void put_member_schema(void *argument, const struct member *member)
{
    const struct shape_output *output = argument;
    struct json_writer *out = output->out;
    json_add_name_string(out, member->name);
    json_begin_object(out);
    switch (member->type) {
    case MEMBER_TEXT:
        put_type(out, "string", member->may_be_null);
        break;
    case MEMBER_ROLE:
        put_role(out, member->may_be_null);
        break;
    case MEMBER_DATE:
        put_type(out, "string", member->may_be_null);
        json_member_string(out, "format", "date");
        break;
    case MEMBER_INTEGER:
        put_type(out, "integer", member->may_be_null);
        json_member_string(out, "format", "int64");
        break;
    case MEMBER_BOOLEAN:
        put_type(out, "boolean", member->may_be_null);
        break;
    case MEMBER_TEXTS:
        put_list_of_texts(out, member->may_be_null);
        break;
    case MEMBER_FREE:
        put_free_object(out, member->may_be_null);
        break;
    case MEMBER_AMOUNT:
        put_amount(out, member->may_be_null);
        break;
    case MEMBER_SECTION:
        put_section(out, member->name, (struct section_style){output->compatibility, member->of, false, true});
        break;
    case MEMBER_SHAPE:
        openapi_put_ref_member(out, "schemas", shape_row(member->of)->name);
        break;
    case MEMBER_LIST:
        put_type(out, "array", member->may_be_null);
        json_name(out, "items");
        openapi_put_ref(out, "schemas", shape_row(member->of)->name);
        break;
    }
    openapi_put_description(out, member->text);
    json_end_object(out);
}

static void put_member_name(void *argument, const struct member *member)
{
    const struct shape_output *output = argument;
    if (!member->may_be_absent) {
        json_add_string(output->out, member->name);
    }
}

static void put_shape(struct json_writer *out, enum shape shape, enum compatibility compatibility)
{
    struct shape_output output = {out, compatibility};
    const struct shape_row *row = shape_row(shape);
    json_begin_object(out);
    openapi_put_description(out, row->text);
    switch (row->kind) {
    case SHAPE_KIND_OBJECT:
        put_type(out, "object", false);
        json_member_object(out, "properties");
        shape_each_member(shape, compatibility, put_member_schema, &output);
        json_end_object(out);
        json_member_array(out, "required");
        shape_each_member(shape, compatibility, put_member_name, &output);
        json_end_array(out);
        json_member_boolean(out, "additionalProperties", shape_has_extra(shape));
        break;
    case SHAPE_KIND_LIST:
        put_type(out, "array", false);
        json_name(out, "items");
        openapi_put_ref(out, "schemas", shape_row(row->of)->name);
        break;
    case SHAPE_KIND_EITHER:
        json_member_array(out, "anyOf");
        for (size_t i = 0; shape_either(shape, i) != SHAPE_NONE; i++) {
            openapi_put_ref(out, "schemas", shape_row(shape_either(shape, i))->name);
        }
        json_end_array(out);
        break;
    case SHAPE_KIND_OR_NULL:
        put_or_null(out, shape_row(row->of)->name);
        break;
    case SHAPE_KIND_BOOLEAN:
        put_type(out, "boolean", false);
        break;
    case SHAPE_KIND_FREE:
        put_free_object(out, false);
        break;
    case SHAPE_KIND_PLAIN:
        put_type(out, "string", false);
        break;
    case SHAPE_KIND_FIELDS: /* has no body */
        break;
    case SHAPE_KIND_PICTURE:
    case SHAPE_KIND_PORTRAIT:
        put_type(out, "string", false);
        json_member_string(out, "format", "binary");
        break;
    }
    json_end_object(out);
}

static void put_role_schema(struct json_writer *out)
{
    json_member_object(out, "Role");
    put_type(out, "string", false);
    json_name(out, "enum");
    PUT_STRINGS(out, "pending", "user", "admin");
    openapi_put_description(
        out, "What an account may do: pending almost nothing, user what its permissions grant, admin everything.");
    json_end_object(out);
}

/* A property with a type and a description alone. */
static void put_property(struct json_writer *out, const char *name, const char *type, const char *text)
{
    json_add_name_string(out, name);
    json_begin_object(out);
    put_type(out, type, false);
    openapi_put_description(out, text);
    json_end_object(out);
}

/* The part that both schemas of an error begin with; their properties follow. */
static void begin_error(struct json_writer *out, const char *text)
{
    openapi_put_description(out, text);
    put_type(out, "object", false);
    json_name(out, "required");
    PUT_STRINGS(out, "detail", "code");
    json_member_boolean(out, "additionalProperties", false);
    json_member_object(out, "properties");
}

static void put_error_schema(struct json_writer *out)
{
    json_member_object(out, "Error");
    begin_error(out, "Every error. Programs look at `code`, people read `detail`.");
    put_property(out, "detail", "string", "One plain sentence.");
    json_member_object(out, "code");
    put_type(out, "string", false);
    json_member_array(out, "enum");
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        if (code != ERROR_VALIDATION_ERROR) {
            json_add_string(out, error_name(code));
        }
    }
    json_end_array(out);
    json_end_object(out);
    json_end_object(out);
    json_end_object(out);
}

/* One fault of a body or a query. */
static void put_fault_schema(struct json_writer *out)
{
    json_begin_object(out);
    put_type(out, "object", false);
    json_name(out, "required");
    PUT_STRINGS(out, "type", "loc", "msg");
    json_member_object(out, "properties");
    put_property(out, "type", "string", "The kind of fault, as missing or string_type.");
    json_member_object(out, "loc");
    put_type(out, "array", false);
    openapi_put_description(out, "The place, as [\"body\",\"role\"].");
    json_member_object(out, "items");
    json_member_array(out, "anyOf");
    openapi_put_type_schema(out, "string");
    openapi_put_type_schema(out, "integer");
    json_end_array(out);
    json_end_object(out);
    json_end_object(out);
    put_property(out, "msg", "string", "One plain sentence.");
    json_end_object(out);
    json_end_object(out);
}

/* VALIDATION_ERROR alone has a list of faults in `detail`. */
static void put_validation_error_schema(struct json_writer *out)
{
    json_member_object(out, "ValidationError");
    begin_error(out, error_detail(ERROR_VALIDATION_ERROR));
    json_member_object(out, "detail");
    put_type(out, "array", false);
    json_member_integer(out, "minItems", 1);
    json_name(out, "items");
    put_fault_schema(out);
    json_end_object(out);
    json_member_object(out, "code");
    put_type(out, "string", false);
    json_member_string(out, "const", error_name(ERROR_VALIDATION_ERROR));
    json_end_object(out);
    json_end_object(out);
    json_end_object(out);
}

/* All of them. */

void openapi_put_schemas(struct json_writer *out, enum compatibility compatibility)
{
    put_role_schema(out);
    put_error_schema(out);
    put_validation_error_schema(out);
    char name[64];
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        if (schema_row(schema)->kind != SCHEMA_KIND_QUERY) {
            json_add_name_string(out, openapi_body_name(schema, name, sizeof name));
            put_body_schema(out, schema_row(schema), compatibility);
        }
    }
    for (enum shape shape = SHAPE_NONE + 1; shape < SHAPE_COUNT; shape++) {
        if (shape_row(shape)->kind != SHAPE_KIND_FIELDS) {
            json_add_name_string(out, shape_row(shape)->name);
            put_shape(out, shape, compatibility);
        }
    }
}
