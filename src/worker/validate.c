#include "worker/validate.h"

#include <math.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "base/permission_table.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "worker/scalar.h"

enum { JSON_DEPTH_MAX = 64 };

/* A place in the input, for the `loc` of a fault. */
struct spot {
    const char *source;  /* "body" or "query" */
    struct text path[3]; /* names below it */
    unsigned depth;
    long element; /* index in a list, or -1 */
};

static struct spot spot_of(const char *source, const char *name)
{
    return (struct spot){source, {text_of(name)}, name != NULL ? 1 : 0, -1};
}

/* `msg` NULL: the message of faults.def. */
static enum outcome fault_at(struct context *context, const struct spot *spot, enum fault_type type, const char *msg)
{
    struct json_writer loc;
    json_start(&loc, context->arena);
    json_begin_array(&loc);
    json_add_string(&loc, spot->source);
    for (unsigned i = 0; i < spot->depth; i++) {
        json_add_text(&loc, spot->path[i]);
    }
    if (spot->element >= 0) {
        json_add_integer(&loc, spot->element);
    }
    json_end_array(&loc);
    problem_add_fault(context, type, json_finish(&loc), msg);
    return PROBLEM;
}

static enum outcome fault(struct context *context, const struct spot *spot, enum fault_type type)
{
    return fault_at(context, spot, type, NULL);
}

/* ---- values of a JSON body ---- */

/* `saturated`: the body has an integer below -2^63, which json-c reads as -2^63. */
static enum fault_type check_integer(json_object *json, bool saturated, struct input *input)
{
    switch (json_object_get_type(json)) {
    case json_type_boolean:
        input->integer = json_object_get_boolean(json);
        return FAULT_NONE;
    case json_type_int:
        input->integer = json_object_get_int64(json);
        return json_object_get_uint64(json) > INT64_MAX || (saturated && input->integer == INT64_MIN)
                   ? FAULT_int_parsing_size
                   : FAULT_NONE;
    case json_type_double: {
        double number = json_object_get_double(json);
        if (!isfinite(number)) {
            return FAULT_finite_number;
        }
        if (number != trunc(number)) {
            return FAULT_int_from_float;
        }
        if (number < -9223372036854775808.0 || number >= 9223372036854775808.0) {
            return FAULT_int_parsing_size;
        }
        input->integer = (int64_t)number;
        return FAULT_NONE;
    }
    case json_type_string:
        return scalar_read_integer(json_text(json), &input->integer);
    default:
        return FAULT_int_type;
    }
}

/* A number other than 0 and 1 is no boolean (bool_parsing); one that is not a 64-bit integer has the wrong type
 * (bool_type). */
static enum fault_type check_boolean(json_object *json, bool saturated, struct input *input)
{
    bool boolean = false;
    enum fault_type type = FAULT_NONE;
    switch (json_object_get_type(json)) {
    case json_type_boolean:
        boolean = json_object_get_boolean(json);
        break;
    case json_type_int:
    case json_type_double: {
        struct input integer = {.integer = 0};
        type = check_integer(json, saturated, &integer) != FAULT_NONE ? FAULT_bool_type
               : integer.integer != 0 && integer.integer != 1         ? FAULT_bool_parsing
                                                                      : FAULT_NONE;
        boolean = integer.integer == 1;
        break;
    }
    case json_type_string:
        type = scalar_read_boolean(json_text(json), &boolean);
        break;
    default:
        type = FAULT_bool_type;
    }
    input->integer = boolean;
    return type;
}

/* A number, or what stands for none: an empty text, and, as in the original, 0 and false. `text` then is an empty text;
 * of a number it is the null text. */
static enum fault_type check_amount(json_object *json, bool saturated, struct input *input)
{
    const bool is_text = json_object_get_type(json) == json_type_string;
    enum fault_type type =
        is_text && json_object_get_string_len(json) == 0 ? FAULT_NONE : check_integer(json, saturated, input);
    if (type == FAULT_NONE && input->integer == 0 && !(is_text && json_object_get_string_len(json) > 0)) {
        input->text = TEXT("");
    }
    return type;
}

static enum fault_type check_date(struct arena *arena, json_object *json, struct input *input)
{
    switch (json_object_get_type(json)) {
    case json_type_string:
        return scalar_read_date(arena, json_text(json), &input->text);
    case json_type_int:
    case json_type_double:
        return scalar_date_of_seconds(arena, json_object_get_double(json), &input->text);
    default:
        return FAULT_date_type;
    }
}

static bool is_action(struct text text)
{
    for (size_t i = 0; i < AUDIT_ACTION_COUNT; i++) {
        if (text_is(text, audit_actions[i].name)) {
            return true;
        }
    }
    return false;
}

static enum fault_type check_length(const struct field_row *field, struct text text)
{
    if (field->max > 0 && text.length > field->max && text_count_characters(text) > field->max) {
        return FAULT_string_too_long;
    }
    return field->min > 0 && text_count_characters(text) < field->min ? FAULT_string_too_short : FAULT_NONE;
}

static bool is_role(struct text text)
{
    return text_is(text, "pending") || text_is(text, "user") || text_is(text, "admin");
}

static enum fault_type check_text(const struct field_row *field, json_object *json, struct input *input)
{
    if (json_object_get_type(json) != json_type_string) {
        return FAULT_string_type;
    }
    input->text = json_text(json);
    if (field->type == FIELD_ROLE) {
        return is_role(input->text) ? FAULT_NONE : FAULT_enum;
    }
    if (field->type == FIELD_ACTION) {
        return is_action(input->text) ? FAULT_NONE : FAULT_enum;
    }
    if (field->type == FIELD_NAME && !text_is_plain(input->text)) {
        return FAULT_string_pattern_mismatch;
    }
    return check_length(field, input->text);
}

static enum outcome check_texts(struct context *context, struct spot spot, json_object *json, struct input *input)
{
    if (json_object_get_type(json) != json_type_array) {
        return fault(context, &spot, FAULT_list_type);
    }
    input->text_count = json_object_array_length(json);
    input->texts = arena_zero(context->arena, input->text_count + 1, sizeof *input->texts);
    enum outcome outcome = OK;
    for (size_t i = 0; i < input->text_count; i++) {
        json_object *element = json_object_array_get_idx(json, i);
        spot.element = (long)i;
        if (json_object_get_type(element) != json_type_string) {
            outcome = fault(context, &spot, FAULT_string_type);
        } else {
            input->texts[i] = json_text(element);
        }
    }
    return outcome;
}

/* The value of a permission in a section. `import_` is what some clients have in place of a word that their language
 * keeps for itself. */
static bool find_permission(json_object *section, const char *key, json_object **value_r)
{
    return json_object_object_get_ex(section, key, value_r) ||
           (strcmp(key, "import") == 0 && json_object_object_get_ex(section, "import_", value_r));
}

/* A section of the default permissions: each known key must be a boolean. Absent keys get their default, or are as they
 * are stored; unknown keys are dropped. The input gets a new object. */
static enum outcome check_section(struct context *context, struct spot spot, const char *section, json_object *json,
                                  bool saturated, struct input *input)
{
    if (json_object_get_type(json) != json_type_object) {
        return fault(context, &spot, FAULT_model_attributes_type);
    }
    enum outcome outcome = OK;
    json_object *clean = json_keep(context->arena, json_object_new_object());
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (strcmp(row->section, section) != 0 || !config_has(context->config, row->since)) {
            continue;
        }
        struct input boolean = {.integer = row->absent};
        json_object *value;
        if (!find_permission(json, row->key, &value)) {
            if (config_behaves(context->config, BEHAVIOUR_ABSENT_IS_STORED)) {
                continue;
            }
        } else {
            enum fault_type type = check_boolean(value, saturated, &boolean);
            if (type != FAULT_NONE) {
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

/* Permissions of a group: any sections. A section must be an object; its members must be booleans or, under unknown
 * names, further objects of booleans. */
static enum outcome check_overlay(struct context *context, struct spot spot, json_object *json, unsigned level)
{
    enum outcome outcome = OK;
    json_object_object_foreach(json, key, value)
    {
        struct spot here = spot;
        if (here.depth < 3) {
            here.path[here.depth++] = text_of(key);
        }
        bool known_key = level == 1 && permission_find(spot.path[1].data, key) != NULL;
        bool section = level == 0 && permission_is_section(key);
        if (json_object_get_type(value) == json_type_object && !known_key) {
            outcome = check_overlay(context, here, value, level + 1) == OK ? outcome : PROBLEM;
        } else if (section) {
            outcome = fault(context, &here, FAULT_dict_type);
        } else if (json_object_get_type(value) != json_type_boolean) {
            outcome = fault(context, &here, FAULT_bool_type);
        }
    }
    return outcome;
}

/* True where the tree has an integer beyond 64 bits. `saturated` as above. */
static bool holds_large_integer(json_object *json, bool saturated)
{
    switch (json_object_get_type(json)) {
    case json_type_int: {
        struct input input;
        return check_integer(json, saturated, &input) != FAULT_NONE;
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

static enum outcome check_field(struct request *request, const struct field_row *field, json_object *json,
                                bool saturated, struct input *input)
{
    struct context *context = &request->context;
    struct spot spot = spot_of("body", field->name);
    enum fault_type type = FAULT_NONE;
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_PASSWORD:
    case FIELD_NAME:
    case FIELD_ROLE:
    case FIELD_ADDRESS:
    case FIELD_EMAIL:
    case FIELD_ACTION:
        type = check_text(field, json, input);
        break;
    case FIELD_AMOUNT:
        type = check_amount(json, saturated, input);
        break;
    case FIELD_STRICT:
        type = json_object_get_type(json) == json_type_boolean ? FAULT_NONE : FAULT_bool_type;
        input->integer = json_object_get_boolean(json);
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
            type = FAULT_dict_type;
        } else if (field->type == FIELD_OVERLAY) {
            input->json = json;
            return check_overlay(context, spot, json, 0);
        } else if (holds_large_integer(json, saturated)) {
            type = FAULT_int_parsing_size;
        }
        input->json = json;
        break;
    }
    return type == FAULT_NONE ? OK : fault(context, &spot, type);
}

/* The first bad string in the member `name`, or NULL. `name` NULL: in any member. */
static const struct json_bad_string *bad_string_of(const struct json_scan *scan, const char *name)
{
    const struct json_bad_string *bad = scan->bad_strings;
    while (bad != NULL && name != NULL && !text_is(bad->member, name)) {
        bad = bad->next;
    }
    return bad;
}

/* Whether a bad string in a field's value is reported as such. Otherwise the wrong type is reported: of a number,
 * boolean or date, since a string with a NUL is none of them, and of a section, since it has no strings. */
static bool bad_string_counts(const struct field_row *field, json_object *json)
{
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_PASSWORD:
    case FIELD_NAME:
    case FIELD_ROLE:
    case FIELD_ADDRESS:
    case FIELD_EMAIL:
    case FIELD_ACTION:
        return json_object_get_type(json) == json_type_string;
    case FIELD_TEXTS:
        return json_object_get_type(json) == json_type_array;
    case FIELD_OBJECT:
    case FIELD_OVERLAY:
        return json_object_get_type(json) == json_type_object;
    case FIELD_INTEGER:
    case FIELD_AMOUNT:
    case FIELD_BOOLEAN:
    case FIELD_DATE:
        return json_object_get_type(json) == json_type_string &&
               memchr(json_object_get_string(json), '\0', (size_t)json_object_get_string_len(json)) == NULL;
    case FIELD_STRICT:
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
        if (!config_has(context->config, field->since)) {
            continue; /* an unknown field */
        }
        input->is_null = sent && json == NULL;
        if (!sent || (json == NULL && field->needed == FIELD_NULLABLE)) {
            if (field_is_required(field, context->config->compatibility)) {
                outcome = fault(context, &spot, FAULT_missing);
            }
        } else if (bad != NULL && bad_string_counts(field, json)) {
            spot.element = bad->element;
            outcome = fault(context, &spot, FAULT_string_unicode);
        } else {
            input->present = true;
            outcome = check_field(request, field, json, scan->below_64_bits, input) == OK ? outcome : PROBLEM;
        }
    }
    return outcome;
}

/* Checks the members that are stored besides those of the schema (EXTRA), or a whole free-form body. Strings that no
 * column can hold are refused. */
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
            outcome = fault(context, &spot, FAULT_int_parsing_size);
        }
    }
    for (const struct json_bad_string *bad = scan->bad_strings; bad != NULL; bad = bad->next) {
        struct spot spot = {"body", {bad->member}, bad->member.data != NULL ? 1 : 0, bad->element};
        bool declared = false;
        for (size_t i = 0; i < schema->field_count; i++) {
            declared = declared || text_is(bad->member, schema->fields[i].name);
        }
        if (!declared) {
            outcome = fault(context, &spot, FAULT_string_unicode);
        }
    }
    return outcome;
}

/* Refuses members that the schema does not have (CLOSED). */
static enum outcome check_closed(struct request *request, const struct schema_row *schema)
{
    enum outcome outcome = OK;
    json_object_object_foreach(request->json, key, value)
    {
        bool declared = false;
        (void)value;
        for (size_t i = 0; i < schema->field_count; i++) {
            declared = declared || strcmp(schema->fields[i].name, key) == 0;
        }
        if (!declared) {
            struct spot spot = spot_of("body", key);
            outcome = fault(&request->context, &spot, FAULT_extra_forbidden);
        }
    }
    return outcome;
}

/* "application/json; charset=utf-8" and "application/scim+json" are JSON, and so is a body without a Content-Type. */
static bool content_is_json(struct text content_type)
{
    struct text type = text_trim(text_take(&content_type, ';'));
    if (type.length == 0) {
        return true;
    }
    if (text_is_ignoring_case(type, "application/json")) {
        return true;
    }
    return text_starts_with_ignoring_case(type, "application/") && text_ends_with_ignoring_case(type, "+json");
}

/* The scan gives names as they were sent; the schema has them decoded: `\u0061` is `a`. */
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
    *scan = json_scan(context->arena, request->body, JSON_DEPTH_MAX);
    if (scan->verdict == JSON_INVALID) {
        struct spot spot = {"body", {TEXT_NULL}, 0, (long)scan->offset};
        return fault_at(
            context, &spot, FAULT_json_invalid,
            text_format(context->arena, "The body is invalid JSON: %s at character %zu.", scan->reason, scan->offset)
                .data);
    }
    if (scan->verdict != JSON_GOOD) {
        return problem_set_detail(context, ERROR_BODY_PARSE_ERROR, 0, scan->reason);
    }
    request->body = scan->document;
    for (struct json_bad_string *bad = scan->bad_strings; bad != NULL; bad = bad->next) {
        resolve_member(context->arena, bad);
    }
    arena_account(context->arena, json_tree_bytes(scan->document));
    if (arena_exceeded(context->arena)) {
        return problem_set_detail(context, ERROR_CONTENT_TOO_LARGE, 0,
                                  "The body holds more values than this server takes.");
    }
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    invariant(tokener != NULL);
    /* Not JSON_TOKENER_STRICT, with which json-c 0.18 refuses some valid JSON: a byte over 127 right after an escape,
     * and integers beyond 64 bits. The scan has been strict. */
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
    request->json = json_tokener_parse_ex(tokener, scan->document.data, (int)scan->document.length);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) { /* a bare number ends with the text only */
        request->json = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    json_tokener_free(tokener);
    json_keep(context->arena, request->json);
    if (error != json_tokener_success) {
        log_error(context, "json-c refuses JSON that the scan accepted: %s", json_tokener_error_desc(error));
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
        return fault(context, &whole, FAULT_missing);
    }
    enum fault_type not_object = schema->kind == SCHEMA_KIND_FREE ? FAULT_dict_type : FAULT_model_attributes_type;
    if (!content_is_json(request->content_type)) {
        return fault(context, &whole, not_object);
    }
    enum outcome outcome = parse_body(request, &scan);
    if (outcome != OK) {
        return outcome;
    }
    if (request->json == NULL) {
        return fault(context, &whole, FAULT_missing);
    }
    if (json_object_get_type(request->json) != json_type_object) {
        return fault(context, &whole, not_object);
    }
    outcome = check_fields(request, schema, &scan);
    if (schema->kind == SCHEMA_KIND_EXTRA || schema->kind == SCHEMA_KIND_FREE) {
        outcome = check_extras(request, schema, &scan) == OK ? outcome : PROBLEM;
    }
    if (schema->kind == SCHEMA_KIND_CLOSED) {
        outcome = check_closed(request, schema) == OK ? outcome : PROBLEM;
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
        if (!input->present || !config_has(context->config, field->since)) {
            input->present = false;
            continue;
        }
        enum fault_type type = FAULT_NONE;
        bool boolean = false;
        if (field->type == FIELD_INTEGER) {
            type = scalar_read_integer(input->text, &input->integer);
        } else if (field->type == FIELD_BOOLEAN) {
            type = scalar_read_boolean(input->text, &boolean);
            input->integer = boolean;
        } else if (field->type == FIELD_ADDRESS) {
            continue; /* whose bytes need not be text: the handler checks it */
        } else if (!text_is_utf8(input->text) || memchr(input->text.data, '\0', input->text.length) != NULL) {
            type = FAULT_string_unicode;
        } else if (field->type == FIELD_ROLE) {
            type = is_role(input->text) ? FAULT_NONE : FAULT_enum;
        } else if (field->type == FIELD_ACTION) {
            type = is_action(input->text) ? FAULT_NONE : FAULT_enum;
        } else {
            type = check_length(field, input->text);
        }
        if (type != FAULT_NONE) {
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
