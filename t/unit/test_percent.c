/* test_percent.c: escapes in URIs, queries and encoded words. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/percent.h"
#include "unit.h"

static void test_decode(void **state)
{
    (void)state;
    /* In a query, in a URI. */
    static const struct {
        struct text encoded, query, uri;
    } rows[] = {
        {TEXT(""), TEXT(""), TEXT("")},
        {TEXT("plain"), TEXT("plain"), TEXT("plain")},
        {TEXT("%41%6a%6A"), TEXT("Ajj"), TEXT("Ajj")},
        {TEXT("%C3%bC"), TEXT("\xc3\xbc"), TEXT("\xc3\xbc")},
        {TEXT("a+b%2B"), TEXT("a b+"), TEXT("a+b+")},
        {TEXT("a_b=41"), TEXT("a_b=41"), TEXT("a_b=41")},
        {TEXT("a%00b"), TEXT("a\0b"), TEXT("a\0b")},
        {TEXT("%2541"), TEXT("%41"), TEXT("%41")}, /* once */
        {TEXT("%"), TEXT("%"), TEXT("%")},
        {TEXT("%4"), TEXT("%4"), TEXT("%4")},
        {TEXT("%4g%g4%41"), TEXT("%4g%g4A"), TEXT("%4g%g4A")},
        {TEXT("%%41"), TEXT("%A"), TEXT("%A")},
        {TEXT("%+1% 1%-1"), TEXT("% 1% 1%-1"), TEXT("%+1% 1%-1")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_bytes(percent_decode_query(arena, rows[i].encoded), rows[i].query);
        assert_bytes(percent_decode(arena, rows[i].encoded), rows[i].uri);
    }
}

static void test_decode_q(void **state)
{
    (void)state;
    assert_bytes(percent_decode_q(arena, TEXT("J=C3=BCrgen_Stra=c3=9fe")), TEXT("J\xc3\xbcrgen Stra\xc3\x9f"
                                                                                "e"));
    assert_bytes(percent_decode_q(arena, TEXT("a+b%41 c=")), TEXT("a+b%41 c="));
}

static void test_segment(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, arena);
    percent_add_segment(&buffer, TEXT("azAZ09-._~ /%?#\0\x7f\xc3\xbc+"));
    assert_bytes(buffer_text(&buffer), TEXT("azAZ09-._~%20%2F%25%3F%23%00%7F%C3%BC%2B"));
}

static void test_uri(void **state)
{
    (void)state;
    assert_bytes(percent_encode_uri(arena, TEXT("https://example.org:8443/a%20b?c=d&e[]=%zz#f")),
                 TEXT("https://example.org:8443/a%20b?c=d&e[]=%25zz#f"));
    assert_bytes(percent_encode_uri(arena, TEXT("\0 \n\x7f\xc3\xbc\"<>\\^`{|}%")),
                 TEXT("%00%20%0A%7F%C3%BC%22%3C%3E%5C%5E%60%7B%7C%7D%25"));
    assert_bytes(percent_encode_uri(arena, TEXT("")), TEXT(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_q),
        cmocka_unit_test(test_segment),
        cmocka_unit_test(test_uri),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
