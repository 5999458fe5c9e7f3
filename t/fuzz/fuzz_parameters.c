/* fuzz_parameters.c: the FastCGI parameters of a request, a line each, up to where a handler would begin without the
 * database: what is taken of them, the route, the form of the answer, and where the request comes from. */
#include "../unit/fastcgi_streams.h"
#include "base/array.h"
#include "base/email.h"
#include "base/header_text.h"
#include "base/json_scan.h"
#include "base/problem.h"
#include "fuzz.h"
#include "worker/accept.h"
#include "worker/monitors.h"
#include "worker/origin.h"

static struct streams streams;

static void split_lines(struct arena *arena, struct text input)
{
    size_t count = 0;
    while (input.length > 0 && count < ARRAY_COUNT(streams.parameters) - 1) {
        const struct text line = text_take(&input, '\n');
        if (memchr(line.data, '\0', line.length) == NULL) {
            char *parameter = arena_alloc(arena, line.length + 1);
            memcpy(parameter, line.data, line.length);
            parameter[line.length] = '\0';
            streams.parameters[count++] = parameter;
        }
    }
    streams.parameters[count] = NULL;
}

static void check_route(struct request *request)
{
    struct arena *arena = request->context.arena;
    const struct match match = router_match(arena, request->method, request->path);
    require(match.route == NULL || match.route->method == request->method);
    for (size_t i = 0; match.route != NULL && i < ROUTE_PARAMETERS_MAX; i++) {
        require(match.parameters[i].data == NULL || match.parameters[i].length > 0);
    }
    request->route = match.route;
    monitors_may(request);
}

static void check_trusted(struct request *request)
{
    struct arena *arena = request->context.arena;
    const struct text fields[] = {request->trusted_name, request->trusted_groups, request->trusted_email};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        for (enum header_encoding encoding = 0; encoding <= HEADER_ENCODING_LATIN1; encoding++) {
            const struct text plain = header_text_decode(arena, fields[i], encoding);
            const struct text decoded = header_text_decode_percent(arena, fields[i], encoding);
            require(plain.data == NULL || text_is_utf8(plain));
            require(decoded.data == NULL ||
                    (text_is_utf8(decoded) && memchr(decoded.data, '\0', decoded.length) == NULL));
        }
    }
    const struct text folded = email_fold(arena, request->trusted_email);
    require(text_equal(email_fold(arena, folded), folded));
}

static void fuzz_input(struct arena *arena, struct text input)
{
    static const struct media_offer offers[] = {
        {"application/json", NULL}, {"text/plain", "0.0.4"}, {"application/openmetrics-text", ""}};
    static bool is_started;
    if (!is_started) {
        router_init();
        is_started = true;
    }
    streams.config = streams_config();
    streams.config.trusted_email_header = "X-Forwarded-Email";
    streams.config.trusted_name_header = "X-Forwarded-User";
    streams.config.trusted_groups_header = "X-Forwarded-Groups";
    streams_begin(&streams, arena);
    struct request *request = &streams.request;
    request->context.request_id = "fuzz";
    split_lines(arena, input);
    const enum outcome outcome = request_parse(request);
    require(outcome == OK || request->context.problem.code == ERROR_HEADER_FIELDS_TOO_LARGE);
    require(request->content_length >= -1 && request->target.data != NULL);
    require(request->path.length <= request->target.length);
    check_route(request);
    require(accept_choose(request->accept, offers, ARRAY_COUNT(offers)) < ARRAY_COUNT(offers));
    check_trusted(request);
    const enum outcome origin = origin_check(request);
    require(origin == OK || (origin == PROBLEM && request->context.problem.code == ERROR_CROSS_SITE));
    require(origin_is_same(arena, request->origin, request->origin) ||
            !origin_is_same(arena, request->origin, TEXT("https://users.example.org")));
    response_render_problem(request);
    require(json_scan(arena, buffer_text(&request->response.body), 64).verdict == JSON_GOOD);
}
