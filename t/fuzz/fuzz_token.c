/* fuzz_token.c: a token from anywhere, and what is behind a good signature.
 *
 * The first byte says what the rest is: 'h' a header and 'p' a payload, which are signed with the right key here,
 * since a fuzzer finds no signature; anything else a whole token. 'l' is a lifetime. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/token.h"
#include "base/duration.h"
#include "fuzz.h"

static const struct text key = {"0123456789abcdef0123456789abcdef", 32};
static const struct secret_keys keys = {
    {{"another key of more than thirty-two bytes", 41}, {"0123456789abcdef0123456789abcdef", 32}}, 2};

static struct text encode(struct arena *arena, struct text bytes)
{
    char *encoded = arena_alloc(arena, bytes.length / 3 * 4 + 5);
    size_t length =
        (size_t)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)bytes.data, (int)bytes.length);
    while (length > 0 && encoded[length - 1] == '=') {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    }
    return (struct text){encoded, length};
}

static struct text sign(struct arena *arena, struct text header, struct text payload)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_length = 0;
    struct text first = encode(arena, header), second = encode(arena, payload);
    struct text input = text_format(arena, "%.*s.%.*s", (int)first.length, first.data, (int)second.length, second.data);
    HMAC(EVP_sha256(), key.data, (int)key.length, (const unsigned char *)input.data, input.length, mac, &mac_length);
    struct text third = encode(arena, (struct text){(const char *)mac, mac_length});
    return text_format(arena, "%s.%.*s", input.data, (int)third.length, third.data);
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct text rest = input;
    const char kind = fuzz_take_byte(&rest);
    struct context context = {.arena = arena, .now_seconds = 1800000000};
    struct text token = input;
    if (kind == 'h') {
        token = sign(arena, rest, TEXT("{\"id\":\"u1\",\"exp\":1900000000}"));
    } else if (kind == 'p') {
        token = sign(arena, TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), rest);
    } else if (kind == 'l') {
        int64_t seconds = 0;
        if (duration_parse(rest, &seconds)) {
            require(seconds == -1 || (seconds > 0 && seconds < INT64_C(100000000000)));
        }
    }

    struct token result;
    enum token_verdict verdict = token_verify(&context, token, &keys, kind == 'p' && input.length % 2 == 0, &result);
    if (verdict == TOKEN_GOOD) {
        require(result.reason == NULL && result.id.data != NULL);
        require(text_is_utf8(result.id) && memchr(result.id.data, '\0', result.id.length) == NULL);
        require(result.expires_at == -1 || result.expires_at > context.now_seconds);
        require(result.issued_at >= -1 && result.issued_at <= context.now_seconds);
    } else {
        require(result.reason != NULL && result.id.data == NULL && result.jti.data == NULL && result.expires_at == -1);
    }
}
