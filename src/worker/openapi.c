#include "worker/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "worker/document.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* JSON. A comma is due before whatever follows anything but an opening bracket or a colon. */

static void separate(struct buffer *out)
{
    char last = out->length > 0 ? out->data[out->length - 1] : '{';
    if (last != '{' && last != '[' && last != ':') {
        buffer_add_byte(out, ',');
    }
}

static void put_key(struct buffer *out, const char *key)
{
    separate(out);
    buffer_add_json(out, text_of(key));
    buffer_add_byte(out, ':');
}

static void put_string(struct buffer *out, const char *string)
{
    separate(out);
    buffer_add_json(out, text_of(string));
}

static void put_raw(struct buffer *out, const char *json)
{
    separate(out);
    buffer_add_string(out, json);
}

static void put_member(struct buffer *out, const char *key, const char *string)
{
    put_key(out, key);
    put_string(out, string);
}

static void put_text_member(struct buffer *out, const char *text)
{
    if (text != NULL) {
        put_member(out, "description", text);
    }
}

static void open_with(struct buffer *out, char bracket)
{
    separate(out);
    buffer_add_byte(out, bracket);
}

static void open_member(struct buffer *out, const char *key, char bracket)
{
    put_key(out, key);
    buffer_add_byte(out, bracket);
}

static void close_with(struct buffer *out, char bracket)
{
    buffer_add_byte(out, bracket);
}

static void put_ref(struct buffer *out, const char *kind, const char *name)
{
    open_with(out, '{');
    put_key(out, "$ref");
    buffer_add_format(out, "\"#/components/%s/%s\"", kind, name);
    close_with(out, '}');
}

/* user_update → UserUpdateBody: no shape ends so. */
static const char *body_name(enum schema schema, char *name, size_t size)
{
    size_t length = 0;
    bool upper = true;
    for (const char *from = schema_row(schema)->name; *from != '\0' && length + sizeof "Body" < size; from++) {
        if (*from == '_') {
            upper = true;
        } else {
            name[length++] = upper ? (char)toupper((unsigned char)*from) : *from;
            upper = false;
        }
    }
    snprintf(name + length, size - length, "Body");
    return name;
}

/* "type":"string", or with null. */
static void put_type(struct buffer *out, const char *type, bool may_be_null)
{
    put_key(out, "type");
    if (may_be_null) {
        buffer_add_format(out, "[\"%s\",\"null\"]", type);
    } else {
        buffer_add_format(out, "\"%s\"", type);
    }
}

static void put_roles(struct buffer *out, bool may_be_null)
{
    put_key(out, "enum");
    buffer_add_string(out, may_be_null ? "[\"pending\",\"user\",\"admin\",null]" : "[\"pending\",\"user\",\"admin\"]");
}

/* The booleans of a section of the permissions, with what is taken where a body leaves one out. */
static void put_section(struct buffer *out, const char *section, bool with_defaults, bool all_there)
{
    const struct permission_row *row;
    put_type(out, "object", false);
    open_member(out, "properties", '{');
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (strcmp(row->section, section) == 0) {
            open_member(out, row->key, '{');
            put_type(out, "boolean", false);
            if (with_defaults) {
                put_key(out, "default");
                put_raw(out, row->absent ? "true" : "false");
            }
            close_with(out, '}');
        }
    }
    close_with(out, '}');
    if (all_there) {
        open_member(out, "required", '[');
        for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
            if (strcmp(row->section, section) == 0) {
                put_string(out, row->key);
            }
        }
        close_with(out, ']');
    }
}

/* Bodies and queries. */

static void put_overlay(struct buffer *out)
{
    const struct schema_row *schema = schema_row(SCHEMA_permissions);
    open_member(out, "properties", '{');
    for (size_t i = 0; i < schema->field_count; i++) {
        open_member(out, schema->fields[i].name, '{');
        put_section(out, schema->fields[i].name, false, false);
        close_with(out, '}');
    }
    close_with(out, '}');
}

static void put_field_schema(struct buffer *out, const struct field_row *field)
{
    bool may_be_null = field->needed == FIELD_NULLABLE;
    open_with(out, '{');
    switch (field->type) {
    case FIELD_TEXT:
        put_type(out, "string", may_be_null);
        break;
    case FIELD_ROLE:
        put_type(out, "string", may_be_null);
        put_roles(out, may_be_null);
        break;
    case FIELD_INTEGER:
        put_type(out, "integer", may_be_null);
        put_member(out, "format", "int64");
        break;
    case FIELD_BOOLEAN:
        put_type(out, "boolean", may_be_null);
        break;
    case FIELD_DATE:
        put_type(out, "string", may_be_null);
        put_member(out, "format", "date");
        break;
    case FIELD_OBJECT:
        put_type(out, "object", may_be_null);
        break;
    case FIELD_TEXTS:
        put_type(out, "array", may_be_null);
        put_key(out, "items");
        put_raw(out, "{\"type\":\"string\"}");
        break;
    case FIELD_SECTION:
        put_section(out, field->name, true, false);
        break;
    case FIELD_OVERLAY:
        put_type(out, "object", may_be_null);
        put_overlay(out);
        break;
    }
    if (field->least > 0) {
        put_key(out, "minLength");
        buffer_add_integer(out, (int64_t)field->least);
    }
    if (field->most > 0) {
        put_key(out, "maxLength");
        buffer_add_integer(out, (int64_t)field->most);
    }
    if (strstr(field->name, "password") != NULL && field->type == FIELD_TEXT) {
        put_member(out, "format", "password");
    }
    put_text_member(out, field->text);
    close_with(out, '}');
}

static void put_body_schema(struct buffer *out, const struct schema_row *schema)
{
    open_with(out, '{');
    put_type(out, "object", false);
    put_text_member(out, schema->text);
    if (schema->kind != SCHEMA_KIND_FREE) {
        open_member(out, "properties", '{');
        for (size_t i = 0; i < schema->field_count; i++) {
            put_key(out, schema->fields[i].name);
            put_field_schema(out, &schema->fields[i]);
        }
        close_with(out, '}');
        size_t required = 0;
        for (size_t i = 0; i < schema->field_count; i++) {
            if (schema->fields[i].needed == FIELD_REQUIRED) {
                if (required++ == 0) {
                    open_member(out, "required", '[');
                }
                put_string(out, schema->fields[i].name);
            }
        }
        if (required > 0) {
            close_with(out, ']');
        }
    }
    close_with(out, '}');
}

/* Shapes. */

static void put_member_schema(void *argument, const struct member *member)
{
    struct buffer *out = argument;
    open_member(out, member->name, '{');
    switch (member->type) {
    case MEMBER_TEXT:
        put_type(out, "string", member->may_be_null);
        if (strcmp(member->name, "role") == 0) {
            put_roles(out, member->may_be_null);
        }
        break;
    case MEMBER_DATE:
        put_type(out, "string", member->may_be_null);
        put_member(out, "format", "date");
        break;
    case MEMBER_INTEGER:
        put_type(out, "integer", member->may_be_null);
        put_member(out, "format", "int64");
        break;
    case MEMBER_BOOLEAN:
        put_type(out, "boolean", member->may_be_null);
        break;
    case MEMBER_TEXTS:
        put_type(out, "array", member->may_be_null);
        put_key(out, "items");
        put_raw(out, "{\"type\":\"string\"}");
        break;
    case MEMBER_FREE:
        put_type(out, "object", member->may_be_null);
        break;
    case MEMBER_SECTION:
        put_section(out, member->name, false, true);
        break;
    case MEMBER_SHAPE:
        open_member(out, "allOf", '[');
        put_ref(out, "schemas", member->of);
        close_with(out, ']');
        break;
    case MEMBER_LIST:
        put_type(out, "array", member->may_be_null);
        put_key(out, "items");
        put_ref(out, "schemas", member->of);
        break;
    }
    put_text_member(out, member->text);
    close_with(out, '}');
}

static void put_member_name(void *argument, const struct member *member)
{
    put_string(argument, member->name);
}

static void put_shape(struct buffer *out, const struct shape_row *shape)
{
    open_with(out, '{');
    put_text_member(out, shape->text);
    switch (shape->kind) {
    case SHAPE_OBJECT:
        put_type(out, "object", false);
        open_member(out, "properties", '{');
        document_each_member(shape, put_member_schema, out);
        close_with(out, '}');
        open_member(out, "required", '[');
        document_each_member(shape, put_member_name, out);
        close_with(out, ']');
        put_key(out, "additionalProperties");
        put_raw(out, document_shape_has_extra(shape) ? "true" : "false");
        break;
    case SHAPE_LIST:
        put_type(out, "array", false);
        put_key(out, "items");
        put_ref(out, "schemas", shape->of);
        break;
    case SHAPE_OR_NULL:
        open_member(out, "anyOf", '[');
        put_ref(out, "schemas", shape->of);
        put_raw(out, "{\"type\":\"null\"}");
        close_with(out, ']');
        break;
    case SHAPE_BOOLEAN:
        put_type(out, "boolean", false);
        break;
    case SHAPE_FREE:
        put_type(out, "object", false);
        break;
    case SHAPE_PLAIN:
    case SHAPE_PICTURE:
        put_type(out, "string", false);
        break;
    }
    close_with(out, '}');
}

/* {"detail": …, "code": …}; `detail` is a list of faults for VALIDATION_ERROR alone. */
static void put_error_schemas(struct buffer *out)
{
    open_member(out, "Error", '{');
    put_text_member(out, "Every error. Programs look at `code`, people read `detail`.");
    put_raw(out, "\"type\":\"object\",\"required\":[\"detail\",\"code\"],\"additionalProperties\":false");
    open_member(out, "properties", '{');
    put_raw(out, "\"detail\":{\"type\":\"string\",\"description\":\"One plain sentence.\"}");
    open_member(out, "code", '{');
    put_type(out, "string", false);
    open_member(out, "enum", '[');
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        if (code != ERROR_VALIDATION_ERROR) {
            put_string(out, error_name(code));
        }
    }
    close_with(out, ']');
    close_with(out, '}');
    close_with(out, '}');
    close_with(out, '}');

    open_member(out, "ValidationError", '{');
    put_text_member(out, error_detail(ERROR_VALIDATION_ERROR));
    put_raw(out,
            "\"type\":\"object\",\"required\":[\"detail\",\"code\"],\"additionalProperties\":false,\"properties\":{"
            "\"detail\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\",\"required\":[\"type\","
            "\"loc\",\"msg\"],"
            "\"properties\":{\"type\":{\"type\":\"string\",\"description\":\"The kind of fault, as missing or "
            "string_type.\"},"
            "\"loc\":{\"type\":\"array\",\"description\":\"The place, as "
            "[\\\"body\\\",\\\"role\\\"].\",\"items\":{\"type\":[\"string\",\"integer\"]}},"
            "\"msg\":{\"type\":\"string\",\"description\":\"One plain sentence.\"}}}},"
            "\"code\":{\"type\":\"string\",\"const\":\"VALIDATION_ERROR\"}}");
    close_with(out, '}');
}

/* Operations. */

static void put_parameter(struct buffer *out, const char *name, size_t length, const char *in,
                          const struct field_row *field)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)length, name);
    open_with(out, '{');
    put_member(out, "name", copy);
    put_member(out, "in", in);
    put_key(out, "required");
    put_raw(out, field == NULL || field->needed == FIELD_REQUIRED ? "true" : "false");
    put_key(out, "schema");
    if (field != NULL) {
        put_field_schema(out, field);
    } else {
        put_raw(out, "{\"type\":\"string\"}");
    }
    close_with(out, '}');
}

static void put_parameters(struct buffer *out, const struct route_document *route)
{
    if (strchr(route->path, '{') == NULL && route->query == SCHEMA_NONE) {
        return;
    }
    open_member(out, "parameters", '[');
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        put_parameter(out, at + 1, strcspn(at + 1, "}"), "path", NULL);
    }
    if (route->query != SCHEMA_NONE) {
        const struct schema_row *query = schema_row(route->query);
        for (size_t i = 0; i < query->field_count; i++) {
            put_parameter(out, query->fields[i].name, strlen(query->fields[i].name), "query", &query->fields[i]);
        }
    }
    close_with(out, ']');
}

static void put_request_body(struct buffer *out, const struct route_document *route)
{
    char name[64];
    if (route->body != SCHEMA_NONE) {
        put_raw(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
        put_ref(out, "schemas", body_name(route->body, name, sizeof name));
        buffer_add_literal(out, "}}}");
    }
}

static void put_media(struct buffer *out, const char *type, const char *shape)
{
    open_member(out, type, '{');
    put_key(out, "schema");
    put_ref(out, "schemas", shape);
    close_with(out, '}');
}

static void put_success(struct buffer *out, const struct route_document *route)
{
    const struct shape_row *shape = document_find_shape(route->gives);
    invariant(shape != NULL);
    open_member(out, "200", '{');
    put_text_member(out, shape->text);
    open_member(out, "content", '{');
    if (shape->kind == SHAPE_PICTURE) {
        static const char *const types[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            open_member(out, types[i], '{');
            close_with(out, '}');
        }
    } else if (shape->kind == SHAPE_PLAIN) {
        put_media(out, "text/plain", shape->name);
    } else {
        put_media(out, "application/json", shape->name);
        if (strcmp(shape->name, "ServiceStatus") == 0) {
            put_raw(out, "\"text/plain\":{\"schema\":{\"type\":\"string\"}}");
        }
    }
    close_with(out, '}');
    close_with(out, '}');
    if (shape->kind == SHAPE_PICTURE) {
        if (document_route_is_protected(route)) {
            put_raw(out, "\"302\":{\"description\":\"The picture lies "
                         "elsewhere.\",\"headers\":{\"Location\":{\"schema\":{\"type\":\"string\"}}}}");
        }
        put_raw(out, "\"304\":{\"description\":\"The picture is the one that If-None-Match names.\"}");
    }
}

struct errors_of_status {
    struct buffer *out;
    int status;
    int next; /* the least status above `status` */
    unsigned count;
    bool names; /* print them */
    const char *last;
};

static void take_error(void *argument, enum error_code code, int status)
{
    struct errors_of_status *errors = argument;
    if (status > errors->status && (errors->next == 0 || status < errors->next)) {
        errors->next = status;
    }
    if (status == errors->status && error_name(code) != errors->last) {
        errors->last = error_name(code);
        errors->count++;
        if (errors->names) {
            put_string(errors->out, error_name(code));
        }
    }
}

static void describe_error(void *argument, enum error_code code, int status)
{
    struct errors_of_status *errors = argument;
    if (status == errors->status && error_name(code) != errors->last) {
        errors->last = error_name(code);
        if (errors->count++ > 0) {
            buffer_add_byte(errors->out, '\n');
        }
        buffer_add_format(errors->out, "- `%s`: %s", error_name(code), error_detail(code));
    }
}

/* All errors with one status: their codes, and what each means. */
static void put_error_response(struct buffer *out, const struct route_document *route, int status)
{
    char key[8];
    snprintf(key, sizeof key, "%d", status);
    open_member(out, key, '{');
    struct buffer text;
    buffer_init(&text, out->arena);
    document_each_error(route, describe_error, &(struct errors_of_status){.out = &text, .status = status});
    put_key(out, "description");
    buffer_add_json(out, buffer_text(&text));
    if (status == 401) {
        put_raw(out, "\"headers\":{\"WWW-Authenticate\":{\"schema\":{\"type\":\"string\"}}}");
    } else if (status == 429 || status == 503) {
        put_raw(
            out,
            "\"headers\":{\"Retry-After\":{\"schema\":{\"type\":\"integer\"},\"description\":\"Seconds to wait.\"}}");
    }
    put_raw(out, "\"content\":{\"application/json\":{\"schema\":");
    if (status == 422) {
        put_ref(out, "schemas", "ValidationError");
    } else {
        buffer_add_byte(out, '{');
        open_member(out, "allOf", '[');
        put_ref(out, "schemas", "Error");
        put_raw(out, "{\"properties\":{\"code\":{\"enum\":[");
        document_each_error(route, take_error, &(struct errors_of_status){.out = out, .status = status, .names = true});
        buffer_add_literal(out, "]}}}");
        close_with(out, ']');
        close_with(out, '}');
    }
    buffer_add_literal(out, "}}}");
}

static void put_responses(struct buffer *out, const struct route_document *route)
{
    open_member(out, "responses", '{');
    put_success(out, route);
    struct errors_of_status errors = {.out = out};
    for (;;) {
        errors.next = 0;
        document_each_error(route, take_error, &errors);
        if (errors.next == 0) {
            break;
        }
        errors.status = errors.next;
        put_error_response(out, route, errors.status);
    }
    close_with(out, '}');
}

static const char *who_text(const char *who)
{
    static const struct {
        const char *who, *text;
    } rows[] = {
        {"ANYONE", "Anybody may call it, without a token."},
        {"ANY_ROLE", "Everybody signed in may call it, whatever the role."},
        {"VERIFIED", "Users and administrators may call it."},
        {"ADMIN", "Administrators alone may call it."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].who, who) == 0) {
            return rows[i].text;
        }
    }
    log_invariant_failed("who is known", __FILE__, __LINE__);
}

/* "/users/…" → users; what is no part of the API is about the service. */
static void put_tag(struct buffer *out, const struct route_document *route)
{
    char tag[32] = "service";
    if (strcmp(route->place, "API") == 0) {
        snprintf(tag, sizeof tag, "%.*s", (int)strcspn(route->path + 1, "/"), route->path + 1);
    }
    open_member(out, "tags", '[');
    put_string(out, tag);
    close_with(out, ']');
}

static void put_operation(struct buffer *out, const struct route_document *route)
{
    char method[8];
    size_t length = 0;
    for (; route->method[length] != '\0' && length + 1 < sizeof method; length++) {
        method[length] = (char)tolower((unsigned char)route->method[length]);
    }
    method[length] = '\0';
    open_member(out, method, '{');
    put_member(out, "operationId", route->name);
    put_member(out, "summary", route->text);
    put_key(out, "description");
    struct buffer text;
    buffer_init(&text, out->arena);
    buffer_add_string(&text, who_text(route->who));
    if (strcmp(route->permission, "NONE") != 0) {
        buffer_add_format(&text, " They need the permission %s.", route->permission);
    }
    buffer_add_json(out, buffer_text(&text));
    put_tag(out, route);
    if (!document_route_is_protected(route)) {
        put_raw(out, "\"security\":[]");
    }
    put_parameters(out, route);
    put_request_body(out, route);
    put_responses(out, route);
    close_with(out, '}');
}

/* Routes of one path become one item, wherever they stand in the table. */
static void put_paths(struct buffer *out)
{
    const struct route_document *route;
    open_member(out, "paths", '{');
    for (size_t i = 0; (route = document_route(i)) != NULL; i++) {
        bool is_first = true;
        for (size_t before = 0; before < i; before++) {
            is_first = is_first && strcmp(document_route(before)->path, route->path) != 0;
        }
        if (!is_first) {
            continue;
        }
        bool is_api = strcmp(route->place, "API") == 0;
        open_member(out, text_format(out->arena, "%s%s", is_api ? "/api/v1" : "", route->path).data, '{');
        const struct route_document *other;
        for (size_t j = i; (other = document_route(j)) != NULL; j++) {
            if (strcmp(other->path, route->path) == 0) {
                put_operation(out, other);
            }
        }
        close_with(out, '}');
    }
    close_with(out, '}');
}

static void put_components(struct buffer *out)
{
    const struct shape_row *shape;
    char name[64];
    open_member(out, "components", '{');
    open_member(out, "securitySchemes", '{');
    put_raw(out, "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
                 "\"description\":\"A token of POST /auths/signin, or an API key.\"},"
                 "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"token\",\"description\":\"The same "
                 "token, as browsers carry it.\"},"
                 "\"apiKeyHeader\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\",\"description\":\"An "
                 "API key.\"}");
    close_with(out, '}');
    open_member(out, "schemas", '{');
    put_error_schemas(out);
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        if (schema_row(schema)->kind != SCHEMA_KIND_QUERY) {
            put_key(out, body_name(schema, name, sizeof name));
            put_body_schema(out, schema_row(schema));
        }
    }
    for (size_t i = 0; (shape = document_shape(i)) != NULL; i++) {
        put_key(out, shape->name);
        put_shape(out, shape);
    }
    close_with(out, '}');
    close_with(out, '}');
}

struct text openapi_document(struct arena *arena, const char *server_url)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_add_byte(&out, '{');
    put_member(&out, "openapi", "3.1.0");
    open_member(&out, "info", '{');
    put_member(&out, "title", "Roster");
    put_member(&out, "version", PACKAGE_VERSION);
    put_text_member(&out, "Users, sessions, groups and permissions. Every path under /api/v1 works without that "
                          "prefix, too; a slash at its end does not count. "
                          "HEAD works wherever GET does. Every error is {\"detail\": TEXT, \"code\": CODE}.");
    close_with(&out, '}');
    open_member(&out, "servers", '[');
    open_with(&out, '{');
    put_member(&out, "url", server_url != NULL && server_url[0] != '\0' ? server_url : "/");
    close_with(&out, '}');
    close_with(&out, ']');
    put_raw(
        &out,
        "\"tags\":[{\"name\":\"users\",\"description\":\"Users, as others see them, and what belongs to them\"},"
        "{\"name\":\"auths\",\"description\":\"Sign-in, sessions, the caller's own account, settings of the service\"},"
        "{\"name\":\"groups\",\"description\":\"Groups and their members\"},"
        "{\"name\":\"service\",\"description\":\"The service itself\"}]");
    put_raw(&out, "\"security\":[{\"bearer\":[]},{\"cookie\":[]},{\"apiKeyHeader\":[]}]");
    put_paths(&out);
    put_components(&out);
    close_with(&out, '}');
    return buffer_text(&out);
}
