/* manual_api.c: the parts of roster-api(7) that come from the tables. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/manual.h"
#include "ctl/mdoc.h"
#include "worker/document.h"

/* Routes. */

static const struct {
    const char *first_segment, *title;
} chapters[] = {{"users", "Users"},
                {"auths", "Sign-in, sessions and the caller's own account"},
                {"groups", "Groups"},
                {NULL, "The service"}};

static bool is_of_chapter(const struct route_document *route, size_t chapter)
{
    size_t length = strcspn(route->path + 1, "/");
    bool is_api = strcmp(route->place, "API") == 0;
    const char *segment = chapters[chapter].first_segment;
    return segment == NULL ? !is_api
                           : is_api && strlen(segment) == length && strncmp(route->path + 1, segment, length) == 0;
}

static const char *who_text(const char *who)
{
    return strcmp(who, "ANYONE") == 0     ? "Anybody, without a token."
           : strcmp(who, "ANY_ROLE") == 0 ? "Everybody signed in, whatever the role."
           : strcmp(who, "VERIFIED") == 0 ? "Users and administrators."
                                          : "Administrators.";
}

static void add_error(void *argument, enum error_code code, int status)
{
    struct buffer *line = argument;
    buffer_add_format(line, "%s%s", line->length > 0 ? ", " : "", error_name(code));
    if (status != error_status(code)) {
        buffer_add_format(line, " (%d)", status);
    }
}

/* The errors of the route's own: those that every route of its kind has are told once, in the text of the page. */
static bool is_common(enum error_code code)
{
    switch (code) {
    case ERROR_NOT_AUTHENTICATED:
    case ERROR_UNAUTHORIZED:
    case ERROR_INVALID_TOKEN:
    case ERROR_API_KEY_NOT_ALLOWED:
    case ERROR_API_KEY_ENDPOINT_NOT_ALLOWED:
    case ERROR_BODY_PARSE_ERROR:
    case ERROR_BODY_INCOMPLETE:
    case ERROR_CONTENT_TOO_LARGE:
    case ERROR_VALIDATION_ERROR:
    case ERROR_HEADER_FIELDS_TOO_LARGE:
    case ERROR_INTERNAL_ERROR:
    case ERROR_UNAVAILABLE:
        return true;
    case ERROR_ACCESS_PROHIBITED:
    default:
        return false;
    }
}

static void add_own_error(void *argument, enum error_code code, int status)
{
    if (!is_common(code) && !(code == ERROR_ACCESS_PROHIBITED && status == error_status(code))) {
        add_error(argument, code, status);
    }
}

static void print_route(struct buffer *out, const struct route_document *route)
{
    struct buffer errors;
    mdoc_macro(out, ".It Ic %s %s", route->method, mdoc_word(out, route->path));
    mdoc_format(out, "%s.", route->text);
    mdoc_text(out, who_text(route->who));
    if (strcmp(route->permission, "NONE") != 0) {
        mdoc_format(out, "Needs the permission %s.", route->permission);
    }
    if (route->body != SCHEMA_NONE) {
        mdoc_format(out, "Body: %s.", schema_row(route->body)->name);
    }
    if (route->query != SCHEMA_NONE) {
        mdoc_format(out, "Query: %s.", schema_row(route->query)->name);
    }
    mdoc_format(out, "Gives: %s.", route->gives);
    if (strcmp(route->limit, "NONE") != 0) {
        mdoc_format(out, "Limit: %s.", route->limit);
    }
    buffer_init(&errors, out->arena);
    document_each_error(route, add_own_error, &errors);
    if (errors.length > 0) {
        mdoc_format(out, "Errors: %s.", buffer_text(&errors).data);
    }
}

void manual_routes(struct buffer *out)
{
    const struct route_document *route;
    for (size_t chapter = 0; chapter < sizeof chapters / sizeof chapters[0]; chapter++) {
        mdoc_macro(out, ".Ss %s", chapters[chapter].title);
        mdoc_macro(out, ".Bl -tag -width Ds");
        for (size_t i = 0; (route = document_route(i)) != NULL; i++) {
            if (is_of_chapter(route, chapter)) {
                print_route(out, route);
            }
        }
        mdoc_macro(out, ".El");
    }
}

/* Bodies and queries. */

static const char *field_type(const struct field_row *field)
{
    switch (field->type) {
    case FIELD_TEXT:
        return "text";
    case FIELD_ROLE:
        return "role";
    case FIELD_INTEGER:
        return "integer";
    case FIELD_BOOLEAN:
        return "boolean";
    case FIELD_DATE:
        return "date";
    case FIELD_OBJECT:
        return "object";
    case FIELD_TEXTS:
        return "list of texts";
    case FIELD_SECTION:
        return "section of permissions";
    case FIELD_OVERLAY:
        return "permissions, any of them";
    }
    return "";
}

static void print_field(struct buffer *out, const struct field_row *field)
{
    mdoc_macro(out, ".It Va %s No \\(en %s%s", mdoc_word(out, field->name), field_type(field),
               field->needed == FIELD_REQUIRED   ? ", required"
               : field->needed == FIELD_NULLABLE ? ", optional, may be null"
                                                 : ", optional");
    mdoc_text(out, field->text);
    if (field->least > 0) {
        mdoc_format(out, "From %zu to %zu characters.", field->least, field->most);
    } else if (field->most > 0) {
        mdoc_format(out, "At most %zu characters.", field->most);
    }
}

void manual_bodies(struct buffer *out)
{
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        const struct schema_row *row = schema_row(schema);
        mdoc_macro(out, ".Ss %s", row->name);
        mdoc_format(out, "%s.%s", row->text, row->kind == SCHEMA_KIND_EXTRA ? " Further keys are kept." : "");
        if (row->field_count > 0) {
            mdoc_macro(out, ".Bl -tag -width Ds");
            for (size_t i = 0; i < row->field_count; i++) {
                print_field(out, &row->fields[i]);
            }
            mdoc_macro(out, ".El");
        }
    }
}

/* Shapes. */

static const char *member_type(const struct member *member)
{
    switch (member->type) {
    case MEMBER_TEXT:
        return "text";
    case MEMBER_INTEGER:
        return "integer";
    case MEMBER_BOOLEAN:
        return "boolean";
    case MEMBER_TEXTS:
        return "list of texts";
    case MEMBER_FREE:
        return "object";
    case MEMBER_SHAPE:
        return "";
    case MEMBER_LIST:
        return "list of ";
    case MEMBER_DATE:
        return "date";
    case MEMBER_SECTION:
        return "object of booleans";
    }
    return "";
}

static void print_member(void *argument, const struct member *member)
{
    struct buffer *out = argument;
    bool has_shape = member->type == MEMBER_SHAPE || member->type == MEMBER_LIST;
    mdoc_macro(out, ".It Va %s No \\(en %s%s%s", mdoc_word(out, member->name), member_type(member),
               has_shape ? member->of : "", member->may_be_null ? ", may be null" : "");
    if (member->text != NULL) {
        mdoc_text(out, member->text);
    }
}

void manual_shapes(struct buffer *out)
{
    const struct shape_row *shape;
    for (size_t i = 0; (shape = document_shape(i)) != NULL; i++) {
        mdoc_macro(out, ".Ss %s", shape->name);
        if (shape->kind == SHAPE_LIST) {
            mdoc_format(out, "A list of %s.", shape->of);
        } else if (shape->kind == SHAPE_OR_NULL) {
            mdoc_format(out, "%s, or null.", shape->of);
        }
        mdoc_text(out, shape->text);
        if (shape->kind == SHAPE_PICTURE) {
            mdoc_text(out, "Status 302 where it lies elsewhere, 304 where it is the one that If-None-Match names.");
        }
        if (shape->kind == SHAPE_OBJECT) {
            mdoc_macro(out, ".Bl -tag -width Ds");
            document_each_member(shape, print_member, out);
            mdoc_macro(out, ".El");
        }
        if (document_shape_has_extra(shape)) {
            mdoc_text(out, "Further keys may follow.");
        }
    }
}

/* The rest. */

void manual_permissions(struct buffer *out)
{
    const struct permission_row *row;
    mdoc_macro(out, ".Bl -column features.direct_tool_servers \"left out\" fresh");
    mdoc_macro(out, ".It Em permission Ta Em \"left out\" Ta Em fresh");
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        mdoc_macro(out, ".It %s.%s Ta %s Ta %s", row->section, row->key, row->absent ? "true" : "false",
                   row->fresh ? "true" : "false");
    }
    mdoc_macro(out, ".El");
}

void manual_errors(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        mdoc_macro(out, ".It Er %s No (%d)", error_name(code), error_status(code));
        mdoc_text(out, error_detail(code));
    }
    mdoc_macro(out, ".El");
}

void manual_limits(struct buffer *out)
{
    const struct limit_document *limit;
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (size_t i = 0; (limit = document_limit(i)) != NULL; i++) {
        mdoc_macro(out, ".It Ic %s", limit->name);
        mdoc_format(out, "Counts %s, against %s of roster.conf.", limit->text, limit->directive);
    }
    mdoc_macro(out, ".El");
}
