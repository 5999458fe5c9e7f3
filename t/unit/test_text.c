/* test_text.c: comparison, UTF-8, numbers and lower case. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/text.h"
#include "unit.h"

static void test_equal(void **state)
{
    (void)state;
    assert_true(text_equal(TEXT("a\0b"), TEXT("a\0b")));
    assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
    assert_false(text_equal(TEXT("a"), TEXT("ab")));
    assert_true(text_equal(TEXT(""), TEXT("")));
    assert_false(text_equal(TEXT(""), TEXT_NULL));
    assert_false(text_equal(TEXT_NULL, TEXT("")));
    assert_true(text_equal(TEXT_NULL, TEXT_NULL));
}

static void test_is(void **state)
{
    (void)state;
    assert_true(text_is(TEXT("admin"), "admin"));
    assert_false(text_is(TEXT("admin\0"), "admin"));
    assert_false(text_is(TEXT("adm"), "admin"));
    assert_false(text_is(TEXT("Admin"), "admin"));
    assert_false(text_is(TEXT_NULL, ""));
    assert_true(text_is_ignoring_case(TEXT("BeArEr"), "bearer"));
    assert_false(text_is_ignoring_case(TEXT("bearer "), "bearer"));
    assert_false(text_is_ignoring_case(TEXT("[{"), "{["));
    assert_false(text_is_ignoring_case(TEXT("\xC3\x84"), "\xC3\xA4"));
    assert_false(text_is_ignoring_case(TEXT_NULL, ""));
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("sk-1"), "sk-"));
    assert_false(text_starts_with(TEXT("sk"), "sk-"));
    assert_true(text_starts_with(TEXT(""), ""));
    assert_false(text_starts_with(TEXT_NULL, ""));
    assert_true(text_ends_with(TEXT("a/json"), "json"));
    assert_false(text_ends_with(TEXT("son"), "json"));
    assert_false(text_ends_with(TEXT_NULL, ""));
}

static void test_starts_and_ends_ignoring_case(void **state)
{
    (void)state;
    assert_true(text_starts_with_ignoring_case(TEXT("HTTPs://x"), "https://"));
    assert_false(text_starts_with_ignoring_case(TEXT("https:/"), "https://"));
    assert_true(text_ends_with_ignoring_case(TEXT("x;BASE64"), ";base64"));
    assert_false(text_ends_with_ignoring_case(TEXT("base64"), ";base64"));
    assert_false(text_ends_with_ignoring_case(TEXT(";base64x"), ";base64"));
    assert_false(text_starts_with_ignoring_case(TEXT_NULL, "a"));
}

static void test_trim(void **state)
{
    (void)state;
    assert_text(text_trim(TEXT(" \t\r\n\v\fa b \t")), "a b");
    assert_text(text_trim(TEXT("   ")), "");
    assert_text(text_trim(TEXT("")), "");
    assert_text(text_trim(TEXT("\xC2\xA0")), "\xC2\xA0");
    assert_null(text_trim(TEXT_NULL).data);
}

static void test_copies(void **state)
{
    (void)state;
    struct text text = text_copy(arena, TEXT("a\0b"));
    char long_text[1000];

    assert_int_equal(text.length, 3);
    assert_memory_equal(text.data, "a\0b", 4);
    assert_null(text_copy(arena, TEXT_NULL).data);
    assert_null(text_to_string(arena, TEXT_NULL));
    assert_string_equal(text_to_string(arena, (struct text){"abc", 2}), "ab");
    assert_string_equal(text_to_string(arena, TEXT("")), "");

    assert_text(text_format(arena, "%s-%d", "x", 7), "x-7");
    for (size_t length = 250; length < 260; length++) {
        memset(long_text, 'y', length);
        long_text[length] = '\0';
        assert_text(text_format(arena, "%s", long_text), long_text);
    }
    assert_text(text_format(arena, "%999d", 1) /* longer than any guess */, text_format(arena, "%999d", 1).data);
    assert_int_equal(text_format(arena, "%999d", 1).length, 999);
}

static void test_utf8(void **state)
{
    static const struct text good[] = {
        TEXT(""),
        TEXT("plain"),
        TEXT("\x7F"),
        TEXT("\0"),
        TEXT("\xC2\x80"),
        TEXT("\xDF\xBF"),
        TEXT("\xE0\xA0\x80"),
        TEXT("\xED\x9F\xBF"),
        TEXT("\xEE\x80\x80"),
        TEXT("\xEF\xBF\xBF"),
        TEXT("\xF0\x90\x80\x80"),
        TEXT("\xF4\x8F\xBF\xBF"),
        TEXT("sixteen bytes \xC3\xA4 and more than sixteen bytes"),
    };
    static const struct text bad[] = {
        TEXT("\x80"),
        TEXT("\xBF"),
        TEXT("\xC0\x80"),
        TEXT("\xC1\xBF"),
        TEXT("\xC2"),
        TEXT("\xC2z"),
        TEXT("\xC2\xC2"),
        TEXT("\xE0\x80\x80"),
        TEXT("\xE0\x9F\xBF"),
        TEXT("\xE1\x80"),
        TEXT("\xE1\x80z"),
        TEXT("\xED\xA0\x80"),
        TEXT("\xED\xBF\xBF"),
        TEXT("\xF0\x80\x80\x80"),
        TEXT("\xF0\x8F\xBF\xBF"),
        TEXT("\xF1\x80\x80"),
        TEXT("\xF1\x80\x80z"),
        TEXT("\xF4\x90\x80\x80"),
        TEXT("\xF5\x80\x80\x80"),
        TEXT("\xFF"),
        TEXT("\xFE"),
        TEXT("eight888and\xFF"),
        TEXT("eight888\xC3"),
        TEXT("0123456\x80"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_true(text_is_utf8(good[i]));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(text_is_utf8(bad[i]));
    }
    assert_true(text_is_utf8(TEXT_NULL));

    assert_int_equal(text_count_characters(TEXT("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
    assert_int_equal(text_count_characters(TEXT_NULL), 0);
}

static void test_utf8_step(void **state)
{
    uint32_t character = 0;

    (void)state;
    assert_int_equal(text_utf8_step("", 0, &character), 0);
    assert_int_equal(text_utf8_step("a", 1, &character), 1);
    assert_int_equal(character, 'a');
    assert_int_equal(text_utf8_step("\xC3\xA4x", 3, &character), 2);
    assert_int_equal(character, 0xE4);
    assert_int_equal(text_utf8_step("\xE2\x82\xAC", 3, &character), 3);
    assert_int_equal(character, 0x20AC);
    assert_int_equal(text_utf8_step("\xE2\x82\xAC", 2, &character), 0);
    assert_int_equal(text_utf8_step("\xF0\x9F\x98\x80", 4, &character), 4);
    assert_int_equal(character, 0x1F600);
}

static void test_lower(void **state)
{
    (void)state;
    assert_text(text_to_lower(arena, TEXT("ABCxyz@[`{0")), "abcxyz@[`{0");
    /* Latin, Greek, Cyrillic, Armenian; beyond the basic plane: Deseret. */
    assert_text(text_to_lower(arena, TEXT("\xC3\x84\xC3\x89 \xCE\xA3 \xD0\x96 \xD4\xB1 \xF0\x90\x90\x80")),
                "\xC3\xA4\xC3\xA9 \xCF\x83 \xD0\xB6 \xD5\xA1 \xF0\x90\x90\xA8");
    /* Longer and shorter than the capital letter. */
    assert_text(text_to_lower(arena, TEXT("\xC8\xBA\xC8\xBA")), "\xE2\xB1\xA5\xE2\xB1\xA5");
    assert_text(text_to_lower(arena, TEXT("\xE2\x84\xAA")), "k");
    assert_text(text_to_lower(arena, TEXT("A\377B\303")), "a\377b\303");
    assert_text(text_to_lower(arena, TEXT("")), "");
    assert_null(text_to_lower(arena, TEXT_NULL).data);
}

/* Where the lower case is more than a letter for a letter. */
static void test_lower_special(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\xC4\xB0stanbul", "i\xCC\x87stanbul"},                                  /* İ keeps its dot */
        {"I\xC4\xB1", "i\xC4\xB1"},                                               /* ı has none, and is lower case */
        {"\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82"}, /* ΟΔΟΣ: a final sigma */
        {"\xCE\x9F\xCE\xA3@x", "\xCE\xBF\xCF\x82@x"},                             /* behind it stands no letter */
        {"\xCE\x9F\xCE\xA3.A", "\xCE\xBF\xCF\x83.a"}, /* a full stop is ignored: it is not at the end */
        {"\xCE\x9F\xCC\x81\xCE\xA3\xCC\x81", "\xCE\xBF\xCC\x81\xCF\x82\xCC\x81"}, /* and so are marks */
        {"\xCE\xA3", "\xCF\x83"},                                                 /* before it stands none */
        {"\xE1\xBA\x9E", "\xC3\x9F"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_text(text_to_lower(arena, text_of(rows[i][0])), rows[i][1]);
    }
}

static void test_normalisation(void **state)
{
    (void)state;
    assert_text(text_compose(arena, TEXT("e\xCC\x81")), "\xC3\xA9");
    assert_text(text_decompose(arena, TEXT("\xC3\xA9")), "e\xCC\x81");
    /* Marks get their order: dot below before dot above. */
    assert_text(text_compose(arena, TEXT("q\xCC\x87\xCC\xA3")), "q\xCC\xA3\xCC\x87");
    /* Hangul is composed by arithmetic. */
    assert_text(text_compose(arena, TEXT("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB")), "\xED\x95\x9C");
    assert_text(text_decompose(arena, TEXT("\xED\x95\x9C")), "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB");
    /* Other shapes of a letter stay what they are. */
    assert_text(text_compose(arena, TEXT("\xEF\xBD\x81\xEF\xAC\x81")), "\xEF\xBD\x81\xEF\xAC\x81");
    assert_text(text_compose(arena, TEXT("e\xCC\x81\xFF")), "e\xCC\x81\xFF");
    assert_text(text_compose(arena, TEXT("")), "");
    assert_null(text_compose(arena, TEXT_NULL).data);
    struct text with_nul = text_compose(arena, TEXT("\xC3\xA9\0e\xCC\x81"));
    assert_int_equal(with_nul.length, 5);
    assert_memory_equal(with_nul.data, "\xC3\xA9\0\xC3\xA9", 5);
}

static void test_trim_unicode(void **state)
{
    (void)state;
    assert_text(text_trim_unicode(TEXT("\xC2\xA0 \t\xE3\x80\x80"
                                       "a \xC2\xA0z\xE2\x80\xAF\n\xC2\x85")),
                "a \xC2\xA0z");
    assert_int_equal(text_trim_unicode(TEXT(" \xC2\xA0 ")).length, 0);
    assert_text(text_trim_unicode(TEXT("\xE2\x80\x8B"
                                       "a\xFF")),
                "\xE2\x80\x8B"
                "a\xFF");
    assert_null(text_trim_unicode(TEXT_NULL).data);
}

static void test_escape(void **state)
{
    char escape[TEXT_ESCAPE_SIZE];

    (void)state;
    assert_ptr_equal(text_escape(0, escape), escape);
    assert_string_equal(escape, "\\u0000");
    assert_string_equal(text_escape('\x1b', escape), "\\u001b");
    assert_string_equal(text_escape(0x202E, escape), "\\u202e");
    assert_string_equal(text_escape(0xFFFF, escape), "\\uffff");
}

/* Each odd character, and its neighbours on both sides, which are none. */
static void test_odd_characters(void **state)
{
    (void)state;
    static const uint32_t ranges[][2] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},
                                         {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};

    for (uint32_t character = 0; character < 0x11000; character++) {
        bool is_odd = false;
        for (size_t i = 0; i < ARRAY_COUNT(ranges); i++) {
            is_odd = is_odd || (character >= ranges[i][0] && character <= ranges[i][1]);
        }
        if (text_character_is_odd(character) != is_odd ||
            text_character_is_control(character) != (is_odd && character < 0xA0)) {
            fail_msg("U+%04X", (unsigned)character);
        }
    }
    assert_true(text_is_plain(TEXT("a\xE2\x80\x8D\xC2\xA0\xE2\x80\x8C"
                                   "b"))); /* joiners and NBSP */
    assert_true(text_is_plain(TEXT("")));
    assert_true(text_is_plain(TEXT_NULL));
    assert_false(text_is_plain(TEXT("a\xC2\x9B")));
    assert_false(text_is_plain(TEXT("\xE2\x80\xAE"
                                    "a")));
    assert_false(text_is_plain(TEXT("a\xFF")));
    assert_text(text_without_odd(arena, TEXT("a\x1B\xC2\x9B\xE2\x80\xAE\xFF\xC3\xA9")), "a\xC3\xA9");
    assert_null(text_without_odd(arena, TEXT_NULL).data);
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 17; at++) {
            char text[] = "abcdefghijklmnopq", expected[sizeof text] = "";
            text[at] = (char)byte;
            memcpy(expected, text, at);
            memcpy(expected + at, text + at + (byte < ' ' || byte > '~'),
                   sizeof text - at - (byte < ' ' || byte > '~'));
            assert_text(text_without_odd(arena, (struct text){text, sizeof text - 1}), expected);
        }
    }
    assert_true(text_character_is_format(0xAD) && text_character_is_format(0x200B) && text_character_is_format(0xFEFF));
    assert_false(text_character_is_format('a') || text_character_is_format(0x301));
}

static void test_integer(void **state)
{
    static const struct text bad[] = {
        TEXT(""),
        TEXT("-"),
        TEXT("+"),
        TEXT(" 1"),
        TEXT("1 "),
        TEXT("1.0"),
        TEXT("0x1"),
        TEXT("--1"),
        TEXT("1\0"),
        TEXT("9223372036854775808"),
        TEXT("-9223372036854775809"),
        TEXT("99999999999999999999"),
        TEXT("\xD9\xA1"),
        TEXT_NULL,
    };
    int64_t integer = 0;

    (void)state;
    assert_true(text_to_integer(TEXT("9223372036854775807"), &integer));
    assert_true(integer == INT64_MAX);
    assert_true(text_to_integer(TEXT("-9223372036854775808"), &integer));
    assert_true(integer == INT64_MIN);
    assert_true(text_to_integer(TEXT("+0042"), &integer));
    assert_true(integer == 42);
    assert_true(text_to_integer(TEXT("-0"), &integer));
    assert_true(integer == 0);
    integer = 17;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(text_to_integer(bad[i], &integer));
        assert_true(integer == 17);
    }
}

static void test_compare(void **state)
{
    static const struct text ascending[] = {TEXT(""),   TEXT("\0"), TEXT("a"),   TEXT("a\0"),
                                            TEXT("ab"), TEXT("b"),  TEXT("\xff")};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(ascending); i++) {
        assert_int_equal(text_compare(ascending[i], ascending[i]), 0);
        for (size_t j = i + 1; j < ARRAY_COUNT(ascending); j++) {
            assert_true(text_compare(ascending[i], ascending[j]) < 0);
            assert_true(text_compare(ascending[j], ascending[i]) > 0);
        }
    }
    assert_int_equal(text_compare(TEXT_NULL, TEXT("")), 0);
}

/* "aä€😀": 1, 2, 3 and 4 bytes. */
static void test_cut(void **state)
{
    struct text text = TEXT("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    static const size_t lengths[] = {0, 1, 3, 6, 10, 10};
    (void)state;
    for (size_t max = 0; max < ARRAY_COUNT(lengths); max++) {
        assert_int_equal(text_cut_characters(text, max).length, lengths[max]);
    }
    for (size_t max = 0; max < 12; max++) {
        size_t length = max >= 10 ? 10 : max >= 6 ? 6 : max >= 3 ? 3 : max >= 1 ? 1 : 0;
        assert_int_equal(text_cut_bytes(text, max).length, length);
        assert_ptr_equal(text_cut_bytes(text, max).data, text.data);
    }
    assert_int_equal(text_cut_characters(TEXT("\xff\xC3z"), 2).length, 2);
    assert_null(text_cut_characters(TEXT_NULL, 5).data);
    assert_null(text_cut_bytes(TEXT_NULL, 5).data);
}

static bool is_x(uint32_t character)
{
    return character == 'x' || character == 0x20AC;
}

static void test_is_free_of(void **state)
{
    (void)state;
    assert_true(text_is_free_of(TEXT(""), is_x));
    assert_true(text_is_free_of(TEXT_NULL, is_x));
    assert_true(text_is_free_of(TEXT("ab\0\xC3\xA4"), is_x));
    assert_false(text_is_free_of(TEXT("abx"), is_x));
    assert_false(text_is_free_of(TEXT("a\xE2\x82\xAC"), is_x));
    assert_false(text_is_free_of(TEXT("a\xE2\x82"), is_x));
}

static void test_take(void **state)
{
    static const char *const parts[] = {"a", "", "b=c", ""};
    struct text rest = TEXT("a,,b=c,");
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        assert_int_equal(rest.length > 0, i < 3);
        assert_text(text_take(&rest, ','), parts[i]);
    }
    rest = TEXT("a\0,b");
    assert_int_equal(text_take(&rest, ',').length, 2);
    assert_text(rest, "b");
    assert_text(text_take(&rest, ','), "b");
    assert_int_equal(rest.length, 0);
    rest = TEXT_NULL;
    assert_null(text_take(&rest, ',').data);
    assert_null(rest.data);
}

static void test_unquote(void **state)
{
    (void)state;
    assert_text(text_unquote(TEXT("\"a b\"")), "a b");
    assert_text(text_unquote(TEXT("\"\"")), "");
    assert_text(text_unquote(TEXT("\"")), "\"");
    assert_text(text_unquote(TEXT("\"a")), "\"a");
    assert_text(text_unquote(TEXT("a\"")), "a\"");
    assert_null(text_unquote(TEXT_NULL).data);
}

static void test_digits_at(void **state)
{
    struct text text = TEXT("a12:999999999");
    (void)state;
    assert_int_equal(text_digits_at(text, 1, 2), 12);
    assert_int_equal(text_digits_at(text, 2, 1), 2);
    assert_int_equal(text_digits_at(text, 4, 9), 999999999);
    assert_int_equal(text_digits_at(text, 0, 2), -1);
    assert_int_equal(text_digits_at(text, 2, 2), -1);
    assert_int_equal(text_digits_at(text, 12, 2), -1);
    assert_int_equal(text_digits_at(text, 14, 1), -1);
    assert_int_equal(text_digits_at(TEXT_NULL, 0, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_starts_and_ends),
        cmocka_unit_test(test_starts_and_ends_ignoring_case),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_step),
        cmocka_unit_test(test_lower),
        cmocka_unit_test(test_integer),
        cmocka_unit_test(test_digits_at),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_unquote),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_is_free_of),
        cmocka_unit_test(test_lower_special),
        cmocka_unit_test(test_normalisation),
        cmocka_unit_test(test_trim_unicode),
        cmocka_unit_test(test_odd_characters),
        cmocka_unit_test(test_escape),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
