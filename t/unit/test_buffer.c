/* test_buffer.c: growth, numbers, and JSON escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"

static int set_up(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void assert_holds(struct buffer *buffer, struct text expected)
{
    struct text text = buffer_text(buffer);

    assert_non_null(text.data);
    assert_int_equal(text.length, expected.length);
    assert_memory_equal(text.data, expected.data, expected.length);
    assert_int_equal(text.data[text.length], '\0');
}

static void test_empty(void **state)
{
    struct buffer buffer;
    size_t used = arena_used(*state);

    buffer_init(&buffer, *state);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, (struct text){NULL, 0});
    buffer_add_string(&buffer, NULL);
    assert_null(buffer.data);
    assert_int_equal(arena_used(*state), used);
    assert_holds(&buffer, TEXT(""));
}

static void test_add(void **state)
{
    struct buffer buffer;

    buffer_init(&buffer, *state);
    buffer_add_literal(&buffer, "a\0b");
    buffer_add_text(&buffer, TEXT("-c"));
    buffer_add_string(&buffer, "-d");
    buffer_add_byte(&buffer, '!');
    assert_holds(&buffer, TEXT("a\0b-c-d!"));
    memcpy(buffer_reserve(&buffer, 3), "xyz", 3);
    buffer.length += 2;
    assert_holds(&buffer, TEXT("a\0b-c-d!xy"));
}

static void test_growth(void **state)
{
    struct buffer buffer;
    struct text text;

    /* Every length up to 2000, so that each is full to the last byte once. */
    for (size_t length = 1; length < 2000; length++) {
        buffer_init(&buffer, *state);
        memset(buffer_reserve(&buffer, length), 'x', length);
        buffer.length += length;
        assert_int_equal(buffer_text(&buffer).data[length], '\0');
    }
    buffer_init(&buffer, *state);
    for (size_t i = 0; i < 300000; i++)
        buffer_add_byte(&buffer, (char)('a' + i % 26));
    text = buffer_text(&buffer);
    assert_int_equal(text.length, 300000);
    for (size_t i = 0; i < 300000; i++)
        if (text.data[i] != (char)('a' + i % 26))
            fail_msg("byte %zu was lost", i);
}

/* The ceiling is a flag; what has been written stays whole. */
static void test_past_the_ceiling(void **state)
{
    struct arena *arena = arena_new(1000);
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, arena);
    for (int i = 0; i < 10000; i++)
        buffer_add_literal(&buffer, "0123456789");
    assert_true(arena_exceeded(arena));
    assert_int_equal(buffer_text(&buffer).length, 100000);
    arena_free(arena);
}

static void test_integer(void **state)
{
    static const int64_t integers[] = {0, 7, -7, 10, 99, -100, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    struct buffer buffer;
    char expected[32];

    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        buffer_init(&buffer, *state);
        buffer_add_integer(&buffer, integers[i]);
        snprintf(expected, sizeof expected, "%" PRId64, integers[i]);
        assert_holds(&buffer, text_of(expected));
    }
}

static void test_format(void **state)
{
    struct buffer buffer;
    char word[600];

    buffer_init(&buffer, *state);
    buffer_add_format(&buffer, "%s=%d", "a", 1);
    buffer_add_format(&buffer, "%s", "");
    assert_holds(&buffer, TEXT("a=1"));
    for (size_t length = 100; length < sizeof word; length++) {
        memset(word, 'w', length);
        word[length] = '\0';
        buffer_init(&buffer, *state);
        buffer_add_format(&buffer, "%s", word);
        assert_holds(&buffer, text_of(word));
    }
}

static void test_json(void **state)
{
    static const struct {
        struct text text, json;
    } rows[] = {
        {TEXT(""), TEXT("\"\"")},
        {{NULL, 0}, TEXT("null")},
        {TEXT("plain / text"), TEXT("\"plain / text\"")},
        {TEXT("\"\\"), TEXT("\"\\\"\\\\\"")},
        {TEXT("\b\f\n\r\t"), TEXT("\"\\b\\f\\n\\r\\t\"")},
        {TEXT("\0\x01\x0B\x1F\x7F"), TEXT("\"\\u0000\\u0001\\u000b\\u001f\x7F\"")},
        {TEXT("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), TEXT("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"")},
        {TEXT("a\377b"), TEXT("\"a\357\277\275b\"")},
        {TEXT("\xC3"), TEXT("\"\xEF\xBF\xBD\"")},
        {TEXT("\xED\xA0\x80"), TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"")},
        {TEXT("\xC0\xAF"), TEXT("\"\xEF\xBF\xBD\xEF\xBF\xBD\"")},
        {TEXT("\xC3\"x"), TEXT("\"\xEF\xBF\xBD\\\"x\"")},
    };
    struct buffer buffer;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        buffer_init(&buffer, *state);
        buffer_add_json(&buffer, rows[i].text);
        assert_holds(&buffer, rows[i].json);
    }
}

/* Every byte needs six. */
static void test_json_worst_case(void **state)
{
    struct buffer buffer;
    char zeros[5000] = {0};

    buffer_init(&buffer, *state);
    buffer_add_json(&buffer, (struct text){zeros, sizeof zeros});
    assert_int_equal(buffer_text(&buffer).length, sizeof zeros * 6 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_add),
        cmocka_unit_test(test_growth),  cmocka_unit_test(test_past_the_ceiling),
        cmocka_unit_test(test_integer), cmocka_unit_test(test_format),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_json_worst_case),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
