#include "worker/openapi.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/problem.h"
#include "worker/document.h"
#include "worker/openapi_schema.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

/* Adds members that are strings: name, value, name, value, …, NULL. */
static void put_string_members(struct json_writer *out, const char *const *strings)
{
    for (; strings[0] != NULL; strings += 2) {
        json_add_name_string(out, strings[0]);
        json_add_string(out, strings[1]);
    }
}
#define PUT_STRING_MEMBERS(out, ...) put_string_members((out), (const char *const[]){__VA_ARGS__, NULL})

/* Operations. */

static void put_parameter(struct json_writer *out, struct text name, const char *in, const struct field_row *field,
                          enum compatibility compatibility)
{
    json_begin_object(out);
    json_member_text(out, "name", name);
    json_member_string(out, "in", in);
    json_member_boolean(out, "required", field == NULL || field_is_required(field, compatibility));
    json_name(out, "schema");
    if (field != NULL) {
        openapi_put_field_schema(out, field, compatibility);
    } else {
        openapi_put_type_schema(out, "string");
    }
    json_end_object(out);
}

static void put_parameters(struct json_writer *out, const struct route *route, enum compatibility compatibility)
{
    if (strchr(route->path, '{') == NULL && route->query == SCHEMA_NONE) {
        return;
    }
    json_member_array(out, "parameters");
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        put_parameter(out, (struct text){at + 1, strcspn(at + 1, "}")}, "path", NULL, compatibility);
    }
    if (route->query != SCHEMA_NONE) {
        const struct schema_row *query = schema_row(route->query);
        for (size_t i = 0; i < query->field_count; i++) {
            if (query->fields[i].since <= compatibility) {
                put_parameter(out, text_of(query->fields[i].name), "query", &query->fields[i], compatibility);
            }
        }
    }
    json_end_array(out);
}

static void put_media(struct json_writer *out, const char *type, const char *shape)
{
    json_add_name_string(out, type);
    json_begin_object(out);
    json_name(out, "schema");
    openapi_put_ref(out, "schemas", shape);
    json_end_object(out);
}

static void put_request_body(struct json_writer *out, const struct route *route)
{
    if (route->body != SCHEMA_NONE) {
        json_member_object(out, "requestBody");
        json_member_boolean(out, "required", true);
        json_member_object(out, "content");
        char name[64];
        put_media(out, "application/json", openapi_body_name(route->body, name, sizeof name));
        json_end_object(out);
        json_end_object(out);
    }
}

/* The only header field of a response. */
static void put_header(struct json_writer *out, const char *name, const char *type, const char *text)
{
    json_member_object(out, "headers");
    json_add_name_string(out, name);
    json_begin_object(out);
    json_name(out, "schema");
    openapi_put_type_schema(out, type);
    openapi_put_description(out, text);
    json_end_object(out);
    json_end_object(out);
}

static void put_header_member(void *argument, const struct member *member)
{
    struct json_writer *out = argument;
    json_add_name_string(out, shape_field_name(out->buffer->arena, member));
    json_begin_object(out);
    json_name(out, "schema");
    openapi_put_type_schema(out, "string");
    openapi_put_description(out, member->text);
    json_end_object(out);
}

static void put_success(struct json_writer *out, const struct route *route, enum compatibility compatibility)
{
    const struct shape_row *shape = shape_row(route->gives);
    if (shape->kind == SHAPE_KIND_FIELDS) {
        json_member_object(out, "204");
        openapi_put_description(out, shape->text);
        json_member_object(out, "headers");
        shape_each_member(route->gives, compatibility, put_header_member, out);
        json_end_object(out);
        json_end_object(out);
        return;
    }
    json_member_object(out, "200");
    openapi_put_description(out, shape->text);
    json_member_object(out, "content");
    if (shape->kind == SHAPE_KIND_PICTURE || shape->kind == SHAPE_KIND_PORTRAIT) {
        static const char *const types[] = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"};
        size_t count = ARRAY_COUNT(types) - (shape->kind == SHAPE_KIND_PORTRAIT ? 0 : 1);
        for (size_t i = 0; i < count; i++) {
            put_media(out, types[i], shape->name);
        }
    } else if (shape->kind == SHAPE_KIND_PLAIN) {
        put_media(out, "text/plain", shape->name);
    } else {
        put_media(out, "application/json", shape->name);
        if (route->query == SCHEMA_status_query) { /* which selects the form */
            json_member_object(out, "text/plain");
            json_name(out, "schema");
            openapi_put_type_schema(out, "string");
            json_end_object(out);
        }
    }
    json_end_object(out);
    json_end_object(out);
    if (shape->kind == SHAPE_KIND_PORTRAIT) {
        json_member_object(out, "302");
        openapi_put_description(out, "The picture is at another address.");
        put_header(out, "Location", "string", NULL);
        json_end_object(out);
    }
    if (shape->kind == SHAPE_KIND_PORTRAIT || shape->kind == SHAPE_KIND_PICTURE) {
        json_member_object(out, "304");
        openapi_put_description(out, "The picture is the one that If-None-Match names.");
        json_end_object(out);
    }
}

/* Errors: the components have one response for each status. Each operation refers to them, and describes the codes that
 * it can answer. */

static const struct status_name {
    int status;
    const char *name, *text;
} status_names[] = {
    {400, "BadRequest", "The request can't be carried out as it is."},
    {401, "Unauthorized", "The caller is unknown, or may not do this."},
    {403, "Forbidden", "This is not allowed."},
    {404, "NotFound", "This does not exist."},
    {409, "Conflict", "The request conflicts with existing data."},
    {412, "PreconditionFailed", "The present state is not the one that the request names."},
    {413, "ContentTooLarge", "The body is too large."},
    {422, "Unprocessable", "A field of the body or of the query is missing or has the wrong form."},
    {429, "TooManyRequests", "Too many tries; wait."},
    {431, "HeaderFieldsTooLarge", "The header fields are too many or too large."},
    {500, "ServerError", "An error in the service; its log has the cause."},
    {503, "Unavailable", "The service can't answer at the moment; try again."},
};

static const struct status_name *status_name(int status)
{
    const struct status_name *name = status_names;
    while (name->status != status) {
        name++;
        invariant(name < status_names + ARRAY_COUNT(status_names));
    }
    return name;
}

struct errors_of_status {
    struct buffer *text;
    int status;
    int next; /* the lowest status above `status` */
    unsigned count;
    const char *last;
};

static void take_status(void *argument, enum error_code code, int status)
{
    struct errors_of_status *errors = argument;
    (void)code;
    if (status > errors->status && (errors->next == 0 || status < errors->next)) {
        errors->next = status;
    }
}

static void describe_error(void *argument, enum error_code code, int status)
{
    struct errors_of_status *errors = argument;
    if (status == errors->status && error_name(code) != errors->last) {
        errors->last = error_name(code);
        if (errors->count++ > 0) {
            buffer_add_byte(errors->text, '\n');
        }
        buffer_add_format(errors->text, "- `%s`: %s", error_name(code), error_detail(code));
    }
}

/* The next status above `status` among the errors of a route; 0 after the last. */
static int next_status(const struct route *route, enum compatibility compatibility, int status)
{
    struct errors_of_status errors = {.status = status};
    document_each_error(route, compatibility, take_status, &errors);
    return errors.next;
}

static void put_error_reference(struct json_writer *out, const struct route *route, enum compatibility compatibility,
                                int status)
{
    char key[8];
    snprintf(key, sizeof key, "%d", status);
    json_add_name_string(out, key);
    json_begin_object(out);
    if (shape_row(route->gives)->kind != SHAPE_KIND_FIELDS) {
        openapi_put_ref_member(out, "responses", status_name(status)->name);
    }
    struct buffer text;
    buffer_init(&text, out->buffer->arena);
    document_each_error(route, compatibility, describe_error,
                        &(struct errors_of_status){.text = &text, .status = status});
    json_member_text(out, "description", buffer_text(&text));
    json_end_object(out);
}

static void put_error_response(struct json_writer *out, int status)
{
    const struct status_name *name = status_name(status);
    json_add_name_string(out, name->name);
    json_begin_object(out);
    openapi_put_description(out, name->text);
    if (status == 401) {
        put_header(out, "WWW-Authenticate", "string", NULL);
    } else if (status == 429 || status == 503) {
        put_header(out, "Retry-After", "integer", "Seconds to wait.");
    }
    json_member_object(out, "content");
    put_media(out, "application/json", status == 422 ? "ValidationError" : "Error");
    json_end_object(out);
    json_end_object(out);
}

/* The responses that routes have errors with. */
static void put_error_responses(struct json_writer *out, enum compatibility compatibility)
{
    int status = 0, next;
    do {
        next = 0;
        for (size_t i = 0; i < ROUTE_COUNT; i++) {
            int of_route = next_status(&routes[i], compatibility, status);
            next = of_route != 0 && (next == 0 || of_route < next) ? of_route : next;
        }
        if (next != 0) {
            put_error_response(out, next);
        }
        status = next;
    } while (next != 0);
}

static void put_responses(struct json_writer *out, const struct route *route, enum compatibility compatibility)
{
    json_member_object(out, "responses");
    put_success(out, route, compatibility);
    for (int status = next_status(route, compatibility, 0); status != 0;
         status = next_status(route, compatibility, status)) {
        put_error_reference(out, route, compatibility, status);
    }
    json_end_object(out);
}

static const char *who_text(enum who who)
{
    switch (who) {
    case WHO_ANYONE:
        return "Callable without a token.";
    case WHO_ANY_ROLE:
        return "Callable by each signed-in user, whatever the role.";
    case WHO_RULE:
        return "For nginx's auth_request: callable by whom the rule of the location lets in.";
    case WHO_VERIFIED:
        return "Callable by users and administrators.";
    case WHO_ADMIN:
        break;
    }
    return "Callable by administrators only.";
}

/* The tag of a route: "/users/…" → users; a route outside of the API has the tag service. */
static void put_tag(struct json_writer *out, const struct route *route)
{
    const char *first = route->path + 1;
    json_member_array(out, "tags");
    json_add_text(out, route->place == PLACE_UNDER_API ? (struct text){first, strcspn(first, "/")} : TEXT("service"));
    json_end_array(out);
}

static void put_operation(struct json_writer *out, const struct route *route, enum compatibility compatibility)
{
    char method[8];
    size_t length = 0;
    for (const char *name = method_name(route->method); name[length] != '\0' && length + 1 < sizeof method; length++) {
        method[length] = ascii_to_lower(name[length]);
    }
    method[length] = '\0';
    json_add_name_string(out, method);
    json_begin_object(out);
    json_member_string(out, "operationId", route->name);
    json_member_string(out, "summary", route->text);
    const char *session =
        router_takes_session(route, compatibility) ? " An API key does not do: it takes a session." : "";
    const char *confirmed =
        router_needs_confirmation(route) ? " With confirm_changes, administrators have to confirm it first." : "";
    json_member_text(out, "description",
                     text_format(out->buffer->arena, "%s%s%s", who_text(route->who), session, confirmed));
    put_tag(out, route);
    if (!document_route_is_protected(route)) {
        json_member_array(out, "security");
        json_end_array(out);
    }
    put_parameters(out, route, compatibility);
    put_request_body(out, route);
    put_responses(out, route, compatibility);
    json_end_object(out);
}

/* All routes with one path become one path item, wherever they are in the table. */
static void put_paths(struct json_writer *out, enum compatibility compatibility)
{
    json_member_object(out, "paths");
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        bool is_first = true;
        for (size_t before = 0; before < i; before++) {
            is_first = is_first && strcmp(routes[before].path, route->path) != 0;
        }
        if (!is_first) {
            continue;
        }
        bool is_api = route->place == PLACE_UNDER_API;
        json_add_name_string(out, text_format(out->buffer->arena, "%s%s", is_api ? "/api/v1" : "", route->path).data);
        json_begin_object(out);
        for (size_t other = i; other < ROUTE_COUNT; other++) {
            if (strcmp(routes[other].path, route->path) == 0) {
                put_operation(out, &routes[other], compatibility);
            }
        }
        json_end_object(out);
    }
    json_end_object(out);
}

static void put_security_schemes(struct json_writer *out)
{
    json_member_object(out, "securitySchemes");
    json_member_object(out, "bearer");
    PUT_STRING_MEMBERS(out, "type", "http", "scheme", "bearer", "bearerFormat", "JWT", "description",
                       "A token from POST /auths/signin, or an API key.");
    json_end_object(out);
    json_member_object(out, "cookie");
    PUT_STRING_MEMBERS(out, "type", "apiKey", "in", "cookie", "name", "token", "description",
                       "The same token, as browsers send it.");
    json_end_object(out);
    json_member_object(out, "apiKeyHeader");
    PUT_STRING_MEMBERS(out, "type", "apiKey", "in", "header", "name", "x-api-key", "description", "An API key.");
    json_end_object(out);
    json_end_object(out);
}

/* One of the security schemes is enough. */
static void put_security(struct json_writer *out)
{
    static const char *const names[] = {"bearer", "cookie", "apiKeyHeader"};
    json_member_array(out, "security");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        json_begin_object(out);
        json_add_name_string(out, names[i]);
        json_begin_array(out);
        json_end_array(out);
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_components(struct json_writer *out, enum compatibility compatibility)
{
    json_member_object(out, "components");
    put_security_schemes(out);
    json_member_object(out, "responses");
    put_error_responses(out, compatibility);
    json_end_object(out);
    json_member_object(out, "schemas");
    openapi_put_schemas(out, compatibility);
    json_end_object(out);
    json_end_object(out);
}

static void put_info(struct json_writer *out)
{
    json_member_object(out, "info");
    PUT_STRING_MEMBERS(out, "title", "Roster", "version", PACKAGE_VERSION);
    openapi_put_description(
        out, "Users, sessions, groups and permissions. Every path under /api/v1 works without that prefix, "
             "too; a slash at its end does not count. HEAD works wherever GET does. Every error is "
             "{\"detail\": TEXT, \"code\": CODE}.");
    json_end_object(out);
}

static void put_servers(struct json_writer *out, const char *url)
{
    json_member_array(out, "servers");
    json_begin_object(out);
    json_member_string(out, "url", url != NULL && url[0] != '\0' ? url : "/");
    json_end_object(out);
    json_end_array(out);
}

static void put_tags(struct json_writer *out)
{
    static const struct {
        const char *name, *text;
    } tags[] = {
        {"users", "Users, as others see them, and what belongs to them"},
        {"auths", "Sign-in, sessions, the caller's own account, settings of the service"},
        {"groups", "Groups and their members"},
        {"verify", "Signing in for other programs behind the same nginx"},
        {"service", "The service itself"},
    };
    json_member_array(out, "tags");
    for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
        json_begin_object(out);
        PUT_STRING_MEMBERS(out, "name", tags[i].name, "description", tags[i].text);
        json_end_object(out);
    }
    json_end_array(out);
}

struct text openapi_document(struct arena *arena, const char *server_url, enum compatibility compatibility)
{
    struct json_writer out;
    json_start(&out, arena);
    json_begin_object(&out);
    json_member_string(&out, "openapi", "3.1.0");
    put_info(&out);
    put_servers(&out, server_url);
    put_tags(&out);
    put_security(&out);
    put_paths(&out, compatibility);
    put_components(&out, compatibility);
    json_end_object(&out);
    return json_finish(&out);
}
