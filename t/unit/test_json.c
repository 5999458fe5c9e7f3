/* test_json.c: json-c with an arena. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/json.h"
#include "unit.h"

static void count_end(json_object *object, void *argument)
{
    (void)object;
    ++*(int *)argument;
}

static json_object *counted(int *ends)
{
    json_object *object = json_object_new_object();

    json_object_set_userdata(object, ends, count_end);
    return object;
}

static void test_keep(void **state)
{
    int ends = 0;
    json_object *object = counted(&ends), *held = counted(&ends);

    (void)state;
    assert_null(json_keep(arena, NULL));
    assert_ptr_equal(json_keep(arena, object), object);
    assert_ptr_equal(json_keep(arena, json_object_get(held)), held);
    assert_int_equal(ends, 0);
    arena_reset(arena);
    assert_int_equal(ends, 1); /* one reference is dropped, no more */
    arena_reset(arena);
    assert_int_equal(ends, 1);
    json_object_put(held);
    assert_int_equal(ends, 2);
}

static void test_text(void **state)
{
    (void)state;
    assert_text(json_text(json_parse(arena, TEXT("\"a\xc3\xa4\""))), "a\xc3\xa4");
    assert_text(json_text(json_parse(arena, TEXT("\"\""))), "");
    assert_int_equal(json_text(json_parse(arena, TEXT("\"a\\u0000b\""))).length, 3);
    assert_null(json_text(json_parse(arena, TEXT("7"))).data);
    assert_null(json_text(json_parse(arena, TEXT("true"))).data);
    assert_null(json_text(json_parse(arena, TEXT("[\"a\"]"))).data);
    assert_null(json_text(NULL).data);
}

static void assert_round_trip(const char *text)
{
    json_object *object = json_parse(arena, text_of(text));

    assert_non_null(object);
    assert_text(json_print(arena, object), text);
}

static void test_print(void **state)
{
    struct text text;
    json_object *object;

    (void)state;
    assert_round_trip("{\"a\":[1,2.5,true,null,{}],\"\":\"\"}");
    assert_round_trip("\"https://example.org/a\"");
    assert_round_trip("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    assert_round_trip("\"\\\"\\\\\\n\\u0001\"");
    assert_round_trip("9223372036854775807");
    assert_text(json_print(arena, json_parse(arena, TEXT(" { \"a\" : [ 1 , 2 ] } "))), "{\"a\":[1,2]}");
    assert_text(json_print(arena, json_parse(arena, TEXT("\"\\u00e4\\/\\u0041\""))), "\"\xc3\xa4/A\"");
    assert_text(json_print(arena, NULL), "null");

    /* The text is a copy: it stays when the object changes. */
    object = json_parse(arena, TEXT("{\"a\":1}"));
    text = json_print(arena, object);
    json_object_object_add(object, "a", json_object_new_int(2));
    json_print(arena, object);
    assert_text(text, "{\"a\":1}");
}

static void test_bare_values(void **state)
{
    (void)state;
    assert_int_equal(json_object_get_int64(json_parse(arena, TEXT("42"))), 42);
    assert_int_equal(json_object_get_int64(json_parse(arena, TEXT("-7"))), -7);
    assert_true(json_object_get_double(json_parse(arena, TEXT("1.5"))) == 1.5);
    assert_true(json_object_get_boolean(json_parse(arena, TEXT("true"))));
    assert_int_equal(json_object_get_type(json_parse(arena, TEXT("false"))), json_type_boolean);
    assert_int_equal(json_object_get_type(json_parse(arena, TEXT("[]"))), json_type_array);
    assert_null(json_parse(arena, TEXT("null")));

    /* Only as many bytes as the text has. */
    assert_int_equal(json_object_get_int64(json_parse(arena, (struct text){"4299", 2})), 42);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {"",    " ",   "{", "[1", "{\"a\"", "{\"a\":", "\"a",
                                      "tru", "nul", "x", "-",  "}",      "[1}"};
    char deep[600];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (json_parse(arena, text_of(bad[i])) != NULL) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
    assert_null(json_parse(arena, TEXT_NULL));

    memset(deep, '[', 300);
    memset(deep + 300, ']', 300);
    assert_null(json_parse(arena, (struct text){deep, 600}));
    assert_non_null(json_parse(arena, (struct text){deep + 100, 400}));
}

/* What json-c takes counts against the ceiling. */
static void test_account(void **state)
{
    size_t before = arena_used(arena);
    struct text text = TEXT("{\"a\":{},\"b\":[1,2]}");

    (void)state;
    assert_int_equal(json_tree_bytes(TEXT("")), 0);
    assert_true(json_tree_bytes(TEXT("{}")) > json_tree_bytes(TEXT("[]")));
    assert_true(json_tree_bytes(TEXT("[]")) > json_tree_bytes(TEXT("\"\"")));
    assert_true(json_tree_bytes(TEXT("[1,2]")) > json_tree_bytes(TEXT("[1 2]")));
    assert_true(json_tree_bytes(TEXT("a:b")) > json_tree_bytes(TEXT("a b")));
    json_parse(arena, text);
    assert_true(arena_used(arena) >= before + json_tree_bytes(text));
    before = arena_used(arena);
    json_parse(arena, TEXT_NULL);
    assert_int_equal(arena_used(arena), before);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, arena_set_up, arena_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keep), TEST(test_text), TEST(test_print), TEST(test_bare_values), TEST(test_bad), TEST(test_account),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
