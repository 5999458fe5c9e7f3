#include "worker/validate.h"

#include <math.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "worker/scalar.h"

enum { JSON_DEPTH_MOST = 64 };

/* One place in the input: for the `loc` of a fault. */
struct spot {
    const char *source;       /* "body" or "query" */
    struct text path[3];      /* names below it */
    unsigned depth;
    long element;             /* index in a list, or -1 */
};

static struct spot spot_of(const char *source, const char *name)
{
    return (struct spot){source, {text_of(name)}, name != NULL ? 1 : 0, -1};
}

static enum outcome fault_at(struct context *context, const struct spot *spot, const char *type, const char *msg)
{
    struct buffer loc;
    buffer_init(&loc, context->arena);
    buffer_add_format(&loc, "[\"%s\"", spot->source);
    for (unsigned i = 0; i < spot->depth; i++) {
        buffer_add_byte(&loc, ',');
        buffer_add_json(&loc, spot->path[i]);
    }
    if (spot->element >= 0) {
        buffer_add_format(&loc, ",%ld", spot->element);
    }
    buffer_add_byte(&loc, ']');
    problem_add_fault(context, type, buffer_text(&loc), msg);
    return PROBLEM;
}

/* Our words for each type of fault. */
static const char *message_of(const char *type)
{
    static const struct {
        const char *type, *msg;
    } messages[] = {
        {"missing", "This is required."},
        {"json_invalid", "The body is no JSON."},
        {"model_attributes_type", "This must be an object."},
        {"dict_type", "This must be an object."},
        {"string_type", "This must be a text."},
        {"string_unicode", "This text holds a character that can't be stored (NUL, or half of a surrogate pair)."},
        {"int_type", "This must be an integer."},
        {"int_parsing", "This must be an integer; the text is none."},
        {"int_from_float", "This must be an integer, without a fraction."},
        {"int_parsing_size", "This integer is too large: it must fit into 64 bits."},
        {"finite_number", "This must be a finite number."},
        {"bool_type", "This must be true or false."},
        {"bool_parsing", "This must be true or false; what was sent can't be read as either."},
        {"date_type", "This must be a date, as 1999-12-31."},
        {"date_parsing", "This must be a date, as 1999-12-31; there is no year 0."},
        {"date_from_datetime_parsing", "This must be a date, as 1999-12-31."},
        {"date_from_datetime_inexact", "This must be a date, without a time of day."},
        {"list_type", "This must be a list."},
        {"enum", "This must be pending, user or admin."},
        {"string_too_long", "This text is too long."},
        {"string_too_short", "This text is too short."},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (strcmp(messages[i].type, type) == 0) {
            return messages[i].msg;
        }
    }
    return "This has the wrong form.";
}

static enum outcome fault(struct context *context, const struct spot *spot, const char *type)
{
    return fault_at(context, spot, type, message_of(type));
}

/* ---- values of a JSON body ---- */

/* `saturated`: an integer below -2^63 stands somewhere in the body, which json-c reads as -2^63. */
static const char *check_integer(json_object *json, bool saturated, struct input *input)
{
    switch (json_object_get_type(json)) {
    case json_type_boolean:
        input->integer = json_object_get_boolean(json);
        return NULL;
    case json_type_int:
        input->integer = json_object_get_int64(json);
        return json_object_get_uint64(json) > INT64_MAX || (saturated && input->integer == INT64_MIN) ? "int_parsing_size" : NULL;
    case json_type_double: {
        double number = json_object_get_double(json);
        if (!isfinite(number)) {
            return "finite_number";
        }
        if (number != trunc(number)) {
            return "int_from_float";
        }
        if (number < -9223372036854775808.0 || number >= 9223372036854775808.0) {
            return "int_parsing_size";
        }
        input->integer = (int64_t)number;
        return NULL;
    }
    case json_type_string:
        return scalar_read_integer(json_text(json),
                                     &input->integer);
    default:
        return "int_type";
    }
}

/* A number that is neither 0 nor 1 can't be read as a boolean, and one that is no integer of 64 bits can't even be tried. */
static const char *check_boolean(json_object *json, bool saturated, struct input *input)
{
    bool boolean = false;
    const char *type = NULL;
    switch (json_object_get_type(json)) {
    case json_type_boolean:
        boolean = json_object_get_boolean(json);
        break;
    case json_type_int:
    case json_type_double: {
        struct input integer = {.integer = 0};
        type = check_integer(json, saturated, &integer) != NULL ? "bool_type"
               : integer.integer != 0 && integer.integer != 1   ? "bool_parsing"
                                                                : NULL;
        boolean = integer.integer == 1;
        break;
    }
    case json_type_string:
        type = scalar_read_boolean(json_text(json), &boolean);
        break;
    default:
        type = "bool_type";
    }
    input->integer = boolean;
    return type;
}

static const char *check_date(struct arena *arena, json_object *json, struct input *input)
{
    switch (json_object_get_type(json)) {
    case json_type_string:
        return scalar_read_date(arena, json_text(json),
                                  &input->text);
    case json_type_int:
    case json_type_double:
        return scalar_date_of_seconds(arena, json_object_get_double(json), &input->text);
    default:
        return "date_type";
    }
}

static const char *check_length(const struct field_row *field, struct text text)
{
    if (field->most > 0 && text.length > field->most && text_count_characters(text) > field->most) {
        return "string_too_long";
    }
    return field->least > 0 && text_count_characters(text) < field->least ? "string_too_short" : NULL;
}

static const char *check_text(const struct field_row *field, json_object *json, struct input *input)
{
    if (json_object_get_type(json) != json_type_string) {
        return "string_type";
    }
    input->text = json_text(json);
    if (field->type == FIELD_ROLE) {
        bool known = text_is(input->text, "pending") || text_is(input->text, "user") || text_is(input->text, "admin");
        return known ? NULL : "enum";
    }
    return check_length(field, input->text);
}

static enum outcome check_texts(struct context *context, struct spot spot, json_object *json, struct input *input)
{
    if (json_object_get_type(json) != json_type_array) {
        return fault(context, &spot, "list_type");
    }
    enum outcome outcome = OK;
    input->text_count = json_object_array_length(json);
    input->texts = arena_zero(context->arena, input->text_count + 1, sizeof *input->texts);
    for (size_t i = 0; i < input->text_count; i++) {
        json_object *element = json_object_array_get_idx(json, i);
        spot.element = (long)i;
        if (json_object_get_type(element) != json_type_string) {
            outcome = fault(context, &spot, "string_type");
        } else {
            input->texts[i] = json_text(element);
        }
    }
    return outcome;
}

/* A section of the defaults: each known key is a boolean; absent ones are filled, unknown ones dropped. Gives a new object. */
static enum outcome check_section(struct context *context, struct spot spot, const char *section, json_object *json, bool saturated, struct input *input)
{
    if (json_object_get_type(json) != json_type_object) {
        return fault(context, &spot, "model_attributes_type");
    }
    enum outcome outcome = OK;
    json_object *clean = json_keep(context->arena, json_object_new_object());
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        json_object *value;
        if (strcmp(row->section, section) != 0) {
            continue;
        }
        struct input boolean = {.integer = row->absent};
        if (json_object_object_get_ex(json, row->key, &value)) {
            const char *type = check_boolean(value, saturated, &boolean);
            if (type != NULL) {
                spot.path[1] = text_of(row->key);
                spot.depth = 2;
                outcome = fault(context, &spot, type);
                continue;
            }
        }
        json_object_object_add(clean, row->key, json_object_new_boolean(boolean.integer != 0));
    }
    input->json = clean;
    return outcome;
}

/* Permissions of a group: sections of booleans, any of them; a section may only be an object, and what stands in one only a boolean or, under a name of its own, a
 * further object of booleans. */
static enum outcome check_overlay(struct context *context, struct spot spot, json_object *json, unsigned level)
{
    enum outcome outcome = OK;
    json_object_object_foreach(json, key, value)
    {
        struct spot here = spot;
        if (here.depth < 3) {
            here.path[here.depth++] = text_of(key);
        }
        bool known_key = false;
        const struct permission_row *row;
        for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
            known_key = known_key || (level == 1 && text_is(spot.path[1], row->section) && strcmp(row->key, key) == 0);
        }
        bool section = false;
        for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
            section = section || (level == 0 && strcmp(row->section, key) == 0);
        }
        if (json_object_get_type(value) == json_type_object && !known_key) {
            outcome = check_overlay(context, here, value, level + 1) == OK ? outcome : PROBLEM;
        } else if (section) {
            outcome = fault(context, &here, "dict_type");
        } else if (json_object_get_type(value) != json_type_boolean) {
            outcome = fault(context, &here, "bool_type");
        }
    }
    return outcome;
}

/* True where an integer in the tree was beyond 64 bits. `saturated` as above. */
static bool holds_large_integer(json_object *json, bool saturated)
{
    switch (json_object_get_type(json)) {
    case json_type_int: {
        struct input input;
        return check_integer(json, saturated, &input) != NULL;
    }
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(json); i++) {
            if (holds_large_integer(json_object_array_get_idx(json, i), saturated)) {
                return true;
            }
        }
        return false;
    case json_type_object: {
        json_object_object_foreach(json, key, value)
        {
            (void)key;
            if (holds_large_integer(value, saturated)) {
                return true;
            }
        }
        return false;
    }
    default:
        return false;
    }
}

static enum outcome check_field(struct request *request, const struct field_row *field, json_object *json, bool saturated, struct input *input)
{
    struct context *context = &request->context;
    struct spot spot = spot_of("body", field->name);
    const char *type = NULL;
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_ROLE:
        type = check_text(field, json, input);
        break;
    case FIELD_INTEGER:
        type = check_integer(json, saturated, input);
        break;
    case FIELD_BOOLEAN:
        type = check_boolean(json, saturated, input);
        break;
    case FIELD_DATE:
        type = check_date(context->arena, json, input);
        break;
    case FIELD_TEXTS:
        return check_texts(context, spot, json, input);
    case FIELD_SECTION:
        return check_section(context, spot, field->name, json, saturated, input);
    case FIELD_OBJECT:
    case FIELD_OVERLAY:
        if (json_object_get_type(json) != json_type_object) {
            type = "dict_type";
        } else if (field->type == FIELD_OVERLAY) {
            input->json = json;
            return check_overlay(context, spot, json, 0);
        } else if (holds_large_integer(json, saturated)) {
            type = "int_parsing_size";
        }
        input->json = json;
        break;
    }
    return type == NULL ? OK : fault(context, &spot, type);
}

/* The first bad string of the member `name`, or NULL. A NULL name: of any member. */
static const struct json_bad_string *bad_string_of(const struct json_scan *scan, const char *name)
{
    const struct json_bad_string *bad = scan->bad_strings;
    while (bad != NULL && name != NULL && !text_is(bad->member, name)) {
        bad = bad->next;
    }
    return bad;
}

/* Whether a bad string in a field's value is its fault: only where what holds it is what the field takes, else its type is. A number, boolean or date
 * may come as a text, and one with a NUL is none of them; sections keep no text. */
static bool bad_string_counts(const struct field_row *field, json_object *json)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_ROLE:
        return json_object_get_type(json) == json_type_string;
    case FIELD_TEXTS:
        return json_object_get_type(json) == json_type_array;
    case FIELD_OBJECT:
    case FIELD_OVERLAY:
        return json_object_get_type(json) == json_type_object;
    case FIELD_INTEGER:
    case FIELD_BOOLEAN:
    case FIELD_DATE:
        return json_object_get_type(json) == json_type_string &&
               memchr(json_object_get_string(json), '\0', (size_t)json_object_get_string_len(json)) == NULL;
    case FIELD_SECTION:
        break;
    }
    return false;
}

static enum outcome check_fields(struct request *request, const struct schema_row *schema, const struct json_scan *scan)
{
    struct context *context = &request->context;
    enum outcome outcome = OK;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field_row *field = &schema->fields[i];
        struct input *input = &request->input[i];
        json_object *json = NULL;
        struct spot spot = spot_of("body", field->name);
        bool sent = json_object_object_get_ex(request->json, field->name, &json);
        const struct json_bad_string *bad = bad_string_of(scan, field->name);
        input->is_null = sent && json == NULL;
        if (!sent || (json == NULL && field->needed == FIELD_NULLABLE)) {
            if (field->needed == FIELD_REQUIRED) {
                outcome = fault(context, &spot, "missing");
            }
        } else if (bad != NULL && bad_string_counts(field, json)) {
            spot.element = bad->element;
            outcome = fault(context, &spot, "string_unicode");
        } else {
            input->present = true;
            outcome = check_field(request, field, json, scan->below_64_bits, input) == OK ? outcome : PROBLEM;
        }
    }
    return outcome;
}

/* Members beyond the schema's that are kept (EXTRA) or the whole of a free-form body: what no column could hold is refused. */
static enum outcome check_extras(struct request *request, const struct schema_row *schema, const struct json_scan *scan)
{
    struct context *context = &request->context;
    enum outcome outcome = OK;
    json_object_object_foreach(request->json, key, value)
    {
        bool declared = false;
        for (size_t i = 0; i < schema->field_count; i++) {
            declared = declared || strcmp(schema->fields[i].name, key) == 0;
        }
        if (!declared && holds_large_integer(value, scan->below_64_bits)) {
            struct spot spot = spot_of("body", key);
            outcome = fault(context, &spot, "int_parsing_size");
        }
    }
    for (const struct json_bad_string *bad = scan->bad_strings; bad != NULL; bad = bad->next) {
        struct spot spot = {"body", {bad->member}, bad->member.data != NULL ? 1 : 0, bad->element};
        bool declared = false;
        for (size_t i = 0; i < schema->field_count; i++) {
            declared = declared || text_is(bad->member, schema->fields[i].name);
        }
        if (!declared) {
            outcome = fault(context, &spot, "string_unicode");
        }
    }
    return outcome;
}

/* "application/json; charset=utf-8" and "application/scim+json" are JSON, and so is a body of which nobody says what it is. */
static bool content_is_json(struct text content_type)
{
    size_t length = content_type.length;
    const char *semicolon = content_type.data != NULL ? memchr(content_type.data, ';', length) : NULL;
    if (semicolon != NULL) {
        length = (size_t)(semicolon - content_type.data);
    }
    struct text type = text_trim((struct text){content_type.data, length});
    if (type.length == 0) {
        return true;
    }
    if (text_is_ignoring_case(type, "application/json")) {
        return true;
    }
    static const char application[] = "application/";
    static const char json[] = "+json";
    return type.length >= sizeof application + sizeof json - 2 &&
           text_is_ignoring_case((struct text){type.data, sizeof application - 1}, application) &&
           text_is_ignoring_case((struct text){type.data + type.length - (sizeof json - 1), sizeof json - 1}, json);
}

/* The scan gives names as they stand in the text: `\u0061` is `a` to the schema. */
static void resolve_member(struct arena *arena, struct json_bad_string *bad)
{
    if (bad->member.data != NULL && memchr(bad->member.data, '\\', bad->member.length) != NULL) {
        struct text quoted = text_format(arena, "\"%.*s\"", (int)bad->member.length, bad->member.data);
        struct text resolved = json_text(json_parse(arena, quoted));
        bad->member = resolved.data != NULL ? resolved : bad->member;
    }
}

static enum outcome parse_body(struct request *request, struct json_scan *scan)
{
    struct context *context = &request->context;
    *scan = json_scan(context->arena, request->body, JSON_DEPTH_MOST);
    if (scan->verdict == JSON_INVALID) {
        struct spot spot = {"body", {{NULL, 0}}, 0, (long)scan->offset};
        return fault_at(context, &spot, "json_invalid",
                        text_format(context->arena, "The body is no JSON: %s at character %zu.", scan->reason, scan->offset).data);
    }
    if (scan->verdict != JSON_GOOD) {
        return problem_set_detail(context, ERROR_BODY_PARSE_ERROR, 0, scan->reason);
    }
    for (struct json_bad_string *bad = scan->bad_strings; bad != NULL; bad = bad->next) {
        resolve_member(context->arena, bad);
    }
    arena_account(context->arena, json_tree_bytes(scan->document));
    if (arena_exceeded(context->arena)) {
        return problem_set_detail(context, ERROR_CONTENT_TOO_LARGE, 0, "The body holds more values than this server takes.");
    }
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MOST + 2);
    invariant(tokener != NULL);
    /* Not JSON_TOKENER_STRICT: the scan was. json-c 0.18 then refuses what is good JSON: a byte over 127 right behind an
     * escape, and integers beyond 64 bits. */
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
    request->json = json_tokener_parse_ex(tokener, scan->document.data, (int)scan->document.length);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) { /* a bare number ends only with the text */
        request->json = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    json_keep(context->arena, request->json);
    if (error != json_tokener_success) {
        log_error(context, "json-c refuses what was scanned as good JSON: %s", json_tokener_error_desc(error));
        return problem_set(context, ERROR_BODY_PARSE_ERROR);
    }
    return OK;
}

static enum outcome validate_body(struct request *request)
{
    struct context *context = &request->context;
    const struct schema_row *schema = schema_row(request->route->body);
    struct spot whole = spot_of("body", NULL);
    request->input = arena_zero(context->arena, schema->field_count + 1, sizeof *request->input);
    struct json_scan scan = {.verdict = JSON_GOOD};
    if (request->body.length == 0) {
        return fault(context, &whole, "missing");
    }
    const char *not_object = schema->kind == SCHEMA_KIND_FREE ? "dict_type" : "model_attributes_type";
    if (!content_is_json(request->content_type)) {
        return fault(context, &whole, not_object);
    }
    enum outcome outcome = parse_body(request, &scan);
    if (outcome != OK) {
        return outcome;
    }
    if (request->json == NULL) {
        return fault(context, &whole, "missing");
    }
    if (json_object_get_type(request->json) != json_type_object) {
        return fault(context, &whole, not_object);
    }
    outcome = check_fields(request, schema, &scan);
    if (schema->kind == SCHEMA_KIND_EXTRA || schema->kind == SCHEMA_KIND_FREE) {
        outcome = check_extras(request, schema, &scan) == OK ? outcome : PROBLEM;
    }
    return outcome;
}

/* ---- the query ---- */

struct query_collector {
    struct request *request;
    const struct schema_row *schema;
};

static void collect_parameter(void *argument, struct text name, struct text value)
{
    const struct query_collector *collector = argument;
    for (size_t i = 0; i < collector->schema->field_count; i++) {
        if (text_is(name, collector->schema->fields[i].name)) {
            collector->request->query[i].present = true;
            collector->request->query[i].text = value;
        }
    }
}

static enum outcome validate_query(struct request *request)
{
    struct context *context = &request->context;
    const struct schema_row *schema = schema_row(request->route->query);
    request->query = arena_zero(context->arena, schema->field_count + 1, sizeof *request->query);
    struct query_collector collector = {request, schema};
    request_each_query(request, collect_parameter, &collector);
    enum outcome outcome = OK;
    for (size_t i = 0; i < schema->field_count; i++) {
        struct input *input = &request->query[i];
        const struct field_row *field = &schema->fields[i];
        struct spot spot = spot_of("query", field->name);
        const char *type = NULL;
        bool boolean = false;
        if (!input->present) {
            continue;
        }
        if (field->type == FIELD_INTEGER) {
            type = scalar_read_integer(input->text, &input->integer);
        } else if (field->type == FIELD_BOOLEAN) {
            type = scalar_read_boolean(input->text, &boolean);
            input->integer = boolean;
        } else if (!text_is_utf8(input->text) || memchr(input->text.data, '\0', input->text.length) != NULL) {
            type = "string_unicode";
        } else {
            type = check_length(field, input->text);
        }
        if (type != NULL) {
            outcome = fault(context, &spot, type);
        }
    }
    return outcome;
}

enum outcome validate_request(struct request *request)
{
    enum outcome outcome = OK;
    if (request->route->query != SCHEMA_NONE) {
        outcome = validate_query(request);
    }
    if (request->route->body != SCHEMA_NONE) {
        enum outcome read = request_read_body(request);
        if (read != OK) {
            return read;
        }
        enum outcome body = validate_body(request);
        outcome = body == OK ? outcome : body;
    }
    return outcome;
}
