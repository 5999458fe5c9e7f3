/* test_json_scan.c: verdicts and offsets. The offsets of `invalid` are those that Python 3.11's json.loads reports (for
 * NaN and Infinity, which it accepts: where they start). */
#include <stdlib.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/json_scan.h"
#include "unit.h"

enum { DEPTH_MAX = 64 };

/* clang-format off */
static const struct {
    struct text body;
    size_t offset;
} invalid[] = {
    {TEXT(""), 0},
    {TEXT(" "), 1},
    {TEXT("\n\t\015 "), 4},
    {TEXT("\0131"), 0},
    {TEXT("{"), 1},
    {TEXT("["), 1},
    {TEXT("}"), 0},
    {TEXT("]"), 0},
    {TEXT(","), 0},
    {TEXT(":"), 0},
    {TEXT("{]"), 1},
    {TEXT("[}"), 1},
    {TEXT("{ "), 2},
    {TEXT("{1:2}"), 1},
    {TEXT("{'a':1}"), 1},
    {TEXT("{a:1}"), 1},
    {TEXT("{\"a\""), 4},
    {TEXT("{\"a\" "), 5},
    {TEXT("{\"a\"}"), 4},
    {TEXT("{\"a\" 1}"), 5},
    {TEXT("{\"a\":"), 5},
    {TEXT("{\"a\": "), 6},
    {TEXT("{\"a\":}"), 5},
    {TEXT("{\"a\":1"), 6},
    {TEXT("{\"a\":1 "), 7},
    {TEXT("{\"a\":1 \"b\":2}"), 7},
    {TEXT("{\"a\":1,"), 7},
    {TEXT("{\"a\":1,}"), 7},
    {TEXT("{\"a\":1, }"), 8},
    {TEXT("{\"a\":1,,}"), 7},
    {TEXT("{,}"), 1},
    {TEXT("{\"a\":1]"), 6},
    {TEXT("{\"a\"::1}"), 5},
    {TEXT("[1"), 2},
    {TEXT("[1 "), 3},
    {TEXT("[1 2]"), 3},
    {TEXT("[1,"), 3},
    {TEXT("[1,]"), 3},
    {TEXT("[1, ]"), 4},
    {TEXT("[,1]"), 1},
    {TEXT("[1}"), 2},
    {TEXT("[1,,2]"), 3},
    {TEXT("[[]"), 3},
    {TEXT("[]]"), 2},
    {TEXT("[] []"), 3},
    {TEXT("{}{}"), 2},
    {TEXT("1 2"), 2},
    {TEXT("null x"), 5},
    {TEXT("\"a\" \"b\""), 4},
    {TEXT("nul"), 0},
    {TEXT("nulll"), 4},
    {TEXT("Null"), 0},
    {TEXT("tru"), 0},
    {TEXT("truefalse"), 4},
    {TEXT("True"), 0},
    {TEXT("None"), 0},
    {TEXT("undefined"), 0},
    {TEXT("'a'"), 0},
    {TEXT("/* c */1"), 0},
    {TEXT("1 // c"), 2},
    {TEXT("#"), 0},
    {TEXT("-"), 0},
    {TEXT("- 1"), 0},
    {TEXT("+1"), 0},
    {TEXT(".5"), 0},
    {TEXT("-.5"), 0},
    {TEXT("1."), 1},
    {TEXT("1.e5"), 1},
    {TEXT("1e"), 1},
    {TEXT("1e+"), 1},
    {TEXT("1E-"), 1},
    {TEXT("1.5e"), 3},
    {TEXT("01"), 1},
    {TEXT("-01"), 2},
    {TEXT("00"), 1},
    {TEXT("0x10"), 1},
    {TEXT("1_000"), 1},
    {TEXT("--1"), 0},
    {TEXT("1e5.5"), 3},
    {TEXT("1.5.5"), 3},
    {TEXT("[1.]"), 2},
    {TEXT("[01]"), 2},
    {TEXT("[1e]"), 2},
    {TEXT("[-]"), 1},
    {TEXT("\331\241"), 0},
    {TEXT("NaN"), 0},
    {TEXT("Infinity"), 0},
    {TEXT("-Infinity"), 0},
    {TEXT("[NaN]"), 1},
    {TEXT("[ -Infinity]"), 2},
    {TEXT("{\"a\":Infinity}"), 5},
    {TEXT("nan"), 0},
    {TEXT("-NaN"), 0},
    {TEXT("\""), 0},
    {TEXT("\"abc"), 0},
    {TEXT("[\"abc"), 1},
    {TEXT("[1, \"abc]"), 4},
    {TEXT("{\"abc"), 1},
    {TEXT("\"a\\"), 0},
    {TEXT("\"a\\\""), 0},
    {TEXT("\"\n\""), 1},
    {TEXT("\"a\tb\""), 2},
    {TEXT("\"a\000b\""), 2},
    {TEXT("[\"\037\"]"), 2},
    {TEXT("{\"a\nb\":1}"), 3},
    {TEXT("\"a\\x\""), 2},
    {TEXT("[1, \"a\\ \"]"), 6},
    {TEXT("\"\\U0041\""), 1},
    {TEXT("\"\\0\""), 1},
    {TEXT("\"a\\\n\""), 2},
    {TEXT("\"\\'\""), 1},
    {TEXT("\"\\u\""), 2},
    {TEXT("\"\\u12\""), 2},
    {TEXT("\"\\u123g\""), 2},
    {TEXT("\"\\u 123\""), 2},
    {TEXT("\"\\u-123\""), 2},
    {TEXT("\"\\u"), 2},
    {TEXT("\"\\u1"), 2},
    {TEXT("\"\\u1234"), 2},
    {TEXT("\"\\u12345"), 0},
    {TEXT("\"\\ud83d\\u\""), 8},
    {TEXT("\"\\ud83d\\u12\""), 8},
    {TEXT("\"\\ud83d\\u123"), 8},
    {TEXT("\"\\ud83d\\ude0"), 8},
    {TEXT("\"\\ud83d\\ude00"), 8},
    {TEXT("\"\\ud83d\\ude0x\""), 8},
    {TEXT("\"\\ud83d\\x\""), 7},
    {TEXT("\"\\ud83d\\"), 0},
    {TEXT("\"\\ud83d"), 2},
    {TEXT("\"\\u0x41\""), 2},
    {TEXT("\"\\u\\u0041\""), 2},
    {TEXT("\303\244"), 0},
    {TEXT("\"\303\244"), 0},
    {TEXT("[\"\303\244\" 1]"), 5},
    {TEXT("[\"\342\202\254\360\237\230\200\", \"\\x\"]"), 8},
    {TEXT("\"\360\237\230\200\\u12\303\244\303\244\""), 3},
    {TEXT("\302\2401"), 0},
    {TEXT("1\342\200\250"), 1},
    {TEXT("{\"\303\244\":1,\303\244}"), 7},
    {TEXT("\357\273\277"), 0},
    {TEXT("\357\273\277{"), 1},
    {TEXT("\357\273\277\357\273\277{}"), 0},
    {TEXT("{}\357\273\277"), 2},
    {TEXT(" \357\273\277{}"), 1},
    {TEXT("\357\273\277 [\"\303\244\",]"), 6},
    {TEXT("\000"), 0},
    {TEXT("{}\000"), 2},
    {TEXT("1\000"), 1},
};
/* clang-format on */

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(invalid); i++) {
        struct json_scan scan;
        size_t length = invalid[i].body.length;
        char *copy = malloc(length > 0 ? length : 1); /* of its exact size, for sanitizers */

        assert_non_null(copy);
        memcpy(copy, invalid[i].body.data, length);
        scan = json_scan(arena, (struct text){copy, length}, DEPTH_MAX);
        if (scan.verdict != JSON_INVALID || scan.offset != invalid[i].offset) {
            fail_msg("%s: verdict %d at %zu, not at %zu", invalid[i].body.data, (int)scan.verdict, scan.offset,
                     invalid[i].offset);
        }
        assert_non_null(scan.reason);
        assert_null(scan.bad_strings);
        free(copy);
    }
    assert_int_equal(json_scan(arena, text_of(NULL), DEPTH_MAX).verdict, JSON_INVALID);
}

static void test_good(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{}",
        "[]",
        " { } ",
        "[ ]\n",
        "null",
        "true",
        "false",
        "\"\"",
        "0",
        "-0",
        "-0.0e-0",
        "1E5",
        "1e+5",
        "12345678901234567890",
        "1e999",
        "\t\r\n [1 , 2\t,\n{ \"a\" : [ null , true,false ] , \"a\":\"twice\" } ] ",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u00E4\\uABCD\"",
        "\"\\ud83d\\ude00\"",
        "\"\x7F\xC2\x80\xE2\x80\xA8\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"",
        "\"\xEF\xBB\xBF\"",
        "{\"\":{\"\":[[[]]]}}",
        "\"NaN\"",
    };

    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct json_scan scan = json_scan(arena, text_of(good[i]), DEPTH_MAX);

        if (scan.verdict != JSON_GOOD) {
            fail_msg("%s: verdict %d at %zu", good[i], (int)scan.verdict, scan.offset);
        }
        assert_null(scan.reason);
        assert_null(scan.bad_strings);
        assert_int_equal(scan.offset, 0);
        assert_true(text_is(scan.document, good[i]));
    }
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    struct json_scan scan = json_scan(arena, TEXT("\xEF\xBB\xBF{\"a\":1}"), DEPTH_MAX);

    assert_int_equal(scan.verdict, JSON_GOOD);
    assert_true(text_is(scan.document, "{\"a\":1}"));
}

static void test_utf8_comes_first(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xFF",     "{]\xFF",   "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xC3\"", "[1,]\xF4\x90\x80\x80",
        "\xEF\xBB", "\xFE\xFF",
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (json_scan(arena, text_of(bad[i]), DEPTH_MAX).verdict != JSON_NOT_UTF8) {
            fail_msg("row %zu should be no UTF-8", i);
        }
    }
}

/* `count` times one string, then `count` times another. */
static struct text repeated(const char *left, const char *right, size_t count)
{
    struct buffer buffer;

    buffer_init(&buffer, arena);
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(&buffer, left);
    }
    for (size_t i = 0; i < count; i++) {
        buffer_add_string(&buffer, right);
    }
    return buffer_text(&buffer);
}

static void test_depth(void **state)
{
    (void)state;
    struct json_scan scan;

    assert_int_equal(json_scan(arena, repeated("[", "]", 64), DEPTH_MAX).verdict, JSON_GOOD);
    scan = json_scan(arena, repeated("[", "]", 65), DEPTH_MAX);
    assert_int_equal(scan.verdict, JSON_TOO_DEEP);
    assert_int_equal(scan.offset, 64);
    scan = json_scan(arena, repeated("{\"\":", "", 65), DEPTH_MAX);
    assert_int_equal(scan.verdict, JSON_TOO_DEEP);
    assert_int_equal(scan.offset, 64 * 4);
    /* The fault that stands first counts. */
    assert_int_equal(json_scan(arena, TEXT("[[1 2], [[[3]]]]"), 3).verdict, JSON_INVALID);
    assert_int_equal(json_scan(arena, TEXT("[[1, 2], [[[3]]] x"), 3).verdict, JSON_TOO_DEEP);
    /* What is closed is no longer counted. */
    assert_int_equal(json_scan(arena, TEXT("[[],[],{},[{}],{\"a\":[]},[[]]]"), 3).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, TEXT("1"), 0).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, TEXT("[]"), 0).verdict, JSON_TOO_DEEP);
}

static void test_long_integers(void **state)
{
    (void)state;
    struct text digits_300 = repeated("9", "", 300);
    struct text digits_301 = repeated("9", "", 301);
    struct json_scan scan;

    assert_int_equal(json_scan(arena, digits_300, DEPTH_MAX).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, text_format(arena, "-%s", digits_300.data), DEPTH_MAX).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, digits_301, DEPTH_MAX).verdict, JSON_INTEGER_TOO_LONG);
    scan = json_scan(arena, text_format(arena, "[1, -%s", digits_301.data), DEPTH_MAX);
    assert_int_equal(scan.verdict, JSON_INTEGER_TOO_LONG);
    assert_int_equal(scan.offset, 4);
    assert_non_null(scan.reason);
    /* Numbers with a fraction or an exponent are no integers; a dangling one leaves an integer. */
    assert_int_equal(json_scan(arena, text_format(arena, "%s.0", digits_301.data), DEPTH_MAX).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, text_format(arena, "%se1", digits_301.data), DEPTH_MAX).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, text_format(arena, "%s.", digits_301.data), DEPTH_MAX).verdict,
                     JSON_INTEGER_TOO_LONG);
    assert_int_equal(json_scan(arena, text_format(arena, "1.%s", digits_301.data), DEPTH_MAX).verdict, JSON_GOOD);
    assert_int_equal(json_scan(arena, text_format(arena, "\"%s\"", digits_301.data), DEPTH_MAX).verdict, JSON_GOOD);
}

/* The bad strings as one line: MEMBER[ELEMENT], with `*` behind nested ones. */
static void assert_bad_strings(const char *body, const char *expected)
{
    struct json_scan scan = json_scan(arena, text_of(body), DEPTH_MAX);
    struct buffer buffer;

    assert_int_equal(scan.verdict, JSON_GOOD);
    buffer_init(&buffer, arena);
    for (const struct json_bad_string *bad = scan.bad_strings; bad != NULL; bad = bad->next) {
        if (bad != scan.bad_strings) {
            buffer_add_byte(&buffer, ' ');
        }
        buffer_add_text(&buffer, bad->member.data != NULL ? bad->member : TEXT("-"));
        if (bad->element >= 0) {
            buffer_add_format(&buffer, "[%ld]", bad->element);
        }
        if (bad->nested) {
            buffer_add_byte(&buffer, '*');
        }
    }
    assert_string_equal(buffer_text(&buffer).data, expected);
}

static void test_bad_strings(void **state)
{
    (void)state;

    assert_bad_strings("{\"a\":\"\\ud800\",\"b\":\"x\",\"c\":\"\\u0000\"}", "a c");
    assert_bad_strings("{\"a\":\"\\uDFFF\"}", "a");
    assert_bad_strings("{\"a\":\"\\ud83d\\ude00\"}", "");
    assert_bad_strings("{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "a");
    assert_bad_strings("{\"a\":\"\\ude00\\ud83d\"}", "a");
    assert_bad_strings("{\"a\":\"\\ud83d \\ude00\"}", "a");
    assert_bad_strings("{\"a\":\"\\ud83d\\n\"}", "a");
    assert_bad_strings("{\"a\":\"\\\\ud800\"}", "");
    assert_bad_strings("{\"a\":[\"\\ud800\",\"x\",1,\"\\u0000\"]}", "a[0] a[3]");
    assert_bad_strings("{\"a\":[[\"\\ud800\",\"\\ud800\"],\"\\ud800\",{\"b\":\"\\ud800\"}]}", "a* a[1] a*");
    assert_bad_strings("{\"a\":{\"b\":\"\\ud800\"},\"c\":{\"\\ud800\":1}}", "a* c*");
    assert_bad_strings("{\"a\":{\"b\":[\"\\ud800\"]}}", "a*");
    assert_bad_strings("{\"\\ud800\":1,\"b\":\"\\ud800\"}", "\\ud800* b");
    assert_bad_strings("{\"n\\u0061me\":\"\\ud800\"}", "n\\u0061me");
    assert_bad_strings("\"\\ud800\"", "-");
    assert_bad_strings("[\"x\",\"\\ud800\",[\"\\ud800\"],{\"\\ud800\":\"\\ud800\"}]", "-[1] -*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invalid),          cmocka_unit_test(test_good),
        cmocka_unit_test(test_byte_order_mark),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_utf8_comes_first), cmocka_unit_test(test_long_integers),
        cmocka_unit_test(test_bad_strings),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
