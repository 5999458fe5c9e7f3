/* test_response.c: what goes out: status, header fields, cookies, problems, CORS, and when there is no body. */
#include <stdlib.h>
#include <string.h>

#include <json.h>

#include "aborts.h"
#include "arena_fixture.h"
#include "base/array.h"
#include "base/problem.h"
#include "fastcgi_streams.h"
#include "unit.h"
#include "worker/response.h"

static struct streams streams;
static struct request *const request = &streams.request;

static int set_up(void **state)
{
    arena_set_up(state);
    streams.config = streams_config();
    streams_begin(&streams, arena);
    request->response.status = 200;
    return 0;
}

static void begin(void)
{
    streams_begin(&streams, arena);
    request->response.status = 200;
}

/* The header fields that were added since the last time. */
static const char *headers(void)
{
    const char *text = buffer_text(&request->response.headers).data;
    buffer_init(&request->response.headers, arena);
    return text;
}

static const char *answer(void)
{
    assert_true(response_send(request));
    streams_flush(&streams);
    assert_int_equal(strlen(streams.answer), streams.answer_length);
    return streams.answer;
}

static void reasons(void **state)
{
    (void)state;
    assert_string_equal(response_reason(200), "OK");
    assert_string_equal(response_reason(204), "No Content");
    assert_string_equal(response_reason(302), "Found");
    assert_string_equal(response_reason(304), "Not Modified");
    assert_string_equal(response_reason(404), "Not Found");
    assert_string_equal(response_reason(422), "Unprocessable Content");
    assert_string_equal(response_reason(431), "Request Header Fields Too Large");
    assert_string_equal(response_reason(499), "Unknown");
    assert_string_equal(response_reason(0), "Unknown");
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        /* nginx alone answers with these */
        bool only_nginx =
            code == ERROR_PRECONDITION_FAILED || code == ERROR_URI_TOO_LONG || code == ERROR_RANGE_NOT_SATISFIABLE;
        if (!only_nginx && strcmp(response_reason(error_status(code)), "Unknown") == 0) {
            fail_msg("%s: %d has no reason", error_name(code), error_status(code));
        }
    }
}

static void header_fields(void **state)
{
    (void)state;
    response_add_header(request, "X-A", TEXT("b"));
    assert_string_equal(headers(), "X-A: b\r\n");
    response_add_header(request, "X-A", TEXT("b\r\nSet-Cookie: token=evil\r\n\r\n<html>"));
    assert_string_equal(headers(), "X-A: bSet-Cookie: token=evil<html>\r\n");
    response_add_header(request, "X-A", TEXT("\t\0\x01\x1f a \x7f\x80\xff\n"));
    assert_string_equal(headers(), "X-A:  a \x80\xff\r\n");
    response_add_header(request, "X-A", TEXT(""));
    assert_string_equal(headers(), "X-A: \r\n");
    response_add_header(request, "X-A", TEXT_NULL);
    assert_string_equal(headers(), "X-A: \r\n");
    response_add_header(request, "X-A", TEXT("1"));
    response_add_header(request, "X-A", TEXT("2"));
    assert_string_equal(headers(), "X-A: 1\r\nX-A: 2\r\n");
}

static void cookies(void **state)
{
    (void)state;
    static const struct {
        enum cookie_secure secure;
        bool https;
        enum same_site same_site;
        const char *attributes;
    } cases[] = {
        {COOKIE_SECURE_AUTO, false, SAME_SITE_LAX, "; Path=/; HttpOnly; SameSite=lax"},
        {COOKIE_SECURE_AUTO, true, SAME_SITE_LAX, "; Path=/; HttpOnly; SameSite=lax; Secure"},
        {COOKIE_SECURE_YES, false, SAME_SITE_STRICT, "; Path=/; HttpOnly; SameSite=strict; Secure"},
        {COOKIE_SECURE_YES, true, SAME_SITE_NONE, "; Path=/; HttpOnly; SameSite=none; Secure"},
        {COOKIE_SECURE_NO, true, SAME_SITE_LAX, "; Path=/; HttpOnly; SameSite=lax"},
        {COOKIE_SECURE_NO, false, SAME_SITE_NONE, "; Path=/; HttpOnly; SameSite=none"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        streams.config.cookie_secure = cases[i].secure;
        streams.config.cookie_same_site = cases[i].same_site;
        request->https = cases[i].https;
        response_set_token_cookie(request, TEXT("t.o.k"), -1);
        assert_string_equal(headers(), text_format(arena, "Set-Cookie: token=t.o.k%s\r\n", cases[i].attributes).data);
        response_set_token_cookie(request, TEXT("t.o.k"), 1800000000);
        assert_string_equal(headers(),
                            text_format(arena, "Set-Cookie: token=t.o.k; Expires=Fri, 15 Jan 2027 08:00:00 GMT%s\r\n",
                                        cases[i].attributes)
                                .data);
        response_drop_cookies(request, false);
        assert_string_equal(headers(), "");
        request->request_cookies = TEXT("oauth_id_token=x; oauth_session_id=; token=y");
        response_drop_cookies(request, false);
        assert_string_equal(
            headers(),
            text_format(arena,
                        "Set-Cookie: token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0%s\r\n"
                        "Set-Cookie: oauth_id_token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0%s\r\n",
                        cases[i].attributes, cases[i].attributes)
                .data);
        request->request_cookies = TEXT_NULL;
    }

    response_drop_cookies(request, true);
    const char *all = headers();
    static const char *const names[] = {"token", "oui-session", "oauth_id_token", "oauth_session_id"};
    size_t count = 0;
    for (const char *at = all; (at = strstr(at, "\r\n")) != NULL; at += 2) {
        count++;
    }
    assert_int_equal(count, ARRAY_COUNT(names));
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_non_null(strstr(all, text_format(arena, "Set-Cookie: %s=; Expires=", names[i]).data));
    }

    /* The last date that a token may name, and a time that gmtime does not take. */
    response_set_token_cookie(request, (struct text){"token-and-more", 5}, 253402300799);
    assert_non_null(strstr(headers(), "token=token; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Path=/"));
    response_set_token_cookie(request, TEXT("t"), INT64_MAX);
    assert_non_null(strstr(headers(), "token=t; Path=/"));
    response_set_token_cookie(request, TEXT("t"), 0);
    assert_non_null(strstr(headers(), "token=t; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"));
}

static void cookie_domains(void **state)
{
    (void)state;
    streams.config.cookie_domain = "example.org";
    static const struct {
        const char *host, *public_url, *domain;
    } cases[] = {
        {"users.example.org", "", "; Domain=example.org"},
        {"USERS.example.org:8443", "", "; Domain=example.org"},
        {"example.org", "", "; Domain=example.org"},
        {"users.example.net", "", ""},
        {"evilexample.org", "", ""},
        {"users.example.org.evil.example", "", ""},
        {"[::1]:80", "", ""},
        {"[::1", "", ""},
        {NULL, "", ""},
        {"127.0.0.1", "https://users.example.org", "; Domain=example.org"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        request->host = text_of(cases[i].host);
        streams.config.public_url = cases[i].public_url;
        response_set_token_cookie(request, TEXT("t"), -1);
        assert_string_equal(
            headers(),
            text_format(arena, "Set-Cookie: token=t%s; Path=/; HttpOnly; SameSite=lax\r\n", cases[i].domain).data);
        response_set_device_cookie(request, TEXT("d"));
        assert_null(strstr(headers(), "Domain"));
    }

    /* a browser may have one of each kind */
    request->request_cookies = TEXT("token=y");
    response_drop_cookies(request, false);
    assert_string_equal(headers(),
                        "Set-Cookie: token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; HttpOnly; "
                        "SameSite=lax\r\n"
                        "Set-Cookie: token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Domain=example.org; "
                        "Path=/; HttpOnly; SameSite=lax\r\n");
    streams.config.cookie_domain = streams.config.public_url = "";
}

static void whole_answers(void **state)
{
    (void)state;
    json_add_raw(&request->response.json, TEXT("{\"a\":1}"));
    response_add_header(request, "X-A", TEXT("b"));
    request->context.request_id = "r-1\r\nX-Evil: 1";
    assert_string_equal(answer(), "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
                                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-A: b\r\n"
                                  "X-Request-Id: r-1X-Evil: 1\r\n\r\n{\"a\":1}");
    begin();
    request->response.content_type = "image/png";
    request->response.cache_control = "private, max-age=60";
    assert_string_equal(answer(), "Status: 200 OK\r\nContent-Type: image/png\r\nContent-Length: 0\r\n"
                                  "Cache-Control: private, max-age=60\r\nX-Content-Type-Options: nosniff\r\n\r\n");

    /* HEAD: all but the body. */
    begin();
    request->head = true;
    json_add_integer(&request->response.json, 12345);
    assert_string_equal(answer(), "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
                                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");

    /* 204 and 304 have neither body nor type. */
    static const struct {
        int status;
        const char *line;
    } bare[] = {{204, "204 No Content"}, {304, "304 Not Modified"}};
    for (size_t i = 0; i < ARRAY_COUNT(bare); i++) {
        begin();
        request->response.status = bare[i].status;
        buffer_add_literal(&request->response.body, "left over");
        assert_string_equal(answer(), text_format(arena,
                                                  "Status: %s\r\nCache-Control: no-store\r\n"
                                                  "X-Content-Type-Options: nosniff\r\n\r\n",
                                                  bare[i].line)
                                          .data);
    }

    /* nginx serves the body. */
    begin();
    response_internal_redirect(request, TEXT("/pictures/a\r\n.png"));
    buffer_add_literal(&request->response.body, "left over");
    assert_string_equal(answer(), "Status: 200 OK\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                                  "X-Accel-Redirect: /pictures/a.png\r\n\r\n");

    /* Many buffers full. */
    begin();
    request->response.content_type = "text/plain";
    for (int i = 0; i < 2000; i++) {
        buffer_add_format(&request->response.body, "%09d ", i);
    }
    const char *body = strstr(answer(), "\r\n\r\n");
    assert_non_null(strstr(streams.answer, "Content-Length: 20000\r\n"));
    assert_string_equal(body + 4, buffer_text(&request->response.body).data);

    /* The client is gone. */
    begin();
    json_add_null(&request->response.json);
    streams.out.isClosed = true;
    streams.out.wrNext = streams.out.stop;
    assert_false(response_send(request));
}

static void send_answer(void)
{
    response_send(request);
}

/* What is no whole JSON does not leave; what is no JSON has no such form. */
static void half_answers(void **state)
{
    (void)state;
    assert_true(aborts(send_answer));
    json_begin_array(&request->response.json);
    assert_true(aborts(send_answer));
    request->response.content_type = "text/plain";
    assert_false(aborts(send_answer));
    request->response.content_type = NULL;
    json_end_array(&request->response.json);
    assert_false(aborts(send_answer));
}

/* The body of a problem, checked to be JSON with `code`. */
static const char *problem_body(const char *code)
{
    const char *body = buffer_text(&request->response.body).data;
    json_object *object = json_tokener_parse(body);
    json_object *member;
    assert_int_equal(json_object_object_length(object), 2);
    assert_true(json_object_object_get_ex(object, "code", &member));
    assert_string_equal(json_object_get_string(member), code);
    assert_true(json_object_object_get_ex(object, "detail", &member));
    json_object_put(object);
    return body;
}

static void problems(void **state)
{
    (void)state;
    for (enum error_code code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        begin();
        problem_set(&request->context, code);
        response_render_problem(request);
        assert_int_equal(request->response.status, error_status(code));
        const char *body = problem_body(error_name(code));
        struct json_writer expected;
        json_start(&expected, arena);
        json_begin_object(&expected);
        json_member_string(&expected, "detail", error_detail(code));
        json_member_string(&expected, "code", error_name(code));
        json_end_object(&expected);
        assert_string_equal(body, json_finish(&expected).data);
        assert_string_equal(headers(), error_status(code) == 401 ? "WWW-Authenticate: Bearer\r\n" : "");
    }

    /* What was built before is gone. */
    begin();
    request->response.content_type = "image/png";
    request->response.cache_control = "public";
    request->response.no_body = true;
    buffer_add_literal(&request->response.body, "secret");
    response_set_token_cookie(request, TEXT("secret"), -1);
    problem_set_detail(&request->context, ERROR_ACTION_PROHIBITED, 400, "a \"b\"\n");
    response_render_problem(request);
    assert_string_equal(answer(), "Status: 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 49\r\n"
                                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
                                  "{\"detail\":\"a \\\"b\\\"\\n\",\"code\":\"ACTION_PROHIBITED\"}");

    /* Cookies that prove nothing are deleted with the 401, but with no other. */
    begin();
    request->request_cookies = TEXT("token=t");
    request->identity.drop_cookies = true;
    problem_set(&request->context, ERROR_INVALID_TOKEN);
    response_render_problem(request);
    assert_string_equal(headers(),
                        "WWW-Authenticate: Bearer\r\nSet-Cookie: token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
                        "Max-Age=0; Path=/; HttpOnly; SameSite=lax\r\n");
    problem_set(&request->context, ERROR_ACTION_PROHIBITED);
    response_render_problem(request);
    assert_string_equal(headers(), "");
    request->identity.drop_cookies = false;
    problem_set(&request->context, ERROR_ACCESS_PROHIBITED);
    response_render_problem(request);
    assert_string_equal(headers(), "WWW-Authenticate: Bearer\r\n");

    begin();
    problem_set(&request->context, ERROR_METHOD_NOT_ALLOWED);
    request->context.problem.allow = "GET, HEAD, OPTIONS";
    response_render_problem(request);
    assert_string_equal(headers(), "Allow: GET, HEAD, OPTIONS\r\n");

    begin();
    problem_set_fault(&request->context, ERROR_UNAVAILABLE);
    request->context.problem.retry_after_seconds = 7;
    response_render_problem(request);
    assert_int_equal(request->response.status, 503);
    assert_string_equal(headers(), "Retry-After: 7\r\n");
}

static void faults(void **state)
{
    (void)state;
    problem_add_fault(&request->context, FAULT_missing, TEXT("[\"body\",\"name\"]"), "This is required.");
    response_render_problem(request);
    assert_int_equal(request->response.status, 422);
    assert_string_equal(
        problem_body("VALIDATION_ERROR"),
        "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"name\"],\"msg\":\"This is required.\"}],"
        "\"code\":\"VALIDATION_ERROR\"}");
    problem_add_fault(&request->context, FAULT_string_type, TEXT("[\"body\",\"a\",3]"), "Say \"a\".");
    response_render_problem(request);
    assert_string_equal(problem_body("VALIDATION_ERROR"),
                        "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"name\"],\"msg\":\"This is required.\"},"
                        "{\"type\":\"string_type\",\"loc\":[\"body\",\"a\",3],\"msg\":\"Say \\\"a\\\".\"}],"
                        "\"code\":\"VALIDATION_ERROR\"}");
}

#define CORS(origin) \
    "Vary: Origin\r\nAccess-Control-Allow-Origin: " origin "\r\nAccess-Control-Allow-Credentials: true\r\n"

static void cors(void **state)
{
    (void)state;
    static const char *allowed[] = {"https://a.example.org", "http://localhost:3000"};
    static const struct {
        size_t origins;
        const char *origin; /* of the request */
        enum method method;
        const char *headers;
    } cases[] = {
        {0, "https://a.example.org", METHOD_GET, ""},
        {2, NULL, METHOD_GET, "Vary: Origin\r\n"},
        {2, "", METHOD_GET, "Vary: Origin\r\n"},
        {2, "null", METHOD_GET, "Vary: Origin\r\n"},
        {2, "*", METHOD_GET, "Vary: Origin\r\n"},
        {2, "https://a.example.org.evil.org", METHOD_GET, "Vary: Origin\r\n"},
        {2, "https://a.example.or", METHOD_GET, "Vary: Origin\r\n"},
        {2, "https://A.example.org", METHOD_GET, "Vary: Origin\r\n"},
        {2, "http://a.example.org", METHOD_OPTIONS, "Vary: Origin\r\n"},
        {1, "http://localhost:3000", METHOD_GET, "Vary: Origin\r\n"},
        {2, "https://a.example.org", METHOD_GET, CORS("https://a.example.org")},
        {2, "http://localhost:3000", METHOD_POST, CORS("http://localhost:3000")},
        {2, "http://localhost:3000", METHOD_OPTIONS,
         CORS("http://localhost:3000") "Access-Control-Allow-Methods: GET, POST, DELETE\r\n"
                                       "Access-Control-Allow-Headers: Authorization, Content-Type, X-API-Key\r\n"
                                       "Access-Control-Max-Age: 600\r\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        streams.config.cors_origins = (struct words){allowed, cases[i].origins};
        request->origin = text_of(cases[i].origin);
        request->method = cases[i].method;
        request->response.status = 204;
        struct text expected = text_format(arena,
                                           "Status: 204 No Content\r\nCache-Control: no-store\r\n"
                                           "X-Content-Type-Options: nosniff\r\n%s\r\n",
                                           cases[i].headers);
        assert_string_equal(answer(), expected.data);
    }
    /* An error may be read as well. */
    begin();
    request->origin = text_of(allowed[0]);
    problem_set(&request->context, ERROR_PATH_NOT_FOUND);
    response_render_problem(request);
    assert_non_null(strstr(answer(), "\r\n" CORS("https://a.example.org") "\r\n{\"detail\":"));
}

static void rates(void **state)
{
    (void)state;
    request->rate_policy = "sign_in";
    request->rate_limit = 15;
    request->rate_remaining = 3;
    request->rate_reset_seconds = 61;
    json_add_null(&request->response.json);
    assert_non_null(strstr(
        answer(), "\r\nRateLimit-Policy: \"sign_in\";q=15;w=180\r\nRateLimit: \"sign_in\";r=3;t=61\r\n\r\nnull"));
    begin();
    json_add_null(&request->response.json);
    assert_null(strstr(answer(), "RateLimit"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reasons),      TEST(header_fields), TEST(cookies), TEST(cookie_domains), TEST(whole_answers),
        TEST(half_answers), TEST(problems),      TEST(faults),  TEST(cors),           TEST(rates),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
