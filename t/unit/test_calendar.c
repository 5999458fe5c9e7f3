/* test_calendar.c: days, read and judged. */
#include <time.h>

#include "base/array.h"
#include "base/calendar.h"
#include "unit.h"

static void test_read(void **state)
{
    static const struct text bad[] = {
        TEXT(""),           TEXT_NULL,          TEXT("1999-12-3"),  TEXT("1999/12/31"), TEXT("1999-12/31"),
        TEXT("+999-12-31"), TEXT("1999- 1-31"), TEXT("1999-12-3x"), TEXT("999-12-31 "), TEXT("1999-12-\0001")};
    struct calendar_day day;
    (void)state;
    assert_true(calendar_read(TEXT("1999-12-31"), &day));
    assert_int_equal(day.year, 1999);
    assert_int_equal(day.month, 12);
    assert_int_equal(day.day, 31);
    assert_true(calendar_read(TEXT("0000-99-00T10:00"), &day));
    assert_int_equal(day.year, 0);
    assert_int_equal(day.month, 99);
    assert_int_equal(day.day, 0);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(calendar_read(bad[i], &day));
    }
}

static bool has(int year, int month, int day)
{
    return calendar_has((struct calendar_day){year, month, day});
}

static void test_has(void **state)
{
    (void)state;
    assert_true(has(2024, 2, 29));
    assert_true(has(2000, 2, 29));
    assert_true(has(0, 2, 29));
    assert_false(has(2023, 2, 29));
    assert_false(has(1900, 2, 29));
    assert_false(has(2024, 2, 30));
    assert_true(has(9999, 12, 31));
    assert_false(has(2024, 0, 1));
    assert_false(has(2024, 13, 1));
    assert_false(has(2024, 1, 0));
    assert_false(has(2024, -1, -1));
}

/* A day that the system's calendar has comes back from it as it was. */
static void test_against_the_system(void **state)
{
    (void)state;
    for (int year = 1895; year <= 2105; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= 31; day++) {
                struct tm time = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
                timegm(&time);
                assert_int_equal(has(year, month, day), time.tm_mon == month - 1 && time.tm_mday == day);
            }
            assert_false(has(year, month, 32));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_against_the_system),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
