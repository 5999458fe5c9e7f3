/* test_document.c: whether what describes the interface is whole: shapes, members, errors; and that OpenAPI has all
 * of it. */
#include <ctype.h>
#include <string.h>

#include <json.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/text.h"
#include "config/compatibility.h"
#include "unit.h"
#include "worker/document.h"
#include "worker/openapi.h"
#include "worker/router.h"
#include "worker/shape.h"

static void rows(void **state)
{
    (void)state;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        assert_int_equal(document_route_is_protected(&routes[i]), routes[i].who != WHO_ANYONE);
        assert_in_range(routes[i].gives, SHAPE_NONE + 1, SHAPE_COUNT - 1);
    }
}

static void check_member(void *argument, const struct member *member)
{
    const struct member **last = argument;
    assert_true(member->name[0] != '\0');
    if (member->text == NULL || !text_ends_with(text_of(member->text), ".")) {
        fail_msg("%s has no sentence", member->name);
    }
    bool has_other = member->type == MEMBER_SHAPE || member->type == MEMBER_LIST;
    if (member->type != MEMBER_SECTION && has_other != (member->of != SHAPE_NONE)) {
        fail_msg("%s is of shape %d", member->name, (int)member->of);
    }
    *last = member;
}

/* The names of the members that are never null, each with a space behind it. */
static void note_not_null(void *argument, const struct member *member)
{
    char *names = argument;
    if (!member->may_be_null) {
        strcat(strcat(names, member->name), " ");
    }
}

static void null_members(void **state)
{
    (void)state;
    char names[4096] = "";
    shape_each_member(SHAPE_UserInfo, COMPATIBILITY_0_6, note_not_null, names);
    assert_string_equal(names, "id email role name ");
    names[0] = '\0';
    shape_each_member(SHAPE_UserInfo, COMPATIBILITY_0_12, note_not_null, names);
    assert_string_equal(names, "id email role name last_active_at groups is_active ");
    names[0] = '\0';
    shape_each_member(SHAPE_SignedIn, COMPATIBILITY_0_6, note_not_null, names);
    assert_string_equal(names, "jti created_at last_seen_at current ");
    names[0] = '\0';
    shape_each_member(SHAPE_Permissions, COMPATIBILITY_0_6, note_not_null, names);
    assert_string_equal(names, "workspace sharing chat features ");
    names[0] = '\0';
    shape_each_member(SHAPE_Permissions, COMPATIBILITY_0_12, note_not_null, names);
    assert_string_equal(names, "workspace sharing chat features access_grants settings ");
}

static void shapes(void **state)
{
    (void)state;
    for (enum shape i = SHAPE_NONE + 1; i < SHAPE_COUNT; i++) {
        const struct shape_row *shape = shape_row(i);
        const struct member *last = NULL;
        assert_true(text_ends_with(text_of(shape->text), "."));
        shape_each_member(i, COMPATIBILITY_NEWEST, check_member, &last);
        bool has_members = shape->kind == SHAPE_KIND_OBJECT || shape->kind == SHAPE_KIND_FIELDS;
        if (has_members != (last != NULL)) {
            fail_msg("%s: members belong to objects and header fields, and each of these has some", shape->name);
        }
        bool has_other = shape->kind == SHAPE_KIND_LIST || shape->kind == SHAPE_KIND_OR_NULL;
        if (has_other != (shape->of != SHAPE_NONE)) {
            fail_msg("%s is of shape %d", shape->name, (int)shape->of);
        }
    }
    assert_in_range(SHAPE_COUNT, 20, 200);
    assert_string_equal(shape_row(SHAPE_UserPage)->name, "UserPage");
    assert_true(shape_has_extra(SHAPE_Permissions));
    assert_false(shape_has_extra(SHAPE_User));
}

struct errors {
    enum error_code last;
    bool has[ERROR_COUNT];
};

static void check_error(void *argument, enum error_code code, int status)
{
    struct errors *errors = argument;
    assert_true(code > ERROR_NONE && code < ERROR_COUNT);
    assert_true(code >= errors->last); /* in the table's order */
    assert_in_range(status, 400, 599);
    errors->last = code;
    errors->has[code] = true;
}

static void route_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct errors errors = {.last = ERROR_NONE};
        const struct route *route = &routes[i];
        document_each_error(route, COMPATIBILITY_0_6, check_error, &errors);
        assert_true(errors.has[ERROR_INTERNAL_ERROR]);
        assert_int_equal(errors.has[ERROR_NOT_AUTHENTICATED], route->who != WHO_ANYONE);
        assert_true(errors.has[ERROR_ACCESS_PROHIBITED] || (route->who != WHO_ADMIN && route->who != WHO_VERIFIED));
        assert_int_equal(errors.has[ERROR_VALIDATION_ERROR], route->body != SCHEMA_NONE || route->query != SCHEMA_NONE);
        assert_int_equal(errors.has[ERROR_BODY_INCOMPLETE], route->body != SCHEMA_NONE);
        assert_int_equal(errors.has[ERROR_RATE_LIMIT_EXCEEDED], route->limit != LIMIT_NONE);
        /* two routes refuse a key only for what the body asks for */
        assert_int_equal(errors.has[ERROR_SESSION_REQUIRED],
                         route->takes == TAKES_SESSION || i == ROUTE_user_update || i == ROUTE_admin_config_set);
        assert_int_equal(errors.has[ERROR_CROSS_SITE], i == ROUTE_sign_out || i == ROUTE_sign_out_post ||
                                                           i == ROUTE_mfa_challenge ||
                                                           (route->method != METHOD_GET && route->who != WHO_ANYONE));
    }
}

static void limits(void **state)
{
    (void)state;
    size_t rules[LIMIT_COUNT] = {0};
    bool used[LIMIT_COUNT] = {false};
    const struct limit_document *rule;
    for (size_t i = 0; (rule = document_limit(i)) != NULL; i++) {
        rules[rule->limit]++;
        assert_true(text_starts_with(text_of(rule->directive), "rate_limit_"));
        assert_true(strlen(rule->text) > 5);
    }
    for (int i = 0; i < ROUTE_COUNT; i++) {
        used[routes[i].limit] = true;
    }
    for (enum limit limit = LIMIT_NONE + 1; limit < LIMIT_COUNT; limit++) {
        if (!used[limit] || rules[limit] == 0) {
            fail_msg("no route has the limit %s, or it has no rule", limit_name(limit));
        }
    }
    assert_int_equal(rules[LIMIT_sign_in], 3);
    assert_int_equal(rules[LIMIT_NONE], 0);
    assert_string_equal(limit_name(LIMIT_sign_in), "sign_in");
    assert_null(document_limit(SIZE_MAX));
}

static json_object *member(json_object *object, const char *name)
{
    json_object *found = NULL;
    if (!json_object_object_get_ex(object, name, &found)) {
        fail_msg("there is no %s", name);
    }
    return found;
}

static void openapi(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    static const char *const servers[][2] = {
        {NULL, "/"}, {"", "/"}, {"https://a.example.org/\"", "https://a.example.org/\""}};
    for (size_t s = 0; s < ARRAY_COUNT(servers); s++) {
        struct text text = openapi_document(arena, servers[s][0], s == 0 ? COMPATIBILITY_0_6 : COMPATIBILITY_NEWEST);
        assert_true(text_is_utf8(text));
        assert_int_equal(strlen(text.data), text.length);
        enum json_tokener_error error;
        json_object *document = json_tokener_parse_verbose(text.data, &error);
        assert_int_equal(error, json_tokener_success);
        assert_true(text_starts_with(text_of(json_object_get_string(member(document, "openapi"))), "3.1."));
        json_object *server = json_object_array_get_idx(member(document, "servers"), 0);
        assert_true(text_starts_with(text_of(json_object_get_string(member(server, "url"))), servers[s][1]));

        json_object *paths = member(document, "paths");
        size_t operations = 0;
        for (size_t i = 0; i < ROUTE_COUNT; i++) {
            char method[16] = "";
            for (size_t at = 0; at + 1 < sizeof method && method_name(routes[i].method)[at] != '\0'; at++) {
                method[at] = (char)tolower((unsigned char)method_name(routes[i].method)[at]);
            }
            const char *prefix = routes[i].place == PLACE_UNDER_API ? "/api/v1" : "";
            json_object *operation =
                member(member(paths, text_format(arena, "%s%s", prefix, routes[i].path).data), method);
            json_object *body = NULL;
            assert_string_equal(json_object_get_string(member(operation, "operationId")), routes[i].name);
            assert_int_equal(json_object_object_get_ex(operation, "requestBody", &body), routes[i].body != SCHEMA_NONE);
            operations++;
        }
        size_t found = 0;
        json_object_object_foreach(paths, path, methods)
        {
            (void)path;
            json_object_object_foreach(methods, name, operation)
            {
                (void)name;
                json_object *id;
                found += json_object_object_get_ex(operation, "operationId", &id) ? 1 : 0;
            }
        }
        assert_int_equal(found, operations);
        json_object_put(document);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),         cmocka_unit_test(shapes), cmocka_unit_test(null_members),
        cmocka_unit_test(route_errors), cmocka_unit_test(limits), cmocka_unit_test(openapi),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
