/* test_json_writer.c: commas, names, values and escapes of JSON that goes out, and what aborts. */
#include "aborts.h"
#include "arena_fixture.h"
#include "base/array.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "unit.h"

static struct json_writer json;

static int set_up(void **state)
{
    arena_set_up(state);
    json_start(&json, arena);
    return 0;
}

/* What was written, and a new text. */
static void assert_written(const char *expected)
{
    assert_true(json_is_whole(&json));
    assert_bytes(json_finish(&json), text_of(expected));
    json_start(&json, arena);
}

static void test_values(void **state)
{
    (void)state;
    assert_false(json_is_whole(&json));
    json_add_text(&json, TEXT("a"));
    assert_written("\"a\"");
    json_add_text(&json, TEXT_NULL);
    assert_written("null");
    json_add_string(&json, "b");
    assert_written("\"b\"");
    json_add_string(&json, NULL);
    assert_written("null");
    json_add_integer(&json, INT64_MIN);
    assert_written("-9223372036854775808");
    json_add_integer(&json, 0);
    assert_written("0");
    json_add_boolean(&json, true);
    assert_written("true");
    json_add_boolean(&json, false);
    assert_written("false");
    json_add_null(&json);
    assert_written("null");
    json_add_raw(&json, TEXT("{\"a\" : 1}"));
    assert_written("{\"a\" : 1}");
}

static void test_arrays(void **state)
{
    (void)state;
    json_begin_array(&json);
    json_end_array(&json);
    assert_written("[]");
    json_begin_array(&json);
    json_add_integer(&json, 1);
    assert_false(json_is_whole(&json));
    json_end_array(&json);
    assert_written("[1]");

    json_begin_array(&json);
    json_add_null(&json);
    json_add_boolean(&json, true);
    json_add_integer(&json, -7);
    json_add_string(&json, "s");
    json_add_raw(&json, TEXT("1e400"));
    json_begin_array(&json);
    json_end_array(&json);
    json_begin_object(&json);
    json_end_object(&json);
    json_add_string(&json, "");
    json_end_array(&json);
    assert_written("[null,true,-7,\"s\",1e400,[],{},\"\"]");
}

static void test_objects(void **state)
{
    (void)state;
    json_begin_object(&json);
    json_end_object(&json);
    assert_written("{}");

    json_begin_object(&json);
    json_member_text(&json, "text", TEXT("t"));
    json_member_string(&json, "string", "s");
    json_member_integer(&json, "integer", 42);
    json_member_boolean(&json, "boolean", false);
    json_member_null(&json, "null");
    json_member_raw(&json, "raw", TEXT("[ ]"));
    json_member_array(&json, "array");
    json_end_array(&json);
    json_member_object(&json, "object");
    json_end_object(&json);
    json_name(&json, "last");
    json_add_null(&json);
    json_end_object(&json);
    assert_written("{\"text\":\"t\",\"string\":\"s\",\"integer\":42,\"boolean\":false,\"null\":null,\"raw\":[ ],"
                   "\"array\":[],\"object\":{},\"last\":null}");
}

/* Each kind of name, as the first one and behind others. */
static void test_names(void **state)
{
    static const struct json_name name = JSON_NAME("a");
    (void)state;
    for (int first = 0; first < 3; first++) {
        json_begin_object(&json);
        for (int i = 0; i < 3; i++) {
            switch ((first + i) % 3) {
            case 0:
                json_add_name(&json, name);
                break;
            case 1:
                json_add_name_string(&json, "b\n\"\x7F\xFF");
                break;
            default:
                json_add_name_raw(&json, TEXT("\"c\\u0000\\/\""));
                break;
            }
            json_add_integer(&json, i);
        }
        json_end_object(&json);
        static const char *const expected[] = {
            "{\"a\":0,\"b\\n\\\"\\u007f\xEF\xBF\xBD\":1,\"c\\u0000\\/\":2}",
            "{\"b\\n\\\"\\u007f\xEF\xBF\xBD\":0,\"c\\u0000\\/\":1,\"a\":2}",
            "{\"c\\u0000\\/\":0,\"a\":1,\"b\\n\\\"\\u007f\xEF\xBF\xBD\":2}",
        };
        assert_written(expected[first]);
    }
}

/* A comma is due where a container has ended, and is not where the next begins. */
static void test_nesting(void **state)
{
    (void)state;
    json_begin_array(&json);
    for (int i = 0; i < 2; i++) {
        json_begin_object(&json);
        json_member_array(&json, "a");
        for (int j = 0; j < 2; j++) {
            json_begin_array(&json);
            json_add_integer(&json, j);
            json_end_array(&json);
        }
        json_end_array(&json);
        json_member_object(&json, "o");
        json_member_integer(&json, "i", i);
        json_end_object(&json);
        json_end_object(&json);
    }
    json_end_array(&json);
    assert_written("[{\"a\":[[0],[1]],\"o\":{\"i\":0}},{\"a\":[[0],[1]],\"o\":{\"i\":1}}]");
}

static void test_depth(void **state)
{
    char expected[2 * JSON_DEPTH + 1] = "";
    (void)state;
    for (int i = 0; i < JSON_DEPTH; i++) {
        json_begin_array(&json);
        expected[i] = '[';
        expected[2 * JSON_DEPTH - 1 - i] = ']';
    }
    for (int i = 0; i < JSON_DEPTH; i++) {
        json_end_array(&json);
    }
    assert_written(expected);
}

/* RFC 8259, section 7, and what terminals obey. */
static void test_escapes(void **state)
{
    static const struct {
        struct text text, json;
    } rows[] = {
        {TEXT(""), TEXT("\"\"")},
        {TEXT("plain / text"), TEXT("\"plain / text\"")},
        {TEXT("\"\\"), TEXT("\"\\\"\\\\\"")},
        {TEXT("\b\f\n\r\t"), TEXT("\"\\b\\f\\n\\r\\t\"")},
        {TEXT("\0\x01\x0B\x1F\x20\x7E\x7F"), TEXT("\"\\u0000\\u0001\\u000b\\u001f \x7E\\u007f\"")},
        {TEXT("a\xC2\x9B"
              "2J\xC2\x80\xC2\x9F\xC2\xA0z"),
         TEXT("\"a\\u009b2J\\u0080\\u009f\xC2\xA0z\"")},
        {TEXT("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), TEXT("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"")},
        {TEXT("a\377b"), TEXT("\"a\357\277\275b\"")},
        {TEXT("\xC3"), TEXT("\"\xEF\xBF\xBD\"")},
        {TEXT("\xED\xA0\x80"), TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
        {TEXT("\xC0\xAF"), TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
        {TEXT("\xC3\"x"), TEXT("\"\xEF\xBF\xBD\\\"x\"")},
        {TEXT("\xF0\x9F\x98"), TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        json_add_text(&json, rows[i].text);
        assert_bytes(json_finish(&json), rows[i].json);
        json_start(&json, arena);
    }
}

static size_t encode(uint32_t character, char *out)
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    out[0] = (char)((0xF0 << (4 - size) & 0xFF) | character);
    return size;
}

/* json-c reads every character back as it was. */
static void test_every_character(void **state)
{
    enum { CHARACTERS = 0x1000 };
    char text[4 * CHARACTERS];
    (void)state;
    for (uint32_t first = 0; first < 0x110000; first += CHARACTERS) {
        size_t length = 0;
        for (uint32_t character = first; character < first + CHARACTERS; character++) {
            length += character < 0xD800 || character > 0xDFFF ? encode(character, text + length) : 0;
        }
        json_start(&json, arena);
        json_add_text(&json, (struct text){text, length});
        struct text read = json_text(json_parse(arena, json_finish(&json)));
        assert_int_equal(read.length, length);
        assert_memory_equal(read.data, text, length);
        arena_reset(arena);
    }
}

/* What stands between the quotes. */
static struct text inner_of(const char *bytes, size_t length)
{
    json_start(&json, arena);
    json_add_text(&json, (struct text){bytes, length});
    struct text quoted = json_finish(&json);
    return (struct text){quoted.data + 1, quoted.length - 2};
}

/* Each byte at each place of a text, since plain bytes are looked at eight at a time. */
static void test_every_place(void **state)
{
    enum { LENGTH = 19 };
    (void)state;
    for (int byte = 0; byte < 0x100; byte++) {
        for (size_t place = 0; place < LENGTH; place++) {
            char text[LENGTH] = "abcdefghijklmnopqr ";
            struct buffer expected;
            buffer_init(&expected, arena);
            buffer_add(&expected, text, place);
            buffer_add_text(&expected, inner_of(&(char){(char)byte}, 1));
            buffer_add(&expected, text + place + 1, LENGTH - 1 - place);
            text[place] = (char)byte;
            struct text got = inner_of(text, LENGTH);
            assert_int_equal(got.length, expected.length);
            assert_memory_equal(got.data, expected.data, got.length);
            arena_reset(arena);
        }
    }
}

/* Every byte needs six. */
static void test_worst_case(void **state)
{
    char zeros[5000] = {0};
    (void)state;
    json_add_text(&json, (struct text){zeros, sizeof zeros});
    assert_int_equal(json_finish(&json).length, sizeof zeros * 6 + 2);
}

/* One text in two buffers, of which the first is emptied meanwhile, as an answer does that has left. */
static void test_buffers(void **state)
{
    struct buffer body, row;
    (void)state;
    buffer_init(&body, arena);
    buffer_init(&row, arena);
    buffer_add_literal(&body, "x ");
    json_start_in(&json, &body);
    json_begin_object(&json);
    json_member_array(&json, "rows");
    for (int i = 0; i < 3; i++) {
        json_switch(&json, &row);
        json_begin_object(&json);
        json_member_integer(&json, "i", i);
        json_end_object(&json);
        json_switch(&json, &body);
    }
    assert_bytes(buffer_text(&body), TEXT("x {\"rows\":["));
    assert_bytes(buffer_text(&row), TEXT("{\"i\":0},{\"i\":1},{\"i\":2}"));
    body.length = 0;
    json_add_null(&json);
    json_end_array(&json);
    json_member_null(&json, "n");
    json_end_object(&json);
    assert_written(",null],\"n\":null}");
}

static void test_list_of_texts(void **state)
{
    const struct text texts[] = {TEXT("a"), TEXT(""), TEXT("\"\\\n"), TEXT("\xc3\xa4/"), TEXT("1\0002")};
    (void)state;
    assert_bytes(json_list_of_texts(arena, NULL, 0), TEXT("[]"));
    assert_bytes(json_list_of_texts(arena, texts, 1), TEXT("[\"a\"]"));
    json_object *object = json_parse(arena, json_list_of_texts(arena, texts, ARRAY_COUNT(texts)));
    assert_int_equal(json_object_get_type(object), json_type_array);
    assert_int_equal(json_object_array_length(object), ARRAY_COUNT(texts));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_true(text_equal(json_text(json_object_array_get_idx(object, i)), texts[i]));
    }
    json_begin_object(&json);
    json_name(&json, "a");
    json_add_texts(&json, texts, 2);
    json_end_object(&json);
    assert_written("{\"a\":[\"a\",\"\"]}");
}

/* ---- misuse ---- */

static void finish_nothing(void)
{
    json_finish(&json);
}

static void finish_open(void)
{
    json_begin_array(&json);
    json_finish(&json);
}

static void add_second(void)
{
    json_add_null(&json);
    json_add_null(&json);
}

static void add_without_name(void)
{
    json_begin_object(&json);
    json_add_null(&json);
}

static void begin_without_name(void)
{
    json_begin_object(&json);
    json_begin_array(&json);
}

static void add_two_values(void)
{
    json_begin_object(&json);
    json_member_null(&json, "a");
    json_add_null(&json);
}

static void add_name_in_array(void)
{
    json_begin_array(&json);
    json_name(&json, "a");
}

static void add_name_outside(void)
{
    json_add_name_string(&json, "a");
}

static void add_two_names(void)
{
    json_begin_object(&json);
    json_name(&json, "a");
    json_add_name_raw(&json, TEXT("\"b\""));
}

static void end_behind_name(void)
{
    json_begin_object(&json);
    json_name(&json, "a");
    json_end_object(&json);
}

static void end_object_as_array(void)
{
    json_begin_object(&json);
    json_end_array(&json);
}

static void end_array_as_object(void)
{
    json_begin_array(&json);
    json_end_object(&json);
}

static void end_nothing(void)
{
    json_end_array(&json);
}

static void end_behind_all(void)
{
    json_begin_object(&json);
    json_end_object(&json);
    json_end_object(&json);
}

static void go_too_deep(void)
{
    for (int i = 0; i <= JSON_DEPTH; i++) {
        json_begin_array(&json);
    }
}

static void add_empty(void)
{
    json_add_raw(&json, TEXT(""));
}

static void use_well(void)
{
    json_begin_object(&json);
    json_member_null(&json, "a");
    json_end_object(&json);
    json_finish(&json);
}

static void test_misuse(void **state)
{
    static const struct {
        const char *name;
        void (*use)(void);
    } rows[] = {
        {"finish nothing", finish_nothing},
        {"finish open", finish_open},
        {"add second", add_second},
        {"add without name", add_without_name},
        {"begin without name", begin_without_name},
        {"add two values", add_two_values},
        {"add name in array", add_name_in_array},
        {"add name outside", add_name_outside},
        {"add two names", add_two_names},
        {"end behind name", end_behind_name},
        {"end object as array", end_object_as_array},
        {"end array as object", end_array_as_object},
        {"end nothing", end_nothing},
        {"end behind all", end_behind_all},
        {"go too deep", go_too_deep},
        {"add empty", add_empty},
    };
    (void)state;
    assert_false(aborts(use_well));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!aborts(rows[i].use)) {
            fail_msg("this does not abort: %s", rows[i].name);
        }
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_values),      TEST(test_arrays),     TEST(test_objects), TEST(test_names),
        TEST(test_nesting),     TEST(test_depth),      TEST(test_escapes), TEST(test_every_character),
        TEST(test_every_place), TEST(test_worst_case), TEST(test_buffers), TEST(test_list_of_texts),
        TEST(test_misuse),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("json_writer", tests, NULL, NULL);
}
