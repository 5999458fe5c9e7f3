/* test_token.c: tokens made by hand, by token_issue and by libjwt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/token.h"
#include "base/array.h"
#include "base/digest.h"
#include "base/random.h"
#include "unit.h"

#define NOW INT64_C(1800000000)
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD_CLAIMS "\"id\":\"u1\",\"exp\":1800000001"

static struct text key = {"0123456789abcdef0123456789abcdef", 32};
static struct secret_keys ours = {{{"0123456789abcdef0123456789abcdef", 32}}, 1};
static struct context context;

static int set_up(void **state)
{
    (void)state;
    context.arena = arena_new(0);
    context.now_seconds = NOW;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

static char *encode(const void *bytes, size_t length)
{
    char *encoded = arena_alloc(context.arena, length / 3 * 4 + 5);
    size_t encoded_length = (size_t)EVP_EncodeBlock((unsigned char *)encoded, bytes, (int)length);
    while (encoded_length > 0 && encoded[encoded_length - 1] == '=') {
        encoded_length--;
    }
    encoded[encoded_length] = '\0';
    for (char *at = encoded; *at != '\0'; at++) {
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
    return encoded;
}

/* A token of any bytes, signed with `with` and a digest of OpenSSL's. */
static struct text sign(struct text header, struct text payload, struct text with, const EVP_MD *digest)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    struct text input =
        text_format(context.arena, "%s.%s", encode(header.data, header.length), encode(payload.data, payload.length));
    HMAC(digest, with.data, (int)with.length, (const unsigned char *)input.data, input.length, mac, &mac_length);
    return text_format(context.arena, "%s.%s", input.data, encode(mac, mac_length));
}

static struct text token_of(const char *header, const char *payload)
{
    return sign(text_of(header), text_of(payload), key, EVP_sha256());
}

static enum token_verdict verify(struct text token, struct token *token_r)
{
    return token_verify(&context, token, &ours, false, token_r);
}

static void assert_bad(struct text token, const char *reason)
{
    struct token result;
    enum token_verdict verdict = verify(token, &result);
    if (verdict != TOKEN_BAD || result.reason == NULL || strcmp(result.reason, reason) != 0) {
        fail_msg("%.*s: %d, %s; expected: %s", (int)token.length, token.data, verdict, result.reason, reason);
    }
    assert_null(result.id.data);
    assert_null(result.jti.data);
    assert_int_equal(result.expires_at, -1);
    assert_int_equal(result.issued_at, -1);
}

static void good(void **state)
{
    (void)state;
    struct token result;
    struct text token = token_of(HEADER, "{\"id\":\"u1\",\"jti\":\"j1\",\"exp\":1800000001,\"iat\":1800000000,\"sub\":"
                                         "\"x\",\"nbf\":1.5,\"more\":{\"a\":[1]}}");
    assert_int_equal(verify(token, &result), TOKEN_GOOD);
    assert_true(text_is(result.id, "u1"));
    assert_true(text_is(result.jti, "j1"));
    assert_int_equal(result.expires_at, 1800000001);
    assert_int_equal(result.issued_at, 1800000000);
    assert_null(result.reason);

    assert_int_equal(verify(token_of(HEADER, "{" GOOD_CLAIMS "}"), &result), TOKEN_GOOD);
    assert_null(result.jti.data);
    assert_int_equal(result.issued_at, -1);

    /* Of two claims of one name the last wins. */
    assert_int_equal(
        verify(token_of(HEADER, "{\"id\":1,\"exp\":1,\"id\":\"a\\u00e9\\n\",\"exp\":1800000002}"), &result),
        TOKEN_GOOD);
    assert_true(text_is(result.id, "a\xc3\xa9\n"));
    assert_int_equal(result.expires_at, 1800000002);
}

static void keys(void **state)
{
    (void)state;
    struct token result;
    struct text other = {"another key of 32 bytes, or more.", 33};
    struct text token = token_of(HEADER, "{" GOOD_CLAIMS "}");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(token_verify(&context, token, &(struct secret_keys){{other}, 1}, false, &result), TOKEN_BAD);
        assert_string_equal(result.reason, "the signature is not ours");
        assert_int_equal(token_verify(&context, token, &ours, false, &result), TOKEN_GOOD);
    }
    assert_int_equal(token_verify(&context, token, &(struct secret_keys){{{key.data, 31}}, 1}, false, &result),
                     TOKEN_BAD);
    assert_int_equal(token_verify(&context, token, &(struct secret_keys){{TEXT("")}, 1}, false, &result), TOKEN_BAD);
    assert_string_equal(result.reason, "there is no key to verify with");
    assert_int_equal(token_verify(&context, sign(TEXT(HEADER), TEXT("{" GOOD_CLAIMS "}"), TEXT(""), EVP_sha256()),
                                  &(struct secret_keys){{TEXT("")}, 1}, false, &result),
                     TOKEN_BAD);
    assert_int_equal(token_verify(&context, token, &(struct secret_keys){.count = 0}, false, &result), TOKEN_BAD);
}

static enum token_verdict verify_with(struct text token, const struct secret_keys *some)
{
    struct token result;
    enum token_verdict verdict = token_verify(&context, token, some, false, &result);
    assert_int_equal(verdict == TOKEN_GOOD, token_read_signed(&context, token, some, &result) ||
                                                (verdict == TOKEN_GOOD && result.jti.data == NULL));
    return verdict;
}

/* The first key signs, all verify; what a token says of its key only chooses among them. */
static void several_keys(void **state)
{
    (void)state;
    static const struct text second = {"another key of 32 bytes, or more.", 33};
    const struct secret_keys both = {{second, key}, 2}, none = {{TEXT("a third key of 32 bytes, or more..")}, 1};
    const struct secret_keys new = {{second}, 1};
    char id[TOKEN_KEY_ID_SIZE], other_id[TOKEN_KEY_ID_SIZE];
    struct text jti;
    token_key_id(key, id);
    token_key_id(second, other_id);
    assert_int_equal(strlen(id), 8);
    assert_string_not_equal(id, other_id);

    /* With kid, as we issue them. */
    struct text issued = token_issue(&context, key, TEXT("user-1"), NOW, NOW + 60, &jti);
    struct text header = text_format(context.arena, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", id);
    struct text expected = text_of(encode(header.data, header.length));
    assert_true(text_equal((struct text){issued.data, expected.length}, expected));
    assert_int_equal(issued.data[expected.length], '.');
    assert_int_equal(verify_with(issued, &ours), TOKEN_GOOD);
    assert_int_equal(verify_with(issued, &both), TOKEN_GOOD);
    assert_int_equal(verify_with(issued, &new), TOKEN_BAD);
    assert_int_equal(verify_with(issued, &none), TOKEN_BAD);

    /* Without one, and with one of somebody else's. */
    static const char *const others[] = {HEADER, "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}",
                                         "{\"alg\":\"HS256\",\"kid\":\"' OR 1 = 1\"}", "{\"alg\":\"HS256\",\"kid\":7}",
                                         "{\"kid\":\"\",\"alg\":\"HS256\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        struct text token = token_of(others[i], "{\"jti\":\"j\"," GOOD_CLAIMS "}");
        assert_int_equal(verify_with(token, &both), TOKEN_GOOD);
        assert_int_equal(verify_with(token, &ours), TOKEN_GOOD);
        assert_int_equal(verify_with(token, &new), TOKEN_BAD);
    }

    /* One that names another key of ours than the one which signed it, in our form and in another. */
    static const char *const forms[] = {"{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
                                        "{\"kid\":\"%s\",\"alg\":\"HS256\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        const char *rest = strstr(forms[i], "%s");
        const char *good = text_format(context.arena, "%.*s%s%s", (int)(rest - forms[i]), forms[i], id, rest + 2).data;
        const char *wrong =
            text_format(context.arena, "%.*s%s%s", (int)(rest - forms[i]), forms[i], other_id, rest + 2).data;
        assert_int_equal(verify_with(token_of(good, "{\"jti\":\"j\"," GOOD_CLAIMS "}"), &both), TOKEN_GOOD);
        assert_int_equal(verify_with(token_of(wrong, "{\"jti\":\"j\"," GOOD_CLAIMS "}"), &both), TOKEN_BAD);
    }
    /* The id is no key, and neither is the HMAC that it is a part of. */
    assert_int_equal(verify_with(sign(TEXT(HEADER), TEXT("{" GOOD_CLAIMS "}"), text_of(id), EVP_sha256()), &both),
                     TOKEN_BAD);
}

/* More keys than are kept prepared, in turn. */
static void many_keys(void **state)
{
    (void)state;
    struct text jti;
    for (int i = 0; i < 40; i++) {
        struct text one = text_format(context.arena, "key number %d of 32 bytes, or more", i * i % 13);
        struct text token = token_issue(&context, one, TEXT("u"), NOW, NOW + 60, &jti);
        assert_int_equal(verify_with(token, &(struct secret_keys){{one}, 1}), TOKEN_GOOD);
        assert_int_equal(verify_with(token, &ours), TOKEN_BAD);
    }
}

static void form(void **state)
{
    (void)state;
    struct text token = token_of(HEADER, "{" GOOD_CLAIMS "}");
    assert_bad(TEXT(""), "a segment of the token is empty");
    assert_bad(TEXT_NULL, "a segment of the token is empty");
    assert_bad(TEXT("."), "a segment of the token is empty");
    assert_bad(TEXT(".."), "a segment of the token is empty");
    assert_bad(TEXT(".x.y"), "a segment of the token is empty");
    assert_bad(TEXT("abcd.efgh."), "a segment of the token is empty");
    assert_bad(TEXT("abcd..efgh"), "a segment of the token is empty");
    assert_bad(TEXT("abcd"), "the token has fewer than three segments");
    assert_bad(TEXT("abcd.efgh"), "the token has fewer than three segments");
    assert_bad(text_format(context.arena, "%s.abcd", token.data), "the token has more than three segments");
    assert_bad(text_format(context.arena, "%s.", token.data), "the token has more than three segments");
    assert_bad(text_format(context.arena, "%s=", token.data),
               "a character of the token is not in base64url's alphabet");
    assert_bad(text_format(context.arena, " %s", token.data),
               "a character of the token is not in base64url's alphabet");
    assert_bad((struct text){token.data, token.length + 1},
               "a character of the token is not in base64url's alphabet"); /* NUL */
    assert_bad(TEXT("a+cd.efgh.abcd"), "a character of the token is not in base64url's alphabet");
    assert_bad(TEXT("abcd.efghi.abcd"), "a segment of the token has a length that base64url can't have");
    assert_bad(TEXT("bm8.efgh.abcd"), "a segment of the token is not valid JSON");
    assert_bad(TEXT("W10.efgh.abcd"), "a segment of the token is not a JSON object");

    char *long_token = arena_alloc(context.arena, TOKEN_LENGTH_MAX + 1);
    memset(long_token, 'A', TOKEN_LENGTH_MAX + 1);
    assert_bad((struct text){long_token, TOKEN_LENGTH_MAX + 1}, "the token is too long");
    assert_bad((struct text){long_token, TOKEN_LENGTH_MAX}, "the token has fewer than three segments");
}

static void signature(void **state)
{
    (void)state;
    struct text token = token_of(HEADER, "{" GOOD_CLAIMS "}");
    char *changed = arena_alloc(context.arena, token.length);
    for (size_t i = token.length - 43; i < token.length; i++) {
        memcpy(changed, token.data, token.length);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_bad((struct text){changed, token.length}, "the signature is not ours");
    }
    /* The two bits of the last character that no byte holds. */
    memcpy(changed, token.data, token.length);
    changed[token.length - 1]++;
    struct token result;
    assert_int_equal(verify((struct text){changed, token.length}, &result), TOKEN_BAD);

    /* Another payload. */
    memcpy(changed, token.data, token.length);
    changed[40] ^= 1;
    assert_int_equal(verify((struct text){changed, token.length}, &result), TOKEN_BAD);

    assert_bad((struct text){token.data, token.length - 3}, "the signature has the wrong length");
    assert_bad(text_format(context.arena, "%sA", token.data), "the signature has the wrong length");
    assert_bad(sign(TEXT(HEADER), TEXT("{" GOOD_CLAIMS "}"), key, EVP_sha512()), "the signature has the wrong length");
}

static void header(void **state)
{
    (void)state;
    static const struct {
        const char *header, *reason;
    } cases[] = {
        {"{\"alg\":\"HS256\"}", NULL},
        {"{\"typ\":\"JWT\",\"alg\":\"HS256\"}", NULL},
        {"{\"alg\":\"HS256\",\"typ\":null}", NULL},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"1\",\"x\":{}}", NULL},
        {" { \"alg\" : \"HS256\" } ", NULL},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", NULL},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", "alg is not HS256"},
        {"{\"alg\":\"none\"}", "alg is not HS256"},
        {"{\"alg\":\"hs256\"}", "alg is not HS256"},
        {"{\"alg\":\"HS384\"}", "alg is not HS256"},
        {"{\"alg\":\"HS512\"}", "alg is not HS256"},
        {"{\"alg\":\"RS256\"}", "alg is not HS256"},
        {"{\"alg\":\"HS256 \"}", "alg is not HS256"},
        {"{\"alg\":\"\"}", "alg is not HS256"},
        {"{\"alg\":256}", "alg is not HS256"},
        {"{\"alg\":null}", "alg is not HS256"},
        {"{\"alg\":[\"HS256\"]}", "alg is not HS256"},
        {"{\"typ\":\"JWT\"}", "the header has no alg"},
        {"{\"ALG\":\"HS256\"}", "the header has no alg"},
        {"{}", "the header has no alg"},
        {"{\"alg\":\"HS256\",\"crit\":[]}", "the header has crit"},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", "the header has crit"},
        {"{\"alg\":\"HS256\",\"crit\":null}", "the header has crit"},
        {"{\"alg\":\"HS256\",\"b64\":false}", "the header has b64"},
        {"{\"alg\\u0000\":\"HS256\"}", "a segment of the token holds \\u0000"},
        {"{\"alg\":\"HS256\\u0000\"}", "a segment of the token holds \\u0000"},
        {"[\"alg\",\"HS256\"]", "a segment of the token is not a JSON object"},
        {"\"HS256\"", "a segment of the token is not a JSON object"},
        {"{\"alg\":\"HS256\"", "a segment of the token is not valid JSON"},
        {"{'alg':'HS256'}", "a segment of the token is not valid JSON"},
        {"{\"alg\":\"HS256\"}x", "a segment of the token is not valid JSON"},
        {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", "a segment of the token is not UTF-8"},
    };
    struct token result;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text token = token_of(cases[i].header, "{" GOOD_CLAIMS "}");
        if (cases[i].reason != NULL) {
            assert_bad(token, cases[i].reason);
        } else if (verify(token, &result) != TOKEN_GOOD) {
            fail_msg("%s: %s", cases[i].header, result.reason);
        }
    }
    /* Signed as its header says. */
    assert_bad(sign(TEXT("{\"alg\":\"HS512\"}"), TEXT("{" GOOD_CLAIMS "}"), key, EVP_sha512()), "alg is not HS256");
    assert_bad(text_format(context.arena, "%s.%s.AA", encode("{\"alg\":\"none\"}", 14), encode("{\"id\":\"u1\"}", 11)),
               "alg is not HS256");
}

static void claims(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *reason; /* reason NULL: good */
    } cases[] = {
        {"{\"id\":\"u1\"}", "the token has no exp"},
        {"{\"id\":\"u1\",\"exp\":null}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":true}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":[1900000000]}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":\"\"}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":\"-\"}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":\"never\"}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":\"1900000000.5\"}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":\"1900000000x\"}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":1e400}", "exp is not a number"},
        {"{\"id\":\"u1\",\"exp\":1800000000}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":1800000000.9}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":\"1800000000\"}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":0}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":-1}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":-99999999999999999999}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":\"-99999999999999999999\"}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":-1e300}", "the token has expired"},
        {"{\"id\":\"u1\",\"exp\":1800000001}", NULL},
        {"{\"id\":\"u1\",\"exp\":1800000001.5}", NULL},
        {"{\"id\":\"u1\",\"exp\":1.9e9}", NULL},
        {"{\"id\":\"u1\",\"exp\":\"1893456000\"}", NULL},
        {"{\"id\":\"u1\",\"exp\":\" +1893456000 \"}", NULL},

        {"{" GOOD_CLAIMS ",\"iat\":1800000000}", NULL},
        {"{" GOOD_CLAIMS ",\"iat\":1800000000.7}", NULL},
        {"{" GOOD_CLAIMS ",\"iat\":-5}", NULL},
        {"{" GOOD_CLAIMS ",\"iat\":1800000001}", "iat lies in the future"},
        {"{" GOOD_CLAIMS ",\"iat\":99999999999999999999}", "iat lies in the future"},
        {"{" GOOD_CLAIMS ",\"iat\":1e300}", "iat lies in the future"},
        {"{" GOOD_CLAIMS ",\"iat\":null}", "iat is not a number"},
        {"{" GOOD_CLAIMS ",\"iat\":\"soon\"}", "iat is not a number"},
        {"{" GOOD_CLAIMS ",\"iat\":\"1700000000\"}", "iat is not a number"},
        {"{" GOOD_CLAIMS ",\"nbf\":1800000000}", NULL},
        {"{" GOOD_CLAIMS ",\"nbf\":1800000000.9}", NULL},
        {"{" GOOD_CLAIMS ",\"nbf\":1800000001}", "nbf lies in the future"},
        {"{" GOOD_CLAIMS ",\"nbf\":\"x\"}", "nbf is not a number"},
        {"{" GOOD_CLAIMS ",\"nbf\":null}", "nbf is not a number"},

        {"{" GOOD_CLAIMS ",\"aud\":\"x\"}", "the token has an audience (aud)"},
        {"{" GOOD_CLAIMS ",\"aud\":[]}", "the token has an audience (aud)"},
        {"{" GOOD_CLAIMS ",\"aud\":null}", "the token has an audience (aud)"},
        {"{" GOOD_CLAIMS ",\"sub\":\"u1\",\"iss\":1}", NULL},
        {"{" GOOD_CLAIMS ",\"sub\":1}", "sub is not a string"},
        {"{" GOOD_CLAIMS ",\"sub\":null}", "sub is not a string"},
        {"{" GOOD_CLAIMS ",\"jti\":\"\"}", NULL},
        {"{" GOOD_CLAIMS ",\"jti\":1}", "jti is not a string"},
        {"{" GOOD_CLAIMS ",\"jti\":null}", "jti is not a string"},
        {"{" GOOD_CLAIMS ",\"jti\":{}}", "jti is not a string"},

        {"{\"exp\":1800000001}", "the token has no id"},
        {"{\"exp\":1800000001,\"sub\":\"u1\"}", "the token has no id"},
        {"{\"exp\":1800000001,\"ID\":\"u1\"}", "the token has no id"},
        {"{\"id\":\"u\\u0000\",\"exp\":1800000001}", "a segment of the token holds \\u0000"},
        {"{\"id\":\"u1\",\"exp\\u0000\":1800000001}", "a segment of the token holds \\u0000"},
        {"{\"id\":\"\\\\u0001\",\"exp\":1800000001}", NULL},

        {"[\"id\",\"u1\"]", "a segment of the token is not a JSON object"},
        {"null", "a segment of the token is not a JSON object"},
        {"1", "a segment of the token is not a JSON object"},
        {"{" GOOD_CLAIMS, "a segment of the token is not valid JSON"},
        {"{" GOOD_CLAIMS "}}", "a segment of the token is not valid JSON"},
        {"{'id':'u1','exp':1800000001}", "a segment of the token is not valid JSON"},
        {"{\"id\":\"u1\",\"exp\":NaN}", "a segment of the token is not valid JSON"},
        {"{\"id\":\"u1\",\"exp\":Infinity}", "a segment of the token is not valid JSON"},
        {"{\"id\":\"u1\n\",\"exp\":1800000001}", "a segment of the token is not valid JSON"},
        {"{\"id\":\"\xc0\xaf\",\"exp\":1800000001}", "a segment of the token is not UTF-8"},
        {"{\"id\":\"\xed\xa0\x80\",\"exp\":1800000001}", "a segment of the token is not UTF-8"},
    };
    struct token result;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text token = token_of(HEADER, cases[i].payload);
        if (cases[i].reason != NULL) {
            assert_bad(token, cases[i].reason);
        } else if (verify(token, &result) != TOKEN_GOOD) {
            fail_msg("%s: %s", cases[i].payload, result.reason);
        }
    }

    /* A NUL ends nothing. */
    static const char with_nul[] = "{" GOOD_CLAIMS "}\0,\"x\":1}";
    assert_bad(sign(TEXT(HEADER), (struct text){with_nul, sizeof with_nul - 1}, key, EVP_sha256()),
               "a segment of the token is not valid JSON");

    /* Nested deeper than json-c or a stack should go. */
    char deep[4001];
    memset(deep, '[', sizeof deep - 1);
    deep[4000] = '\0';
    assert_bad(token_of(HEADER, deep), "a segment of the token is not valid JSON");
}

static void bad_user(void **state)
{
    (void)state;
    static const char *const ids[] = {"1", "null", "true", "[]", "{\"id\":\"u1\"}", "1.5"};
    struct token result;
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        struct text payload = text_format(context.arena, "{\"id\":%s,\"jti\":\"j\",\"exp\":1800000001}", ids[i]);
        assert_int_equal(verify(token_of(HEADER, payload.data), &result), TOKEN_BAD_USER);
        assert_string_equal(result.reason, "id is not a string");
        assert_null(result.jti.data);
    }
    assert_bad(token_of(HEADER, "{\"id\":1,\"exp\":1}"), "the token has expired");
    assert_int_equal(verify(token_of(HEADER, "{\"id\":\"\",\"exp\":1800000001}"), &result), TOKEN_GOOD);
    assert_non_null(result.id.data);
    assert_int_equal(result.id.length, 0);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *exp;
        int64_t expires_at;
    } cases[] = {{"1893456000", 1893456000},
                 {"\"1893456000\"", 1893456000},
                 {"1893456000.5", 1893456000},
                 {"253402300799", 253402300799},
                 {"253402300800", 253402300799},
                 {"9223372036854775807", 253402300799},
                 {"18446744073709551615", 253402300799},
                 {"99999999999999999999999", 253402300799},
                 {"\"99999999999999999999999\"", 253402300799},
                 {"1e300", 253402300799}};
    struct token result;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct text payload = text_format(context.arena, "{\"id\":\"u\",\"exp\":%s,\"iat\":-1}", cases[i].exp);
        assert_int_equal(verify(token_of(HEADER, payload.data), &result), TOKEN_GOOD);
        assert_int_equal(result.expires_at, cases[i].expires_at);
        assert_int_equal(result.issued_at, 0);
    }

    struct text unlimited = token_of(HEADER, "{\"id\":\"u\",\"iat\":1}");
    assert_int_equal(token_verify(&context, unlimited, &ours, true, &result), TOKEN_GOOD);
    assert_int_equal(result.expires_at, -1);
    assert_int_equal(token_verify(&context, unlimited, &ours, false, &result), TOKEN_BAD);
    assert_int_equal(token_verify(&context, token_of(HEADER, "{\"id\":\"u\",\"exp\":null}"), &ours, true, &result),
                     TOKEN_BAD);
    assert_int_equal(token_verify(&context, token_of(HEADER, "{\"id\":\"u\",\"exp\":1}"), &ours, true, &result),
                     TOKEN_BAD);
}

static void issue(void **state)
{
    (void)state;
    struct token result;
    struct text jti;
    struct text token = token_issue(&context, key, TEXT("user-1"), NOW, NOW + 60, &jti);
    assert_int_equal(verify(token, &result), TOKEN_GOOD);
    assert_true(text_is(result.id, "user-1"));
    assert_true(text_equal(result.jti, jti));
    assert_int_equal(result.issued_at, NOW);
    assert_int_equal(result.expires_at, NOW + 60);

    struct text other_jti;
    struct text unlimited = token_issue(&context, key, TEXT("q\"\\\xc3\xa9"), NOW, -1, &other_jti);
    assert_false(text_equal(jti, other_jti));
    assert_int_equal(verify(unlimited, &result), TOKEN_BAD);
    assert_int_equal(token_verify(&context, unlimited, &ours, true, &result), TOKEN_GOOD);
    assert_true(text_is(result.id, "q\"\\\xc3\xa9"));
    assert_int_equal(result.expires_at, -1);

    /* Far times stay whole. */
    token = token_issue(&context, key, TEXT("u"), NOW, INT64_C(200000000000), &jti);
    assert_int_equal(verify(token, &result), TOKEN_GOOD);
    assert_int_equal(result.expires_at, INT64_C(200000000000));

    /* No id at all. */
    assert_null(token_issue(&context, key, TEXT("a\0b"), NOW, NOW + 60, &jti).data);
    assert_null(token_issue(&context, key, TEXT("a\xff"), NOW, NOW + 60, &jti).data);
    assert_null(token_issue(&context, key, TEXT_NULL, NOW, NOW + 60, &jti).data);
}

/* jansson, which libjwt brings along, exports names that json-c exports too. Both must work side by side, each on
 * its own objects. */
static void two_json_libraries(void **state)
{
    (void)state;
    struct text jti;
    struct text token = token_issue(&context, key, TEXT("user-1"), NOW, NOW + 60, &jti);

    struct json_object *object = json_tokener_parse("{\"a\":{\"b\":[1,2,\"x\"]},\"c\":1.5}");
    assert_int_equal(json_object_get_type(object), json_type_object);

    jwt_t *jwt = NULL;
    assert_int_equal(jwt_decode(&jwt, token.data, (const unsigned char *)key.data, (int)key.length), 0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_HS256);
    assert_string_equal(jwt_get_header(jwt, "typ"), "JWT");
    assert_string_equal(jwt_get_grant(jwt, "id"), "user-1");
    assert_string_equal(jwt_get_grant(jwt, "jti"), jti.data);
    assert_int_equal(jwt_get_grant_int(jwt, "exp"), NOW + 60);
    assert_int_equal(jwt_get_grant_int(jwt, "iat"), NOW);

    struct json_object *inner = NULL;
    assert_true(json_object_object_get_ex(object, "a", &inner));
    inner = json_object_get(inner); /* in jansson this one takes two arguments */
    assert_string_equal(json_object_to_json_string_ext(inner, JSON_C_TO_STRING_PLAIN), "{\"b\":[1,2,\"x\"]}");
    json_object_put(inner);

    char *grants = jwt_get_grants_json(jwt, NULL);
    struct json_object *parsed = json_tokener_parse(grants);
    assert_true(json_object_object_get_ex(parsed, "id", &inner));
    assert_string_equal(json_object_get_string(inner), "user-1");
    json_object_put(parsed);
    json_object_put(object);
    free(grants);
    jwt_free(jwt);
}

static void uuid(void **state)
{
    (void)state;
    struct text last = TEXT_NULL;
    for (int i = 0; i < 100; i++) {
        struct text one = random_uuid(context.arena);
        assert_int_equal(one.length, 36);
        assert_int_equal(strlen(one.data), 36);
        assert_int_equal(strspn(one.data, "0123456789abcdef-"), 36);
        for (size_t at = 0; at < 36; at++) {
            assert_int_equal(one.data[at] == '-', at == 8 || at == 13 || at == 18 || at == 23);
        }
        assert_int_equal(one.data[14], '4');
        assert_non_null(strchr("89ab", one.data[19]));
        assert_false(text_equal(one, last));
        last = one;
    }
}

static void digests(void **state)
{
    (void)state;
    assert_true(text_is(digest_sha256(context.arena, TEXT("")),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_true(text_is(digest_sha256(context.arena, TEXT("abc")),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));

    unsigned char some[1000] = {0};
    size_t zeros = 0;
    random_bytes(some, sizeof some);
    for (size_t i = 0; i < sizeof some; i++) {
        zeros += some[i] == 0;
    }
    assert_in_range(zeros, 0, 50);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(good),   TEST(keys),     TEST(form),         TEST(signature), TEST(header),
        TEST(claims), TEST(bad_user), TEST(times),        TEST(issue),     TEST(two_json_libraries),
        TEST(uuid),   TEST(digests),  TEST(several_keys), TEST(many_keys)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
