/* test_edit_distance.c: how far names are from one another. */
#include "base/array.h"
#include "base/edit_distance.h"
#include "unit.h"

static void test_distance(void **state)
{
    static const struct {
        struct text left, right;
        unsigned distance;
    } rows[] = {
        {TEXT(""), TEXT(""), 0},
        {TEXT("name"), TEXT("name"), 0},
        {TEXT("Name"), TEXT("name"), 1},
        {TEXT("nme"), TEXT("name"), 1},
        {TEXT("naame"), TEXT("name"), 1},
        {TEXT("mame"), TEXT("name"), 1},
        {TEXT("nmae"), TEXT("name"), 1},
        {TEXT("anme"), TEXT("name"), 1},
        {TEXT("anem"), TEXT("name"), 2},
        {TEXT("ca"), TEXT("abc"), 3}, /* no letter moves twice */
        {TEXT("kitten"), TEXT("sitting"), 3},
        {TEXT(""), TEXT("name"), 4},
        {TEXT("xyzw"), TEXT("name"), 4},
        {TEXT("a\0b"), TEXT("a\0c"), 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(edit_distance(rows[i].left, rows[i].right), rows[i].distance);
        assert_int_equal(edit_distance(rows[i].right, rows[i].left), rows[i].distance);
    }
}

static void test_long_names(void **state)
{
    static const char name[] = "123456789012345678901234567890123456789012345678+";
    struct text longest = {name, EDIT_DISTANCE_LENGTH_MAX}, longer = {name, EDIT_DISTANCE_LENGTH_MAX + 1};
    (void)state;
    assert_int_equal(edit_distance(longest, longest), 0);
    assert_int_equal(edit_distance(longest, TEXT("")), EDIT_DISTANCE_LENGTH_MAX);
    assert_int_equal(edit_distance(longer, longest), UINT_MAX);
    assert_int_equal(edit_distance(TEXT(""), longer), UINT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
