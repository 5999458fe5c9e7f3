/* test_header_text.c: what programs put into header fields, and the text that it stands for. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/header_text.h"
#include "unit.h"

/* NULL stands for the null text. */
static void expect(struct text got, const char *wanted)
{
    if (wanted == NULL) {
        assert_null(got.data);
        return;
    }
    assert_non_null(got.data);
    assert_int_equal(got.length, strlen(wanted));
    assert_memory_equal(got.data, wanted, got.length);
}

#define EXPECT(field, encoding, wanted) \
    expect(header_text_decode(arena, TEXT(field), HEADER_ENCODING_##encoding), wanted)

static void test_bytes(void **state)
{
    (void)state;
    EXPECT("J\xc3\xb6rg", AUTO, "Jörg");
    EXPECT("J\xf6rg", AUTO, "Jörg");
    EXPECT("Jorg", AUTO, "Jorg");
    EXPECT("", AUTO, "");
    EXPECT("J\xf6rg \xc3\xb6", AUTO, "Jörg Ã¶"); /* the whole is no UTF-8 */
    EXPECT("\x80 \x9f \xa0\xff", AUTO, "€ Ÿ \xc2\xa0ÿ");
    EXPECT("J\xc3\xb6rg", UTF8, "Jörg");
    EXPECT("J\xf6rg", UTF8, NULL);
    EXPECT("J\xf6rg", LATIN1, "Jörg");
    EXPECT("J\xc3\xb6rg", LATIN1, "JÃ¶rg");
    EXPECT("a\0b", AUTO, NULL);
    expect(header_text_decode(arena, TEXT_NULL, HEADER_ENCODING_AUTO), NULL);
}

static void test_encoded_words(void **state)
{
    (void)state;
    EXPECT("=?UTF-8?B?SsO8cmdlbg==?=", AUTO, "Jürgen");
    EXPECT("=?utf-8?b?SsO8cmdlbg?=", AUTO, "Jürgen"); /* without padding */
    EXPECT("=?UTF-8?Q?J=C3=BCrgen_Stra=c3=9fe?=", AUTO, "Jürgen Straße");
    EXPECT("=?ISO-8859-1?Q?J=FCrgen?=", AUTO, "Jürgen");
    EXPECT("=?iso-8859-1*de?q?J=FCrgen?=", AUTO, "Jürgen");
    EXPECT("=?windows-1252?Q?=80?=", AUTO, "€");
    EXPECT("=?UTF-8?B?SsO8?= =?UTF-8?B?cmdlbg==?=", AUTO, "Jürgen");
    EXPECT("=?UTF-8?B?SsO8?=\t =?UTF-8?B?cmdlbg==?= S.", AUTO, "Jürgen S.");
    EXPECT("Dr. =?UTF-8?B?SsO8?= x =?UTF-8?B?cmdlbg==?=", AUTO, "Dr. Jü x rgen");
    EXPECT("=?UTF-8?B?SsO8?= =?UTF-8?B?"
           "?= =?UTF-8?B?cmdlbg==?=",
           AUTO, "Jürgen");
    EXPECT("=?UTF-8?B?SsO8cmdlbg==?=", UTF8, "Jürgen");
    EXPECT("=?UTF-8?B?SsO8cmdlbg==?= \xf6", AUTO, "Jürgen ö");
    EXPECT("=?UTF-8?Q?a=00b?=", AUTO, NULL);
}

static void test_what_only_looks_like_one(void **state)
{
    (void)state;
    static const char *const same[] = {"=?UTF-8?B?SsO8cmdlbg==",
                                       "=?UTF-8?B?SsO8cmdlbg==?",
                                       "=?UTF-8?X?abc?=",
                                       "=?KOI8-R?B?SsO8?=",
                                       "=?UTF-8?Q?J=FCrgen?=",
                                       "=?UTF-8?B?S*sO8?=",
                                       "=?",
                                       "=?=",
                                       "=?"
                                       "?=",
                                       "=?"
                                       "?"
                                       "?"
                                       "?=",
                                       "=?UTF-8?BB?SsO8?=",
                                       "a = b ? c",
                                       "=?us-ascii?Q?=FC?="};
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        expect(header_text_decode(arena, text_of(same[i]), HEADER_ENCODING_AUTO), same[i]);
    }
    EXPECT("=?UTF-8?Q?100=?=", AUTO, "100=");
}

static void test_percent(void **state)
{
    (void)state;
#define EXPECT_PERCENT(field, encoding, wanted) \
    expect(header_text_decode_percent(arena, TEXT(field), HEADER_ENCODING_##encoding), wanted)
    EXPECT_PERCENT("J%C3%B6rg", AUTO, "Jörg");
    EXPECT_PERCENT("J%C3%B6rg", LATIN1, "Jörg");
    EXPECT_PERCENT("J%F6rg", AUTO, "J%F6rg");
    EXPECT_PERCENT("J\xf6rg", AUTO, "Jörg");
    EXPECT_PERCENT("J\xc3\xb6rg", LATIN1, "JÃ¶rg");
    EXPECT_PERCENT("J\xf6rg", UTF8, NULL);
    EXPECT_PERCENT("100%", AUTO, "100%");
    EXPECT_PERCENT("100%4", AUTO, "100%4");
    EXPECT_PERCENT("a%00b", AUTO, "a%00b");
    EXPECT_PERCENT("=?UTF-8?B?SsO8cmdlbg==?=", AUTO, "Jürgen");
    expect(header_text_decode_percent(arena, TEXT_NULL, HEADER_ENCODING_AUTO), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_encoded_words, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_what_only_looks_like_one, arena_set_up, arena_tear_down),
        cmocka_unit_test_setup_teardown(test_percent, arena_set_up, arena_tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
