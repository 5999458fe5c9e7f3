#include "auth/password_crypt.h"

#include <errno.h>

#include <crypt.h>
#include <openssl/crypto.h>

#include "auth/password_apr1.h"
#include "base/array.h"
#include "base/log.h"

enum {
    DES_LENGTH = 13,
    SHA_ROUNDS_USUAL = 5000,
    COST_MAX = 600000, /* microseconds */
    YESCRYPT_KIBIBYTES_MAX = 262144
};

/* The methods, with the length of what follows the last `$`. */
enum method { METHOD_NONE, METHOD_DES, METHOD_MD5, METHOD_APR1, METHOD_SHA256, METHOD_SHA512, METHOD_YESCRYPT };

static const struct {
    const char *prefix;
    enum method method;
    size_t digest_length;
} prefixes[] = {
    {"$1$", METHOD_MD5, 22},    {APR1_PREFIX, METHOD_APR1, 22}, {"$5$", METHOD_SHA256, 43},
    {"$6$", METHOD_SHA512, 86}, {"$y$", METHOD_YESCRYPT, 43},   {"$gy$", METHOD_YESCRYPT, 43},
};

static const char malformed[] = "hashed in a format that can't be verified here";

/* The value of a digit of crypt's base64; -1: it is none. */
static int digit_of(char character)
{
    static const char digits[] = CRYPT_DIGITS;
    const char *found = character != '\0' ? strchr(digits, character) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static bool has_digits_alone(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (digit_of(text.data[i]) < 0) {
            return false;
        }
    }
    return true;
}

/* *rest_r: what follows the prefix, but for the digest at its end and the `$` before it. */
static enum method method_of(struct text hash, struct text *rest_r)
{
    *rest_r = TEXT_NULL;
    if (hash.length == DES_LENGTH && has_digits_alone(hash)) {
        return METHOD_DES;
    }
    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        size_t begin = strlen(prefixes[i].prefix), end = prefixes[i].digest_length;
        if (text_starts_with(hash, prefixes[i].prefix)) {
            if (hash.length > begin + end && hash.data[hash.length - end - 1] == '$' &&
                has_digits_alone((struct text){hash.data + hash.length - end, end})) {
                *rest_r = (struct text){hash.data + begin, hash.length - begin - end - 1};
            }
            return prefixes[i].method;
        }
    }
    return METHOD_NONE;
}

bool crypt_is_hash(struct text hash)
{
    struct text rest;
    return hash.data != NULL && method_of(hash, &rest) != METHOD_NONE;
}

/* `rounds=N$salt` or `salt`; 0: malformed. */
static uint64_t sha_rounds(struct text rest)
{
    if (!text_starts_with(rest, "rounds=")) {
        return SHA_ROUNDS_USUAL;
    }
    struct text number = text_take(&rest, '$');
    int64_t rounds;
    return text_to_integer((struct text){number.data + 7, number.length - 7}, &rounds) && rounds > 0 ? (uint64_t)rounds
                                                                                                     : 0;
}

/* `jNr$salt`, as crypt_gensalt(3) makes it: a character each for the flavour, the exponent of N less 1, and r less 1.
 * Gives the memory in KiB; 0: other parameters. */
static uint64_t yescrypt_kibibytes(struct text rest)
{
    struct text parameters = text_take(&rest, '$');
    int n = parameters.length == 3 ? digit_of(parameters.data[1]) : -1;
    int r = parameters.length == 3 ? digit_of(parameters.data[2]) : -1;
    if (n < 0 || r < 0 || parameters.data[0] != 'j' || n > 31) {
        return 0;
    }
    return ((UINT64_C(1) << (n + 1)) * (uint64_t)(r + 1) + 7) / 8;
}

/* Measured on slow machines. 0: malformed. */
static uint64_t cost_of(enum method method, struct text rest)
{
    switch (method) {
    case METHOD_NONE:
        return 0;
    case METHOD_DES:
        return 100;
    case METHOD_MD5:
    case METHOD_APR1:
        return 400;
    case METHOD_SHA256:
    case METHOD_SHA512:
        return (sha_rounds(rest) * 7 + 9) / 10;
    case METHOD_YESCRYPT:
        return yescrypt_kibibytes(rest) * 2;
    }
    return 0;
}

const char *crypt_judge_hash(struct text hash, uint64_t *cost_r)
{
    struct text rest;
    enum method method = method_of(hash, &rest);
    *cost_r = method == METHOD_DES || rest.data != NULL ? cost_of(method, rest) : 0;
    if (*cost_r == 0 || hash.length >= CRYPT_OUTPUT_SIZE || memchr(hash.data, '\0', hash.length) != NULL) {
        return malformed;
    }
    if (*cost_r > COST_MAX || (method == METHOD_YESCRYPT && yescrypt_kibibytes(rest) > YESCRYPT_KIBIBYTES_MAX)) {
        return "a hash of crypt(3) that takes more memory or time than is allowed here";
    }
    if (method == METHOD_APR1) {
        return NULL;
    }
    char setting[CRYPT_OUTPUT_SIZE] = "";
    memcpy(setting, hash.data, hash.length);
    switch (crypt_checksalt(setting)) {
    case CRYPT_SALT_INVALID:
        return malformed;
    case CRYPT_SALT_METHOD_DISABLED:
        return "a hash of crypt(3) by a method that this system does not have";
    default:
        return NULL;
    }
}

bool crypt_compare(struct context *context, struct text password, struct text hash, bool *matches_r)
{
    const char *setting = text_to_string(context->arena, hash);
    char computed_apr1[APR1_SIZE];
    const char *computed = NULL;
    struct crypt_data *data = NULL;
    const char *key = NULL;
    errno = 0;
    if (text_starts_with(hash, APR1_PREFIX)) {
        computed = apr1_hash(password, hash, computed_apr1) ? computed_apr1 : NULL;
    } else {
        data = arena_zero(context->arena, 1, sizeof *data);
        key = text_to_string(context->arena, password);
        computed = crypt_rn(key, setting, data, (int)sizeof *data);
    }
    bool is_short = computed == NULL && errno == ENOMEM;
    if (is_short) {
        log_error(context, "a hash of crypt(3) could not be computed: %s", strerror(errno));
    }
    *matches_r =
        computed != NULL && strlen(computed) == hash.length && CRYPTO_memcmp(computed, hash.data, hash.length) == 0;
    explicit_bzero(computed_apr1, sizeof computed_apr1);
    if (data != NULL) {
        explicit_bzero(data, sizeof *data);
        explicit_bzero((char *)(uintptr_t)key, password.length);
    }
    return !is_short;
}
