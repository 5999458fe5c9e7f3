/* test_factor.c: codes of RFC 6238 and RFC 4226, base32, sealed secrets, and QR codes. */
#include "arena_fixture.h"
#include "base/array.h"
#include "base/qr_code.h"
#include "base/secret_box.h"
#include "base/totp.h"
#include "unit.h"

static const unsigned char secret[] = "12345678901234567890"; /* of both RFCs */
enum { SECRET_LENGTH = 20 };

/* RFC 6238, appendix B: eight digits with SHA-1. */
static void test_vectors(void **state)
{
    static const struct {
        int64_t seconds;
        uint32_t code;
    } vectors[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
                   {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};
    /* RFC 4226, appendix D */
    static const uint32_t counted[] = {1284755224, 1094287082, 137359152, 1726969429, 1640338314,
                                       868254676,  1918287922, 82162583,  673399871,  645520489};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        assert_int_equal(totp_number(secret, SECRET_LENGTH, (uint64_t)(vectors[i].seconds / TOTP_STEP_SECONDS)) %
                             100000000,
                         vectors[i].code);
    }
    for (size_t i = 0; i < ARRAY_COUNT(counted); i++) {
        assert_int_equal(totp_number(secret, SECRET_LENGTH, i), counted[i]);
    }
}

/* 287082 is the code of the second step, from 30 to 59 seconds. */
static void test_drift(void **state)
{
    (void)state;
    static const struct {
        int64_t now, last, found;
    } cases[] = {{30, -1, 1},  {59, -1, 1}, {0, -1, 1},  {29, -1, 1}, {60, -1, 1}, {89, -1, 1},
                 {90, -1, -1}, {30, 0, 1},  {30, 1, -1}, {60, 1, -1}, {30, 5, -1}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(totp_match(secret, SECRET_LENGTH, TEXT("287082"), cases[i].now, cases[i].last),
                         cases[i].found);
    }
    static const struct text wrong[] = {TEXT("287083"), TEXT("28708"), TEXT("2870820"),
                                        TEXT(""),       TEXT_NULL,     TEXT("28708\0")};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(totp_match(secret, SECRET_LENGTH, wrong[i], 30, -1), -1);
    }
}

/* RFC 4648, section 10. */
static void test_base32(void **state)
{
    static const struct {
        struct text plain, encoded;
    } vectors[] = {{TEXT("f"), TEXT("MY")},           {TEXT("fo"), TEXT("MZXQ")},
                   {TEXT("foo"), TEXT("MZXW6")},      {TEXT("foob"), TEXT("MZXW6YQ")},
                   {TEXT("fooba"), TEXT("MZXW6YTB")}, {TEXT("foobar"), TEXT("MZXW6YTBOI")}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        assert_bytes(totp_encode(arena, (const unsigned char *)vectors[i].plain.data, vectors[i].plain.length),
                     vectors[i].encoded);
        assert_bytes(totp_decode(arena, vectors[i].encoded), vectors[i].plain);
    }
    assert_bytes(totp_decode(arena, TEXT("mzxw 6ytb oi======")), TEXT("foobar"));
    assert_null(totp_decode(arena, TEXT("MZXW1")).data);
    assert_null(totp_decode(arena, TEXT("MZX-")).data);
    assert_null(totp_decode(arena, TEXT("")).data);
}

static void test_box(void **state)
{
    const struct text old = TEXT("an old secret key of more than 32 bytes"),
                      new = TEXT("a new secret key of more than 32 bytes!"), plain = TEXT("MZXW6YTBOI"),
                      label = TEXT("ann");
    const struct text both[] = {new, old};
    (void)state;
    const struct text sealed = secret_box_seal(arena, old, label, plain);
    assert_bytes(secret_box_open(arena, both, 2, label, sealed), plain);
    assert_true(text_equal(secret_box_id_of(sealed), secret_box_key_id(arena, old)));
    assert_null(secret_box_open(arena, both, 1, label, sealed).data);            /* the key is gone */
    assert_null(secret_box_open(arena, both, 2, TEXT("bob"), sealed).data);      /* another person's */
    assert_false(text_equal(sealed, secret_box_seal(arena, old, label, plain))); /* a nonce of its own */
    for (size_t i = 0; i < sealed.length; i++) { /* any change is seen, but of the unused bits of the last character */
        struct text other = text_copy(arena, sealed);
        ((char *)other.data)[i] = sealed.data[i] == 'A' ? 'B' : 'A';
        if (i + 1 < sealed.length) {
            assert_null(secret_box_open(arena, both, 2, label, other).data);
        }
        assert_null(secret_box_open(arena, both, 2, label, (struct text){sealed.data, i}).data);
    }
    assert_bytes(secret_box_open(arena, both, 2, label, secret_box_seal(arena, old, label, TEXT(""))), TEXT(""));
    assert_null(secret_box_open(arena, both, 2, label, TEXT_NULL).data);
}

/* Made by cryptography 38 for Python, with the key that HKDF makes of `secret-of-the-other-program'. */
static void test_fernet(void **state)
{
    static const char info[] = "open-webui/mfa-encryption/v1";
    const struct text key = TEXT("secret-of-the-other-program"),
                      token = TEXT("gAAAAABrCgcANf-C_lVgyQ_FaXSoS7fylgoqZyD3-Iu09CpJpU8zS35TRCwp7keEufATY8BxMq_IYLrz"
                                   "MQ7TG_Z1qIM6ySmEc2R9GYgcmWUwhG--QEQ-sv6goYpGsYHcBgfDW-cpj3Na");
    (void)state;
    assert_bytes(secret_box_open_fernet(arena, key, info, token), TEXT("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"));
    assert_null(secret_box_open_fernet(arena, TEXT("another"), info, token).data);
    assert_null(secret_box_open_fernet(arena, key, "another use", token).data);
    for (size_t i = 0; i < token.length; i++) {
        struct text other = text_copy(arena, token);
        ((char *)other.data)[i] = token.data[i] == 'A' ? 'B' : 'A';
        if (token.data[i] != '=' && token.data[i + 1] != '=') {
            assert_null(secret_box_open_fernet(arena, key, info, other).data);
        }
        if (token.data[i] != '=') {
            assert_null(secret_box_open_fernet(arena, key, info, (struct text){token.data, i}).data);
        }
    }
}

static void test_qr(void **state)
{
    (void)state;
    const struct text svg = qr_code_svg(arena, TEXT("otpauth://totp/x:a@example.org?secret=MZXW6YTBOI"));
    assert_true(text_starts_with(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
    assert_true(text_ends_with(svg, "z\"/></svg>"));
    assert_non_null(strstr(svg.data, "M4 4h7v1h-7z")); /* the finder pattern, behind the quiet zone */
    char *large = arena_alloc(arena, 5000);
    memset(large, 'a', 5000);
    assert_null(qr_code_svg(arena, (struct text){large, 5000}).data);
    assert_null(qr_code_svg(arena, TEXT("a\0b")).data);
    assert_null(qr_code_svg(arena, TEXT("")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_drift),  cmocka_unit_test(test_base32),
        cmocka_unit_test(test_box),     cmocka_unit_test(test_fernet), cmocka_unit_test(test_qr),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
