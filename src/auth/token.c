/* token.c: JSON Web Tokens.
 *
 * libjwt signs tokens, but does not verify them: it accepts HS384 and HS512 with the same key, ignores `crit`, `nbf`
 * and fractions, accepts invalid characters in base64 (1.10), and writes beyond its buffer on an empty first segment.
 * Its verification also takes three times as long, for each request with a session.
 *
 * Verification here: check the segments; read algorithm and key before a key is used; compute the signature, with an
 * HMAC context of OpenSSL that has the key set already; compare it in constant time; then parse the payload. */
#include "auth/token.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "config/compatibility.h"

enum {
    DIGEST_LENGTH = 32,
    SIGNATURE_LENGTH = 43, /* DIGEST_LENGTH bytes in base64url, without padding */
    HEADER_LENGTH_MAX = 80,
    JSON_DEPTH_MAX = 32
};

/* 9999-12-31 23:59:59 UTC, the last second of dates in header fields and in SQL. A later `exp` counts as this one. */
static const int64_t SECONDS_MAX = 253402300799;

/* Verification. Each step returns NULL, or the reason why the token is refused. */

struct segments {
    struct text header, payload, signature; /* encoded */
    struct text signed_part;                /* header, '.', payload: RFC 7515's signing input */
};

static const char *split_token(struct text token, struct segments *segments_r)
{
    if (token.length > TOKEN_LENGTH_MAX) {
        return "the token is too long";
    }

    struct text parts[3];
    size_t count = 0;
    bool more = true;
    for (struct text rest = token; more; count++) {
        const size_t length = base64_span(BASE64_URL, rest);
        more = length < rest.length;
        if (more && rest.data[length] != '.') {
            return "a character of the token is not in base64url's alphabet";
        }
        if (count == 3) {
            return "the token has more than three segments";
        }
        if (length == 0) {
            return "a segment of the token is empty";
        }
        if (length % 4 == 1) {
            return "a segment of the token has a length that base64url can't have";
        }
        parts[count] = (struct text){rest.data, length};
        rest = (struct text){rest.data + length + more, rest.length - length - more};
    }
    if (count != 3) {
        return "the token has fewer than three segments";
    }
    *segments_r = (struct segments){parts[0], parts[1], parts[2], {token.data, parts[0].length + 1 + parts[1].length}};
    return NULL;
}

static bool holds_escaped_nul(struct text document)
{
    const char *end = document.data + document.length;
    const char *at = document.data;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0) {
            return true;
        }
        at++;
    }
    return false;
}

/* Decodes a segment, and gives the members of the object in it. */
static const char *parse_segment(struct arena *arena, struct text segment, struct json_members *members_r)
{
    struct json_scan scan = json_scan(arena, base64_decode(arena, BASE64_URL, segment), JSON_DEPTH_MAX);
    if (scan.verdict == JSON_NOT_UTF8) {
        return "a segment of the token is not UTF-8";
    }
    if (scan.verdict != JSON_GOOD) {
        return "a segment of the token is not valid JSON";
    }
    /* Other programs may cut the name of a member at \u0000, so that "exp\u0000x" would count as "exp". No token needs
     * it, not even after an escaped backslash. */
    if (holds_escaped_nul(scan.document)) {
        return "a segment of the token holds \\u0000";
    }
    if (scan.bad_strings != NULL) { /* which another character would stand for */
        return "a segment of the token holds half of a surrogate pair";
    }
    return json_text_members(arena, scan.document, members_r) ? NULL : "a segment of the token is not a JSON object";
}

/* The value of a member; of several with one name the last one. The null text where there is none. */
static struct text member_of(const struct json_members *members, struct text name)
{
    for (size_t i = members->count; i-- > 0;) {
        if (text_equal(members->items[i].name, name)) {
            return members->items[i].value;
        }
    }
    return TEXT_NULL;
}

static bool is_string(struct text value)
{
    return value.length > 0 && value.data[0] == '"';
}

/* {"alg":"HS256","typ":"JWT"}, as most programs write it, and the same in the other order. */
static bool is_plain(struct text header)
{
    return text_is(header, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9") ||
           text_is(header, "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9");
}

/* RFC 7515, section 4.1. `crit` names extensions that the recipient must support; none is supported here. `b64` (RFC
 * 7797) is one of them. *kid_r: the key that it names; the null text: none. */
static const char *check_header(struct arena *arena, struct text header, struct text *kid_r)
{
    struct json_members members;
    const char *reason = parse_segment(arena, header, &members);
    if (reason != NULL) {
        return reason;
    }
    const struct text algorithm = member_of(&members, TEXT("alg"));
    if (algorithm.data == NULL) {
        return "the header has no alg";
    }
    if (!is_string(algorithm) || !text_equal(json_text_string(arena, algorithm), TEXT("HS256"))) {
        return "alg is not HS256";
    }
    if (member_of(&members, TEXT("crit")).data != NULL) {
        return "the header has crit";
    }
    if (member_of(&members, TEXT("b64")).data != NULL) {
        return "the header has b64";
    }
    const struct text kid = member_of(&members, TEXT("kid"));
    *kid_r = is_string(kid) ? json_text_string(arena, kid) : TEXT_NULL;
    return NULL;
}

/* A key with what is made of it once per process: with a new HMAC context for each token the signature takes four times
 * as long. */
struct prepared {
    EVP_MAC_CTX *mac;
    struct text key; /* owned */
    char id[TOKEN_KEY_ID_SIZE];
    char header[HEADER_LENGTH_MAX]; /* encoded, as token_issue writes it */
    size_t header_length;
};

static void hmac_sha256(const struct prepared *key, struct text message, unsigned char digest_r[DIGEST_LENGTH])
{
    invariant(EVP_MAC_init(key->mac, NULL, 0, NULL) == 1);
    invariant(EVP_MAC_update(key->mac, (const unsigned char *)message.data, message.length) == 1);
    size_t length = 0;
    invariant(EVP_MAC_final(key->mac, digest_r, &length, DIGEST_LENGTH) == 1);
    invariant(length == DIGEST_LENGTH);
}

/* The id of a key is a part of an HMAC with it, as each token has one: it tells no more of the key than a token does.
 * No token has this HMAC, as what is signed of a token has a dot in it. */
static void name_key(struct prepared *key)
{
    static const char label[] = SECRET_KEY_ID_LABEL;
    unsigned char digest[DIGEST_LENGTH];
    char header[HEADER_LENGTH_MAX];
    hmac_sha256(key, TEXT(label), digest);
    for (size_t i = 0; i + 1 < TOKEN_KEY_ID_SIZE; i++) {
        key->id[i] = hex_digit((unsigned)digest[i / 2] >> (i % 2 == 0 ? 4 : 0));
    }
    int length = snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", key->id);
    key->header_length = base64_encode(BASE64_URL, (const unsigned char *)header, (size_t)length, key->header);
}

static void forget_key(struct prepared *key)
{
    EVP_MAC_CTX_free(key->mac);
    memory_secret_free((void *)key->key.data);
    *key = (struct prepared){.mac = NULL};
}

static void prepare_key(struct prepared *prepared, struct text key)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    invariant(mac != NULL);
    forget_key(prepared);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                               OSSL_PARAM_END};
    prepared->mac = EVP_MAC_CTX_new(mac);
    invariant(prepared->mac != NULL);
    EVP_MAC_free(mac);
    invariant(EVP_MAC_init(prepared->mac, (const unsigned char *)key.data, key.length, parameters) == 1);
    char *copy = memory_secret_alloc(key.length);
    memcpy(copy, key.data, key.length);
    prepared->key = (struct text){copy, key.length};
    name_key(prepared);
}

/* The key in its prepared form. A process has those of its configuration; tests may have more than there is room for.
 */
static const struct prepared *prepared_key(struct text key)
{
    static struct prepared all[SECRET_KEYS_MAX];
    static size_t next;
    for (size_t i = 0; i < SECRET_KEYS_MAX && all[i].mac != NULL; i++) {
        if (all[i].key.length == key.length && CRYPTO_memcmp(all[i].key.data, key.data, key.length) == 0) {
            return &all[i];
        }
    }
    struct prepared *place = &all[next];
    next = (next + 1) % SECRET_KEYS_MAX;
    prepare_key(place, key);
    return place;
}

void token_load_library(void)
{
    struct prepared other = {.mac = NULL};
    prepare_key(&other, TEXT("not a key"));
    forget_key(&other);
}

void token_key_id(struct text key, char id_r[static TOKEN_KEY_ID_SIZE])
{
    memcpy(id_r, prepared_key(key)->id, TOKEN_KEY_ID_SIZE);
}

static const char *check_signature(const struct segments *segments, const struct prepared *key)
{
    if (segments->signature.length != SIGNATURE_LENGTH) {
        return "the signature has the wrong length";
    }

    /* The encoded forms are compared, so that each token has one form only: decoders ignore the last two bits of the
     * 43rd character. */
    unsigned char digest[DIGEST_LENGTH];
    char signature[SIGNATURE_LENGTH + 1];
    hmac_sha256(key, segments->signed_part, digest);
    base64_encode(BASE64_URL, digest, sizeof digest, signature);
    bool same = CRYPTO_memcmp(signature, segments->signature.data, SIGNATURE_LENGTH) == 0;
    OPENSSL_cleanse(digest, sizeof digest);
    OPENSSL_cleanse(signature, sizeof signature);
    return same ? NULL : "the signature is not ours";
}

static bool is_ours(const struct secret_keys *keys, struct text kid)
{
    for (size_t i = 0; kid.data != NULL && i < keys->count; i++) {
        if (text_is(kid, prepared_key(keys->items[i])->id)) {
            return true;
        }
    }
    return false;
}

/* Checks header and signature. A header only chooses among our keys. One that names none of them, as other programs
 * with the same key write it, is tried with each. */
static const char *check_signed(struct arena *arena, const struct segments *segments, const struct secret_keys *keys)
{
    if (keys->count == 0 || keys->items[0].length == 0) {
        return "there is no key to verify with";
    }
    struct text kid = TEXT_NULL;
    const char *reason = NULL;
    if (!is_plain(segments->header)) {
        for (size_t i = 0; i < keys->count; i++) { /* those that token_issue writes */
            const struct prepared *key = prepared_key(keys->items[i]);
            if (text_equal(segments->header, (struct text){key->header, key->header_length})) {
                return check_signature(segments, key);
            }
        }
        reason = check_header(arena, segments->header, &kid);
    }
    if (reason != NULL) {
        return reason;
    }
    const bool is_named = is_ours(keys, kid);
    for (size_t i = 0; i < keys->count; i++) {
        const struct prepared *key = prepared_key(keys->items[i]);
        if (!is_named || text_is(kid, key->id)) {
            reason = check_signature(segments, key);
            if (reason == NULL) {
                return NULL;
            }
        }
    }
    return reason;
}

static int64_t clamp_seconds(int64_t seconds)
{
    return seconds > SECONDS_MAX ? SECONDS_MAX : seconds < -SECONDS_MAX ? -SECONDS_MAX : seconds;
}

/* Digits with an optional sign, of any length; white space around them is ignored, as Python's int() does. */
static bool read_numeric_text(struct text text, int64_t *seconds_r)
{
    text = text_trim(text);
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t at = negative || (text.length > 0 && text.data[0] == '+');
    if (at == text.length) {
        return false;
    }

    int64_t seconds = 0;
    for (; at < text.length; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') {
            return false;
        }
        seconds = clamp_seconds(seconds * 10 + (text.data[at] - '0'));
    }
    *seconds_r = negative ? -seconds : seconds;
    return true;
}

/* A NumericDate (RFC 7519, section 2) in whole seconds; the fraction is truncated. */
static bool read_seconds(struct arena *arena, struct text value, bool text_is_allowed, int64_t *seconds_r)
{
    if (is_string(value)) {
        return text_is_allowed && read_numeric_text(json_text_string(arena, value), seconds_r);
    }
    if (read_numeric_text(value, seconds_r)) {
        return true;
    }
    if (value.data[0] != '-' && !ascii_is_digit(value.data[0])) {
        return false;
    }
    double seconds = strtod(text_to_string(arena, value), NULL);
    if (!isfinite(seconds)) {
        return false;
    }
    *seconds_r = seconds >= (double)SECONDS_MAX    ? SECONDS_MAX
                 : seconds <= -(double)SECONDS_MAX ? -SECONDS_MAX
                                                   : (int64_t)seconds;
    return true;
}

static struct text copy_string(struct arena *arena, struct text value)
{
    return text_copy(arena, json_text_string(arena, value));
}

static const char *check_times(struct context *context, const struct json_members *claims, bool unlimited,
                               struct token *token)
{
    struct arena *arena = context->arena;
    const struct text expires = member_of(claims, TEXT("exp"));
    const struct text issued = member_of(claims, TEXT("iat"));
    const struct text not_before = member_of(claims, TEXT("nbf"));

    if (expires.data != NULL) {
        if (!read_seconds(arena, expires, true, &token->expires_at)) {
            return "exp is not a number";
        }
        if (token->expires_at <= context->now_seconds) {
            return "the token has expired";
        }
    } else if (!unlimited) {
        return "the token has no exp";
    }
    if (issued.data != NULL) {
        if (!read_seconds(arena, issued, false, &token->issued_at)) {
            return "iat is not a number";
        }
        if (token->issued_at > context->now_seconds) {
            return "iat lies in the future";
        }
        if (token->issued_at < 0) {
            token->issued_at = 0; /* -1 means that iat is missing */
        }
    }
    if (not_before.data != NULL) {
        int64_t seconds;
        if (!read_seconds(arena, not_before, false, &seconds)) {
            return "nbf is not a number";
        }
        if (seconds > context->now_seconds) {
            return "nbf lies in the future";
        }
    }
    return NULL;
}

/* Checks all claims except `id`: roster-api(7), JSON Web Tokens. */
static const char *check_claims(struct context *context, const struct json_members *claims, bool unlimited,
                                struct token *token)
{
    const char *reason = check_times(context, claims, unlimited, token);
    if (reason != NULL) {
        return reason;
    }
    if (member_of(claims, TEXT("aud")).data != NULL) {
        return "the token has an audience (aud)";
    }
    const struct text subject = member_of(claims, TEXT("sub"));
    if (subject.data != NULL && !is_string(subject)) {
        return "sub is not a string";
    }
    const struct text jti = member_of(claims, TEXT("jti"));
    if (jti.data != NULL) {
        if (!is_string(jti)) {
            return "jti is not a string";
        }
        token->jti = copy_string(context->arena, jti);
        if (token->jti.length == 0) {
            token->jti = TEXT_NULL; /* an empty jti identifies no session */
        }
    }
    return NULL;
}

static enum token_verdict read_id(struct context *context, const struct json_members *claims, struct token *token)
{
    const struct text id = member_of(claims, TEXT("id"));
    if (id.data == NULL) {
        token->reason = "the token has no id";
        return TOKEN_BAD;
    }
    if (!is_string(id)) {
        token->reason = "id is not a string";
        return TOKEN_BAD_USER;
    }
    token->id = copy_string(context->arena, id);
    return TOKEN_GOOD;
}

/* The claims of CLAIMS. A `typ` that is neither ours nor an automation's is refused; what else has the wrong type
 * counts as missing. */
static enum token_verdict read_claims(struct context *context, const struct json_members *claims, struct token *token)
{
    struct arena *arena = context->arena;
    const struct text type = member_of(claims, TEXT("typ"));
    const struct text method = member_of(claims, TEXT("auth_method"));
    const struct text time = member_of(claims, TEXT("auth_time"));
    const struct text stamp = member_of(claims, TEXT("session_stamp"));
    if (type.data != NULL) {
        const struct text word = is_string(type) ? json_text_string(arena, type) : TEXT_NULL;
        token->is_automation = text_is(word, "automation");
        if (!token->is_automation && !text_is(word, "session")) {
            token->reason = "typ is neither session nor automation";
            return TOKEN_BAD_USER;
        }
    }
    token->claims.auth_method = is_string(method) ? copy_string(arena, method) : TEXT_NULL;
    token->claims.session_stamp = is_string(stamp) ? copy_string(arena, stamp) : TEXT_NULL;
    token->claims.mfa_verified = text_is(member_of(claims, TEXT("mfa_verified")), "true");
    if (time.data == NULL || !read_seconds(arena, time, false, &token->claims.auth_time)) {
        token->claims.auth_time = -1;
    }
    return TOKEN_GOOD;
}

enum token_verdict token_verify(struct context *context, struct text token, const struct secret_keys *keys,
                                bool unlimited, struct token *token_r)
{
    struct segments segments;
    struct json_members claims;

    *token_r = (struct token){.expires_at = -1, .issued_at = -1};
    token_r->reason = split_token(token, &segments);
    if (token_r->reason == NULL) {
        token_r->reason = check_signed(context->arena, &segments, keys);
    }
    if (token_r->reason == NULL) {
        token_r->reason = parse_segment(context->arena, segments.payload, &claims);
    }
    if (token_r->reason == NULL) {
        token_r->reason = check_claims(context, &claims, unlimited, token_r);
    }
    enum token_verdict verdict = token_r->reason == NULL ? read_id(context, &claims, token_r) : TOKEN_BAD;
    if (verdict == TOKEN_GOOD && context->config != NULL && config_behaves(context->config, BEHAVIOUR_CLAIMS)) {
        verdict = read_claims(context, &claims, token_r);
    }
    if (verdict != TOKEN_GOOD) {
        *token_r = (struct token){.expires_at = -1, .issued_at = -1, .reason = token_r->reason};
    }
    return verdict;
}

const struct text *token_stamp(const struct context *context, const struct token *token)
{
    return config_behaves(context->config, BEHAVIOUR_CLAIMS) ? &token->claims.session_stamp : NULL;
}

bool token_read_signed(struct context *context, struct text token, const struct secret_keys *keys,
                       struct token *token_r)
{
    struct segments segments;
    struct json_members claims;

    *token_r = (struct token){.expires_at = -1, .issued_at = -1};
    if (split_token(token, &segments) != NULL || check_signed(context->arena, &segments, keys) != NULL ||
        parse_segment(context->arena, segments.payload, &claims) != NULL ||
        read_id(context, &claims, token_r) != TOKEN_GOOD) {
        return false;
    }
    const struct text jti = member_of(&claims, TEXT("jti"));
    const struct text expires = member_of(&claims, TEXT("exp"));
    if (is_string(jti)) {
        token_r->jti = copy_string(context->arena, jti);
        if (expires.data != NULL && !read_seconds(context->arena, expires, true, &token_r->expires_at)) {
            token_r->expires_at = -1;
        }
    }
    return token_r->jti.length > 0;
}

/* Signing. */

struct text token_issue(struct context *context, struct text key, struct text user_id, int64_t issued_at,
                        int64_t expires_at, struct text *jti_r)
{
    *jti_r = random_uuid(context->arena);
    return token_renew(context, key, user_id, *jti_r, issued_at, expires_at, NULL);
}

struct text token_renew(struct context *context, struct text key, struct text user_id, struct text jti,
                        int64_t issued_at, int64_t expires_at, const struct token_claims *claims)
{
    struct json_writer times;

    invariant(key.length > 0 && key.length <= INT_MAX);
    /* As JSON, since jwt_add_grant_int takes a long, which has 32 bits on some platforms. */
    json_start(&times, context->arena);
    json_begin_object(&times);
    json_member_integer(&times, "iat", issued_at);
    if (expires_at != -1) {
        json_member_integer(&times, "exp", expires_at);
    }
    if (claims != NULL && claims->auth_method.data != NULL) {
        json_member_string(&times, "typ", "session");
        json_member_text(&times, "auth_method", claims->auth_method);
        json_member_integer(&times, "auth_time", claims->auth_time);
        json_member_boolean(&times, "mfa_verified", claims->mfa_verified);
        if (claims->session_stamp.data != NULL) {
            json_member_text(&times, "session_stamp", claims->session_stamp);
        }
    }
    json_end_object(&times);

    jwt_t *jwt = NULL;
    char *encoded = NULL;
    if (user_id.data != NULL && memchr(user_id.data, '\0', user_id.length) == NULL && jwt_new(&jwt) == 0 &&
        jwt_add_grant(jwt, "id", text_to_string(context->arena, user_id)) == 0 &&
        jwt_add_grant(jwt, "jti", jti.data) == 0 && jwt_add_grants_json(jwt, json_finish(&times).data) == 0 &&
        jwt_add_header(jwt, "kid", prepared_key(key)->id) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key.data, (int)key.length) == 0) {
        encoded = jwt_encode_str(jwt);
    }
    struct text token = TEXT_NULL;
    if (encoded != NULL) {
        token = text_copy(context->arena, text_of(encoded));
        OPENSSL_cleanse(encoded, token.length);
    } else {
        log_error(context, "libjwt can't sign a token for this user: the id is not valid UTF-8, or memory is short");
    }
    free(encoded);
    jwt_free(jwt);
    return token;
}
