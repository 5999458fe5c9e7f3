/* test_request.c: FastCGI's parameters, cookies, query parameters and bodies; at the end the same through libfcgi
 * and a socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
    return 0;
}

static void begin(void)
{
    streams_begin(&streams, arena);
}

static void parameter(const char *name_and_value)
{
    size_t i = 0;
    while (streams.parameters[i] != NULL) {
        i++;
    }
    assert_in_range(i, 0, ARRAY_COUNT(streams.parameters) - 2);
    streams.parameters[i] = (char *)(uintptr_t)name_and_value;
}

static void nothing(void **state)
{
    (void)state;
    assert_int_equal(request_parse(request), OK);
    assert_int_equal(request->method, METHOD_OTHER);
    assert_string_equal(request->method_text, "-");
    assert_text(request->target, "/");
    assert_text(request->path, "/");
    assert_text(request->query_string, "");
    assert_int_equal(request->content_length, -1);
    assert_int_equal(request->header_count, 0);
    assert_false(request->https);
    assert_null(request->host.data);
    assert_null(request->credentials.authorization.data);
    assert_null(request->credentials.cookie.data);
    assert_null(request->context.client_address);

    begin();
    streams.fcgi.envp = NULL;
    assert_int_equal(request_parse(request), OK);
    assert_text(request->path, "/");
}

static void parameters(void **state)
{
    (void)state;
    static const char *const all[] = {"REQUEST_METHOD=POST",
                                      "REQUEST_URI=/users/a%2fb?query=x=y&page=2",
                                      "QUERY_STRING=other=1",
                                      "CONTENT_TYPE=application/json",
                                      "CONTENT_LENGTH=12",
                                      "REMOTE_ADDR=192.0.2.1",
                                      "HTTPS=on",
                                      "HTTP_HOST=example.org",
                                      "HTTP_USER_AGENT=a = b",
                                      "HTTP_ORIGIN=https://example.org",
                                      "HTTP_IF_NONE_MATCH=\"tag\"",
                                      "HTTP_X_API_KEY=sk-1",
                                      "HTTP_AUTHORIZATION=Bearer t",
                                      "HTTP_ACCEPT=",
                                      "NO_EQUALS",
                                      "=",
                                      "HTTP_=x"};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        parameter(all[i]);
    }
    assert_int_equal(request_parse(request), OK);
    assert_int_equal(request->method, METHOD_POST);
    assert_string_equal(request->method_text, "POST");
    assert_text(request->target, "/users/a%2fb?query=x=y&page=2");
    assert_text(request->path, "/users/a%2fb");
    assert_text(request->query_string, "query=x=y&page=2");
    assert_text(request->content_type, "application/json");
    assert_int_equal(request->content_length, 12);
    assert_string_equal(request->context.client_address, "192.0.2.1");
    assert_true(request->https);
    assert_text(request->host, "example.org");
    assert_text(request->user_agent, "a = b");
    assert_text(request->origin, "https://example.org");
    assert_text(request->if_none_match, "\"tag\"");
    assert_text(request->credentials.api_key, "sk-1");
    assert_text(request->credentials.authorization, "Bearer t");
    assert_false(request->credentials.authorization_repeated);
    assert_int_equal(request->header_count, 8);
}

static void methods(void **state)
{
    (void)state;
    static const struct {
        const char *parameter;
        enum method method;
        bool head;
    } cases[] = {
        {"REQUEST_METHOD=GET", METHOD_GET, false},         {"REQUEST_METHOD=HEAD", METHOD_GET, true},
        {"REQUEST_METHOD=POST", METHOD_POST, false},       {"REQUEST_METHOD=DELETE", METHOD_DELETE, false},
        {"REQUEST_METHOD=OPTIONS", METHOD_OPTIONS, false}, {"REQUEST_METHOD=PUT", METHOD_OTHER, false},
        {"REQUEST_METHOD=get", METHOD_OTHER, false},       {"REQUEST_METHOD=", METHOD_OTHER, false},
        {"REQUEST_METHOD=GETS", METHOD_OTHER, false},      {"REQUEST_METHODS=GET", METHOD_OTHER, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        parameter(cases[i].parameter);
        assert_int_equal(request_parse(request), OK);
        assert_int_equal(request->method, cases[i].method);
        assert_int_equal(request->head, cases[i].head);
    }
}

static void targets(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"REQUEST_URI=/a", "/a", ""},        {"REQUEST_URI=/a?", "/a", ""},        {"REQUEST_URI=?a", "", "a"},
        {"REQUEST_URI=/a?b?c", "/a", "b?c"}, {"REQUEST_URI=/a%3fb", "/a%3fb", ""}, {"REQUEST_URI=", "", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        parameter(cases[i][0]);
        parameter("REQUEST_URI=/the/second/does/not/count");
        assert_int_equal(request_parse(request), OK);
        assert_text(request->path, cases[i][1]);
        assert_text(request->query_string, cases[i][2]);
    }
}

static void lengths(void **state)
{
    (void)state;
    static const struct {
        const char *parameter;
        int64_t length;
    } cases[] = {
        {"CONTENT_LENGTH=", -1},    {"CONTENT_LENGTH=0", 0},
        {"CONTENT_LENGTH=7", 7},    {"CONTENT_LENGTH=-1", -1},
        {"CONTENT_LENGTH=-7", -1},  {"CONTENT_LENGTH=x", -1},
        {"CONTENT_LENGTH=7x", -1},  {"CONTENT_LENGTH=9223372036854775807", INT64_MAX},
        {"CONTENT_LENGTH=7,7", -1}, {"CONTENT_LENGTH=9223372036854775808", -1},
        {"CONTENT_LENGT=7", -1},    {"CONTENT_LENGTHS=7", -1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        parameter(cases[i].parameter);
        assert_int_equal(request_parse(request), OK);
        if (request->content_length != cases[i].length) {
            fail_msg("%s: %lld", cases[i].parameter, (long long)request->content_length);
        }
    }
    static const char *const https[] = {"HTTPS=on", "HTTPS=ON", "HTTPS=", "HTTPS=off", "HTTPS=1"};
    for (size_t i = 0; i < ARRAY_COUNT(https); i++) {
        begin();
        parameter(https[i]);
        assert_int_equal(request_parse(request), OK);
        assert_int_equal(request->https, i < 2);
    }
}

static void repeated(void **state)
{
    (void)state;
    parameter("HTTP_AUTHORIZATION=Bearer a");
    parameter("HTTP_AUTHORIZATION=Bearer b");
    parameter("HTTP_COOKIE=a=1; token=first");
    parameter("HTTP_COOKIE=b=2; token=second");
    parameter("HTTP_X_API_KEY=sk-1");
    parameter("HTTP_X_API_KEY=sk-2");
    assert_int_equal(request_parse(request), OK);
    assert_true(request->credentials.authorization_repeated);
    assert_text(request->request_cookies, "a=1; token=first; b=2; token=second");
    assert_text(request->credentials.cookie, "second");
    assert_text(request->credentials.api_key, "sk-1");
    assert_int_equal(request->header_count, 6);

    begin();
    parameter("HTTP_AUTHORIZATION=");
    parameter("HTTP_AUTHORIZATION=Bearer b");
    assert_int_equal(request_parse(request), OK);
    assert_true(request->credentials.authorization_repeated);
}

static void header_limit(void **state)
{
    (void)state;
    streams.config.request_header_limit = 10;
    for (int i = 0; i < 10; i++) {
        parameter("HTTP_A=b");
        parameter("SERVER_NAME=no header");
    }
    assert_int_equal(request_parse(request), OK);
    assert_int_equal(request->header_count, 10);

    parameter("HTTP_A=b");
    assert_int_equal(request_parse(request), PROBLEM);
    assert_int_equal(request->context.problem.code, ERROR_HEADER_FIELDS_TOO_LARGE);
    assert_string_equal(request->context.problem.detail, "The request has more than 10 header fields.");
}

static void cookies(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"token=t", "t"},
        {"  token=t  ", "t"},
        {"a=b;token=t", "t"},
        {"a=b; token=t; c=d", "t"},
        {"token=", NULL},
        {"token=\"\"", NULL},
        {"token", NULL},
        {"tokens=t", NULL},
        {"xtoken=t", NULL},
        {"x token=t", NULL},
        {"Token=t", NULL},
        {"a=token=t", NULL},
        {"token=\"t\"", "t"},
        {"token=\"t", "\"t"},
        {"token=\"", "\""},
        {"token= t ", "t"},
        {"token=a=b==", "a=b=="},
        {"token=a%20b", "a%20b"},
        {"token=a; token=b", "b"},
        {";;; ;token=t;", "t"},
        {"token =t", NULL},
        {"token=a,token=b", "a,token=b"},
        {"", NULL},
        {";", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        parameter(text_format(arena, "HTTP_COOKIE=%s", cases[i][0]).data);
        assert_int_equal(request_parse(request), OK);
        assert_text(request_cookie(request, "token"), cases[i][1]);
        assert_text(request->credentials.cookie, cases[i][1]);
        assert_text(request_cookie(request, "oui-session"), NULL);
    }
    begin();
    assert_text(request_cookie(request, "token"), NULL);

    begin(); /* several: all of them that hold something */
    parameter("HTTP_COOKIE=token=a; b=c; token=; token=\"d\"");
    parameter("HTTP_COOKIE=" IDENTITY_BOND_COOKIE "=e; token=f; token=");
    assert_int_equal(request_parse(request), OK);
    assert_int_equal(request->credentials.cookie_count, 3);
    assert_text(request->credentials.cookies[0], "a");
    assert_text(request->credentials.cookies[1], "d");
    assert_text(request->credentials.cookies[2], "f");
    assert_text(request->credentials.cookie, "f");
    assert_text(request->credentials.bond, "e");
}

static void collect(void *argument, struct text name, struct text value)
{
    struct buffer *all = argument;
    buffer_add_format(all, "[%.*s|%.*s]", (int)name.length, name.data, (int)value.length, value.data);
}

static void query_parameters(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"a=1", "[a|1]"},
        {"a=1&b=2&a=3", "[a|1][b|2][a|3]"},
        {"a", "[a|]"},
        {"a=", "[a|]"},
        {"=a", "[|a]"},
        {"=", "[|]"},
        {"&&a=1&&", "[a|1]"},
        {"a=b=c", "[a|b=c]"},
        {"a+b=c+d", "[a b|c d]"},
        {"%61%3d=%26%2B", "[a=|&+]"},
        {"a=%c3%A9", "[a|\xc3\xa9]"},
        {"a=%2541", "[a|%41]"},
        {"a=%", "[a|%]"},
        {"a=%4", "[a|%4]"},
        {"a=%zz%4g%g4", "[a|%zz%4g%g4]"},
        {"a=%+1", "[a|% 1]"},
        {"a=%4&b=1", "[a|%4][b|1]"},
        {"a;b=1", "[a;b|1]"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct buffer all;
        buffer_init(&all, arena);
        request->query_string = text_of(cases[i][0]);
        request_each_query(request, collect, &all);
        assert_string_equal(buffer_text(&all).data, cases[i][1]);
    }
}

static void trusted_headers(void **state)
{
    (void)state;
    static unsigned char addresses[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0};
    struct network network = {.prefix_bits = 120};
    memcpy(network.address, addresses, sizeof addresses);
    streams.config.trusted_proxies = (struct networks){&network, 1};
    streams.config.trusted_email_header = "X-Forwarded-Email";
    streams.config.trusted_groups_header = "x-groups";

    static const struct {
        const char *address;
        bool trusted;
    } cases[] = {
        {"REMOTE_ADDR=192.0.2.7", true}, {"REMOTE_ADDR=::ffff:192.0.2.7", true}, {"REMOTE_ADDR=192.0.3.7", false},
        {"REMOTE_ADDR=::1", false},      {"REMOTE_ADDR=unix:", false},           {"REMOTE_ADDR=", false},
        {"X=no address", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        begin();
        parameter("HTTP_X_FORWARDED_EMAIL=ann@example.org");
        parameter("HTTP_X_GROUPS=a,b");
        parameter("HTTP_X_NAME=Ann");
        parameter(cases[i].address);
        assert_int_equal(request_parse(request), OK);
        assert_int_equal(request->from_trusted_proxy, cases[i].trusted);
        assert_text(request->trusted_email, cases[i].trusted ? "ann@example.org" : NULL);
        assert_text(request->credentials.trusted_email, cases[i].trusted ? "ann@example.org" : NULL);
        assert_text(request->trusted_groups, cases[i].trusted ? "a,b" : NULL);
        assert_text(request->trusted_name, NULL); /* not configured */
        assert_int_equal(request->header_count, 3);
    }

    /* One that was slipped in beside the proxy's makes both no address. */
    begin();
    parameter("HTTP_X_FORWARDED_EMAIL=ann@example.org");
    parameter("HTTP_X_FORWARDED_EMAIL=eve@example.org");
    parameter("REMOTE_ADDR=192.0.2.7");
    assert_int_equal(request_parse(request), OK);
    assert_text(request->trusted_email, "ann@example.org, eve@example.org");

    /* Neither a longer nor a shorter name is meant, nor one outside the header. */
    begin();
    parameter("HTTP_X_FORWARDED_EMAI=a@example.org");
    parameter("HTTP_X_FORWARDED_EMAILS=b@example.org");
    parameter("X_FORWARDED_EMAIL=c@example.org");
    parameter("REMOTE_ADDR=192.0.2.7");
    assert_int_equal(request_parse(request), OK);
    assert_text(request->trusted_email, NULL);

    /* Nothing is configured: an empty name is no header field. */
    streams.config.trusted_email_header = streams.config.trusted_groups_header = "";
    begin();
    parameter("HTTP_=a@example.org");
    parameter("HTTP_X_FORWARDED_EMAIL=b@example.org");
    parameter("REMOTE_ADDR=192.0.2.7");
    assert_int_equal(request_parse(request), OK);
    assert_text(request->trusted_email, NULL);
    assert_text(request->trusted_name, NULL);
    assert_text(request->credentials.trusted_email, NULL);
}

static void bodies(void **state)
{
    (void)state;
    static const struct {
        int64_t content_length;
        size_t sent;
        enum error_code problem;
    } cases[] = {
        {0, 0, ERROR_NONE},
        {1, 1, ERROR_NONE},
        {100, 100, ERROR_NONE},
        {1024, 1024, ERROR_NONE},
        {-1, 0, ERROR_NONE},
        {-1, 1, ERROR_NONE},
        {-1, 1023, ERROR_NONE},
        {-1, 1024, ERROR_NONE},
        {-1, 1025, ERROR_CONTENT_TOO_LARGE},
        {-1, 60000, ERROR_CONTENT_TOO_LARGE},
        {1025, 1025, ERROR_CONTENT_TOO_LARGE},
        {1025, 0, ERROR_CONTENT_TOO_LARGE},
        {INT64_MAX, 0, ERROR_CONTENT_TOO_LARGE},
        {1, 0, ERROR_BODY_INCOMPLETE},
        {100, 99, ERROR_BODY_INCOMPLETE},
        {1024, 7, ERROR_BODY_INCOMPLETE},
    };
    static char sent[65536];
    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (char)(i * 7);
    }
    streams.config.request_body_limit = 1024;
    static const size_t chunks[] = {1, 7, 100000};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t c = 0; c < ARRAY_COUNT(chunks); c++) {
            begin();
            streams_send(&streams, (struct text){sent, cases[i].sent});
            streams.chunk = chunks[c];
            request->content_length = cases[i].content_length;
            enum outcome outcome = request_read_body(request);
            if (request->context.problem.code != cases[i].problem ||
                outcome != (cases[i].problem == ERROR_NONE ? OK : PROBLEM)) {
                fail_msg("%zu of %lld bytes: %s", cases[i].sent, (long long)cases[i].content_length,
                         outcome != OK ? error_name(request->context.problem.code) : "good");
            }
            if (outcome == OK) {
                assert_non_null(request->body.data);
                assert_int_equal(request->body.length, cases[i].sent);
                assert_memory_equal(request->body.data, sent, cases[i].sent);
            } else {
                assert_null(request->body.data);
            }
            request_drain(request);
            assert_true(request->stdin_drained);
            assert_int_equal(streams.body_sent, streams.body_length);
        }
    }

    /* What comes beyond Content-Length is no part of the body. */
    begin();
    streams_send(&streams, TEXT("abcdefgh"));
    request->content_length = 3;
    assert_int_equal(request_read_body(request), OK);
    assert_text(request->body, "abc");
    request_drain(request);
    assert_int_equal(streams.body_sent, 8);

    /* A body in many pieces, larger than one read. */
    begin();
    streams.config.request_body_limit = sizeof sent;
    streams_send(&streams, (struct text){sent, sizeof sent});
    streams.chunk = 8000;
    assert_int_equal(request_read_body(request), OK);
    assert_int_equal(request->body.length, sizeof sent);
    assert_memory_equal(request->body.data, sent, sizeof sent);

    /* The connection broke: what came is not the body, even without Content-Length. */
    begin();
    streams_send(&streams, TEXT("abc"));
    streams.body_error = -2;
    assert_int_equal(request_read_body(request), PROBLEM);
    assert_int_equal(request->context.problem.code, ERROR_BODY_INCOMPLETE);
}

static void memory_limit(void **state)
{
    (void)state;
    static char sent[60000];
    struct arena *small = arena_new(10000);
    streams_begin(&streams, small);
    streams_send(&streams, (struct text){sent, sizeof sent});
    request->content_length = sizeof sent;
    assert_int_equal(request_read_body(request), PROBLEM);
    assert_int_equal(request->context.problem.code, ERROR_CONTENT_TOO_LARGE);
    arena_free(small);
}

/* ---- through libfcgi ---- */

static void send_record(int peer, unsigned char type, const void *content, size_t length)
{
    unsigned char header[8] = {1, type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length, 0, 0};
    assert_int_equal(write(peer, header, sizeof header), sizeof header);
    if (length > 0) {
        assert_int_equal(write(peer, content, length), length);
    }
}

/* A peer of the listener that has sent a request whose parameters are pairs of name and value. `stdin_ends` false:
 * it hung up in the middle of the body. */
static int connect_and_send(const struct sockaddr_un *address, socklen_t address_length, const char *const *pairs,
                            struct text body, bool stdin_ends)
{
    int peer = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, (const struct sockaddr *)address, address_length), 0);
    static const unsigned char responder[8] = {0, 1, 0};
    send_record(peer, 1, responder, sizeof responder);
    struct buffer parameters;
    buffer_init(&parameters, arena);
    for (; *pairs != NULL; pairs += 2) {
        buffer_add_byte(&parameters, (char)strlen(pairs[0]));
        buffer_add_byte(&parameters, (char)strlen(pairs[1]));
        buffer_add_string(&parameters, pairs[0]);
        buffer_add_string(&parameters, pairs[1]);
    }
    send_record(peer, 4, parameters.data, parameters.length);
    send_record(peer, 4, NULL, 0);
    send_record(peer, 5, body.data, body.length);
    if (stdin_ends) {
        send_record(peer, 5, NULL, 0);
    }
    shutdown(peer, SHUT_WR);
    return peer;
}

/* All that stands in the records of type STDOUT. */
static struct text receive(int peer)
{
    struct buffer raw, out;
    buffer_init(&raw, arena);
    buffer_init(&out, arena);
    ssize_t got;
    while ((got = read(peer, buffer_reserve(&raw, 4096), 4096)) > 0) {
        raw.length += (size_t)got;
    }
    for (size_t at = 0; at + 8 <= raw.length;) {
        const unsigned char *header = (const unsigned char *)raw.data + at;
        size_t length = (size_t)header[4] << 8 | header[5];
        if (header[1] == 6) {
            buffer_add(&out, raw.data + at + 8, length);
        }
        at += 8 + length + header[6];
    }
    return buffer_text(&out);
}

static void through_libfcgi(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[] = "/tmp/roster-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);

    static const struct {
        const char *length; /* CONTENT_LENGTH */
        struct text body;
        bool stdin_ends;
        enum error_code problem;
    } cases[] = {
        {"7", TEXT("{\"a\":1}"), true, ERROR_NONE},
        {"", TEXT("{\"a\":1}"), true, ERROR_NONE},
        {"8", TEXT("{\"a\":1}"), true, ERROR_BODY_INCOMPLETE},
        {"8", TEXT("{\"a\":1}"), false, ERROR_BODY_INCOMPLETE},
        {"", TEXT("{\"a\":1}"), false, ERROR_BODY_INCOMPLETE},
        {"99999999", TEXT("{\"a\":1}"), true, ERROR_CONTENT_TOO_LARGE},
    };
    FCGX_Request fcgi;
    assert_int_equal(FCGX_Init(), 0);
    assert_int_equal(FCGX_InitRequest(&fcgi, listener, FCGI_FAIL_ACCEPT_ON_INTR), 0);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *const pairs[] = {"REQUEST_METHOD", "POST",          "REQUEST_URI", "/users?page=1",
                                     "CONTENT_LENGTH", cases[i].length, "HTTP_COOKIE", "token=t",
                                     "REMOTE_ADDR",    "::1",           NULL};
        int peer = connect_and_send(&address, sizeof address, pairs, cases[i].body, cases[i].stdin_ends);
        begin();
        assert_int_equal(FCGX_Accept_r(&fcgi), 0);
        request->fcgi = &fcgi;
        assert_int_equal(request_parse(request), OK);
        assert_int_equal(request->method, METHOD_POST);
        assert_text(request->path, "/users");
        assert_text(request->query_string, "page=1");
        assert_text(request->credentials.cookie, "t");
        assert_string_equal(request->context.client_address, "::1");
        enum outcome outcome = request_read_body(request);
        if (outcome != (cases[i].problem == ERROR_NONE ? OK : PROBLEM) ||
            request->context.problem.code != cases[i].problem) {
            fail_msg("case %zu: %d, problem %d", i, outcome, request->context.problem.code);
        }
        if (outcome == OK) {
            assert_true(text_equal(request->body, cases[i].body));
            request->response.status = 200;
            json_add_raw(&request->response.json, request->body);
        } else {
            response_render_problem(request);
        }
        request_drain(request);
        assert_true(response_send(request));
        FCGX_Finish_r(&fcgi);
        struct text answer = receive(peer);
        close(peer);
        struct text status = text_format(arena, "Status: %d ", request->response.status);
        assert_true(text_starts_with(answer, status.data));
        assert_true(
            text_ends_with(answer, text_format(arena, "\r\n\r\n%s", buffer_text(&request->response.body).data).data));
    }
    FCGX_Free(&fcgi, 1);
    close(listener);
    unlink(address.sun_path);
    rmdir(directory);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing),  TEST(parameters),   TEST(methods),         TEST(targets),          TEST(lengths),
        TEST(repeated), TEST(header_limit), TEST(cookies),         TEST(query_parameters), TEST(trusted_headers),
        TEST(bodies),   TEST(memory_limit), TEST(through_libfcgi),
    };
    alarm(120); /* whatever hangs */
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
