/* test_error.c: base/error.h: the words of a failure outside a request. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "unit.h"

/* So many of a character, NUL-terminated. */
static const char *many(const char *character, size_t count)
{
    static char text[4 * ERROR_TEXT_SIZE];
    size_t size = strlen(character);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * size, character, size);
    }
    text[count * size] = '\0';
    return text;
}

static void test_set(void **state)
{
    (void)state;
    struct error error;
    errno = ENOENT;
    assert_false(error_set(&error, "%s: line %d", "/etc/file", 7));
    assert_string_equal(error.text, "/etc/file: line 7");
    assert_int_equal(errno, ENOENT);
    assert_false(error_set(&error, "%s, twice %s", error.text, error.text));
    assert_string_equal(error.text, "/etc/file: line 7, twice /etc/file: line 7");
    assert_false(error_set(NULL, "nobody wants to know"));
}

/* printf(3) fails where a wide character is none. */
static void test_failure(void **state)
{
    (void)state;
    struct error error;
    errno = ENOENT;
    error_set(&error, "before %ls", (const wchar_t[]){(wchar_t)0x7fffffff, 0});
    assert_string_equal(error.text, "");
    assert_int_equal(errno, ENOENT);
}

static void test_prefix(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "line %d", 7);
    errno = ENOENT;
    assert_false(error_prefix(&error, "%s: ", "/etc/file"));
    assert_string_equal(error.text, "/etc/file: line 7");
    assert_int_equal(errno, ENOENT);
    assert_false(error_prefix(NULL, "%s: ", "/etc/file"));
}

/* What just fits stays whole. */
static void test_longest(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "%s", many("x", ERROR_TEXT_SIZE - 1));
    assert_string_equal(error.text, many("x", ERROR_TEXT_SIZE - 1));
    error_set(&error, "%s", many("x", ERROR_TEXT_SIZE - 3));
    error_prefix(&error, "%s", "yy");
    assert_int_equal(strlen(error.text), ERROR_TEXT_SIZE - 1);
    assert_memory_equal(error.text + ERROR_TEXT_SIZE - 5, "xxxx", 5);
}

static void test_cut(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "%s", many("x", ERROR_TEXT_SIZE));
    assert_int_equal(strlen(error.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(error.text + ERROR_TEXT_SIZE - 6, "xx...");
    error_set(&error, "%s", many("x", ERROR_TEXT_SIZE - 3));
    error_prefix(&error, "%s", "yyy");
    assert_int_equal(strlen(error.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(error.text + ERROR_TEXT_SIZE - 6, "xx...");
    error_set(&error, "%s", "gone");
    error_prefix(&error, "%s", many("x", ERROR_TEXT_SIZE));
    assert_string_equal(error.text + ERROR_TEXT_SIZE - 6, "xx...");
}

/* Never in the middle of a character, wherever the end falls. */
static void test_cut_between_characters(void **state)
{
    (void)state;
    static const char euro[] = "\xe2\x82\xac", smile[] = "\xf0\x9f\x98\x80";
    struct error error;
    for (int shift = 0; shift < 4; shift++) {
        error_set(&error, "%.*s%s", shift, "xxxx", many(euro, ERROR_TEXT_SIZE / 2));
        const char *mark = error.text + strlen(error.text) - 3;
        assert_string_equal(mark, "...");
        assert_memory_equal(mark - 3, euro, 3);
        error_set(&error, "%.*s%s", shift, "xxxx", many(smile, ERROR_TEXT_SIZE / 2));
        mark = error.text + strlen(error.text) - 3;
        assert_string_equal(mark, "...");
        assert_memory_equal(mark - 4, smile, 4);
    }
}

/* Bytes that are no UTF-8 are cut somewhere. */
static void test_cut_of_other_bytes(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "%s", many("\x80", ERROR_TEXT_SIZE));
    assert_in_range(strlen(error.text), ERROR_TEXT_SIZE - 4, ERROR_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_between_characters),
        cmocka_unit_test(test_cut_of_other_bytes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
