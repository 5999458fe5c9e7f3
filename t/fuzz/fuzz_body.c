/* fuzz_body.c: bodies of requests through each schema. The first line names the schema; the byte behind it has bits: as
 * with compatibility 0.12, as a form, cut off, without a length. The rest is the body. */
#include "fuzz_schemas.h"

static void fuzz_input(struct arena *arena, struct text input)
{
    struct route route = {.name = "fuzz", .body = take_schema(false, &input)};
    const unsigned bits = (unsigned char)fuzz_take_byte(&input);
    struct request *request = begin_request(arena, &route, (bits & 1) != 0);
    const struct text body = {input.data, input.length < sizeof streams.body - 1 ? input.length : 0};
    streams_send(&streams, body);
    request->content_type = (bits & 2) != 0 ? TEXT("application/x-www-form-urlencoded") : TEXT("application/json");
    request->content_length = (bits & 8) != 0 ? -1 : (int64_t)body.length + ((bits & 4) != 0);

    const enum outcome outcome = validate_request(request);
    if (outcome != OK) {
        check_problem(request, outcome);
        return;
    }
    const struct schema_row *schema = schema_row(route.body);
    require((bits & 4) == 0 || (bits & 8) != 0);
    if (schema->kind != SCHEMA_KIND_FREE) {
        check_values(schema, request->input);
    }
    if (request->json != NULL && json_object_is_type(request->json, json_type_object)) {
        const struct json_members members = request_sent_members(request);
        for (size_t i = 0; i < members.count; i++) {
            require(json_scan(arena, members.items[i].value, 64).verdict == JSON_GOOD);
        }
    }
}
