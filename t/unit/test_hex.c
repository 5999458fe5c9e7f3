/* test_hex.c: bytes and numbers in hexadecimal. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/hex.h"
#include "unit.h"

static void test_encode(void **state)
{
    (void)state;
    assert_bytes(hex_encode(arena, (const unsigned char *)"\x00\x7F\xA5\xFF", 4), TEXT("007fa5ff"));
    assert_bytes(hex_encode(arena, (const unsigned char *)"", 0), TEXT(""));
    for (unsigned value = 0; value < 16; value++) {
        assert_int_equal(hex_digit(value), "0123456789abcdef"[value]);
        assert_int_equal(hex_digit(value | 0xA0), hex_digit(value));
    }
}

static void test_decode(void **state)
{
    (void)state;
    static const struct text bad[] = {TEXT("0g"), TEXT("g0"), TEXT("0A"), TEXT("A0"),  TEXT("0"), TEXT("000"),
                                      TEXT(""),   TEXT(" 0"), TEXT("0 "), TEXT("0\0"), TEXT_NULL};
    unsigned char all[256], bytes[256];
    for (unsigned i = 0; i < sizeof all; i++) {
        all[i] = (unsigned char)i;
    }
    assert_true(hex_decode(hex_encode(arena, all, sizeof all), bytes, sizeof bytes));
    assert_memory_equal(bytes, all, sizeof all);
    assert_true(hex_decode(TEXT(""), bytes, 0));
    assert_true(hex_decode(TEXT("7f"), bytes, 1));
    assert_int_equal(bytes[0], 0x7F);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(hex_decode(bad[i], bytes, 1));
    }
}

static void test_number(void **state)
{
    (void)state;
    assert_int_equal(hex_number(TEXT("00"), 2), 0);
    assert_int_equal(hex_number(TEXT("aF9"), 2), 0xAF);
    assert_int_equal(hex_number(TEXT("fFfFfFf"), 7), 0xFFFFFFF);
    assert_int_equal(hex_number(TEXT("12345678"), 4), 0x1234);
    assert_int_equal(hex_number(TEXT("123"), 4), -1);
    assert_int_equal(hex_number(TEXT("123x"), 4), -1);
    assert_int_equal(hex_number(TEXT("x123"), 4), -1);
    assert_int_equal(hex_number(TEXT("@123"), 4), -1);
    assert_int_equal(hex_number(TEXT("G123"), 4), -1);
    assert_int_equal(hex_number(TEXT("/123"), 4), -1);
    assert_int_equal(hex_number(TEXT(":123"), 4), -1);
    assert_int_equal(hex_number(TEXT("`123"), 4), -1);
    assert_int_equal(hex_number(TEXT_NULL, 2), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_number),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
