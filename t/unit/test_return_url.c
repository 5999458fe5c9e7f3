/* test_return_url.c: where a browser may go after signing in, and what attackers write instead. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/return_url.h"
#include "unit.h"

static const char *const hosts[] = {"app.example.net", "Dev.Example.Net:8443", "[2001:db8::1]", "10.0.0.5:3000"};

/* A service by https, with all three rules. */
static const struct return_rules rules = {TEXT("https://users.example.org"), "example.org", hosts, ARRAY_COUNT(hosts)};

/* The same without cookie_domain and return_hosts. */
static const struct return_rules own_only = {TEXT("https://users.example.org"), "", NULL, 0};

static void assert_goes(const struct return_rules *by, const char *address, const char *expected)
{
    struct text url = return_url_check(arena, by, text_of(address));
    if (expected == NULL ? url.data != NULL : !text_is(url, expected)) {
        fail_msg("%s gives %.*s", address, (int)url.length, url.data != NULL ? url.data : "");
    }
}

static void allowed(void **state)
{
    static const char *const cases[][2] = {
        {"/", "/"},
        {"/wiki/Main?action=edit&x=%26#top", "/wiki/Main?action=edit&x=%26#top"},
        {"/a//b", "/a//b"},
        {"/@me", "/@me"},
        {"/http://evil.example", "/http://evil.example"},
        {"/?u=https://evil.example//x\\y", "/?u=https://evil.example//x%5Cy"},
        {"/a...b/..c/.d", "/a...b/..c/.d"},
        {"/caf\xC3\xA9/\xE9", "/caf%C3%A9/%E9"},
        {"/%zz%", "/%zz%"},
        {"/a\"<b>^`{|}", "/a%22%3Cb%3E%5E%60%7B%7C%7D"},
        {"/account/", "/account/"},
        {"/account/sign-in-help", "/account/sign-in-help"},
        {"https://users.example.org", "https://users.example.org/"},
        {"HTTPS://Users.Example.ORG:443/X", "https://users.example.org/X"},
        {"https://users.example.org?x", "https://users.example.org/?x"},
        {"https://wiki.example.org/a?b=c@d:e", "https://wiki.example.org/a?b=c@d:e"},
        {"https://a.b.c.example.org/", "https://a.b.c.example.org/"},
        {"https://example.org/", "https://example.org/"},
        {"https://xn--bcher-kva.example.org/", "https://xn--bcher-kva.example.org/"},
        {"https://app.example.net/", "https://app.example.net/"},
        {"https://app.example.net:00443/", "https://app.example.net/"},
        {"https://dev.example.net:8443/", "https://dev.example.net:8443/"},
        {"https://[2001:DB8::1]/", "https://[2001:db8::1]/"},
        {"https://10.0.0.5:3000/x", "https://10.0.0.5:3000/x"},
        {"https://wiki.example.org/auths/signout", "https://wiki.example.org/auths/signout"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_goes(&rules, cases[i][0], cases[i][1]);
    }
}

static void attacks(void **state)
{
    static const char *const cases[] = {
        /* no address of the kind */
        "",
        "evil.example",
        "users.example.org",
        "?x",
        "#x",
        "a/b",
        ".",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "javascript://users.example.org/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "ftp://users.example.org/",
        "file:///etc/passwd",
        "blob:https://users.example.org/x",
        "view-source:https://users.example.org/",
        "ws://users.example.org/",
        "https",
        "https:",
        "https:/",
        "https://",
        "https:///",
        "https:////evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:\\\\evil.example",
        "https:/\\evil.example",
        "https:\\/evil.example",
        "https//users.example.org",
        /* another host that looks like a path */
        "//evil.example",
        "//evil.example/",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "\\evil.example",
        "/\\/evil.example",
        "//\\evil.example",
        "//users.example.org@evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "\x0b//evil.example",
        "\x01//evil.example",
        "/a\\..\\evil.example",
        "/x\\",
        "/x\x7F",
        "/a b",
        "/x\r\nSet-Cookie: token=1",
        /* segments that a browser leaves out */
        "/..//evil.example",
        "/./evil.example",
        "/.//evil.example",
        "/a/../account/sign-in",
        "/a/%2e%2E/x",
        "/.%2e/x",
        "/%2e",
        "/a%2f..%2fb",
        "https://users.example.org/..",
        /* userinfo */
        "https://users.example.org@evil.example",
        "https://users.example.org:x@evil.example/",
        "https://users.example.org:443@evil.example/",
        "https://evil.example@users.example.org/",
        "https://@users.example.org/",
        "https://x@wiki.example.org",
        "https://users.example.org%40evil.example/",
        /* hosts that begin or end like ours */
        "https://evil.example",
        "https://evil.example/users.example.org",
        "https://evil.example?users.example.org",
        "https://evil.example#users.example.org",
        "https://evil.example\\users.example.org",
        "https://evil.example\\.example.org",
        "https://evil.example\\@users.example.org",
        "https://users.example.org\\.evil.example",
        "https://users.example.org.evil.example",
        "https://evilexample.org",
        "https://evil-example.org",
        "https://.example.org",
        "https://..example.org",
        "https://a..example.org",
        "https://example.org.",
        "https://users.example.org./",
        "https://users.example.org..",
        "https://app.example.net.",
        "https://x.app.example.net/",
        "https://xapp.example.net/",
        "https://org",
        "https://*.example.org/",
        /* encodings, of the dot and the slash too */
        "https://users%2Eexample.org/",
        "https://evil.example%2f.example.org/",
        "https://evil.example%5c.example.org/",
        "https://evil.example%00.example.org/",
        "https://evil.example%23.example.org/",
        "https%3A//evil.example",
        "https:%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2f/evil.example",
        "%09//evil.example",
        "&#x2f;/evil.example",
        /* letters beyond ASCII, which a browser makes ASCII of: full width, ideographic dot, Kelvin, soft hyphen */
        "https://users\xE3\x80\x82"
        "example.org/",
        "https://\xEF\xBD\x85vil.example.org/",
        "https://evil.example\xEF\xBC\x8F.example.org/",
        "https://evil.example\xE2\x84\x80.example.org/",
        "https://b\xC3\xBC"
        "cher.example.org/",
        "https://wi\xE2\x84\xAAi.example.org/",
        "https://wi\xC2\xADki.example.org/",
        "https://\x80.example.org/",
        "\xC2\xA0https://users.example.org/",
        "\xEF\xBB\xBFhttps://evil.example",
        "/\xEF\xBC\x8F/../x",
        /* control characters, where browsers drop them */
        "ht\ttps://users.example.org/",
        "https://evil.example\t.example.org/",
        "https://evil.example\n.example.org/",
        "https://users.example.org\r\n/",
        "https://users.example.org /",
        "https://users .example.org/",
        "https://\tusers.example.org/",
        "https:/\t/users.example.org/",
        " https://users.example.org/",
        "https://users.example.org/ ",
        /* ports */
        "https://users.example.org:80/",
        "https://users.example.org:8443/",
        "https://users.example.org:/",
        "https://users.example.org:0/",
        "https://users.example.org:+443/",
        "https://users.example.org:-1/",
        "https://users.example.org:443x/",
        "https://users.example.org:443:443/",
        "https://users.example.org:65979/",
        "https://users.example.org:000443/",
        "https://users.example.org:4294967739/",
        "https://users.example.org:\xD9\xA4\xD9\xA4\xD9\xA3/",
        "https://wiki.example.org:8443/",
        "https://app.example.net:8443/",
        "https://dev.example.net/",
        "https://dev.example.net:443/",
        "https://10.0.0.5/",
        /* http, where the site has https */
        "http://users.example.org/",
        "http://users.example.org:443/",
        "http://wiki.example.org/",
        "http://app.example.net/",
        "HTTP://users.example.org/",
        /* addresses in other forms */
        "https://[2001:db8:0::1]/",
        "https://[2001:db8::1/",
        "https://[2001:db8::1]x/",
        "https://[2001:db8::1]:8443/",
        "https://[2001:db8::1%25eth0]/",
        "https://[users.example.org]/",
        "https://[]/",
        "https://2001:db8::1/",
        "https://167772165:3000/",
        "https://0xa.0.0.5:3000/",
        "https://012.0.0.5:3000/",
        /* pages that would ask again, or sign out */
        "/account/sign-in",
        "/account/sign-in/",
        "/account/sign-in?rd=/x",
        "/account/sign-in#x",
        "/account//sign-in",
        "/%61ccount/sign%2Din",
        "/account%2Fsign-in",
        "/account/sign-up",
        "/auths/signout",
        "/api/v1/auths/signout",
        "/api//v1/auths/signout/",
        "https://users.example.org/account/sign-in?rd=https://users.example.org/",
        "https://USERS.example.org:443/auths/signout",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_goes(&rules, cases[i], NULL);
    }
    assert_null(return_url_check(arena, &rules, TEXT("/a\0b")).data);
    assert_null(return_url_check(arena, &rules, TEXT("\0//evil.example")).data);
    assert_null(return_url_check(arena, &rules, TEXT("https://users.example.org\0.evil.example")).data);
    assert_null(return_url_check(arena, &rules, TEXT_NULL).data);
}

static void lengths(void **state)
{
    char path[RETURN_URL_BYTES + 2];
    (void)state;
    memset(path, 'a', sizeof path);
    path[0] = '/';
    assert_int_equal(return_url_check(arena, &rules, (struct text){path, RETURN_URL_BYTES}).length, RETURN_URL_BYTES);
    assert_null(return_url_check(arena, &rules, (struct text){path, RETURN_URL_BYTES + 1}).data);

    char host[300] = "https://";
    memset(host + 8, 'a', 254 - strlen(".example.org"));
    strcpy(host + 8 + 254 - strlen(".example.org"), ".example.org");
    assert_goes(&rules, host, NULL);
    memmove(host + 8, host + 9, strlen(host + 8));
    assert_non_null(return_url_check(arena, &rules, text_of(host)).data);
}

static void rules_alone(void **state)
{
    const struct return_rules plain = {TEXT("http://users.example.org:8080"), "example.org", hosts, ARRAY_COUNT(hosts)};
    const struct return_rules unknown = {TEXT("https://"), "example.org", hosts, ARRAY_COUNT(hosts)};
    const struct return_rules path = {TEXT("https://users.example.org/roster"), "", NULL, 0};
    const struct return_rules odd = {TEXT("https://users.example.org@evil.example"), "example.org", NULL, 0};
    (void)state;
    assert_goes(&own_only, "/x", "/x");
    assert_goes(&own_only, "https://users.example.org/x", "https://users.example.org/x");
    assert_goes(&own_only, "https://wiki.example.org/", NULL);
    assert_goes(&own_only, "https://app.example.net/", NULL);

    /* a site by http, at a port of its own */
    assert_goes(&plain, "http://users.example.org:8080/x", "http://users.example.org:8080/x");
    assert_goes(&plain, "http://wiki.example.org:8080/", "http://wiki.example.org:8080/");
    assert_goes(&plain, "http://wiki.example.org/", "http://wiki.example.org/");
    assert_goes(&plain, "https://wiki.example.org/", "https://wiki.example.org/");
    assert_goes(&plain, "https://wiki.example.org:8080/", NULL);
    assert_goes(&plain, "http://wiki.example.org:443/", NULL);
    assert_goes(&plain, "http://wiki.example.org:22/", NULL);
    assert_goes(&plain, "http://app.example.net/", "http://app.example.net/");

    /* a request without a host, or with one that is none: only paths */
    assert_goes(&unknown, "/x", "/x");
    assert_goes(&unknown, "https://wiki.example.org/", NULL);
    assert_goes(&odd, "/x", "/x");
    assert_goes(&odd, "https://evil.example/", NULL);
    assert_goes(&odd, "https://wiki.example.org/", NULL);

    assert_goes(&path, "https://users.example.org/other", "https://users.example.org/other");
}

static void domains(void **state)
{
    (void)state;
#define covers(domain, host) return_url_domain_covers(TEXT(domain), TEXT(host))
    assert_true(covers("example.org", "example.org"));
    assert_true(covers("example.org", "a.example.org"));
    assert_true(covers("Example.org", "A.EXAMPLE.ORG"));
    assert_false(covers("example.org", "aexample.org"));
    assert_false(covers("example.org", ".example.org"));
    assert_false(covers("example.org", "org"));
    assert_false(covers("example.org", ""));
    assert_false(covers("example.org", "example.org."));
    assert_false(covers("", "example.org"));
    assert_false(covers("", ""));
    assert_false(covers("0.5", "10.0.0.5"));
    assert_false(covers("5", "5"));
    assert_true(covers("5.a", "5.a"));
    assert_true(covers("a5", "x.a5"));
    assert_false(covers("db8::1]", "[2001:db8::1]"));
    assert_false(return_url_domain_covers(TEXT("example.org"), TEXT_NULL));
}

static void finding(void **state)
{
    static const char *const cases[][2] = {
        {"rd=/a?b=c&d=e%20f", "/a?b=c&d=e%20f"},
        {"rd=https://a.example/?b=c&d=e", "https://a.example/?b=c&d=e"},
        {"rd=HTTP://a.example/?b=c&rd=/x", "HTTP://a.example/?b=c&rd=/x"},
        {"x=y&rd=/a&b", "/a&b"},
        {"rd=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d&x=y", "https://a.example/?b=c&d"},
        {"rd=%2Fa+b&x", "/a b"},
        {"rd=//evil.example&x", "//evil.example&x"},
        {"rd=", ""},
        {"rd=&x", ""},
        {"rd", NULL},
        {"ard=/x", NULL},
        {"RD=/x", NULL},
        {"", NULL},
        {"x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text found = return_url_find(arena, text_of(cases[i][0]));
        if (cases[i][1] == NULL ? found.data != NULL : !text_is(found, cases[i][1])) {
            fail_msg("%s has %.*s", cases[i][0], (int)found.length, found.data != NULL ? found.data : "nothing");
        }
    }
    assert_null(return_url_find(arena, TEXT_NULL).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed),     cmocka_unit_test(attacks), cmocka_unit_test(lengths),
        cmocka_unit_test(rules_alone), cmocka_unit_test(domains), cmocka_unit_test(finding),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
