/* test_base64.c: base64 and base64url, in each form in which they come. */
#include <openssl/evp.h>

#include "arena_fixture.h"
#include "base/array.h"
#include "base/base64.h"
#include "unit.h"

/* RFC 4648, section 10. */
static const struct {
    struct text bytes;
    const char *padded, *unpadded;
} examples[] = {
    {TEXT(""), "", ""},
    {TEXT("f"), "Zg==", "Zg"},
    {TEXT("fo"), "Zm8=", "Zm8"},
    {TEXT("foo"), "Zm9v", "Zm9v"},
    {TEXT("foob"), "Zm9vYg==", "Zm9vYg"},
    {TEXT("fooba"), "Zm9vYmE=", "Zm9vYmE"},
    {TEXT("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
};

static const enum base64_form all_forms[] = {BASE64_PADDED, BASE64_WHITE, BASE64_UNPADDED, BASE64_ANY_PADDED,
                                             BASE64_URL};

static struct text decoded(enum base64_form form, const char *text)
{
    return base64_decode(arena, form, text_of(text));
}

static void test_examples(void **state)
{
    (void)state;
    char encoded[16];
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        struct text bytes = examples[i].bytes;
        assert_bytes(decoded(BASE64_PADDED, examples[i].padded), bytes);
        assert_bytes(decoded(BASE64_WHITE, examples[i].padded), bytes);
        assert_bytes(decoded(BASE64_ANY_PADDED, examples[i].padded), bytes);
        assert_bytes(decoded(BASE64_ANY_PADDED, examples[i].unpadded), bytes);
        assert_bytes(decoded(BASE64_UNPADDED, examples[i].unpadded), bytes);
        assert_bytes(decoded(BASE64_URL, examples[i].unpadded), bytes);

        size_t length = base64_encode(BASE64_PADDED, (const unsigned char *)bytes.data, bytes.length, encoded);
        assert_int_equal(length, strlen(examples[i].padded));
        assert_string_equal(encoded, examples[i].padded);
        length = base64_encode(BASE64_URL, (const unsigned char *)bytes.data, bytes.length, encoded);
        assert_int_equal(length, strlen(examples[i].unpadded));
        assert_string_equal(encoded, examples[i].unpadded);
    }
}

static void test_padding(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Zm8",  "Zm8==", "Zm9v=", "Zm9v==",   "Zm9v====",
                                      "Z",  "Z=",  "Z==",   "Z===", "=",     "====",  "Zg==Zg==", "Z=g="};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_null(decoded(BASE64_PADDED, bad[i]).data);
        assert_null(decoded(BASE64_WHITE, bad[i]).data);
    }
    assert_null(decoded(BASE64_UNPADDED, "Zg==").data);
    assert_null(decoded(BASE64_URL, "Zg==").data);
    assert_null(decoded(BASE64_UNPADDED, "Zm9vY").data);
    assert_null(decoded(BASE64_URL, "Zm9vY").data);

    assert_bytes(decoded(BASE64_ANY_PADDED, "Zg="), TEXT("f"));
    assert_bytes(decoded(BASE64_ANY_PADDED, "Zg======"), TEXT("f"));
    assert_bytes(decoded(BASE64_ANY_PADDED, "Zm9vY"), TEXT("foo"));
    assert_null(decoded(BASE64_ANY_PADDED, "Zg==Zg==").data);
}

/* Each byte that is in an alphabet, and each that is in none. */
static void test_alphabets(void **state)
{
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t f = 0; f < ARRAY_COUNT(all_forms); f++) {
        const char *last = all_forms[f] == BASE64_URL ? "-_" : "+/";
        for (int byte = 0; byte < 256; byte++) {
            const char *place = byte != 0 ? strchr(alphabet, byte) : NULL;
            const char *last_place = byte != 0 ? strchr(last, byte) : NULL;
            bool has = place != NULL || last_place != NULL;
            assert_int_equal(base64_has(all_forms[f], (char)byte), has);

            struct text got = base64_decode(arena, all_forms[f], (struct text){(char[]){'A', (char)byte, 'A', 'A'}, 4});
            bool may_be_left_out = all_forms[f] == BASE64_WHITE && byte != 0 && strchr(" \t\n\f\r", byte) != NULL;
            if (!has) {
                assert_true(got.data == NULL);
                assert_true(!may_be_left_out || decoded(all_forms[f], "AAAA\n").length == 3);
                continue;
            }
            size_t value = place != NULL ? (size_t)(place - alphabet) : 62 + (size_t)(last_place - last);
            assert_int_equal(got.length, 3);
            assert_int_equal((unsigned char)got.data[0], value >> 4);
            assert_int_equal((unsigned char)got.data[1], value << 4 & 0xFF);
        }
    }
}

static void test_white(void **state)
{
    (void)state;
    assert_bytes(decoded(BASE64_WHITE, " Z g\t=\n=\r\n\f"), TEXT("f"));
    assert_bytes(decoded(BASE64_WHITE, "Zm9v\r\nYmFy"), TEXT("foobar"));
    assert_null(decoded(BASE64_WHITE, "Zm9v\v").data);
    assert_null(decoded(BASE64_WHITE, "Zm9v\xc2\xa0").data);
    assert_null(decoded(BASE64_PADDED, "Zm9v\n").data);
    assert_null(decoded(BASE64_ANY_PADDED, "Zm9v YmFy").data);
    assert_null(decoded(BASE64_UNPADDED, " Zm9v").data);
    assert_null(decoded(BASE64_URL, "Zm9v ").data);
}

static void test_into(void **state)
{
    unsigned char bytes[4] = "....";
    size_t length;
    (void)state;
    assert_true(base64_decode_into(BASE64_PADDED, TEXT("Zm9v"), bytes, 3, &length));
    assert_int_equal(length, 3);
    assert_memory_equal(bytes, "foo.", 4);
    assert_false(base64_decode_into(BASE64_PADDED, TEXT("Zm9v"), bytes, 2, &length));
    assert_false(base64_decode_into(BASE64_UNPADDED, TEXT("Zm9vYmFy"), bytes, 3, &length));
    assert_memory_equal(bytes, "foo.", 4);
    assert_true(base64_decode_into(BASE64_UNPADDED, TEXT_NULL, bytes, 0, &length));
    assert_int_equal(length, 0);
}

/* Every length up to 200, against OpenSSL. */
static void test_against_openssl(void **state)
{
    (void)state;
    unsigned char bytes[200];
    char encoded[300], expected[300];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 89 + 177);
    }
    for (size_t length = 0; length <= sizeof bytes; length++) {
        EVP_EncodeBlock((unsigned char *)expected, bytes, (int)length);
        base64_encode(BASE64_PADDED, bytes, length, encoded);
        assert_string_equal(encoded, expected);
        assert_bytes(decoded(BASE64_PADDED, encoded), (struct text){(const char *)bytes, length});
        base64_encode(BASE64_URL, bytes, length, encoded);
        assert_bytes(decoded(BASE64_URL, encoded), (struct text){(const char *)bytes, length});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_padding), cmocka_unit_test(test_alphabets),
        cmocka_unit_test(test_white),    cmocka_unit_test(test_into),    cmocka_unit_test(test_against_openssl),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
