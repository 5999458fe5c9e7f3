/* test_schema.c: whether the tables of schemas, permissions and routes agree with each other. */
#include <string.h>

#include "base/array.h"
#include "base/permission_table.h"
#include "base/text.h"
#include "config/compatibility.h"
#include "unit.h"
#include "worker/router.h"
#include "worker/schema.h"

static void names(void **state)
{
    (void)state;
#define SCHEMA(name_, kind_, text_)                                          \
    assert_string_equal(schema_row(SCHEMA_##name_)->name, #name_);           \
    assert_int_equal(schema_row(SCHEMA_##name_)->kind, SCHEMA_KIND_##kind_); \
    assert_int_equal(schema_row(SCHEMA_##name_)->field_count, INPUT_##name_##_COUNT);
#define FIELD(schema_, name_, type_, needed_, since_, min_, max_, text_)                                   \
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
            if (field->type != FIELD_TEXT && field->type != FIELD_NAME && field->type != FIELD_PASSWORD &&
                (field->min != 0 || field->max != 0)) {
                fail_msg("%s.%s is no text, but has a length", schema->name, field->name);
            }
            if (field->max != 0 ? field->min > field->max || field->max > 65535 : field->min != 0) {
                fail_msg("%s.%s: %zu to %zu characters", schema->name, field->name, field->min, field->max);
            }
            /* what validate.c does not do for a query */
            bool scalar = field->type == FIELD_TEXT || field->type == FIELD_ROLE || field->type == FIELD_INTEGER ||
                          field->type == FIELD_BOOLEAN || field->type == FIELD_ADDRESS || field->type == FIELD_ACTION;
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
    for (size_t i = 0; i < ARRAY_COUNT(schemas); i++) {
        const struct schema_row *schema = schema_row(schemas[i]);
        size_t found = 0;
        for (size_t f = 0; f < schema->field_count; f++) {
            if (strcmp(schema->fields[f].name, "name") == 0) {
                found++;
                assert_int_equal(schema->fields[f].max, 255);
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
    size_t section_count = 0;
    /* preconditions stand behind the sections */
    while (section_count < sections->field_count && sections->fields[section_count].type == FIELD_SECTION) {
        section_count++;
    }
    size_t count = 0;
    const struct permission_row *row;
    for (; (row = permission_row(count)) != NULL; count++) {
        /* all rows of a section together, sections in the order of the schema */
        if (strcmp(row->section, sections->fields[section].name) != 0) {
            section++;
            assert_in_range(section, 0, section_count - 1);
            assert_string_equal(row->section, sections->fields[section].name);
        }
        assert_true(row->key[0] != '\0');
        assert_int_equal(strspn(row->key, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->key));
        /* a fresh install is never wider than what a body that leaves the key out gives */
        assert_true(row->absent || !row->fresh);
    }
    assert_int_equal(section, section_count - 1);
    assert_int_equal(count, PERMISSION_COUNT);
    assert_null(permission_row(count + 1));
    assert_null(permission_row(SIZE_MAX));

    assert_ptr_equal(permission_find("features", "api_keys"), permission_row(PERMISSION_features_api_keys));
    assert_null(permission_find("features", "models"));
    assert_null(permission_find("api_keys", "features"));
    assert_true(permission_is_section("features"));
    assert_false(permission_is_section("api_keys"));

    for (size_t i = section_count; i < sections->field_count; i++) {
        assert_int_equal(strncmp(sections->fields[i].name, "if_", 3), 0);
    }
    for (size_t i = 0; i < section_count; i++) {
        assert_int_equal(sections->fields[i].needed, FIELD_RELAXED);
        /* a section is there with the first of its permissions */
        enum compatibility first = COMPATIBILITY_NEWEST;
        for (size_t at = 0; (row = permission_row(at)) != NULL; at++) {
            if (strcmp(row->section, sections->fields[i].name) == 0 && row->since < first) {
                first = row->since;
            }
        }
        assert_int_equal(sections->fields[i].since, first);
    }
}

/* Who needs no token needs no session either. */
static void what_routes_take(void **state)
{
    (void)state;
    unsigned sessions = 0;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        sessions += routes[i].takes == TAKES_SESSION;
        /* but for what belongs to a session, and all that is held about a person, which no program needs */
        if (routes[i].takes == TAKES_SESSION && i != ROUTE_mfa_status && i != ROUTE_own_export &&
            i != ROUTE_user_export && (routes[i].who == WHO_ANYONE || routes[i].method == METHOD_GET)) {
            fail_msg("%s takes a session alone, which nobody has to have, or reads only", routes[i].name);
        }
    }
    assert_in_range(sessions, 10, ROUTE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(fields),
        cmocka_unit_test(the_same_name_has_the_same_limits),
        cmocka_unit_test(used_by_routes),
        cmocka_unit_test(permissions),
        cmocka_unit_test(what_routes_take),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
