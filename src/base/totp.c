/* totp.c: see totp.h. */
#include "base/totp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/log.h"

enum { SHA1_LENGTH = 20, MODULUS = 1000000, BITS = 5 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

uint32_t totp_number(const unsigned char *secret, size_t length, uint64_t step)
{
    unsigned char counter[8], mac[SHA1_LENGTH];
    unsigned mac_length = 0;
    for (size_t i = 0; i < sizeof counter; i++) {
        counter[i] = (unsigned char)(step >> (8 * (sizeof counter - 1 - i)));
    }
    invariant(length <= INT32_MAX &&
              HMAC(EVP_sha1(), secret, (int)length, counter, sizeof counter, mac, &mac_length) != NULL &&
              mac_length == sizeof mac);
    const size_t at = mac[SHA1_LENGTH - 1] & 0xF;
    return (uint32_t)(mac[at] & 0x7F) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
}

int64_t totp_match(const unsigned char *secret, size_t length, struct text code, int64_t now_seconds, int64_t last_step)
{
    const int64_t now = now_seconds / TOTP_STEP_SECONDS;
    int64_t found = -1;
    if (code.length != TOTP_DIGITS) {
        return -1;
    }
    for (int64_t step = now + 1; step >= now - 1 && step >= 0; step--) {
        char digits[TOTP_DIGITS];
        uint32_t number = totp_number(secret, length, (uint64_t)step) % MODULUS;
        for (size_t i = TOTP_DIGITS; i-- > 0; number /= 10) {
            digits[i] = (char)('0' + number % 10);
        }
        const bool is_same = CRYPTO_memcmp(digits, code.data, TOTP_DIGITS) == 0;
        found = is_same && step > last_step ? step : found;
        OPENSSL_cleanse(digits, sizeof digits);
    }
    return found;
}

struct text totp_encode(struct arena *arena, const unsigned char *bytes, size_t length)
{
    const size_t count = (length * 8 + BITS - 1) / BITS;
    char *out = arena_alloc(arena, count + 1);
    for (size_t i = 0; i < count; i++) {
        const size_t bit = i * BITS, at = bit / 8;
        const unsigned pair = (unsigned)bytes[at] << 8 | (at + 1 < length ? bytes[at + 1] : 0U);
        out[i] = alphabet[pair >> (16 - BITS - bit % 8) & 31];
    }
    out[count] = '\0';
    return (struct text){out, count};
}

/* The value of a character; -1: it has none. */
static int value_of(char character)
{
    const char *place = character != '\0' ? strchr(alphabet, character & ~0x20) : NULL;
    if (character >= '2' && character <= '7') {
        place = strchr(alphabet, character);
    }
    return place != NULL ? (int)(place - alphabet) : -1;
}

struct text totp_decode(struct arena *arena, struct text text)
{
    char *out = arena_alloc(arena, text.length * BITS / 8 + 1);
    size_t length = 0;
    unsigned buffer = 0, bits = 0;
    for (size_t i = 0; i < text.length; i++) {
        const int value = value_of(text.data[i]);
        if (text.data[i] == '=' || text.data[i] == ' ') {
            continue;
        }
        if (value < 0) {
            return TEXT_NULL;
        }
        buffer = buffer << BITS | (unsigned)value;
        bits += BITS;
        if (bits >= 8) {
            bits -= 8;
            out[length++] = (char)(buffer >> bits & 0xFF);
        }
    }
    out[length] = '\0';
    return length > 0 ? (struct text){out, length} : TEXT_NULL;
}
