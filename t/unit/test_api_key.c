/* test_api_key.c: what an API key looks like. */
#include "arena_fixture.h"
#include "auth/api_key.h"
#include "unit.h"

static void test_make(void **state)
{
    (void)state;
    struct text one = api_key_make(arena), other = api_key_make(arena);
    assert_int_equal(one.length, 35);
    assert_int_equal(one.data[35], '\0');
    assert_int_equal(strspn(one.data + 3, "0123456789abcdef"), 32);
    assert_true(api_key_is(one));
    assert_false(text_equal(one, other));
}

static void test_is(void **state)
{
    (void)state;
    assert_true(api_key_is(TEXT("sk-")));
    assert_false(api_key_is(TEXT("sk")));
    assert_false(api_key_is(TEXT("SK-0")));
    assert_false(api_key_is(TEXT("eyJhbGciOiJIUzI1NiJ9.e30.x")));
    assert_false(api_key_is(TEXT_NULL));
}

static void test_mask(void **state)
{
    (void)state;
    assert_string_equal(api_key_mask(arena, TEXT("0a1b")).data, "sk-…0a1b");
    assert_string_equal(api_key_mask(arena, TEXT("")).data, "sk-…");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_mask),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
