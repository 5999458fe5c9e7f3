/* test_origin.c: which requests come from a page of another site. */
#include "arena_fixture.h"
#include "base/array.h"
#include "unit.h"
#include "worker/origin.h"

static struct config config;
static struct request request;

static int fresh(void **state)
{
    (void)state;
    arena_reset(arena);
    memset(&config, 0, sizeof config);
    memset(&request, 0, sizeof request);
    config.public_url = "";
    request.context = (struct context){.arena = arena, .config = &config};
    request.method = METHOD_POST;
    request.host = TEXT("users.example.org");
    request.https = true;
    return 0;
}

static void same_origin(void **state)
{
    static const char *const same[][2] = {
        {"https://a.example", "https://a.example"},
        {"HTTPS://A.Example", "https://a.example"},
        {"https://a.example:443", "https://a.example"},
        {"https://a.example:", "https://a.example:443"},
        {"http://a.example", "http://a.example:80"},
        {"http://a.example:0080", "http://a.example"},
        {"https://a.example.", "https://a.example"},
        {"https://a.example.:8443", "https://a.example:8443"},
        {"http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"},
        {"http://[2001:DB8::1]", "http://[2001:db8:0::1]:80"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"https://a.example", "https://a.example/path/"},
    };
    static const char *const other[][2] = {
        {"http://a.example", "https://a.example"},
        {"https://a.example:444", "https://a.example"},
        {"https://a.example:80", "http://a.example"},
        {"https://b.a.example", "https://a.example"},
        {"https://a.example.evil.example", "https://a.example"},
        {"https://evil.example/https://a.example", "https://a.example"},
        {"https://a.example/path", "https://a.example"},
        {"https://a.example@evil.example", "https://a.example"},
        {"https://a.example, https://evil.example", "https://a.example"},
        {"https://a.example..", "https://a.example"},
        {"http://[::1]", "http://[::2]"},
        {"http://[::1", "http://[::1"},
        {"http://[::1]x", "http://[::1]x"},
        {"http://[a.example]", "http://[a.example]"},
        {"https://a.example:x", "https://a.example:x"},
        {"https://a.example:-1", "https://a.example:-1"},
        {"https://a.example:70000", "https://a.example:70000"},
        {"https://", "https://"},
        {"https://.", "https://."},
        {"https:/a.example", "https:/a.example"},
        {"https", "https"},
        {"", ""},
        {"null", "null"},
        {"null", "https://null"},
        {"file://", "file://"},
        {"ftp://a.example", "ftp://a.example"},
        {"*", "*"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        if (!origin_is_same(arena, text_of(same[i][0]), text_of(same[i][1]))) {
            fail_msg("%s is not %s", same[i][0], same[i][1]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(other); i++) {
        if (origin_is_same(arena, text_of(other[i][0]), text_of(other[i][1]))) {
            fail_msg("%s is %s", other[i][0], other[i][1]);
        }
    }
    assert_false(origin_is_same(arena, TEXT_NULL, TEXT_NULL));
}

static bool is_refused(const char *origin, const char *fetch_site)
{
    request.origin = text_of(origin);
    request.fetch_site = text_of(fetch_site);
    request.context.problem = (struct problem){.code = ERROR_NONE};
    enum outcome outcome = origin_check(&request);
    assert_int_equal(request.context.problem.code, outcome == OK ? ERROR_NONE : ERROR_CROSS_SITE);
    return outcome == PROBLEM;
}

static void requests(void **state)
{
    static const struct {
        const char *origin, *fetch_site;
        bool refused;
    } cases[] = {
        {NULL, NULL, false},
        {"", "", false},
        {"https://users.example.org", NULL, false},
        {"https://users.example.org", "same-origin", false},
        {NULL, "same-origin", false},
        {NULL, "none", false},
        {NULL, "cross-site", true},
        {NULL, "same-site", true},
        {NULL, "Cross-Site", true},
        {NULL, " same-site ", true},
        {"https://users.example.org", "cross-site", true},
        {"https://users.example.org", "same-site", true},
        {"https://evil.example", NULL, true},
        {"https://evil.example", "same-origin", true},
        {"https://evil.example", "none", true},
        {"https://evil.example", "cross-site", true},
        {"https://other.example.org", NULL, true},
        {"http://users.example.org", NULL, true},
        {"https://users.example.org:8443", NULL, true},
        {"null", NULL, true},
        {"null", "same-origin", true},
        {"https://app.example.net", NULL, false},
        {"https://app.example.net", "cross-site", false},
        {"https://app.example.net", "same-site", false},
        {"https://app.example.net:444", "cross-site", true},
    };
    static const char *origins[] = {"http://localhost:3000", "https://app.example.net"};
    (void)state;
    config.cors_origins = (struct words){origins, 2};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (is_refused(cases[i].origin, cases[i].fetch_site) != cases[i].refused) {
            fail_msg("Origin %s, Sec-Fetch-Site %s", cases[i].origin, cases[i].fetch_site);
        }
    }
    config.cors_origins = (struct words){NULL, 0};
    assert_true(is_refused("https://app.example.net", NULL));
}

static void methods(void **state)
{
    (void)state;
    for (enum method method = METHOD_GET; method <= METHOD_OTHER; method++) {
        request.method = method;
        assert_int_equal(is_refused("https://evil.example", "cross-site"),
                         method != METHOD_GET && method != METHOD_OPTIONS);
    }
}

static void the_site_itself(void **state)
{
    (void)state;
    request.host = TEXT("127.0.0.1:8080");
    request.https = false;
    assert_false(is_refused("http://127.0.0.1:8080", NULL));
    assert_true(is_refused("http://127.0.0.1", NULL));
    request.host = TEXT("[::1]:8080");
    assert_false(is_refused("http://[::1]:8080", NULL));

    /* behind a proxy that takes the https off */
    request.host = TEXT("users.example.org");
    assert_true(is_refused("https://evil.example", NULL));
    assert_null(request.context.problem.detail);
    assert_true(is_refused("https://users.example.org", "same-origin"));
    assert_non_null(strstr(request.context.problem.detail, "public_url"));
    config.public_url = "https://users.example.org/roster";
    assert_false(is_refused("https://users.example.org", "same-origin"));
    assert_true(is_refused("http://users.example.org", NULL)); /* anybody on the way could have made that page */
    request.host = TEXT("internal:8080");
    assert_false(is_refused("https://users.example.org", NULL));
    assert_true(is_refused("http://internal:8080", NULL));

    /* no Host, or a strange one */
    config.public_url = "";
    request.host = TEXT_NULL;
    assert_true(is_refused("http://users.example.org", NULL));
    request.host = TEXT("users.example.org@evil.example");
    assert_true(is_refused("http://users.example.org", NULL));
    assert_true(is_refused("http://evil.example", NULL));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, fresh)
    const struct CMUnitTest tests[] = {TEST(same_origin), TEST(requests), TEST(methods), TEST(the_site_itself)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("origin", tests, arena_set_up, arena_tear_down);
}
