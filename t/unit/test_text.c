/* test_text.c: comparison, UTF-8, numbers and lower case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/text.h"

static const struct text null_text = {NULL, 0};

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

static void assert_text(struct text text, const char *expected)
{
    assert_non_null(text.data);
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.data, expected, text.length);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(text_equal(TEXT("a\0b"), TEXT("a\0b")));
    assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
    assert_false(text_equal(TEXT("a"), TEXT("ab")));
    assert_true(text_equal(TEXT(""), TEXT("")));
    assert_false(text_equal(TEXT(""), null_text));
    assert_false(text_equal(null_text, TEXT("")));
    assert_true(text_equal(null_text, null_text));
}

static void test_is(void **state)
{
    (void)state;
    assert_true(text_is(TEXT("admin"), "admin"));
    assert_false(text_is(TEXT("admin\0"), "admin"));
    assert_false(text_is(TEXT("adm"), "admin"));
    assert_false(text_is(TEXT("Admin"), "admin"));
    assert_false(text_is(null_text, ""));
    assert_true(text_is_ignoring_case(TEXT("BeArEr"), "bearer"));
    assert_false(text_is_ignoring_case(TEXT("bearer "), "bearer"));
    assert_false(text_is_ignoring_case(TEXT("[{"), "{["));
    assert_false(text_is_ignoring_case(TEXT("\xC3\x84"), "\xC3\xA4"));
    assert_false(text_is_ignoring_case(null_text, ""));
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("sk-1"), "sk-"));
    assert_false(text_starts_with(TEXT("sk"), "sk-"));
    assert_true(text_starts_with(TEXT(""), ""));
    assert_false(text_starts_with(null_text, ""));
    assert_true(text_ends_with(TEXT("a/json"), "json"));
    assert_false(text_ends_with(TEXT("son"), "json"));
    assert_false(text_ends_with(null_text, ""));
}

static void test_trim(void **state)
{
    (void)state;
    assert_text(text_trim(TEXT(" \t\r\n\v\fa b \t")), "a b");
    assert_text(text_trim(TEXT("   ")), "");
    assert_text(text_trim(TEXT("")), "");
    assert_text(text_trim(TEXT("\xC2\xA0")), "\xC2\xA0");
    assert_null(text_trim(null_text).data);
}

static void test_copies(void **state)
{
    struct text text = text_copy(*state, TEXT("a\0b"));
    char long_text[1000];

    assert_int_equal(text.length, 3);
    assert_memory_equal(text.data, "a\0b", 4);
    assert_null(text_copy(*state, null_text).data);
    assert_null(text_to_string(*state, null_text));
    assert_string_equal(text_to_string(*state, (struct text){"abc", 2}), "ab");
    assert_string_equal(text_to_string(*state, TEXT("")), "");

    assert_text(text_format(*state, "%s-%d", "x", 7), "x-7");
    for (size_t length = 250; length < 260; length++) {
        memset(long_text, 'y', length);
        long_text[length] = '\0';
        assert_text(text_format(*state, "%s", long_text), long_text);
    }
    assert_text(text_format(*state, "%999d", 1) /* longer than any guess */, text_format(*state, "%999d", 1).data);
    assert_int_equal(text_format(*state, "%999d", 1).length, 999);
}

static void test_utf8(void **state)
{
    static const struct text good[] = {
        TEXT(""),
        TEXT("plain"),
        TEXT("\x7F"),
        TEXT("\0"),
        TEXT("\xC2\x80"),
        TEXT("\xDF\xBF"),
        TEXT("\xE0\xA0\x80"),
        TEXT("\xED\x9F\xBF"),
        TEXT("\xEE\x80\x80"),
        TEXT("\xEF\xBF\xBF"),
        TEXT("\xF0\x90\x80\x80"),
        TEXT("\xF4\x8F\xBF\xBF"),
        TEXT("sixteen bytes \xC3\xA4 and more than sixteen bytes"),
    };
    static const struct text bad[] = {
        TEXT("\x80"),
        TEXT("\xBF"),
        TEXT("\xC0\x80"),
        TEXT("\xC1\xBF"),
        TEXT("\xC2"),
        TEXT("\xC2z"),
        TEXT("\xC2\xC2"),
        TEXT("\xE0\x80\x80"),
        TEXT("\xE0\x9F\xBF"),
        TEXT("\xE1\x80"),
        TEXT("\xE1\x80z"),
        TEXT("\xED\xA0\x80"),
        TEXT("\xED\xBF\xBF"),
        TEXT("\xF0\x80\x80\x80"),
        TEXT("\xF0\x8F\xBF\xBF"),
        TEXT("\xF1\x80\x80"),
        TEXT("\xF1\x80\x80z"),
        TEXT("\xF4\x90\x80\x80"),
        TEXT("\xF5\x80\x80\x80"),
        TEXT("\xFF"),
        TEXT("\xFE"),
        TEXT("eight888and\xFF"),
        TEXT("eight888\xC3"),
        TEXT("0123456\x80"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_utf8(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_utf8(bad[i]));
    assert_true(text_is_utf8(null_text));

    assert_int_equal(text_count_characters(TEXT("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
    assert_int_equal(text_count_characters(null_text), 0);
}

static void test_utf8_step(void **state)
{
    uint32_t character = 0;

    (void)state;
    assert_int_equal(text_utf8_step("", 0, &character), 0);
    assert_int_equal(text_utf8_step("a", 1, &character), 1);
    assert_int_equal(character, 'a');
    assert_int_equal(text_utf8_step("\xC3\xA4x", 3, &character), 2);
    assert_int_equal(character, 0xE4);
    assert_int_equal(text_utf8_step("\xE2\x82\xAC", 3, &character), 3);
    assert_int_equal(character, 0x20AC);
    assert_int_equal(text_utf8_step("\xE2\x82\xAC", 2, &character), 0);
    assert_int_equal(text_utf8_step("\xF0\x9F\x98\x80", 4, &character), 4);
    assert_int_equal(character, 0x1F600);
}

static void test_lower(void **state)
{
    assert_text(text_to_lower(*state, TEXT("ABCxyz@[`{0")), "abcxyz@[`{0");
    /* Latin, Greek, Cyrillic, Armenian; beyond the basic plane: Deseret. */
    assert_text(text_to_lower(*state, TEXT("\xC3\x84\xC3\x89 \xCE\xA3 \xD0\x96 \xD4\xB1 \xF0\x90\x90\x80")),
                "\xC3\xA4\xC3\xA9 \xCF\x83 \xD0\xB6 \xD5\xA1 \xF0\x90\x90\xA8");
    /* Longer and shorter than the capital letter. */
    assert_text(text_to_lower(*state, TEXT("\xC8\xBA\xC8\xBA")), "\xE2\xB1\xA5\xE2\xB1\xA5");
    assert_text(text_to_lower(*state, TEXT("\xE2\x84\xAA")), "k");
    assert_text(text_to_lower(*state, TEXT("A\377B\303")), "a\377b\303");
    assert_text(text_to_lower(*state, TEXT("")), "");
    assert_null(text_to_lower(*state, null_text).data);
}

static void test_integer(void **state)
{
    static const struct text bad[] = {
        TEXT(""),
        TEXT("-"),
        TEXT("+"),
        TEXT(" 1"),
        TEXT("1 "),
        TEXT("1.0"),
        TEXT("0x1"),
        TEXT("--1"),
        TEXT("1\0"),
        TEXT("9223372036854775808"),
        TEXT("-9223372036854775809"),
        TEXT("99999999999999999999"),
        TEXT("\xD9\xA1"),
        {NULL, 0},
    };
    int64_t integer = 0;

    (void)state;
    assert_true(text_to_integer(TEXT("9223372036854775807"), &integer));
    assert_true(integer == INT64_MAX);
    assert_true(text_to_integer(TEXT("-9223372036854775808"), &integer));
    assert_true(integer == INT64_MIN);
    assert_true(text_to_integer(TEXT("+0042"), &integer));
    assert_true(integer == 42);
    assert_true(text_to_integer(TEXT("-0"), &integer));
    assert_true(integer == 0);
    integer = 17;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(text_to_integer(bad[i], &integer));
        assert_true(integer == 17);
    }
}

static void test_hex(void **state)
{
    assert_text(text_hex(*state, (const unsigned char *)"\x00\x7F\xA5\xFF", 4), "007fa5ff");
    assert_text(text_hex(*state, (const unsigned char *)"", 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),     cmocka_unit_test(test_is),     cmocka_unit_test(test_starts_and_ends),
        cmocka_unit_test(test_trim),      cmocka_unit_test(test_copies), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_step), cmocka_unit_test(test_lower),  cmocka_unit_test(test_integer),
        cmocka_unit_test(test_hex),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
