/* test_ascii.c: classes of bytes, against those of the C locale. */
#include <ctype.h>

#include "base/ascii.h"
#include "unit.h"

static void test_classes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        assert_int_equal(ascii_is_digit(c), isdigit(byte) != 0);
        assert_int_equal(ascii_is_lower(c), islower(byte) != 0);
        assert_int_equal(ascii_is_upper(c), isupper(byte) != 0);
        assert_int_equal(ascii_is_letter(c), isalpha(byte) != 0);
        assert_int_equal(ascii_is_control(c), iscntrl(byte) != 0);
        assert_int_equal(ascii_is_white(c), isspace(byte) != 0);
        assert_int_equal((unsigned char)ascii_to_lower(c), tolower(byte));
        assert_int_equal((unsigned char)ascii_to_upper(c), toupper(byte));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_classes)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
