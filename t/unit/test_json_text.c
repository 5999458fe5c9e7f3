/* test_json_text.c: stored JSON as text: read, merged, rewritten. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_text.h"
#include "unit.h"

static void assert_read(const char *stored, enum json_state state, const char *expected)
{
    struct text json;
    enum json_state got = json_text_read(arena, text_of(stored), &json);
    if (got != state) {
        fail_msg("%s: state %d in place of %d", stored, (int)got, (int)state);
    }
    if (expected == NULL) {
        assert_null(json.data);
    } else if (!text_is(json, expected)) {
        fail_msg("%s: read as %.*s", stored, (int)json.length, json.data);
    }
}

static void test_read(void **state)
{
    static const char *const whole[] = {"{}",
                                        "[]",
                                        "0",
                                        "-0",
                                        "-1.50E+2",
                                        "1e999",
                                        "123456789012345678901234567890",
                                        "true",
                                        "{\"a\":[1,{\"b\":null}],\"\":\"\\u0000\\ud800\"}",
                                        "[[],{},[1,2],\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
                                        "{\"a\" : 1 , \"a\":2}",
                                        "[\"\xc3\xa4\"]"};
    static const char *const broken[] = {"",
                                         " ",
                                         "{",
                                         "[",
                                         "}",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{\"a\":1,}",
                                         "[1,]",
                                         "[,1]",
                                         "{,}",
                                         "[1 2]",
                                         "{\"a\":1]",
                                         "[1}",
                                         "{\"a\":1}}",
                                         "{} {}",
                                         "01",
                                         "1.",
                                         ".1",
                                         "-",
                                         "+1",
                                         "1e",
                                         "nul",
                                         "NaN",
                                         "Infinity",
                                         "'a'",
                                         "\"a",
                                         "\"\\x\"",
                                         "\"\\u12g4\"",
                                         "\"\\u123\"",
                                         "[\"\x01\"]",
                                         "[\"\xff\"]",
                                         "{a:1}",
                                         "{\"a\":1,2:3}",
                                         "// \n{}",
                                         "{\"a\":tru}"};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
        assert_read(whole[i], JSON_WHOLE, whole[i]);
        assert_read(text_format(arena, " \n\t%s\r ", whole[i]).data, JSON_WHOLE, whole[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        assert_read(broken[i], JSON_BROKEN, NULL);
    }
    assert_read(NULL, JSON_ABSENT, NULL);
    assert_read("null", JSON_ABSENT, NULL);
    assert_read(" null\n", JSON_ABSENT, NULL);
}

/* JSON that was stored as a text in JSON, as a migration of the original left it. */
/* Each byte at each place of a string, since they are looked at eight at a time. */
static void test_every_place(void **state)
{
    (void)state;
    for (int byte = 1; byte < 0x100; byte++) {
        for (size_t place = 0; place < 17; place++) {
            char stored[] = "[\"ABCDEFGHIJKLMNOPQ\"]";
            bool is_whole = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            stored[2 + place] = (char)byte;
            assert_read(stored, is_whole ? JSON_WHOLE : JSON_BROKEN, is_whole ? stored : NULL);
        }
    }
}

static void test_read_wrapped(void **state)
{
    (void)state;
    assert_read("\"{\\\"a\\\": 1}\"", JSON_WHOLE, "{\"a\": 1}");
    assert_read("\"\\\"{\\\\\\\"a\\\\\\\":\\\\\\\"\\u00e4\\\\\\\\n\\\\\\\"}\\\"\"", JSON_WHOLE,
                "{\"a\":\"\xc3\xa4\\n\"}");
    assert_read("\"{\\\"a\\\": \\\"\\ud83d\\ude00\\u20ac\\\"}\"", JSON_WHOLE,
                "{\"a\": \"\xf0\x9f\x98\x80\xe2\x82\xac\"}");
    assert_read("\"null\"", JSON_ABSENT, NULL);
    assert_read("\"\"", JSON_BROKEN, NULL);
    assert_read("\"hello\"", JSON_BROKEN, NULL);
    assert_read("\"{\\\"a\\\": \"", JSON_BROKEN, NULL);
}

static void test_read_deep(void **state)
{
    enum { DEPTH = 1000000 };
    char *deep = arena_alloc(arena, 2 * DEPTH + 1);
    struct text json;
    (void)state;
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    assert_int_equal(json_text_read(arena, (struct text){deep, 2 * DEPTH}, &json), JSON_WHOLE);
    assert_int_equal(json.length, 2 * DEPTH);
    assert_int_equal(json_text_read(arena, (struct text){deep, 2 * DEPTH - 1}, &json), JSON_BROKEN);
    json_object *object;
    assert_int_equal(json_text_parse(arena, (struct text){deep, 2 * DEPTH}, &object), JSON_BROKEN);
    assert_null(object);
    assert_int_equal(json_text_parse(arena, (struct text){deep + DEPTH - 200, 400}, &object), JSON_WHOLE);
    assert_non_null(object);
}

static struct json_members members_of(const char *json)
{
    struct json_members members;
    assert_true(json_text_members(arena, text_of(json), &members));
    return members;
}

static void test_members(void **state)
{
    struct json_members members = members_of(" { \"a\" : [1, {\"x\":2}] ,\"\\u0061\\n\":\"}\", \"\":null } ");
    (void)state;
    assert_int_equal(members.count, 3);
    assert_true(text_is(members.items[0].name, "a"));
    assert_true(text_is(members.items[0].value, "[1, {\"x\":2}]"));
    assert_true(text_is(members.items[1].name, "a\n"));
    assert_true(text_is(members.items[1].quoted, "\"\\u0061\\n\""));
    assert_true(text_is(members.items[1].value, "\"}\""));
    assert_true(text_is(members.items[2].name, ""));
    assert_true(text_is(members.items[2].value, "null"));
    assert_int_equal(members_of("{}").count, 0);
    assert_int_equal(members_of("{ }").count, 0);
    assert_false(json_text_members(arena, TEXT("[1]"), &members));
    assert_false(json_text_members(arena, TEXT("7"), &members));
}

static void assert_merge(const char *stored, const char *changes, const char *expected)
{
    struct json_members old = members_of(stored), new = members_of(changes);
    assert_string_equal(json_text_merge(arena, &old, &new).data, expected);
}

static void test_merge(void **state)
{
    (void)state;
    assert_merge("{}", "{}", "{}");
    assert_merge("{\"a\": 1.50,\"b\":[ 1e999 ]}", "{\"c\":123456789012345678901234567890}",
                 "{\"a\":1.50,\"b\":[ 1e999 ],\"c\":123456789012345678901234567890}");
    assert_merge("{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":{\"x\":1}}", "{\"a\":1,\"b\":{\"x\":1},\"c\":3}");
    assert_merge("{\"a\":1,\"a\":2}", "{}", "{\"a\":2}");
    assert_merge("{\"a\":1,\"b\":0,\"\\u0061\":2}", "{\"\\u0062\":5,\"b\":6}", "{\"a\":2,\"b\":6}");
    assert_merge("{}", "{\"a\":1,\"a\":2}", "{\"a\":2}");
    assert_merge("{\"ab\":1,\"a\":2}", "{\"abc\":3}", "{\"ab\":1,\"a\":2,\"abc\":3}");

    /* Forty thousand members take no time to speak of. */
    struct buffer many;
    buffer_init(&many, arena);
    for (int i = 0; i < 40000; i++) {
        buffer_add_format(&many, "%s\"k%d\":%d", i == 0 ? "{" : ",", i, i);
    }
    buffer_add_byte(&many, '}');
    struct text before = buffer_text(&many);
    struct json_members old = members_of(before.data), new = members_of("{\"k39999\":39999}");
    assert_true(text_equal(json_text_merge(arena, &old, &new), before));
}

static void test_compact(void **state)
{
    (void)state;
    assert_string_equal(json_text_compact(arena, TEXT(" { \"a b\" : [ 1 ,\n\"\\\" \\\\\" , \" \" ] }\t")).data,
                        "{\"a b\":[1,\"\\\" \\\\\",\" \"]}");
}

static void test_rewrite(void **state)
{
    static const struct text before = {
        "{\"a\": {\"n\": 123456789012345678901234567890, \"x\": 1.50}, \"b\": [1e999], \"c\":1, \"z\\u0000z\": 7}",
        sizeof "{\"a\": {\"n\": 123456789012345678901234567890, \"x\": 1.50}, \"b\": [1e999], \"c\":1, \"z\\u0000z\": "
               "7}" -
            1};
    (void)state;
    json_object *object =
        json_parse(arena, TEXT("{\"a\":{\"n\":123456789012345678901234567890,\"x\":1.50},\"b\":[1e999],\"c\":1}"));
    json_object *a;
    assert_true(json_object_object_get_ex(object, "a", &a));
    json_object_object_add(a, "x", json_object_new_int(2));
    json_object_object_add(a, "new", json_object_new_boolean(1));
    json_object_object_del(object, "c");
    assert_string_equal(
        json_text_rewrite(arena, before, object).data,
        "{\"a\":{\"n\":123456789012345678901234567890,\"x\":2,\"new\":true},\"b\":[1e999],\"z\\u0000z\":7}");
    assert_string_equal(json_text_rewrite(arena, TEXT_NULL, json_parse(arena, TEXT("{\"a\":[1]}"))).data,
                        "{\"a\":[1]}");
    assert_string_equal(json_text_rewrite(arena, TEXT("{\"a\":1,\"a\":2}"), json_parse(arena, TEXT("{\"a\":3}"))).data,
                        "{\"a\":3}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_every_place, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_read_wrapped, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_read_deep, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_members, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_merge, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_compact, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_rewrite, arena_set_up, arena_tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
