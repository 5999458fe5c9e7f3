/* fuzz_schemas.h: bodies and queries through each schema: what is the same for both. */
#ifndef ROSTER_T_FUZZ_SCHEMAS_H
#define ROSTER_T_FUZZ_SCHEMAS_H

#include "../unit/fastcgi_streams.h"
#include "base/email.h"
#include "base/json_scan.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "fuzz.h"
#include "worker/validate.h"

static struct streams streams;

/* The schema that the first line names, which is taken from the input; of another name, one of this kind that the
 * line's length chooses. */
static enum schema take_schema(bool is_query, struct text *input)
{
    enum schema found[SCHEMA_COUNT];
    size_t count = 0;
    const struct text name = text_take(input, '\n');
    for (enum schema schema = SCHEMA_NONE + 1; schema < SCHEMA_COUNT; schema++) {
        if ((schema_row(schema)->kind == SCHEMA_KIND_QUERY) == is_query) {
            if (text_is(name, schema_row(schema)->name)) {
                return schema;
            }
            found[count++] = schema;
        }
    }
    return found[name.length % count];
}

/* What a handler relies on. */
static void check_values(const struct schema_row *schema, const struct input *inputs)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field_row *field = &schema->fields[i];
        const struct input *input = &inputs[i];
        require(!input->present || !input->is_null);
        require(input->present || field->needed != FIELD_REQUIRED || field->since != COMPATIBILITY_0_6);
        if (!input->present || field->type == FIELD_ADDRESS) {
            continue;
        }
        for (size_t t = 0; t < input->text_count; t++) {
            require(text_is_utf8(input->texts[t]) &&
                    memchr(input->texts[t].data, '\0', input->texts[t].length) == NULL);
        }
        if (field->type == FIELD_BOOLEAN || field->type == FIELD_STRICT) {
            require(input->integer == 0 || input->integer == 1);
        }
        if (input->text.data == NULL) {
            continue;
        }
        require(text_is_utf8(input->text) && memchr(input->text.data, '\0', input->text.length) == NULL);
        require(field->max == 0 || text_count_characters(input->text) <= field->max);
        require(text_count_characters(input->text) >= field->min);
    }
}

/* A refusal tells of at least one fault, each at a place, and is an answer of the documented form. */
static void check_problem(struct request *request, enum outcome outcome)
{
    const struct problem *problem = &request->context.problem;
    require(outcome == PROBLEM && problem->code != ERROR_NONE);
    require((problem->code == ERROR_VALIDATION_ERROR) == (problem->faults != NULL));
    for (const struct fault *fault = problem->faults; fault != NULL; fault = fault->next) {
        require(fault->type != FAULT_NONE && fault->msg[0] != '\0');
        require(json_scan(request->context.arena, fault->loc, 4).verdict == JSON_GOOD);
    }
    response_render_problem(request);
    require(request->response.status >= 400 && request->response.status < 500);
    const struct text body = buffer_text(&request->response.body);
    require(json_scan(request->context.arena, body, 64).verdict == JSON_GOOD);
}

/* Begins a request for a route that has only this body, or this query. */
static struct request *begin_request(struct arena *arena, struct route *route, bool of_0_12)
{
    streams.config = streams_config();
    streams.config.compatibility = of_0_12 ? COMPATIBILITY_0_12 : COMPATIBILITY_0_6;
    streams_begin(&streams, arena);
    streams.chunk = 1000;
    streams.request.route = route;
    streams.request.method_text = "POST";
    streams.request.context.request_id = "fuzz";
    return &streams.request;
}

#endif
