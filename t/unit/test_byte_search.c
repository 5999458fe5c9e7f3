/* test_byte_search.c: what byte_search finds is what a plain search finds, and nothing outside of the text is read. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/byte_search.h"
#include "unit.h"

enum { ROUNDS = 30000, TEXT_MAX = 700, NEEDLE_MAX = 70 };

/* Where the text ends, a page begins that nobody may read. */
static char *page_end;

static int set_up(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_READ | PROT_WRITE), 0);
    page_end = pages + 2 * page;
    return 0;
}

static size_t plain_next(struct text needle, const char *bytes, size_t from, size_t length)
{
    for (size_t at = from; at + needle.length <= length; at++) {
        if (memcmp(bytes + at, needle.data, needle.length) == 0) {
            return at;
        }
    }
    return length;
}

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

/* Few different bytes, so that much of it is nearly the needle. */
static void fill(char *bytes, size_t length, size_t kinds)
{
    static const char alphabet[] = "ab\xC3\xA9@\xFFz";
    for (size_t i = 0; i < length; i++) {
        bytes[i] = kinds < 7 ? alphabet[below(kinds)] : (char)below(256);
    }
}

static void as_a_plain_search(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        char needle_bytes[NEEDLE_MAX];
        size_t length = below(TEXT_MAX), kinds = 1 + below(7);
        struct text needle = {needle_bytes, 1 + below(below(4) == 0 ? NEEDLE_MAX : 5)};
        char *bytes = page_end - length;
        fill(bytes, length, kinds);
        if (length > needle.length && below(2) == 0) {
            memcpy(needle_bytes, bytes + below(length - needle.length), needle.length);
        } else {
            fill(needle_bytes, needle.length, kinds);
        }
        struct byte_search search;
        byte_search_init(&search, needle, bytes, length);
        size_t from = 0;
        for (;;) {
            size_t expected = plain_next(needle, bytes, from, length);
            assert_int_equal(byte_search_next(&search), expected);
            if (expected == length) {
                break;
            }
            from = expected + 1;
            if (below(3) == 0) {
                from = expected + below(length - expected + 1);
                byte_search_skip(&search, from);
                from = from > expected ? from : expected + 1; /* what was given does not come again */
            }
        }
        assert_int_equal(byte_search_next(&search), length); /* over is over */
    }
}

static void the_ends(void **state)
{
    (void)state;
    struct byte_search search;
    byte_search_init(&search, TEXT("abc"), "ab", 2);
    assert_int_equal(byte_search_next(&search), 2);
    byte_search_init(&search, TEXT("abc"), "", 0);
    assert_int_equal(byte_search_next(&search), 0);
    byte_search_init(&search, TEXT("abc"), "abcabc", 6);
    assert_int_equal(byte_search_next(&search), 0);
    byte_search_skip(&search, 6);
    assert_int_equal(byte_search_next(&search), 6);
    byte_search_init(&search, TEXT("\0"), "a\0b", 3);
    assert_int_equal(byte_search_next(&search), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_a_plain_search),
        cmocka_unit_test(the_ends),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
