/* test_email.c: the one form of an address, and what is one. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/email.h"
#include "unit.h"

static void test_fold(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"  Ada@Example.ORG\n", "ada@example.org"},
        {"\xC2\xA0\xE3\x80\x80"
         "ada@example.org\xC2\xA0",
         "ada@example.org"},
        {"JU\xCC\x88RGEN@x.y", "j\xC3\xBCrgen@x.y"},
        {"\xC4\xB0@x.y", "i\xCC\x87@x.y"},
        {"I\xCC\x87@x.y", "i\xCC\x87@x.y"}, /* İ, decomposed */
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct text folded = email_fold(arena, text_of(rows[i][0]));
        assert_true(text_is(folded, rows[i][1]));
        assert_true(text_equal(email_fold(arena, folded), folded)); /* once is enough */
    }
    assert_null(email_fold(arena, TEXT_NULL).data);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(email_equal(arena, TEXT("Ada@x.y"), TEXT(" ada@X.Y")));
    assert_true(email_equal(arena, TEXT("e\xCC\x81@x.y"), TEXT("\xC3\x89@x.y")));
    assert_true(email_equal(arena, TEXT("\xC4\xB0@x.y"), TEXT("i\xCC\x87@x.y")));
    assert_false(email_equal(arena, TEXT("\xC4\xB0@x.y"), TEXT("i@x.y")));
    assert_false(email_equal(arena, TEXT("\xC4\xB1@x.y"), TEXT("i@x.y")));     /* ı */
    assert_false(email_equal(arena, TEXT("\xEF\xBD\x81@x.y"), TEXT("a@x.y"))); /* full width */
    assert_false(email_equal(arena, TEXT("\xC3\x9F@x.y"), TEXT("ss@x.y")));    /* ß */
    assert_false(email_equal(arena, TEXT("a\xE2\x80\x8B@x.y"), TEXT("a@x.y")));
    assert_false(email_equal(arena, TEXT(""), TEXT_NULL));
}

static void test_valid(void **state)
{
    static const char *const good[] = {"x@y.z", "x@localhost", "o'neil+tag@sub.example.org",
                                       "\xC3\xBC@ex\xC3\xA4mple.org", "i\xCC\x87@x.y"};
    static const char *const bad[] = {
        "",
        "x",
        "@y.z",
        "x@",
        "x@y",
        "x@.y",
        "x@y.",
        "x@y@y.z",
        "a b@y.z",
        "a\xC2\xA0"
        "b@y.z",             /* no-break space */
        "a\xE3\x80\x80@y.z", /* ideographic space */
        "a\xC2\x9B@y.z",     /* C1 */
        "a\x7F@y.z",
        "a\x1B@y.z",
        "a\xE2\x80\x8B@y.z", /* zero width space */
        "a\xC2\xAD@y.z",     /* soft hyphen */
        "a\xE2\x80\x8D@y.z", /* zero width joiner */
        "\xEF\xBB\xBF"
        "a@y.z",                 /* byte order mark */
        "a\xE2\x80\xAE@y.z",     /* right-to-left override */
        "a\xF3\xA0\x81\xA1@y.z", /* tag letter */
        "a\xE2\x80\xA8@y.z",
        "a@y.z\xE1\x85",
    };
    char longest[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_true(email_is_valid(text_of(good[i])));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (email_is_valid(text_of(bad[i]))) {
            fail_msg("%s", bad[i]);
        }
    }
    assert_false(email_is_valid(TEXT_NULL));
    assert_false(email_is_valid(TEXT("a\0@y.z")));
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 250, "@x.y", 4);
    assert_true(email_is_valid((struct text){longest, 254}));
    assert_false(email_is_valid((struct text){longest, 255}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_valid),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
