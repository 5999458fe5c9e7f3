/* test_schema.c: whether the tables of schemas, permissions and routes agree with each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "worker/router.h"
#include "worker/schema.h"

static void names(void **state)
{
    (void)state;
#define SCHEMA(name_, kind_, text_)                                          \
    assert_string_equal(schema_row(SCHEMA_##name_)->name, #name_);           \
    assert_int_equal(schema_row(SCHEMA_##name_)->kind, SCHEMA_KIND_##kind_); \
    assert_int_equal(schema_row(SCHEMA_##name_)->field_count, INPUT_##name_##_COUNT);
#define FIELD(schema_, name_, type_, needed_, least_, most_, text_)                                        \
    assert_string_equal(schema_row(SCHEMA_##schema_)->fields[INPUT_##schema_##_##name_].name, #name_);     \
    assert_int_equal(schema_row(SCHEMA_##schema_)->fields[INPUT_##schema_##_##name_].type, FIELD_##type_); \
    assert_int_equal(schema_row(SCHEMA_##schema_)->fields[INPUT_##schema_##_##name_].needed, FIELD_##needed_);
#include "tables/schemas.def"
    for (enum schema i = SCHEMA_NONE + 1; i < SCHEMA_COUNT; i++) {
        for (enum schema other = SCHEMA_NONE + 1; other < i; other++) {
            assert_string_not_equal(schema_row(i)->name, schema_row(other)->name);
        }
    }
}

static void fields(void **state)
{
    (void)state;
    for (enum schema i = SCHEMA_NONE + 1; i < SCHEMA_COUNT; i++) {
        const struct schema_row *schema = schema_row(i);
        assert_true(strlen(schema->text) > 5);
        assert_null(schema->fields[schema->field_count].name);
        if (schema->kind == SCHEMA_KIND_FREE) {
            assert_int_equal(schema->field_count, 0);
        } else {
            assert_in_range(schema->field_count, 1, 100);
        }
        for (size_t f = 0; f < schema->field_count; f++) {
            const struct field_row *field = &schema->fields[f];
            if (field->text == NULL || !text_ends_with(text_of(field->text), ".") || strlen(field->text) < 5) {
                fail_msg("%s.%s has no sentence", schema->name, field->name);
            }
            for (size_t other = 0; other < f; other++) {
                assert_string_not_equal(schema->fields[other].name, field->name);
            }
            if (field->type != FIELD_TEXT && (field->least != 0 || field->most != 0)) {
                fail_msg("%s.%s is no text, but has a length", schema->name, field->name);
            }
            if (field->most != 0 ? field->least > field->most || field->most > 65535 : field->least != 0) {
                fail_msg("%s.%s: %zu to %zu characters", schema->name, field->name, field->least, field->most);
            }
            /* what validate.c does not do for a query */
            bool scalar = field->type == FIELD_TEXT || field->type == FIELD_INTEGER || field->type == FIELD_BOOLEAN;
            if (schema->kind == SCHEMA_KIND_QUERY && (!scalar || field->needed != FIELD_OPTIONAL)) {
                fail_msg("%s.%s can't stand in a query", schema->name, field->name);
            }
        }
    }
}

static void the_same_name_has_the_same_limits(void **state)
{
    (void)state;
    /* A user's name, wherever it is taken, goes into the same column. */
    static const enum schema schemas[] = {SCHEMA_user_update, SCHEMA_sign_up, SCHEMA_profile, SCHEMA_user_add};
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        const struct schema_row *schema = schema_row(schemas[i]);
        size_t found = 0;
        for (size_t f = 0; f < schema->field_count; f++) {
            if (strcmp(schema->fields[f].name, "name") == 0) {
                found++;
                assert_int_equal(schema->fields[f].most, 255);
            }
        }
        assert_int_equal(found, 1);
    }
}

static void used_by_routes(void **state)
{
    (void)state;
    bool used[SCHEMA_COUNT] = {false};
    for (int i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = &routes[i];
        used[route->body] = used[route->query] = true;
        if (route->body != SCHEMA_NONE && schema_row(route->body)->kind == SCHEMA_KIND_QUERY) {
            fail_msg("%s takes a query as its body", route->name);
        }
        if (route->query != SCHEMA_NONE && schema_row(route->query)->kind != SCHEMA_KIND_QUERY) {
            fail_msg("%s takes a body as its query", route->name);
        }
        if (route->body != SCHEMA_NONE && route->method != METHOD_POST) {
            fail_msg("%s takes a body with %s", route->name, method_name(route->method));
        }
    }
    for (enum schema i = SCHEMA_NONE + 1; i < SCHEMA_COUNT; i++) {
        if (!used[i]) {
            fail_msg("nobody uses %s", schema_row(i)->name);
        }
    }
}

static void permissions(void **state)
{
    (void)state;
    const struct schema_row *sections = schema_row(SCHEMA_permissions);
    size_t section = 0;
    size_t count = 0;
    const struct permission_row *row;
    for (; (row = permission_row(count)) != NULL; count++) {
        /* all rows of a section together, sections in the order of the schema */
        if (strcmp(row->section, sections->fields[section].name) != 0) {
            section++;
            assert_in_range(section, 0, sections->field_count - 1);
            assert_string_equal(row->section, sections->fields[section].name);
        }
        assert_true(row->key[0] != '\0');
        assert_int_equal(strspn(row->key, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->key));
        /* a fresh install is never wider than what a body that leaves the key out gives */
        assert_true(row->absent || !row->fresh);
        for (size_t other = 0; other < count; other++) {
            if (strcmp(permission_row(other)->section, row->section) == 0) {
                assert_string_not_equal(permission_row(other)->key, row->key);
            }
        }
    }
    assert_int_equal(section, sections->field_count - 1);
    enum {
        ROWS = 0
#define PERMISSION(section, key, absent, fresh) +1
#include "tables/permissions.def"
    };
    assert_int_equal(count, ROWS);
    assert_null(permission_row(count + 1));
    assert_null(permission_row(SIZE_MAX));

    for (size_t i = 0; i < sections->field_count; i++) {
        assert_int_equal(sections->fields[i].type, FIELD_SECTION);
        assert_int_equal(sections->fields[i].needed, FIELD_REQUIRED);
    }
}

/* A route's permission is a row of the table. */
static void permissions_of_routes(void **state)
{
    (void)state;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        const char *name = routes[i].permission;
        bool found = name == NULL;
        const struct permission_row *row;
        for (size_t p = 0; !found && (row = permission_row(p)) != NULL; p++) {
            size_t length = strlen(row->section);
            found = strncmp(name, row->section, length) == 0 && name[length] == '.' &&
                    strcmp(name + length + 1, row->key) == 0;
        }
        if (!found) {
            fail_msg("%s needs %s, which there is not", routes[i].name, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(fields),
        cmocka_unit_test(the_same_name_has_the_same_limits),
        cmocka_unit_test(used_by_routes),
        cmocka_unit_test(permissions),
        cmocka_unit_test(permissions_of_routes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
