/* token.c: JSON Web Tokens, and the small things made of random bytes and digests around them.
 *
 * libjwt signs. It does not verify: it accepts HS384 and HS512 with the same key, ignores `crit`, `nbf` and
 * fractions, lets junk within base64 pass (1.10), and writes past its block on an empty first segment, so everything
 * would have to be looked at twice. Besides, with it a verification takes three times as long, and every request
 * that carries a session pays for one. Here the segments are checked and the algorithm is read before the key is
 * touched; then the signature is computed anew with a context of OpenSSL's that the key was put into once, and
 * compared in constant time; only then does a parser see the payload. */
#include "auth/token.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <json-c/json.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/json_scan.h"
#include "base/log.h"

enum {
    DIGEST_LENGTH = 32,
    SIGNATURE_LENGTH = 43, /* DIGEST_LENGTH bytes in base64url, without padding */
    JSON_DEPTH_MOST = 32
};

/* 9999-12-31 23:59:59 UTC, the last second that dates in headers and in SQL can tell. A later `exp` counts as this
 * one. */
static const int64_t SECONDS_MOST = 253402300799;

/* A lifetime of more than a thousand years is a mistake, and would reach beyond SECONDS_MOST some day. */
static const int64_t LIFETIME_SECONDS_MOST = INT64_C(1000) * 366 * 86400;

/* Random bytes and digests. */

void token_random_bytes(unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(bytes, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            log_alert(NULL, "the kernel gives no random bytes (getrandom): %s", strerror(errno));
            abort();
        }
        bytes += got;
        size -= (size_t)got;
    }
}

struct text token_new_uuid(struct arena *arena)
{
    unsigned char bytes[16];
    token_random_bytes(bytes, sizeof bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */

    static const char digits[] = "0123456789abcdef";
    char *uuid = arena_alloc(arena, 37);
    size_t length = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            uuid[length++] = '-';
        uuid[length++] = digits[bytes[i] >> 4];
        uuid[length++] = digits[bytes[i] & 0x0f];
    }
    uuid[length] = '\0';
    return (struct text){uuid, length};
}

struct text token_sha256(struct arena *arena, struct text text)
{
    unsigned char digest[DIGEST_LENGTH];
    SHA256((const unsigned char *)text.data, text.length, digest);
    return text_hex(arena, digest, sizeof digest);
}

/* Base64url without padding (RFC 4648, section 5; RFC 7515, section 2). */

static const char base64url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The value of each byte plus one; 0: not in the alphabet. */
static const unsigned char base64url_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64};

/* `encoded` consists of the alphabet, and its length is not 1 modulo 4: split_token has seen to it. */
static struct text base64url_decode(struct arena *arena, struct text encoded)
{
    char *decoded = arena_alloc(arena, encoded.length / 4 * 3 + 3);
    size_t length = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < encoded.length; i++) {
        bits = bits << 6 | (uint32_t)(base64url_values[(unsigned char)encoded.data[i]] - 1);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            decoded[length++] = (char)(unsigned char)(bits >> bit_count & 0xff);
        }
    }
    return (struct text){decoded, length};
}

static void base64url_encode_digest(const unsigned char digest[DIGEST_LENGTH], char encoded_r[SIGNATURE_LENGTH])
{
    size_t length = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < DIGEST_LENGTH; i++) {
        bits = bits << 8 | digest[i];
        for (bit_count += 8; bit_count >= 6; length++) {
            bit_count -= 6;
            encoded_r[length] = base64url_alphabet[bits >> bit_count & 0x3f];
        }
    }
    encoded_r[length] = base64url_alphabet[bits << (6 - bit_count) & 0x3f];
}

/* Verification. Each step answers NULL, or the reason why the token is refused. */

struct segments {
    struct text header, payload, signature; /* encoded */
    struct text signed_part;                /* header, '.', payload: RFC 7515's signing input */
};

static const char *split_token(struct text token, struct segments *segments_r)
{
    if (token.length > TOKEN_LENGTH_MOST)
        return "the token is too long";

    struct text parts[3];
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= token.length; i++) {
        if (i < token.length && token.data[i] != '.') {
            if (base64url_values[(unsigned char)token.data[i]] == 0)
                return "a character of the token is not in base64url's alphabet";
            continue;
        }
        if (count == 3)
            return "the token has more than three segments";
        if (i == start)
            return "a segment of the token is empty";
        if ((i - start) % 4 == 1)
            return "a segment of the token has a length that base64url can't have";
        parts[count++] = (struct text){token.data + start, i - start};
        start = i + 1;
    }
    if (count != 3)
        return "the token has fewer than three segments";
    *segments_r = (struct segments){parts[0], parts[1], parts[2], {token.data, parts[0].length + 1 + parts[1].length}};
    return NULL;
}

static bool holds_escaped_nul(struct text document)
{
    const char *end = document.data + document.length;
    const char *at = document.data;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            return true;
        at++;
    }
    return false;
}

/* Decodes and parses a segment; *object_r is an object, to be freed with json_object_put. */
static const char *parse_segment(struct arena *arena, struct text segment, struct json_object **object_r)
{
    static struct json_tokener *tokener;

    struct json_scan scan = json_scan(arena, base64url_decode(arena, segment), JSON_DEPTH_MOST);
    if (scan.verdict == JSON_NOT_UTF8)
        return "a segment of the token is not UTF-8";
    if (scan.verdict != JSON_GOOD)
        return "a segment of the token is no JSON";
    /* json-c ends the name of a member at \u0000, so that "exp\u0000x" would pass for "exp". No claim of anybody's
     * has reason to hold it, not even behind an escaped backslash. */
    if (holds_escaped_nul(scan.document))
        return "a segment of the token holds \\u0000";
    if (scan.bad_strings != NULL) /* json-c would put another character in its place */
        return "a segment of the token holds half of a surrogate pair";

    /* Not JSON_TOKENER_STRICT: the scan was, and json-c 0.18 then refuses good texts (see validate.c). */
    if (tokener == NULL) {
        tokener = json_tokener_new_ex(JSON_DEPTH_MOST);
        invariant(tokener != NULL);
    }
    json_tokener_reset(tokener);
    struct json_object *object = json_tokener_parse_ex(tokener, scan.document.data, (int)scan.document.length);
    if (json_object_get_type(object) != json_type_object) {
        json_object_put(object);
        return "a segment of the token is no JSON object";
    }
    *object_r = object;
    return NULL;
}

/* RFC 7515, section 4.1. `crit` names extensions that have to be understood, and we understand none; `b64` (RFC
 * 7797) is such a one. */
static const char *check_header(struct arena *arena, struct text header)
{
    /* {"alg":"HS256","typ":"JWT"}, as libjwt and most others write it, and the same the other way round. */
    if (text_is(header, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9") ||
        text_is(header, "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"))
        return NULL;

    struct json_object *object;
    const char *reason = parse_segment(arena, header, &object);
    if (reason != NULL)
        return reason;

    struct json_object *value;
    if (!json_object_object_get_ex(object, "alg", &value))
        reason = "the header has no alg";
    else if (json_object_get_type(value) != json_type_string ||
             !text_equal((struct text){json_object_get_string(value), (size_t)json_object_get_string_len(value)},
                         TEXT("HS256")))
        reason = "alg is not HS256";
    else if (json_object_object_get_ex(object, "crit", NULL))
        reason = "the header has crit";
    else if (json_object_object_get_ex(object, "b64", NULL))
        reason = "the header has b64";
    json_object_put(object);
    return reason;
}

/* The key's share of an HMAC is computed once per process and key: with the key put in anew for each token the
 * signature takes four times as long. A worker has one key all its life; rosterctl and the tests may have several. */
static void hmac_sha256(struct text key, struct text message, unsigned char digest_r[DIGEST_LENGTH])
{
    static EVP_MAC_CTX *prepared;
    static struct text prepared_key;

    if (prepared == NULL || prepared_key.length != key.length ||
        CRYPTO_memcmp(prepared_key.data, key.data, key.length) != 0) {
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        invariant(mac != NULL);
        EVP_MAC_CTX_free(prepared);
        OPENSSL_clear_free((void *)prepared_key.data, prepared_key.length);

        OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                                   OSSL_PARAM_END};
        prepared = EVP_MAC_CTX_new(mac);
        invariant(prepared != NULL);
        EVP_MAC_free(mac);
        invariant(EVP_MAC_init(prepared, (const unsigned char *)key.data, key.length, parameters) == 1);
        prepared_key = (struct text){OPENSSL_memdup(key.data, key.length), key.length};
        invariant(prepared_key.data != NULL);
    }
    size_t length = 0;
    invariant(EVP_MAC_init(prepared, NULL, 0, NULL) == 1);
    invariant(EVP_MAC_update(prepared, (const unsigned char *)message.data, message.length) == 1);
    invariant(EVP_MAC_final(prepared, digest_r, &length, DIGEST_LENGTH) == 1);
    invariant(length == DIGEST_LENGTH);
}

static const char *check_signature(const struct segments *segments, struct text key)
{
    if (key.length == 0)
        return "there is no key to verify with";
    if (segments->signature.length != SIGNATURE_LENGTH)
        return "the signature has the wrong length";

    /* The encoded forms are compared, so that each token has one spelling: decoders ignore the last two bits of the
     * 43rd character. */
    unsigned char digest[DIGEST_LENGTH];
    char signature[SIGNATURE_LENGTH];
    hmac_sha256(key, segments->signed_part, digest);
    base64url_encode_digest(digest, signature);
    bool same = CRYPTO_memcmp(signature, segments->signature.data, SIGNATURE_LENGTH) == 0;
    OPENSSL_cleanse(digest, sizeof digest);
    OPENSSL_cleanse(signature, sizeof signature);
    return same ? NULL : "the signature is not ours";
}

static int64_t clamp_seconds(int64_t seconds)
{
    return seconds > SECONDS_MOST ? SECONDS_MOST : seconds < -SECONDS_MOST ? -SECONDS_MOST : seconds;
}

/* Digits with an optional sign, of any length; white space around them is ignored, as Python's int() does. */
static bool read_numeric_text(struct text text, int64_t *seconds_r)
{
    text = text_trim(text);
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t at = negative || (text.length > 0 && text.data[0] == '+');
    if (at == text.length)
        return false;

    int64_t seconds = 0;
    for (; at < text.length; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        seconds = clamp_seconds(seconds * 10 + (text.data[at] - '0'));
    }
    *seconds_r = negative ? -seconds : seconds;
    return true;
}

/* A NumericDate (RFC 7519, section 2) in whole seconds, its fraction cut off. */
static bool read_seconds(struct json_object *value, bool text_is_allowed, int64_t *seconds_r)
{
    switch (json_object_get_type(value)) {
    case json_type_int:
        *seconds_r = clamp_seconds(json_object_get_int64(value)); /* json-c has clamped what is beyond 64 bits */
        return true;
    case json_type_double: {
        double seconds = json_object_get_double(value);
        if (!isfinite(seconds))
            return false;
        *seconds_r = seconds >= (double)SECONDS_MOST    ? SECONDS_MOST
                     : seconds <= -(double)SECONDS_MOST ? -SECONDS_MOST
                                                        : (int64_t)seconds;
        return true;
    }
    case json_type_string:
        return text_is_allowed &&
               read_numeric_text(
                   (struct text){json_object_get_string(value), (size_t)json_object_get_string_len(value)}, seconds_r);
    default:
        return false;
    }
}

static struct text copy_string(struct arena *arena, struct json_object *value)
{
    return text_copy(arena, (struct text){json_object_get_string(value), (size_t)json_object_get_string_len(value)});
}

/* api.md, 'Who is calling', step 3, all but `id`. */
static const char *check_claims(struct context *context, struct json_object *claims, bool unlimited,
                                struct token *token)
{
    struct json_object *value;
    int64_t not_before;

    if (json_object_object_get_ex(claims, "exp", &value)) {
        if (!read_seconds(value, true, &token->expires_at))
            return "exp is no number";
        if (token->expires_at <= context->now_seconds)
            return "the token has expired";
    } else if (!unlimited)
        return "the token has no exp";

    if (json_object_object_get_ex(claims, "iat", &value)) {
        if (!read_seconds(value, false, &token->issued_at))
            return "iat is no number";
        if (token->issued_at > context->now_seconds)
            return "iat lies in the future";
        if (token->issued_at < 0)
            token->issued_at = 0; /* -1 means that there is none */
    }
    if (json_object_object_get_ex(claims, "nbf", &value)) {
        if (!read_seconds(value, false, &not_before))
            return "nbf is no number";
        if (not_before > context->now_seconds)
            return "nbf lies in the future";
    }
    if (json_object_object_get_ex(claims, "aud", NULL))
        return "the token is for some audience (aud)";
    if (json_object_object_get_ex(claims, "sub", &value) && json_object_get_type(value) != json_type_string)
        return "sub is no text";
    if (json_object_object_get_ex(claims, "jti", &value)) {
        if (json_object_get_type(value) != json_type_string)
            return "jti is no text";
        token->jti = copy_string(context->arena, value);
    }
    return NULL;
}

static enum token_verdict read_id(struct context *context, struct json_object *claims, struct token *token)
{
    struct json_object *id;
    if (!json_object_object_get_ex(claims, "id", &id)) {
        token->reason = "the token has no id";
        return TOKEN_BAD;
    }
    if (json_object_get_type(id) != json_type_string) {
        token->reason = "id is no text";
        return TOKEN_BAD_USER;
    }
    token->id = copy_string(context->arena, id);
    return TOKEN_GOOD;
}

enum token_verdict token_verify(struct context *context, struct text token, struct text key, bool unlimited,
                                struct token *token_r)
{
    struct segments segments;
    struct json_object *claims = NULL;
    enum token_verdict verdict = TOKEN_BAD;

    *token_r = (struct token){.expires_at = -1, .issued_at = -1};
    token_r->reason = split_token(token, &segments);
    if (token_r->reason == NULL)
        token_r->reason = check_header(context->arena, segments.header);
    if (token_r->reason == NULL)
        token_r->reason = check_signature(&segments, key);
    if (token_r->reason == NULL)
        token_r->reason = parse_segment(context->arena, segments.payload, &claims);
    if (token_r->reason == NULL)
        token_r->reason = check_claims(context, claims, unlimited, token_r);
    if (token_r->reason == NULL)
        verdict = read_id(context, claims, token_r);

    json_object_put(claims);
    if (verdict != TOKEN_GOOD)
        *token_r = (struct token){.expires_at = -1, .issued_at = -1, .reason = token_r->reason};
    return verdict;
}

/* Signing. */

struct text token_issue(struct context *context, struct text key, struct text user_id, int64_t issued_at,
                        int64_t expires_at, struct text *jti_r)
{
    struct text jti = token_new_uuid(context->arena);
    struct text token = {NULL, 0};
    char times[80];

    invariant(key.length > 0 && key.length <= INT_MAX);
    /* As JSON, since jwt_add_grant_int takes a long, which has 32 bits on some machines. */
    if (expires_at == -1)
        snprintf(times, sizeof times, "{\"iat\":%" PRId64 "}", issued_at);
    else
        snprintf(times, sizeof times, "{\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", issued_at, expires_at);

    jwt_t *jwt = NULL;
    char *encoded = NULL;
    if (user_id.data != NULL && memchr(user_id.data, '\0', user_id.length) == NULL && jwt_new(&jwt) == 0 &&
        jwt_add_grant(jwt, "id", text_to_string(context->arena, user_id)) == 0 &&
        jwt_add_grant(jwt, "jti", jti.data) == 0 && jwt_add_grants_json(jwt, times) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key.data, (int)key.length) == 0)
        encoded = jwt_encode_str(jwt);
    if (encoded != NULL) {
        token = text_copy(context->arena, text_of(encoded));
        OPENSSL_cleanse(encoded, token.length);
    } else
        log_error(context, "libjwt signs no token for this user: the id is no text of UTF-8, or memory is missing");
    free(encoded);
    jwt_free(jwt);
    *jti_r = jti;
    return token;
}

/* Lifetimes. */

/* The unit at the start of `text`, in milliseconds; 0 where there is none. */
static int64_t unit_milliseconds(struct text text, size_t *length_r)
{
    static const struct {
        const char *name;
        int64_t milliseconds;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}}; /* ms before m */

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text_starts_with(text, units[i].name)) {
            *length_r = strlen(units[i].name);
            return units[i].milliseconds;
        }
    return 0;
}

static bool is_digit(struct text text, size_t at)
{
    return at < text.length && text.data[at] >= '0' && text.data[at] <= '9';
}

bool token_parse_lifetime(struct text text, int64_t *seconds_r)
{
    if (text_is(text, "-1") || text_is(text, "0")) {
        *seconds_r = -1;
        return true;
    }

    const int64_t milliseconds_most = LIFETIME_SECONDS_MOST * 1000;
    int64_t total = 0;
    size_t at = 0;
    while (at < text.length) {
        if (!is_digit(text, at))
            return false;
        int64_t whole = 0;
        for (; is_digit(text, at); at++) {
            whole = whole * 10 + (text.data[at] - '0');
            if (whole > milliseconds_most)
                return false;
        }

        int64_t fraction = 0;
        int64_t scale = 1;
        if (at < text.length && text.data[at] == '.') {
            at++;
            if (!is_digit(text, at))
                return false;
            for (; is_digit(text, at); at++)
                if (scale < 1000000000) { /* the tenth digit after the point is below a millisecond in every unit */
                    fraction = fraction * 10 + (text.data[at] - '0');
                    scale *= 10;
                }
        }

        size_t unit_length = 0;
        int64_t unit = unit_milliseconds((struct text){text.data + at, text.length - at}, &unit_length);
        if (unit == 0 || whole > milliseconds_most / unit)
            return false;
        at += unit_length;
        total += whole * unit + fraction * unit / scale;
        if (total > milliseconds_most)
            return false;
    }
    /* Rounded up: a lifetime of less than a second must not become 0, which would read as unlimited. One of nothing
     * at all ("0s", or the empty text) would lock everybody out and is refused. */
    *seconds_r = (total + 999) / 1000;
    return total > 0;
}
