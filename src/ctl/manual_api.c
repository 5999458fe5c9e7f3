/* manual_api.c: the parts of roster-api(7) that are generated from the tables. */
#include <string.h>

#include "base/array.h"
#include "base/permission_table.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "ctl/manual.h"
#include "ctl/mdoc.h"
#include "store/config_store.h"
#include "worker/document.h"

/* Routes. */

static const struct {
    const char *first_segment, *title;
} chapters[] = {{"users", "Users"},           {"auths", "Sign-in, sessions and the caller's own account"},
                {"groups", "Groups"},         {"audit", "The audit"},
                {"verify", "Other programs"}, {NULL, "The service"}};

static bool is_of_chapter(const struct route *route, size_t chapter)
{
    size_t length = strcspn(route->path + 1, "/");
    bool is_api = route->place == PLACE_UNDER_API;
    const char *segment = chapters[chapter].first_segment;
    return segment == NULL ? !is_api
                           : is_api && strlen(segment) == length && strncmp(route->path + 1, segment, length) == 0;
}

static const char *who_text(enum who who)
{
    return who == WHO_ANYONE     ? "All clients, without a token."
           : who == WHO_ANY_ROLE ? "All signed-in users, with any role."
           : who == WHO_VERIFIED ? "Users and administrators."
           : who == WHO_RULE     ? "Whom the rule of nginx's location lets in."
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

/* The route's own errors. The text of the page lists the errors that all routes of a kind have. */
static bool is_common(enum error_code code)
{
    switch (code) {
    case ERROR_NOT_AUTHENTICATED:
    case ERROR_UNAUTHORIZED:
    case ERROR_INVALID_TOKEN:
    case ERROR_PASSWORD_CHANGE_REQUIRED:
    case ERROR_API_KEY_NOT_ALLOWED:
    case ERROR_API_KEY_ENDPOINT_NOT_ALLOWED:
    case ERROR_CROSS_SITE:
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

static void add_action(enum audit_action action, void *argument)
{
    struct buffer *line = argument;
    buffer_add_format(line, "%s%s", line->length > 0 ? ", " : "", audit_actions[action].name);
}

static void print_audit(struct buffer *out, const struct route *route)
{
    struct buffer actions;
    buffer_init(&actions, out->arena);
    router_each_audit(route, add_action, &actions);
    if (actions.length > 0) {
        mdoc_format(out, "Audit: %s.", buffer_text(&actions).data);
    } else if (router_unaudited(route) != NULL) {
        mdoc_format(out, "Not in the audit: %s", router_unaudited(route));
    }
}

static void print_route(struct buffer *out, const struct route *route)
{
    mdoc_macro(out, ".It Ic %s %s", method_name(route->method), mdoc_word(out, route->path));
    mdoc_format(out, "%s.", route->text);
    mdoc_text(out, who_text(route->who));
    if (route->takes == TAKES_SESSION) {
        mdoc_text(out, "API keys are refused; a session is needed.");
    } else if (route->takes == TAKES_SESSION_0_12) {
        mdoc_text(out, "Since 0.12, API keys are refused; a session is needed.");
    }
    if (router_needs_confirmation(route)) {
        mdoc_text(out, "With confirm_changes, administrators have to confirm it first.");
    }
    if (route->body != SCHEMA_NONE) {
        mdoc_format(out, "Body: %s.", schema_row(route->body)->name);
    }
    if (route->query != SCHEMA_NONE) {
        mdoc_format(out, "Query: %s.", schema_row(route->query)->name);
    }
    mdoc_format(out, "Gives: %s.", shape_row(route->gives)->name);
    if (route->limit != LIMIT_NONE) {
        mdoc_format(out, "Limit: %s.", limit_name(route->limit));
    }
    struct buffer errors;
    buffer_init(&errors, out->arena);
    document_each_error(route, COMPATIBILITY_NEWEST, add_own_error, &errors);
    if (errors.length > 0) {
        mdoc_format(out, "Errors: %s.", buffer_text(&errors).data);
    }
    print_audit(out, route);
}

void manual_routes(struct buffer *out)
{
    for (size_t chapter = 0; chapter < ARRAY_COUNT(chapters); chapter++) {
        mdoc_macro(out, ".Ss %s", chapters[chapter].title);
        mdoc_macro(out, ".Bl -tag -width Ds");
        for (size_t i = 0; i < ROUTE_COUNT; i++) {
            if (is_of_chapter(&routes[i], chapter)) {
                print_route(out, &routes[i]);
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
    case FIELD_PASSWORD:
    case FIELD_EMAIL:
        return "text";
    case FIELD_STRICT:
        return "true or false";
    case FIELD_AMOUNT:
        return "integer, or an empty text";
    case FIELD_NAME:
        return "text of one line";
    case FIELD_ADDRESS:
        return "address";
    case FIELD_ROLE:
        return "role";
    case FIELD_ACTION:
        return "action of the audit";
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

/* ", since 0.12": with which value of the directive compatibility it is there. */
static const char *since_text(struct buffer *out, enum compatibility since)
{
    return since == 0 ? "" : text_format(out->arena, ", since %s", enum_word(compatibility_words, (int)since)).data;
}

static const char *needed_text(enum field_needed needed)
{
    switch (needed) {
    case FIELD_REQUIRED:
        return ", required";
    case FIELD_NULLABLE:
        return ", optional, may be null";
    case FIELD_RELAXED:
        return ", required before 0.12";
    case FIELD_OPTIONAL:
        break;
    }
    return ", optional";
}

static void print_field(struct buffer *out, const struct field_row *field)
{
    mdoc_macro(out, ".It Va %s No \\(en %s%s%s", mdoc_word(out, field->name), field_type(field),
               field->since == 0 || field->needed != FIELD_RELAXED ? needed_text(field->needed) : ", optional",
               since_text(out, field->since));
    mdoc_text(out, field->text);
    if (field->min > 0) {
        mdoc_format(out, "From %zu to %zu characters.", field->min, field->max);
    } else if (field->max > 0) {
        mdoc_format(out, "At most %zu characters.", field->max);
    }
}

void manual_bodies(struct buffer *out)
{
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        const struct schema_row *row = schema_row(schema);
        mdoc_macro(out, ".Ss %s", row->name);
        mdoc_format(out, "%s.%s", row->text,
                    row->kind == SCHEMA_KIND_EXTRA    ? " Further keys are kept."
                    : row->kind == SCHEMA_KIND_CLOSED ? " It has no other fields."
                                                      : "");
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
    case MEMBER_ROLE:
        return "role";
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
    case MEMBER_AMOUNT:
        return "integer, or an empty text";
    case MEMBER_SECTION:
        return member->of == SHAPE_NONE ? "object of booleans" : "object of ";
    }
    return "";
}

static void print_member(void *argument, const struct member *member)
{
    struct buffer *out = argument;
    bool has_shape = member->of != SHAPE_NONE;
    mdoc_macro(out, ".It Va %s No \\(en %s%s%s%s", mdoc_word(out, member->name), member_type(member),
               has_shape ? shape_row(member->of)->name : "",
               member->may_be_null     ? ", may be null"
               : member->may_be_absent ? ", may be absent"
                                       : "",
               since_text(out, member->since));
    if (member->text != NULL) {
        mdoc_text(out, member->text);
    }
}

static void print_field_member(void *argument, const struct member *member)
{
    struct buffer *out = argument;
    mdoc_macro(out, ".It Li %s", mdoc_word(out, shape_field_name(out->arena, member)));
    mdoc_text(out, member->text);
}

void manual_shapes(struct buffer *out)
{
    for (enum shape shape = SHAPE_NONE + 1; shape < SHAPE_COUNT; shape++) {
        const struct shape_row *row = shape_row(shape);
        mdoc_macro(out, ".Ss %s", row->name);
        if (row->kind == SHAPE_KIND_LIST) {
            mdoc_format(out, "A list of %s.", shape_row(row->of)->name);
        } else if (row->kind == SHAPE_KIND_OR_NULL) {
            mdoc_format(out, "%s, or null.", shape_row(row->of)->name);
        }
        for (size_t i = 0; shape_either(shape, i) != SHAPE_NONE; i++) {
            mdoc_format(out, "%s%s%s", i == 0 ? "Either " : "or ", shape_row(shape_either(shape, i))->name,
                        shape_either(shape, i + 1) == SHAPE_NONE ? "." : "");
        }
        mdoc_text(out, row->text);
        if (row->kind == SHAPE_KIND_PORTRAIT) {
            mdoc_text(out, "Status 302 if it is stored elsewhere.");
        }
        if (row->kind == SHAPE_KIND_PORTRAIT || row->kind == SHAPE_KIND_PICTURE) {
            mdoc_text(out, "Status 304 if If-None-Match names its ETag.");
        }
        if (row->kind == SHAPE_KIND_FIELDS) {
            mdoc_text(out, "Status 204. Neither this answer nor an error has a body.");
        }
        if (row->kind == SHAPE_KIND_OBJECT || row->kind == SHAPE_KIND_FIELDS) {
            mdoc_macro(out, ".Bl -tag -width Ds");
            shape_each_member(shape, COMPATIBILITY_NEWEST,
                              row->kind == SHAPE_KIND_FIELDS ? print_field_member : print_member, out);
            mdoc_macro(out, ".El");
        }
        if (shape_has_extra(shape)) {
            mdoc_text(out, "Further keys may follow.");
        }
    }
}

/* The rest. */

void manual_permissions(struct buffer *out)
{
    mdoc_macro(out, ".Bl -column features.direct_tool_servers \"left out\" fresh since");
    mdoc_macro(out, ".It Em permission Ta Em \"left out\" Ta Em fresh Ta Em since");
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        mdoc_macro(out, ".It %s.%s Ta %s Ta %s Ta %s", row->section, row->key, row->absent ? "true" : "false",
                   row->fresh ? "true" : "false", enum_word(compatibility_words, (int)row->since));
    }
    mdoc_macro(out, ".El");
}

void manual_behaviours(struct buffer *out)
{
    mdoc_macro(out, ".Bl -bullet");
    for (enum behaviour behaviour = 0; behaviour < BEHAVIOUR_COUNT; behaviour++) {
        mdoc_macro(out, ".It");
        mdoc_text(out, behaviour_rows[behaviour].text);
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
        mdoc_macro(out, ".It Ic %s", limit_name(limit->limit));
        mdoc_format(out, "Counts %s, against %s of roster.conf.", limit->text, limit->directive);
    }
    mdoc_macro(out, ".El");
}

void manual_audit(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (size_t i = 0; i < AUDIT_ACTION_COUNT; i++) {
        mdoc_macro(out, ".It Li %s", audit_actions[i].name);
        mdoc_text(out, audit_actions[i].text);
    }
    mdoc_macro(out, ".El");
}

void manual_faults(struct buffer *out)
{
    mdoc_macro(out, ".Bl -tag -width Ds");
    for (enum fault_type type = FAULT_NONE + 1; type < FAULT_TYPE_COUNT; type++) {
        mdoc_macro(out, ".It Li %s", fault_name(type));
        mdoc_text(out, fault_text(type));
    }
    mdoc_macro(out, ".El");
}
