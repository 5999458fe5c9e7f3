/* test_scalar.c: integers, booleans and dates, as Pydantic reads them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "worker/scalar.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* NULL is the same as NULL only. */
static void assert_type(struct text text, const char *type, const char *expected)
{
    if (type == NULL ? expected != NULL : expected == NULL || strcmp(type, expected) != 0) {
        fail_msg("'%.*s': %s instead of %s", (int)text.length, text.data, type != NULL ? type : "good",
                 expected != NULL ? expected : "good");
    }
}

#define PARSING "int_parsing"
#define SIZE "int_parsing_size"

static void integers(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *type;
        int64_t integer;
    } cases[] = {
        {TEXT("0"), NULL, 0},
        {TEXT("5"), NULL, 5},
        {TEXT("-5"), NULL, -5},
        {TEXT("+5"), NULL, 5},
        {TEXT("-0"), NULL, 0},
        {TEXT("007"), NULL, 7},
        {TEXT(" 5 "), NULL, 5},
        {TEXT("\t\r\n5\n"), NULL, 5},
        {TEXT("5.0"), NULL, 5},
        {TEXT("-5.000"), NULL, -5},
        {TEXT("1_000"), NULL, 1000},
        {TEXT("1_0_0"), NULL, 100},
        {TEXT("1_0.0"), NULL, 10},
        {TEXT("9223372036854775807"), NULL, INT64_MAX},
        {TEXT("+9223372036854775807.0"), NULL, INT64_MAX},
        {TEXT("-9223372036854775808"), NULL, INT64_MIN},
        {TEXT("-9223372036854775807"), NULL, -INT64_MAX},
        {TEXT("000000000000000000000000000000000001"), NULL, 1},
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t integer = 17;
        assert_type(cases[i].text, scalar_read_integer(cases[i].text, &integer), cases[i].type);
        if (integer != (cases[i].type == NULL ? cases[i].integer : 17)) {
            fail_msg("'%s': %lld", cases[i].text.data, (long long)integer);
        }
    }

    /* Python's limit on the number of digits, white space not counted. */
    char digits[4400];
    int64_t integer = 17;
    memset(digits, '0', sizeof digits);
    digits[4299] = '7';
    assert_null(scalar_read_integer((struct text){digits, 4300}, &integer));
    assert_int_equal(integer, 7);
    assert_string_equal(scalar_read_integer((struct text){digits, 4301}, &integer), SIZE);
    memset(digits, ' ', 4299);
    memset(digits + 4300, ' ', 100);
    assert_null(scalar_read_integer((struct text){digits, sizeof digits}, &integer));
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
                                      TEXT("\0"),   TEXT("true\n"), {NULL, 0}};
    bool boolean;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        boolean = false;
        assert_type(text_of(yes[i]), scalar_read_boolean(text_of(yes[i]), &boolean), NULL);
        assert_true(boolean);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        boolean = true;
        assert_type(text_of(no[i]), scalar_read_boolean(text_of(no[i]), &boolean), NULL);
        assert_false(boolean);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_type(bad[i], scalar_read_boolean(bad[i], &boolean), "bool_parsing");
    }
}

#define DATE_PARSING "date_from_datetime_parsing"
#define INEXACT "date_from_datetime_inexact"

static void assert_date(struct text text, const char *type, const char *expected, const char *date, struct text got)
{
    assert_type(text, type, expected);
    if (expected == NULL && (!text_is(got, date) || got.data[got.length] != '\0')) {
        fail_msg("'%.*s': %.*s instead of %s", (int)text.length, text.data, (int)got.length, got.data, date);
    }
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *type;
        const char *date;
    } cases[] = {
        {TEXT("1999-12-31"), NULL, "1999-12-31"},
        {TEXT("0001-01-01"), NULL, "0001-01-01"},
        {TEXT("9999-12-31"), NULL, "9999-12-31"},
        {TEXT("2000-02-29"), NULL, "2000-02-29"},
        {TEXT("2024-02-29"), NULL, "2024-02-29"},
        {TEXT("2023-04-30"), NULL, "2023-04-30"},
        {TEXT("0000-01-01"), "date_parsing", NULL},
        {TEXT("0000-02-29T00:00"), "date_parsing", NULL},
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
        {TEXT("1999-12-31T00:00:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31t00:00:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31 00:00:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31_00:00:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00Z"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00z"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00.0"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00.000000000Z"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00,000"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00+02:00"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00:00-0230"), NULL, "1999-12-31"},
        {TEXT("1999-12-31T00:00+23:59"), NULL, "1999-12-31"},
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
        {TEXT("0"), NULL, "1970-01-01"},
        {TEXT("86400"), NULL, "1970-01-02"},
        {TEXT("-86400"), NULL, "1969-12-31"},
        {TEXT("86400.0"), NULL, "1970-01-02"},
        {TEXT("946598400"), NULL, "1999-12-31"},
        {TEXT("946598400000"), NULL, "1999-12-31"},
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text date = {NULL, 0};
        const char *type = scalar_read_date(arena, cases[i].text, &date);
        assert_date(cases[i].text, type, cases[i].type, cases[i].date, date);
    }

    /* No byte behind a text is looked at. */
    struct text date;
    assert_null(scalar_read_date(arena, (struct text){"1999-12-31T00:00:01", 10}, &date));
    assert_null(scalar_read_date(arena, (struct text){"1999-12-31T00:00:01", 16}, &date));
    assert_null(scalar_read_date(arena, (struct text){"864001", 5}, &date));
    assert_true(text_is(date, "1970-01-02"));
}

static void dates_of_seconds(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *type;
        const char *date;
    } cases[] = {
        {0, NULL, "1970-01-01"},
        {-0.0, NULL, "1970-01-01"},
        {951782400, NULL, "2000-02-29"},
        {-62135596800000.0, NULL, "0001-01-01"},
        {-62135683200000.0, DATE_PARSING, NULL},
        {253402214400000.0, NULL, "9999-12-31"},
        {253402300800000.0, DATE_PARSING, NULL},
        {253402300799000.0, INEXACT, NULL},
        {19999958400.0, NULL, "2603-10-11"},
        {20000000000.0, INEXACT, NULL},
        {20044800000.0, NULL, "1970-08-21"}, /* milliseconds from here on */
        {-20044800000.0, NULL, "1969-05-14"},
        {-19999958400.0, NULL, "1336-03-24"},
        {0.5, INEXACT, NULL},
        {86400000.5, INEXACT, NULL},
        {1e300, DATE_PARSING, NULL},
        {-1e300, DATE_PARSING, NULL},
        {INFINITY, DATE_PARSING, NULL},
        {-INFINITY, DATE_PARSING, NULL},
        {NAN, DATE_PARSING, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text date = {NULL, 0};
        const char *type = scalar_date_of_seconds(arena, cases[i].seconds, &date);
        char number[64];
        snprintf(number, sizeof number, "%.17g", cases[i].seconds);
        assert_date(text_of(number), type, cases[i].type, cases[i].date, date);
    }
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(integers), TEST(booleans), TEST(dates), TEST(dates_of_seconds)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scalar", tests, NULL, NULL);
}
