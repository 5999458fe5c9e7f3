/* test_enums.c: base/enums.h: the words of enumerations. */
#include <stdio.h>

#include "base/enums.h"
#include "unit.h"

/* Each word stands for one value, each value has one word, and a message has room for all. */
static void check_words(const char *name, const struct enum_word *words)
{
    char list[ENUM_LIST_SIZE];
    size_t length = 0;
    for (size_t i = 0; words[i].word != NULL; i++) {
        const struct enum_word *found = enum_find(words, text_of(words[i].word));
        if (found != &words[i] || enum_word(words, words[i].value) != words[i].word) {
            fail_msg("%s: %s or its value stands there twice", name, words[i].word);
        }
        length += strlen(words[i].word) + strlen(" or ");
    }
    if (length >= ENUM_LIST_SIZE) {
        fail_msg("%s: ENUM_LIST_SIZE is too small", name);
    }
    assert_true(strlen(enum_list(words, list)) > 0);
}

static void test_tables(void **state)
{
    (void)state;
    check_words("boolean", boolean_words);
#define ENUM(name, words) check_words(#name, name##_words);
#define WORD(value, word)
#include "tables/enums.def"
}

static void test_words(void **state)
{
    (void)state;
    char list[ENUM_LIST_SIZE];
    assert_string_equal(enum_word(severity_words, LOG_SEVERITY_WARNING), "warning");
    assert_null(enum_word(severity_words, 99));
    assert_int_equal(enum_find(severity_words, TEXT("alert"))->value, LOG_SEVERITY_ALERT);
    assert_null(enum_find(severity_words, TEXT("Alert")));
    assert_null(enum_find(severity_words, TEXT("")));
    assert_string_equal(enum_list(boolean_words, list), "yes or no");
    assert_string_equal(enum_list(cookie_secure_words, list), "auto, yes or no");
    assert_ptr_equal(enum_list(boolean_words, list), list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_words),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("enums", tests, NULL, NULL);
}
