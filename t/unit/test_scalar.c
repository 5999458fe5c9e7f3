/* test_scalar.c: integers, booleans and dates, as Pydantic reads them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/problem.h"
#include "unit.h"
#include "worker/scalar.h"

static const char *name_of(enum fault_type type)
{
    return type != FAULT_NONE ? fault_name(type) : "good";
}

static void assert_type(struct text text, enum fault_type type, enum fault_type expected)
{
    if (type != expected) {
        fail_msg("'%.*s': %s instead of %s", (int)text.length, text.data, name_of(type), name_of(expected));
    }
}

#define PARSING FAULT_int_parsing
#define SIZE FAULT_int_parsing_size

static void integers(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        enum fault_type type;
        int64_t integer;
    } cases[] = {
        {TEXT("0"), FAULT_NONE, 0},
        {TEXT("5"), FAULT_NONE, 5},
        {TEXT("-5"), FAULT_NONE, -5},
        {TEXT("+5"), FAULT_NONE, 5},
        {TEXT("-0"), FAULT_NONE, 0},
        {TEXT("007"), FAULT_NONE, 7},
        {TEXT(" 5 "), FAULT_NONE, 5},
        {TEXT("\t\r\n5\n"), FAULT_NONE, 5},
        {TEXT("5.0"), FAULT_NONE, 5},
        {TEXT("-5.000"), FAULT_NONE, -5},
        {TEXT("1_000"), FAULT_NONE, 1000},
        {TEXT("1_0_0"), FAULT_NONE, 100},
        {TEXT("1_0.0"), FAULT_NONE, 10},
        {TEXT("9223372036854775807"), FAULT_NONE, INT64_MAX},
        {TEXT("+9223372036854775807.0"), FAULT_NONE, INT64_MAX},
        {TEXT("-9223372036854775808"), FAULT_NONE, INT64_MIN},
        {TEXT("-9223372036854775807"), FAULT_NONE, -INT64_MAX},
        {TEXT("000000000000000000000000000000000001"), FAULT_NONE, 1},
        {TEXT("9223372036854775808"), SIZE, 0},
        {TEXT("-9223372036854775809"), SIZE, 0},
        {TEXT("18446744073709551615"), SIZE, 0},
        {TEXT("18446744073709551616"), SIZE, 0},
        {TEXT("18446744073709551621"), SIZE, 0},
        {TEXT("-18446744073709551616"), SIZE, 0},
        {TEXT("184467440737095516150"), SIZE, 0},
        {TEXT("99999999999999999999999999999999999999"), SIZE, 0},
        {TEXT(""), PARSING, 0},
        {TEXT(" "), PARSING, 0},
        {TEXT("-"), PARSING, 0},
        {TEXT("+"), PARSING, 0},
        {TEXT("+-5"), PARSING, 0},
        {TEXT("--5"), PARSING, 0},
        {TEXT("- 5"), PARSING, 0},
        {TEXT("5 5"), PARSING, 0},
        {TEXT("5x"), PARSING, 0},
        {TEXT("x5"), PARSING, 0},
        {TEXT("0x10"), PARSING, 0},
        {TEXT("1e3"), PARSING, 0},
        {TEXT("5."), PARSING, 0},
        {TEXT(".0"), PARSING, 0},
        {TEXT("5.5"), PARSING, 0},
        {TEXT("5.01"), PARSING, 0},
        {TEXT("5.0.0"), PARSING, 0},
        {TEXT("5.-0"), PARSING, 0},
        {TEXT("_1"), PARSING, 0},
        {TEXT("1_"), PARSING, 0},
        {TEXT("1__0"), PARSING, 0},
        {TEXT("-_1"), PARSING, 0},
        {TEXT("1_.0"), PARSING, 0},
        {TEXT("1,000"), PARSING, 0},
        {TEXT("5\0"), PARSING, 0},
        {TEXT("\0005"), PARSING, 0},
        {TEXT("NaN"), PARSING, 0},
        {TEXT("true"), PARSING, 0},
        {TEXT("\xd9\xa3"), PARSING, 0},
        {TEXT("99999999999999999999x"), PARSING, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t integer = 17;
        assert_type(cases[i].text, scalar_read_integer(cases[i].text, &integer), cases[i].type);
        if (integer != (cases[i].type == FAULT_NONE ? cases[i].integer : 17)) {
            fail_msg("'%s': %lld", cases[i].text.data, (long long)integer);
        }
    }

    /* Python's limit on the number of digits, white space not counted. */
    char digits[4400];
    int64_t integer = 17;
    memset(digits, '0', sizeof digits);
    digits[4299] = '7';
    assert_int_equal(scalar_read_integer((struct text){digits, 4300}, &integer), FAULT_NONE);
    assert_int_equal(integer, 7);
    assert_int_equal(scalar_read_integer((struct text){digits, 4301}, &integer), SIZE);
    memset(digits, ' ', 4299);
    memset(digits + 4300, ' ', 100);
    assert_int_equal(scalar_read_integer((struct text){digits, sizeof digits}, &integer), FAULT_NONE);
    assert_int_equal(integer, 7);
}

static void booleans(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "yes",  "on",  "t",  "y", "1", "TRUE",
                                      "True", "tRuE", "YES", "On", "T", "Y"};
    static const char *const no[] = {"false", "no", "off", "f", "n", "0", "FALSE", "False", "NO", "Off", "F", "N"};
    static const struct text bad[] = {TEXT(""),     TEXT(" true"),  TEXT("true "), TEXT("tru"), TEXT("truee"),
                                      TEXT("2"),    TEXT("-1"),     TEXT("01"),    TEXT("1.0"), TEXT("null"),
                                      TEXT("yess"), TEXT("o"),      TEXT("of"),    TEXT("ja"),  TEXT("1\0"),
                                      TEXT("\0"),   TEXT("true\n"), TEXT_NULL};
    bool boolean;
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        boolean = false;
        assert_type(text_of(yes[i]), scalar_read_boolean(text_of(yes[i]), &boolean), FAULT_NONE);
        assert_true(boolean);
    }
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        boolean = true;
        assert_type(text_of(no[i]), scalar_read_boolean(text_of(no[i]), &boolean), FAULT_NONE);
        assert_false(boolean);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_type(bad[i], scalar_read_boolean(bad[i], &boolean), FAULT_bool_parsing);
    }
}

#define DATE_PARSING FAULT_date_from_datetime_parsing
#define INEXACT FAULT_date_from_datetime_inexact

static void assert_date(struct text text, enum fault_type type, enum fault_type expected, const char *date,
                        struct text got)
{
    assert_type(text, type, expected);
    if (expected == FAULT_NONE && (!text_is(got, date) || got.data[got.length] != '\0')) {
        fail_msg("'%.*s': %.*s instead of %s", (int)text.length, text.data, (int)got.length, got.data, date);
    }
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        enum fault_type type;
        const char *date;
    } cases[] = {
        {TEXT("1999-12-31"), FAULT_NONE, "1999-12-31"},
        {TEXT("0001-01-01"), FAULT_NONE, "0001-01-01"},
        {TEXT("9999-12-31"), FAULT_NONE, "9999-12-31"},
        {TEXT("2000-02-29"), FAULT_NONE, "2000-02-29"},
        {TEXT("2024-02-29"), FAULT_NONE, "2024-02-29"},
        {TEXT("2023-04-30"), FAULT_NONE, "2023-04-30"},
        {TEXT("0000-01-01"), FAULT_date_parsing, NULL},
        {TEXT("0000-02-29T00:00"), FAULT_date_parsing, NULL},
        {TEXT("1900-02-29"), DATE_PARSING, NULL},
        {TEXT("2100-02-29"), DATE_PARSING, NULL},
        {TEXT("2023-02-29"), DATE_PARSING, NULL},
        {TEXT("2023-02-30"), DATE_PARSING, NULL},
        {TEXT("2023-04-31"), DATE_PARSING, NULL},
        {TEXT("2023-01-32"), DATE_PARSING, NULL},
        {TEXT("2023-00-01"), DATE_PARSING, NULL},
        {TEXT("2023-13-01"), DATE_PARSING, NULL},
        {TEXT("2023-01-00"), DATE_PARSING, NULL},
        {TEXT(""), DATE_PARSING, NULL},
        {TEXT("today"), DATE_PARSING, NULL},
        {TEXT("1999-12-3"), DATE_PARSING, NULL},
        {TEXT("1999-1-31"), DATE_PARSING, NULL},
        {TEXT("99-12-31"), DATE_PARSING, NULL},
        {TEXT("1999/12/31"), DATE_PARSING, NULL},
        {TEXT("1999-12/31"), DATE_PARSING, NULL},
        {TEXT("31-12-1999"), DATE_PARSING, NULL},
        {TEXT(" 1999-12-31"), DATE_PARSING, NULL},
        {TEXT("1999-12-31 "), DATE_PARSING, NULL},
        {TEXT("1999-12-31\0"), DATE_PARSING, NULL},
        {TEXT("+999-12-31"), DATE_PARSING, NULL},

        /* with a time */
        {TEXT("1999-12-31T00:00:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31t00:00:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31 00:00:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31_00:00:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00Z"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00z"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00.0"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00.000000000Z"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00,000"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00+02:00"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00-0230"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00+23:59"), FAULT_NONE, "1999-12-31"},
        {TEXT("1999-12-31T00:00:01"), INEXACT, NULL},
        {TEXT("1999-12-31T00:01"), INEXACT, NULL},
        {TEXT("1999-12-31T01:00"), INEXACT, NULL},
        {TEXT("1999-12-31T23:59:59Z"), INEXACT, NULL},
        {TEXT("1999-12-31T00:00:00.000001"), INEXACT, NULL},
        {TEXT("1999-12-31T24:00"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:60"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:60"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00."), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00.0000000000"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00+24:00"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00+00:60"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00+00"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00+"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00+02:0"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00ZZ"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:00 "), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:00:0"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00:0"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T0000"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T00-00"), DATE_PARSING, NULL},
        {TEXT("1999-12-31T"), DATE_PARSING, NULL},
        {TEXT("1999-12-31X00:00"), DATE_PARSING, NULL},
        {TEXT("2023-02-30T00:00"), DATE_PARSING, NULL},

        /* epoch numbers */
        {TEXT("0"), FAULT_NONE, "1970-01-01"},
        {TEXT("86400"), FAULT_NONE, "1970-01-02"},
        {TEXT("-86400"), FAULT_NONE, "1969-12-31"},
        {TEXT("86400.0"), FAULT_NONE, "1970-01-02"},
        {TEXT("946598400"), FAULT_NONE, "1999-12-31"},
        {TEXT("946598400000"), FAULT_NONE, "1999-12-31"},
        {TEXT("1"), INEXACT, NULL},
        {TEXT("86400.5"), INEXACT, NULL},
        {TEXT("-1"), INEXACT, NULL},
        {TEXT("1e5"), DATE_PARSING, NULL},
        {TEXT("0x15180"), DATE_PARSING, NULL},
        {TEXT("inf"), DATE_PARSING, NULL},
        {TEXT("nan"), DATE_PARSING, NULL},
        {TEXT("-"), DATE_PARSING, NULL},
        {TEXT("--1"), DATE_PARSING, NULL},
        {TEXT("0\0"), DATE_PARSING, NULL},
        {TEXT("\0000"), DATE_PARSING, NULL},
        {TEXT("1.2.3"), DATE_PARSING, NULL},
        {TEXT("999999999999999999999"), DATE_PARSING, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text date = TEXT_NULL;
        enum fault_type type = scalar_read_date(arena, cases[i].text, &date);
        assert_date(cases[i].text, type, cases[i].type, cases[i].date, date);
    }

    /* No byte behind a text is looked at. */
    struct text date;
    assert_int_equal(scalar_read_date(arena, (struct text){"1999-12-31T00:00:01", 10}, &date), FAULT_NONE);
    assert_int_equal(scalar_read_date(arena, (struct text){"1999-12-31T00:00:01", 16}, &date), FAULT_NONE);
    assert_int_equal(scalar_read_date(arena, (struct text){"864001", 5}, &date), FAULT_NONE);
    assert_true(text_is(date, "1970-01-02"));
}

static void dates_of_seconds(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        enum fault_type type;
        const char *date;
    } cases[] = {
        {0, FAULT_NONE, "1970-01-01"},
        {-0.0, FAULT_NONE, "1970-01-01"},
        {951782400, FAULT_NONE, "2000-02-29"},
        {-62135596800000.0, FAULT_NONE, "0001-01-01"},
        {-62135683200000.0, DATE_PARSING, NULL},
        {253402214400000.0, FAULT_NONE, "9999-12-31"},
        {253402300800000.0, DATE_PARSING, NULL},
        {253402300799000.0, INEXACT, NULL},
        {19999958400.0, FAULT_NONE, "2603-10-11"},
        {20000000000.0, INEXACT, NULL},
        {20044800000.0, FAULT_NONE, "1970-08-21"}, /* milliseconds from here on */
        {-20044800000.0, FAULT_NONE, "1969-05-14"},
        {-19999958400.0, FAULT_NONE, "1336-03-24"},
        {0.5, INEXACT, NULL},
        {86400000.5, INEXACT, NULL},
        {1e300, DATE_PARSING, NULL},
        {-1e300, DATE_PARSING, NULL},
        {INFINITY, DATE_PARSING, NULL},
        {-INFINITY, DATE_PARSING, NULL},
        {NAN, DATE_PARSING, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text date = TEXT_NULL;
        enum fault_type type = scalar_date_of_seconds(arena, cases[i].seconds, &date);
        char number[64];
        snprintf(number, sizeof number, "%.17g", cases[i].seconds);
        assert_date(text_of(number), type, cases[i].type, cases[i].date, date);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, arena_set_up, arena_tear_down)
    const struct CMUnitTest tests[] = {TEST(integers), TEST(booleans), TEST(dates), TEST(dates_of_seconds)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scalar", tests, NULL, NULL);
}
