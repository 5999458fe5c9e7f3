/* fuzz_query.c: query strings through each schema. The first line names the schema; the byte behind it is odd: as with
 * compatibility 0.12. */
#include "base/percent.h"
#include "fuzz_schemas.h"

/* A text that was decoded can be written as a segment, and is the same then. */
static void check_decoded(void *argument, struct text name, struct text value)
{
    struct arena *arena = argument;
    struct buffer buffer;
    require(name.data[name.length] == '\0' && value.data[value.length] == '\0');
    buffer_init(&buffer, arena);
    percent_add_segment(&buffer, value);
    require(text_equal(percent_decode(arena, buffer_text(&buffer)), value));
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct route route = {.name = "fuzz", .query = take_schema(true, &input)};
    struct request *request = begin_request(arena, &route, (unsigned char)fuzz_take_byte(&input) % 2 != 0);
    request->query_string = input;
    const enum outcome outcome = validate_request(request);
    if (outcome == OK) {
        check_values(schema_row(route.query), request->query);
    } else {
        check_problem(request, outcome);
    }
    request_each_query(request, check_decoded, arena);
}
