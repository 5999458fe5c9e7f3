/* test_document.c: whether what describes the interface is whole: shapes, members, errors; and that OpenAPI has all
 * of it. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json.h>

#include "base/arena.h"
#include "base/text.h"
#include "worker/document.h"
#include "worker/openapi.h"
#include "worker/router.h"

static void rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route_document *document = document_route(i);
        assert_non_null(document);
        assert_string_equal(document->name, routes[i].name);
        assert_string_equal(document->method, method_name(routes[i].method));
        assert_string_equal(document->path, routes[i].path);
        assert_int_equal(document->body, routes[i].body);
        assert_int_equal(document->query, routes[i].query);
        assert_int_equal(document_route_is_protected(document), routes[i].who != WHO_ANYONE);
        if (document_find_shape(document->gives) == NULL) {
            fail_msg("%s gives %s, which there is not", document->name, document->gives);
        }
    }
    assert_null(document_route(ROUTE_COUNT));
    assert_null(document_route(SIZE_MAX));
}

static void check_member(void *argument, const struct member *member)
{
    const struct member **last = argument;
    assert_true(member->name[0] != '\0');
    if (member->text == NULL || !text_ends_with(text_of(member->text), ".")) {
        fail_msg("%s has no sentence", member->name);
    }
    if ((member->type == MEMBER_SHAPE || member->type == MEMBER_LIST) && document_find_shape(member->of) == NULL) {
        fail_msg("%s is of %s, which there is not", member->name, member->of);
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
    document_each_member(document_find_shape("UserInfo"), note_not_null, names);
    assert_string_equal(names, "id email role name ");
    names[0] = '\0';
    document_each_member(document_find_shape("SignedIn"), note_not_null, names);
    assert_string_equal(names, "jti created_at last_seen_at current ");
    names[0] = '\0';
    document_each_member(document_find_shape("Permissions"), note_not_null, names);
    assert_string_equal(names, "workspace sharing chat features ");
}

static void shapes(void **state)
{
    (void)state;
    const struct shape_row *shape;
    size_t count = 0;
    for (; (shape = document_shape(count)) != NULL; count++) {
        const struct member *last = NULL;
        assert_ptr_equal(document_find_shape(shape->name), shape); /* no name twice */
        assert_true(text_ends_with(text_of(shape->text), "."));
        document_each_member(shape, check_member, &last);
        if ((shape->kind == SHAPE_OBJECT) != (last != NULL)) {
            fail_msg("%s: members belong to objects, and each object has some", shape->name);
        }
        bool has_other = shape->kind == SHAPE_LIST || shape->kind == SHAPE_OR_NULL;
        if (has_other ? document_find_shape(shape->of) == NULL : strcmp(shape->of, "NONE") != 0) {
            fail_msg("%s is of %s", shape->name, shape->of);
        }
    }
    assert_in_range(count, 20, 200);
    assert_null(document_shape(SIZE_MAX));
    assert_null(document_find_shape("NONE"));
    assert_null(document_find_shape(""));
    assert_true(document_shape_has_extra(document_find_shape("Permissions")));
    assert_false(document_shape_has_extra(document_find_shape("User")));
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
        document_each_error(document_route(i), check_error, &errors);
        assert_true(errors.has[ERROR_INTERNAL_ERROR]);
        assert_int_equal(errors.has[ERROR_NOT_AUTHENTICATED], route->who != WHO_ANYONE);
        assert_true(errors.has[ERROR_ACCESS_PROHIBITED] || (route->who != WHO_ADMIN && route->who != WHO_VERIFIED));
        assert_int_equal(errors.has[ERROR_VALIDATION_ERROR], route->body != SCHEMA_NONE || route->query != SCHEMA_NONE);
        assert_int_equal(errors.has[ERROR_BODY_INCOMPLETE], route->body != SCHEMA_NONE);
        assert_int_equal(errors.has[ERROR_RATE_LIMIT_EXCEEDED], route->limit != LIMIT_NONE);
    }
}

static void limits(void **state)
{
    (void)state;
    size_t count = 0;
    const struct limit_document *limit;
    for (; (limit = document_limit(count)) != NULL; count++) {
        bool used = false;
        for (size_t i = 0; i < ROUTE_COUNT; i++) {
            used = used || strcmp(document_route(i)->limit, limit->name) == 0;
        }
        if (!used) {
            fail_msg("no route has the limit %s", limit->name);
        }
        assert_true(strlen(limit->text) > 5);
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        bool found = strcmp(document_route(i)->limit, "NONE") == 0;
        for (size_t l = 0; l < count; l++) {
            found = found || strcmp(document_route(i)->limit, document_limit(l)->name) == 0;
        }
        assert_true(found);
    }
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
    for (size_t s = 0; s < sizeof servers / sizeof *servers; s++) {
        struct text text = openapi_document(arena, servers[s][0]);
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
            const char *prefix = routes[i].place == PLACE_API ? "/api/v1" : "";
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
