/* test_clock.c: the clocks against the system's own. */
#include <time.h>

#include "base/clock.h"
#include "unit.h"

enum { MILLION = 1000000 };

static int64_t system_microseconds(clockid_t clock)
{
    struct timespec now;

    assert_int_equal(clock_gettime(clock, &now), 0);
    return (int64_t)now.tv_sec * MILLION + now.tv_nsec / 1000;
}

/* Between two looks at the system's clock. */
static void test_wall(void **state)
{
    int64_t before = system_microseconds(CLOCK_REALTIME);
    int64_t microseconds = clock_wall_microseconds();
    int64_t seconds = clock_wall_seconds();
    int64_t after = system_microseconds(CLOCK_REALTIME);

    (void)state;
    assert_in_range(microseconds, before, after);
    assert_in_range(seconds, before / MILLION, after / MILLION);
    assert_true(seconds >= microseconds / MILLION);
}

static void test_monotonic(void **state)
{
    int64_t before = system_microseconds(CLOCK_MONOTONIC);
    int64_t first = clock_monotonic_microseconds();
    int64_t after = system_microseconds(CLOCK_MONOTONIC);
    int64_t last = first;

    (void)state;
    assert_in_range(first, before, after);
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_monotonic_microseconds();

        assert_true(now >= last);
        last = now;
    }
}

static void test_coarse(void **state)
{
    int64_t before = clock_monotonic_microseconds();
    int64_t coarse = clock_monotonic_coarse_microseconds();

    (void)state;
    assert_in_range(coarse, before - 20000, clock_monotonic_microseconds());
}

/* Both count microseconds: a pause of 20 ms is at least 20,000, and far less than a second's worth more. */
static void test_unit(void **state)
{
    const struct timespec pause = {0, 20 * MILLION};
    int64_t monotonic = clock_monotonic_microseconds(), wall = clock_wall_microseconds();

    (void)state;
    nanosleep(&pause, NULL);
    wall = clock_wall_microseconds() - wall;
    monotonic = clock_monotonic_microseconds() - monotonic;
    assert_in_range(monotonic, 20000, 20 * MILLION);
    assert_in_range(wall, 19000, 20 * MILLION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall),
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_coarse),
        cmocka_unit_test(test_unit),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
