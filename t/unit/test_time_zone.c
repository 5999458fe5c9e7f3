/* test_time_zone.c: which names are time zones. */
#include "base/array.h"
#include "unit.h"

/* with what it keeps to itself: the list that is built in */
#include "base/time_zone.c"

static void test_names(void **state)
{
    static const char *const good[] = {
        "Europe/Vienna",
        "America/Argentina/ComodRivadavia",
        "Etc/GMT+12",
        "Etc/GMT-14",
        "UTC",
        "GMT0",
        "PST8PDT",
        /* old ones, which browsers report */
        "Asia/Calcutta",
        "Asia/Saigon",
        "Asia/Katmandu",
        "Asia/Rangoon",
        "America/Buenos_Aires",
        "Europe/Kiev",
        "Pacific/Truk",
        "US/Eastern",
        "US/Pacific",
        "GB-Eire",
        "NZ-CHAT",
        "W-SU",
    };
    static const char *const bad[] = {
        "",
        "localtime",
        "posixrules",
        "right/Europe/Vienna",
        "posix/Europe/Vienna",
        "right/UTC",
        "europe/vienna",
        "Europe/vienna",
        "Europe",
        "Europe/",
        "/Europe/Vienna",
        "Europe//Vienna",
        "Europe/../Europe/Vienna",
        "./UTC",
        "leapseconds",
        "tzdata.zi",
        "zone.tab",
        "iso3166.tab",
        "Europe/Wien",
        "CEST",
        "+01:00",
        " UTC",
        "UTC ",
        "../../../etc/localtime",
        "Europe/Vienna\n",
        "\xC3\x9C",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (!time_zone_is_name(text_of(good[i])) || !is_built_in(good[i])) {
            fail_msg("%s is a name", good[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (time_zone_is_name(text_of(bad[i]))) {
            fail_msg("%s is no name", bad[i]);
        }
    }
    assert_false(time_zone_is_name(TEXT("UTC\0")));
    assert_false(time_zone_is_name(TEXT_NULL));
}

/* The search wants them sorted; each is found, also by its own form. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (i > 0 && strcmp(names[i - 1], names[i]) >= 0) {
            fail_msg("%s stands in the wrong place", names[i]);
        }
        assert_true(has_form(text_of(names[i])));
        assert_true(is_built_in(names[i]));
    }
    assert_in_range(NAME_COUNT, 590, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_table),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
