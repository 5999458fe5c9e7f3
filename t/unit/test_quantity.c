/* test_quantity.c: base/quantity.h and base/duration.h: numbers with units. */
#include <stdio.h>

#include "base/array.h"
#include "base/duration.h"
#include "base/quantity.h"
#include "unit.h"

static const struct unit sizes[] = {{"k", 1024}, {"m", 1048576}, {"", 1}, {NULL, 0}};
static const struct unit times[] = {{"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};

static void test_take(void **state)
{
    (void)state;
    struct text rest = TEXT("4m17");
    int64_t amount;
    assert_true(quantity_take(&rest, sizes, 0, &amount));
    assert_int_equal(amount, 4 * 1048576);
    assert_true(text_is(rest, "17"));
    assert_true(quantity_take(&rest, sizes, 0, &amount));
    assert_int_equal(amount, 17);
    assert_int_equal(rest.length, 0);
    assert_false(quantity_take(&rest, sizes, 0, &amount));
}

static void test_sum(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rules;
        int64_t sum; /* -1: it is refused */
    } cases[] = {
        {"1h30m", 0, 5400},
        {"1h30m10s", 0, 5410},
        {"1s1h", 0, 3601},
        {"1H", 0, -1},
        {"1H30M", QUANTITY_ANY_CASE, 5400},
        {"1.5h", 0, -1},
        {"1.5h", QUANTITY_ANY_CASE, -1},
        {"1.5h", QUANTITY_FRACTIONS, 5400},
        {"1.5H", QUANTITY_FRACTIONS | QUANTITY_ANY_CASE, 5400},
        {"0.999s", QUANTITY_FRACTIONS, 0},
        {"1h0", 0, -1},
        {"0", 0, -1},
        {"", 0, -1},
        {"h", 0, -1},
        {"-1h", 0, -1},
        {"1 h", 0, -1},
        {"1hh", 0, -1},
        {"9223372036854775807s", 0, INT64_MAX},
        {"9223372036854775808s", 0, INT64_MAX},
        {"9223372036854775807h", 0, INT64_MAX},
        {"9223372036854775807s1s", 0, INT64_MAX},
        {"99999999999999999999999h1s", 0, INT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t sum;
        if (!quantity_sum(text_of(cases[i].text), times, cases[i].rules, &sum)) {
            sum = -1;
        }
        if (sum != cases[i].sum) {
            fail_msg("%s: %lld", cases[i].text, (long long)sum);
        }
    }
}

static void test_lifetimes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"-1", -1},
                 {"0", -1},
                 {"4w", 2419200},
                 {"1h30m", 5400},
                 {"1s", 1},
                 {"500ms", 1},
                 {"1500ms", 2},
                 {"1.5h", 5400},
                 {"0.5d", 43200},
                 {"0.1s", 1},
                 {"2m", 120},
                 {"2ms2s", 3},
                 {"1d1h1m1s", 90061},
                 {"1000w", 604800000},
                 {"0.3333333333333333w", 201600},
                 {"0s1m", 60},
                 {"36500d", INT64_C(3153600000)}};
    static const char *const bad[] = {"",
                                      "1",
                                      "00",
                                      "-2",
                                      "-1s",
                                      "+1s",
                                      "s",
                                      "1x",
                                      "1 h",
                                      " 1h",
                                      "1h ",
                                      "1.h",
                                      ".5h",
                                      "1..5h",
                                      "1h,1m",
                                      "1H",
                                      "0s",
                                      "0ms",
                                      "h1",
                                      "1h1",
                                      "999999999999999999999w",
                                      "1001000w",
                                      "99999999999w",
                                      "1e3s",
                                      "0x1s",
                                      "never",
                                      "0.0000000001w"};
    int64_t seconds;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        seconds = -99;
        if (!duration_parse(text_of(cases[i].text), &seconds) || seconds != cases[i].seconds) {
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (duration_parse(text_of(bad[i]), &seconds)) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_lifetimes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
