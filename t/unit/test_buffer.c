/* test_buffer.c: growth and numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "unit.h"

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
    (void)state;
    struct buffer buffer;
    size_t used = arena_used(arena);

    buffer_init(&buffer, arena);
    buffer_add(&buffer, NULL, 0);
    buffer_add_text(&buffer, TEXT_NULL);
    buffer_add_string(&buffer, NULL);
    assert_null(buffer.data);
    assert_int_equal(arena_used(arena), used);
    assert_holds(&buffer, TEXT(""));
}

static void test_add(void **state)
{
    (void)state;
    struct buffer buffer;

    buffer_init(&buffer, arena);
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
    (void)state;
    struct buffer buffer;
    struct text text;

    /* Every length up to 2000, so that each is full to the last byte once. */
    for (size_t length = 1; length < 2000; length++) {
        buffer_init(&buffer, arena);
        memset(buffer_reserve(&buffer, length), 'x', length);
        buffer.length += length;
        assert_int_equal(buffer_text(&buffer).data[length], '\0');
    }
    buffer_init(&buffer, arena);
    for (size_t i = 0; i < 300000; i++) {
        buffer_add_byte(&buffer, (char)('a' + i % 26));
    }
    text = buffer_text(&buffer);
    assert_int_equal(text.length, 300000);
    for (size_t i = 0; i < 300000; i++) {
        if (text.data[i] != (char)('a' + i % 26)) {
            fail_msg("byte %zu was lost", i);
        }
    }
}

/* The ceiling is a flag; what has been written stays whole. */
static void test_past_the_ceiling(void **state)
{
    struct arena *small = arena_new(1000);
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, small);
    for (int i = 0; i < 10000; i++) {
        buffer_add_literal(&buffer, "0123456789");
    }
    assert_true(arena_exceeded(small));
    assert_int_equal(buffer_text(&buffer).length, 100000);
    arena_free(small);
}

/* The first and the last of each length. */
static void test_character(void **state)
{
    (void)state;
    static const struct {
        uint32_t character;
        struct text bytes;
    } rows[] = {
        {0x00, TEXT("\0")},
        {0x7F, TEXT("\x7F")},
        {0x80, TEXT("\xC2\x80")},
        {0x7FF, TEXT("\xDF\xBF")},
        {0x800, TEXT("\xE0\xA0\x80")},
        {0xFFFF, TEXT("\xEF\xBF\xBF")},
        {0x10000, TEXT("\xF0\x90\x80\x80")},
        {0x10FFFF, TEXT("\xF4\x8F\xBF\xBF")},
        {0x1F600, TEXT("\xF0\x9F\x98\x80")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct buffer buffer;
        buffer_init(&buffer, arena);
        buffer_add_character(&buffer, rows[i].character);
        assert_holds(&buffer, rows[i].bytes);
    }
}

static void test_integer(void **state)
{
    (void)state;
    static const int64_t integers[] = {0, 7, -7, 10, 99, -100, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    struct buffer buffer;
    char expected[32];

    for (size_t i = 0; i < ARRAY_COUNT(integers); i++) {
        buffer_init(&buffer, arena);
        buffer_add_integer(&buffer, integers[i]);
        snprintf(expected, sizeof expected, "%" PRId64, integers[i]);
        assert_holds(&buffer, text_of(expected));
    }
}

/* Around each power of ten, and all of few digits. */
static void test_every_length(void **state)
{
    (void)state;
    struct buffer buffer;
    char expected[32];
    int64_t power = 1;
    for (int i = 0; i < 12000 + 19 * 3; i++) {
        int64_t integer = i < 12000 ? i : power + i % 3 - 1;
        power *= i >= 12000 && i % 3 == 2 && power <= INT64_MAX / 10 ? 10 : 1;
        buffer_init(&buffer, arena);
        buffer_add_integer(&buffer, integer);
        snprintf(expected, sizeof expected, "%" PRId64, integer);
        assert_holds(&buffer, text_of(expected));
        arena_reset(arena);
    }
}

static void test_format(void **state)
{
    (void)state;
    struct buffer buffer;
    char word[600];

    buffer_init(&buffer, arena);
    buffer_add_format(&buffer, "%s=%d", "a", 1);
    buffer_add_format(&buffer, "%s", "");
    assert_holds(&buffer, TEXT("a=1"));
    for (size_t length = 100; length < sizeof word; length++) {
        memset(word, 'w', length);
        word[length] = '\0';
        buffer_init(&buffer, arena);
        buffer_add_format(&buffer, "%s", word);
        assert_holds(&buffer, text_of(word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),     cmocka_unit_test(test_add),
        cmocka_unit_test(test_growth),    cmocka_unit_test(test_past_the_ceiling),
        cmocka_unit_test(test_integer),   cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_character), cmocka_unit_test(test_format),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
