/* test_router.c: paths and methods, and every row of routes.def. */
#include <string.h>

#include "api/handlers.h"
#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "unit.h"
#include "worker/router.h"

static int set_up(void **state)
{
    arena_set_up(state);
    router_init();
    return 0;
}

static struct match match(enum method method, const char *path)
{
    return router_match(arena, method, text_of(path));
}

/* `route` -1: there is the path, but not the method; -2: there is no such path. */
static void assert_match(enum method method, struct text path, int route, const char *first, const char *second)
{
    struct match found = router_match(arena, method, path);
    int number = found.route != NULL ? (int)(found.route - routes) : found.allow != NULL ? -1 : -2;
    if (number != route) {
        fail_msg("%s %.*s: %d (%s) instead of %d (%s)", method_name(method), (int)path.length, path.data, number,
                 router_route_name(number), route, router_route_name(route));
    }
    const char *const wanted[ROUTE_PARAMETERS_MAX] = {first, second};
    for (size_t i = 0; i < ROUTE_PARAMETERS_MAX; i++) {
        if (wanted[i] == NULL ? found.parameters[i].data != NULL : !text_is(found.parameters[i], wanted[i])) {
            fail_msg("%.*s: parameter %zu is '%.*s'", (int)path.length, path.data, i, (int)found.parameters[i].length,
                     found.parameters[i].data != NULL ? found.parameters[i].data : "");
        }
    }
}

/* The path of a row, with p1, p2 for the parameters. */
static struct text path_of(const char *prefix, const struct route *route, const char *behind)
{
    struct buffer path;
    buffer_init(&path, arena);
    buffer_add_string(&path, prefix);
    int parameter = 0;
    for (const char *at = route->path; *at != '\0'; at++) {
        if (*at == '{') {
            buffer_add_format(&path, "p%d", ++parameter);
            at += strcspn(at, "}");
        } else {
            buffer_add_byte(&path, *at);
        }
    }
    buffer_add_string(&path, behind);
    return buffer_text(&path);
}

static void every_row(void **state)
{
    (void)state;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        const char *first = strchr(route->path, '{') != NULL ? "p1" : NULL;
        const char *second = first != NULL && strchr(strchr(route->path, '{') + 1, '{') != NULL ? "p2" : NULL;
        assert_match(route->method, path_of("", route, ""), i, first, second);
        assert_match(route->method, path_of("", route, "/"), i, first, second);
        if (route->place == PLACE_UNDER_API) {
            assert_match(route->method, path_of("/api/v1", route, ""), i, first, second);
            assert_match(route->method, path_of("/api/v1", route, "//"), i, first, second);
        } else {
            assert_match(route->method, path_of("/api/v1", route, ""), -2, NULL, NULL);
        }
        assert_match(route->method, path_of("/api/v1/api/v1", route, ""), -2, NULL, NULL);
        assert_match(route->method, path_of("/api", route, ""), -2, NULL, NULL);
        assert_match(METHOD_OTHER, path_of("", route, ""), -1, NULL, NULL);
        assert_match(METHOD_OPTIONS, path_of("", route, ""), -1, NULL, NULL);

        assert_non_null(handlers[i]);
        assert_string_equal(router_route_name(i), route->name);
        assert_in_range(strlen(route->text), 10, 120);
        for (int other = 0; other < i; other++) {
            assert_string_not_equal(routes[other].name, route->name);
            if (routes[other].method == route->method) {
                assert_false(text_equal(path_of("", &routes[other], ""), path_of("", route, "")));
            }
        }
    }
    assert_string_equal(router_route_name(-1), "-");
    assert_string_equal(router_route_name(ROUTE_COUNT), "-");
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        enum method method;
        struct text path;
        int route;
        const char *first, *second;
    } cases[] = {
        {METHOD_GET, TEXT("/users"), ROUTE_users_list, NULL, NULL},
        {METHOD_GET, TEXT("/users/"), ROUTE_users_list, NULL, NULL},
        {METHOD_GET, TEXT("/users///"), ROUTE_users_list, NULL, NULL},
        {METHOD_GET, TEXT("/api/v1/users/"), ROUTE_users_list, NULL, NULL},
        {METHOD_GET, TEXT("/users/u-1"), ROUTE_user_get, "u-1", NULL},
        {METHOD_DELETE, TEXT("/users/u-1/sessions/j-2"), ROUTE_user_session_end, "u-1", "j-2"},

        /* static segments before parameters, but only for their own methods */
        {METHOD_GET, TEXT("/users/all"), ROUTE_users_all, NULL, NULL},
        {METHOD_DELETE, TEXT("/users/all"), ROUTE_user_delete, "all", NULL},
        {METHOD_GET, TEXT("/users/search"), ROUTE_users_search, NULL, NULL},
        {METHOD_GET, TEXT("/users/groups"), ROUTE_users_own_groups, NULL, NULL},
        {METHOD_GET, TEXT("/users/permissions"), ROUTE_users_own_permissions, NULL, NULL},
        {METHOD_GET, TEXT("/users/ALL"), ROUTE_user_get, "ALL", NULL},
        {METHOD_GET, TEXT("/users/user"), ROUTE_user_get, "user", NULL},
        {METHOD_GET, TEXT("/users/user/groups"), ROUTE_user_groups, "user", NULL},
        {METHOD_GET, TEXT("/users/user/settings"), ROUTE_settings_get, NULL, NULL},
        {METHOD_GET, TEXT("/auths/sessions"), ROUTE_sessions_list, NULL, NULL},

        /* decoding: each segment by itself, once */
        {METHOD_GET, TEXT("/%75sers"), ROUTE_users_list, NULL, NULL},
        {METHOD_GET, TEXT("/users/%61ll"), ROUTE_users_all, NULL, NULL},
        {METHOD_GET, TEXT("/users/a%20b"), ROUTE_user_get, "a b", NULL},
        {METHOD_GET, TEXT("/users/a+b"), ROUTE_user_get, "a+b", NULL},
        {METHOD_GET, TEXT("/users/%c3%A9"), ROUTE_user_get, "\xc3\xa9", NULL},
        {METHOD_GET, TEXT("/users/%2561"), ROUTE_user_get, "%61", NULL},
        {METHOD_GET, TEXT("/users/%252f"), ROUTE_user_get, "%2f", NULL},
        {METHOD_GET, TEXT("/users/%3fa%23"), ROUTE_user_get, "?a#", NULL},
        {METHOD_GET, TEXT("/users/a%"), ROUTE_user_get, "a%", NULL},
        {METHOD_GET, TEXT("/users/a%2"), ROUTE_user_get, "a%2", NULL},
        {METHOD_GET, TEXT("/users/%zz"), ROUTE_user_get, "%zz", NULL},
        {METHOD_GET, TEXT("/users/%2g"), ROUTE_user_get, "%2g", NULL},
        {METHOD_GET, TEXT("/users/%@0%G0%`0"), ROUTE_user_get, "%@0%G0%`0", NULL},
        {METHOD_GET, TEXT("/users/%41%4a%4F%7e"), ROUTE_user_get, "AJO~", NULL},
        {METHOD_GET, TEXT("/users/..."), ROUTE_user_get, "...", NULL},
        {METHOD_GET, TEXT("/users/.a"), ROUTE_user_get, ".a", NULL},

        /* what is no segment */
        {METHOD_GET, TEXT("/users/a%2fb"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users%2Fall"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/u%2factive"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%2f"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/a%00"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/a\0b"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%ff"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%c0%af"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%ed%a0%80"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/\xff"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/."), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/.."), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%2e"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/%2E."), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/./all"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/auths/../users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("//users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users//all"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users//active"), -2, NULL, NULL},

        /* other paths */
        {METHOD_GET, TEXT(""), -2, NULL, NULL},
        {METHOD_GET, TEXT("/"), -2, NULL, NULL},
        {METHOD_GET, TEXT("///"), -2, NULL, NULL},
        {METHOD_OPTIONS, TEXT("*"), -2, NULL, NULL},
        {METHOD_GET, TEXT("users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/user"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/Users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/a/b/c/d/e/f/g"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/users/a/b/c/d/e/f/g/h/i/j/k"), -2, NULL, NULL},
        {METHOD_GET, TEXT("http://host/users"), -2, NULL, NULL},

        /* the prefix */
        {METHOD_GET, TEXT("/api/v1"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/api/v1/"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/api/v1users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/api/v1//users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/api/v2/users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/API/v1/users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/%61pi/v1/users"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/ping"), ROUTE_ping, NULL, NULL},
        {METHOD_GET, TEXT("/api/v1/ping"), -2, NULL, NULL},
        {METHOD_GET, TEXT("/pictures/a.png"), ROUTE_picture_file, "a.png", NULL},
        {METHOD_GET, TEXT("/api/v1/pictures/a.png"), -2, NULL, NULL},

        /* other methods */
        {METHOD_POST, TEXT("/users"), -1, NULL, NULL},
        {METHOD_POST, TEXT("/users/u-1"), -1, NULL, NULL},
        {METHOD_DELETE, TEXT("/ping"), -1, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_match(cases[i].method, cases[i].path, cases[i].route, cases[i].first, cases[i].second);
    }
}

static void allow(void **state)
{
    (void)state;
    assert_string_equal(match(METHOD_POST, "/users").allow, "GET, HEAD, OPTIONS");
    assert_string_equal(match(METHOD_OPTIONS, "/api/v1/users").allow, "GET, HEAD, OPTIONS");
    assert_string_equal(match(METHOD_POST, "/users/all").allow, "GET, HEAD, DELETE, OPTIONS");
    assert_string_equal(match(METHOD_OTHER, "/auths/api_keys/k").allow, "GET, HEAD, POST, DELETE, OPTIONS");
    assert_string_equal(match(METHOD_GET, "/auths/signin").allow, "POST, OPTIONS");
    assert_string_equal(match(METHOD_GET, "/groups/id/g/delete").allow, "DELETE, OPTIONS");
    assert_null(match(METHOD_GET, "/users").allow);
    assert_null(match(METHOD_OPTIONS, "/nothing").allow);
}

static void bare_paths(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/api/v1/users/", "/users"},           {"/users", "/users"},         {"/api/v1/users/%61%20b//", "/users/a b"},
        {"/nothing/at/all", "/nothing/at/all"}, {"/api/v1x/y", "/api/v1x/y"}, {"/users/%61ll", "/users/all"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct match found = match(METHOD_GET, cases[i][0]);
        assert_non_null(found.bare_path.data);
        assert_true(text_is(found.bare_path, cases[i][1]));
    }
    assert_null(match(METHOD_GET, "/users//all").bare_path.data);
    assert_null(match(METHOD_GET, "/").bare_path.data);
}

static void methods(void **state)
{
    (void)state;
    assert_string_equal(method_name(METHOD_GET), "GET");
    assert_string_equal(method_name(METHOD_POST), "POST");
    assert_string_equal(method_name(METHOD_DELETE), "DELETE");
    assert_string_equal(method_name(METHOD_OPTIONS), "OPTIONS");
    assert_string_equal(method_name(METHOD_OTHER), "-");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_row), TEST(paths), TEST(allow), TEST(bare_paths), TEST(methods),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
