/* password.c: hashing and judging passwords.
 *
 * An attacker must not learn from the time of an answer whether an account exists. Behind one question hides work of
 * three kinds: a scrypt hash of the configured cost; no hash at all; and a hash of another cost, which is scrypt
 * from before a change of the configuration, or bcrypt of an imported account. So each takes the time of the longest
 * that is to be expected: of a scrypt hash of the configured cost, or of a bcrypt hash of the cost that accounts may
 * still have (password_expect_bcrypt). Which of the two is longer depends on the machine: with the default
 * parameters and bcrypt's cost 12 each has been seen to be. Where there is no hash, one is computed for nothing;
 * where the work is over too early, hashing goes on for nothing until the thread has used as much processor time as
 * the longest takes in this process, which is known as a moving average. Processor time and not wall time, so that
 * the rest behaves as the work does when other processes want the core.
 *
 * Not hidden: a bcrypt hash of a greater cost than the expected, until its account's first sign-in replaces it; and
 * that this sign-in computes a second hash, but then whoever signs in knows the password. */
#include "auth/password.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <crypt.h>
#include <libscrypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "auth/common_passwords.h"
#include "auth/token.h"
#include "base/log.h"
#include "config/config.h"

enum {
    HASH_LENGTH = SCRYPT_HASH_LEN,
    HASH_ENCODED_LENGTH = (HASH_LENGTH + 2) / 3 * 4,
    SALT_LENGTH = SCRYPT_SALT_LEN,
    SALT_ENCODED_LENGTH = (SALT_LENGTH + 2) / 3 * 4,
    SALT_ENCODED_LENGTH_MOST = 128,
    SCRYPT_FACTOR_MOST = 4,
    BCRYPT_LENGTH = 60,
    BCRYPT_COST_LEAST = 4,
    BCRYPT_COST_MOST = 15,
    BCRYPT_COST_USUAL = 12,
    BCRYPT_PASSWORD_MOST = 72,
    PASSWORD_LENGTH_EVER = 4096, /* the upper limit of password_length_most */
    PATTERN_MATCHES_MOST = 1000000,
    PATTERN_HEAP_KIBIBYTES_MOST = 4096
};

struct scrypt_cost {
    uint64_t n;
    uint32_t r, p;
};

enum kind { KIND_NONE, KIND_SCRYPT, KIND_BCRYPT };

/* A stored hash, taken apart. */
struct stored {
    enum kind kind;
    unsigned bcrypt_cost;
    struct scrypt_cost cost; /* of scrypt */
    unsigned char salt[SALT_ENCODED_LENGTH_MOST];
    size_t salt_length;
    const char *encoded_hash; /* scrypt: HASH_ENCODED_LENGTH characters */
};

static const char base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void password_wipe(struct text text)
{
    if (text.data != NULL)
        explicit_bzero((char *)text.data, text.length);
}

/* Computing, and the time it takes. */

static struct scrypt_cost configured_cost(const struct config *config)
{
    return (struct scrypt_cost){(uint64_t)config->password_scrypt_n, (uint32_t)config->password_scrypt_r,
                                (uint32_t)config->password_scrypt_p};
}

static bool same_cost(struct scrypt_cost left, struct scrypt_cost right)
{
    return left.n == right.n && left.r == right.r && left.p == right.p;
}

static int64_t processor_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What hashes take in this process; 0: not known yet. */
static struct {
    struct scrypt_cost cost; /* the configured one */
    int64_t nanoseconds;
} scrypt_time;

static struct {
    unsigned cost;
    int64_t nanoseconds;
} bcrypt_time;

static unsigned bcrypt_cost_expected = BCRYPT_COST_USUAL;

void password_expect_bcrypt(unsigned cost)
{
    bcrypt_cost_expected = cost <= BCRYPT_COST_MOST ? cost : BCRYPT_COST_MOST;
}

static void add_to_average(int64_t *average, int64_t nanoseconds)
{
    *average += *average == 0 ? nanoseconds : (nanoseconds - *average) / 8;
}

static bool compute_scrypt(struct context *context, struct text password, const unsigned char *salt, size_t salt_length,
                           struct scrypt_cost cost, unsigned char hash_r[HASH_LENGTH])
{
    int64_t started = processor_nanoseconds();
    if (libscrypt_scrypt((const unsigned char *)password.data, password.length, salt, salt_length, cost.n, cost.r,
                         cost.p, hash_r, HASH_LENGTH) != 0) {
        log_error(context,
                  "scrypt with N %" PRIu64 ", r %" PRIu32 ", p %" PRIu32 " failed: %s; it takes %" PRIu64 " MiB",
                  cost.n, cost.r, cost.p, strerror(errno), (128 * cost.n * cost.r) >> 20);
        return false;
    }
    if (same_cost(cost, configured_cost(context->config))) {
        if (!same_cost(cost, scrypt_time.cost))
            scrypt_time.nanoseconds = 0;
        scrypt_time.cost = cost;
        add_to_average(&scrypt_time.nanoseconds, processor_nanoseconds() - started);
    }
    return true;
}

/* `setting` is a hash, or one without its last 31 characters. libxcrypt would ignore what is beyond 72 bytes as
 * well; the copy is cut because it has to be NUL-terminated anyway. False where it fails, else BCRYPT_LENGTH
 * characters. */
static bool compute_bcrypt(struct context *context, struct text password, const char *setting,
                           char hash_r[BCRYPT_LENGTH])
{
    unsigned cost = (unsigned)((setting[4] - '0') * 10 + setting[5] - '0');
    char key[BCRYPT_PASSWORD_MOST + 1] = {0};
    memcpy(key, password.data, password.length < BCRYPT_PASSWORD_MOST ? password.length : BCRYPT_PASSWORD_MOST);

    struct crypt_data *data = arena_zero(context->arena, 1, sizeof *data);
    int64_t started = processor_nanoseconds();
    /* Not crypt_r: it answers a failure with a string, and AddressSanitizer brings its own, so that a sanitized
     * build is not even linked with libcrypt. */
    const char *hash = crypt_rn(key, setting, data, (int)sizeof *data);
    bool computed = hash != NULL && strlen(hash) == BCRYPT_LENGTH;
    if (computed) {
        memcpy(hash_r, hash, BCRYPT_LENGTH);
        if (cost == bcrypt_time.cost)
            add_to_average(&bcrypt_time.nanoseconds, processor_nanoseconds() - started);
    }
    explicit_bzero(data, sizeof *data);
    explicit_bzero(key, sizeof key);
    return computed;
}

/* As compute_scrypt with the configured cost, for nothing. */
static void compute_nothing(struct context *context, struct text password)
{
    static const unsigned char salt[SALT_LENGTH] = {0};
    unsigned char hash[HASH_LENGTH];
    compute_scrypt(context, password, salt, sizeof salt, configured_cost(context->config), hash);
    explicit_bzero(hash, sizeof hash);
}

/* Hashes in pieces of a fraction of a millisecond until the thread has used this much processor time. */
static void compute_until(int64_t nanoseconds)
{
    static const unsigned char nothing[SALT_LENGTH] = {0};
    unsigned char hash[HASH_LENGTH];
    while (processor_nanoseconds() < nanoseconds)
        (void)libscrypt_scrypt(nothing, sizeof nothing, nothing, sizeof nothing, 64, 8, 1, hash, sizeof hash);
}

/* Once per process, the two times are measured, before anything is known of the account. */
static void measure_once(struct context *context, struct text password)
{
    if (scrypt_time.nanoseconds == 0 || !same_cost(scrypt_time.cost, configured_cost(context->config)))
        compute_nothing(context, password);
    if (bcrypt_cost_expected >= BCRYPT_COST_LEAST && bcrypt_time.cost != bcrypt_cost_expected) {
        char setting[sizeof "$2b$00$CCCCCCCCCCCCCCCCCCCCC."];
        char hash[BCRYPT_LENGTH];
        snprintf(setting, sizeof setting, "$2b$%02u$CCCCCCCCCCCCCCCCCCCCC.", bcrypt_cost_expected % 100);
        bcrypt_time.cost = bcrypt_cost_expected;
        bcrypt_time.nanoseconds = 0;
        compute_bcrypt(context, password, setting, hash);
        explicit_bzero(hash, sizeof hash);
    }
}

enum outcome password_hash(struct context *context, struct text password, struct text *hash_r)
{
    struct scrypt_cost cost = configured_cost(context->config);
    unsigned char salt[SALT_LENGTH];
    unsigned char hash[HASH_LENGTH];
    char encoded_salt[SALT_ENCODED_LENGTH + 1];
    char encoded_hash[HASH_ENCODED_LENGTH + 1];
    char *stored = arena_alloc(context->arena, SCRYPT_MCF_LEN);

    if (password.data == NULL || memchr(password.data, '\0', password.length) != NULL)
        return problem_set(context, ERROR_INVALID_PASSWORD);

    token_random_bytes(salt, sizeof salt);
    if (!compute_scrypt(context, password, salt, sizeof salt, cost, hash))
        return problem_set_fault(context, ERROR_UNAVAILABLE);
    EVP_EncodeBlock((unsigned char *)encoded_salt, salt, sizeof salt);
    EVP_EncodeBlock((unsigned char *)encoded_hash, hash, sizeof hash);
    explicit_bzero(hash, sizeof hash);
    invariant((cost.n & (cost.n - 1)) == 0); /* libscrypt_mcf would write the next lower power of two */
    invariant(libscrypt_mcf((uint32_t)cost.n, cost.r, cost.p, encoded_salt, encoded_hash, stored) == 1);
    *hash_r = text_of(stored);
    return OK;
}

/* Stored hashes. */

static int hexadecimal_pair(const char *digits)
{
    int value = 0;
    for (int i = 0; i < 2; i++) {
        char digit = digits[i];
        if (digit >= '0' && digit <= '9')
            value = value * 16 + (digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value * 16 + (digit - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Whether `text` is base64 with padding, no longer than SALT_ENCODED_LENGTH_MOST. */
static bool decode_salt(struct text text, struct stored *stored)
{
    size_t padding = 0;
    if (text.length == 0 || text.length % 4 != 0 || text.length > SALT_ENCODED_LENGTH_MOST)
        return false;
    while (padding < 2 && text.data[text.length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.length - padding; i++)
        if (text.data[i] == '\0' || strchr(base64_alphabet, text.data[i]) == NULL)
            return false;
    int length = EVP_DecodeBlock(stored->salt, (const unsigned char *)text.data, (int)text.length);
    if (length < 0)
        return false;
    stored->salt_length = (size_t)length - padding;
    return true;
}

/* `$s1$NNrrpp$salt$hash`: NN is the exponent of N, all three are hexadecimal, salt and hash base64. */
static bool parse_scrypt(const struct config *config, struct text hash, struct stored *stored)
{
    enum { COSTS_AT = 4, SALT_AT = COSTS_AT + 7 };
    if (hash.length < SALT_AT + 1 + HASH_ENCODED_LENGTH || hash.data[SALT_AT - 1] != '$')
        return false;

    int n = hexadecimal_pair(hash.data + COSTS_AT);
    int r = hexadecimal_pair(hash.data + COSTS_AT + 2);
    int p = hexadecimal_pair(hash.data + COSTS_AT + 4);
    if (n < 1 || n > 31 || r < 1 || p < 1)
        return false;
    stored->cost = (struct scrypt_cost){UINT64_C(1) << n, (uint32_t)r, (uint32_t)p};
    struct scrypt_cost limit = configured_cost(config);
    if (stored->cost.n * stored->cost.r * stored->cost.p > SCRYPT_FACTOR_MOST * limit.n * limit.r * limit.p)
        return false;

    size_t salt_length = hash.length - HASH_ENCODED_LENGTH - 1 - SALT_AT;
    stored->encoded_hash = hash.data + hash.length - HASH_ENCODED_LENGTH;
    return stored->encoded_hash[-1] == '$' && decode_salt((struct text){hash.data + SALT_AT, salt_length}, stored);
}

/* `$2b$NN$`, 22 characters of salt, 31 of hash. */
static bool parse_bcrypt(struct text hash, struct stored *stored)
{
    if (hash.length != BCRYPT_LENGTH || hash.data[6] != '$')
        return false;
    for (size_t i = 7; i < hash.length; i++)
        if (hash.data[i] != '.' &&
            (hash.data[i] == '\0' || hash.data[i] == '+' || strchr(base64_alphabet, hash.data[i]) == NULL))
            return false;

    int tens = hash.data[4] - '0';
    int ones = hash.data[5] - '0';
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9)
        return false;
    stored->bcrypt_cost = (unsigned)(tens * 10 + ones);
    return stored->bcrypt_cost >= BCRYPT_COST_LEAST && stored->bcrypt_cost <= BCRYPT_COST_MOST;
}

static void parse_hash(struct context *context, struct text hash, struct stored *stored_r)
{
    *stored_r = (struct stored){.kind = KIND_NONE};
    if (text_starts_with(hash, "$s1$")) {
        if (parse_scrypt(context->config, hash, stored_r))
            stored_r->kind = KIND_SCRYPT;
    } else if (text_starts_with(hash, "$2a$") || text_starts_with(hash, "$2b$") || text_starts_with(hash, "$2y$")) {
        if (parse_bcrypt(hash, stored_r))
            stored_r->kind = KIND_BCRYPT;
    }

    static int64_t last_logged;
    if (stored_r->kind == KIND_NONE && text_starts_with(hash, "$") && log_due(&last_logged, 60))
        log_warning(context, "an account's password hash is malformed, of an unknown kind, or too expensive; nobody "
                             "can sign in with it");
}

static bool check_scrypt(struct context *context, struct text password, const struct stored *stored)
{
    unsigned char hash[HASH_LENGTH];
    char encoded[HASH_ENCODED_LENGTH + 1];
    bool matches = false;
    if (compute_scrypt(context, password, stored->salt, stored->salt_length, stored->cost, hash)) {
        EVP_EncodeBlock((unsigned char *)encoded, hash, sizeof hash);
        matches = CRYPTO_memcmp(encoded, stored->encoded_hash, HASH_ENCODED_LENGTH) == 0;
    }
    explicit_bzero(hash, sizeof hash);
    explicit_bzero(encoded, sizeof encoded);
    return matches;
}

static bool check_bcrypt(struct context *context, struct text password, struct text hash)
{
    char computed[BCRYPT_LENGTH];
    bool matches = compute_bcrypt(context, password, text_to_string(context->arena, hash), computed) &&
                   CRYPTO_memcmp(computed, hash.data, BCRYPT_LENGTH) == 0;
    explicit_bzero(computed, sizeof computed);
    return matches;
}

struct password_match password_verify(struct context *context, struct text password, struct text hash)
{
    struct stored stored;
    struct password_match match = {false, false};

    /* A null password, and one with a NUL, cost the same and never match; so does one that is too long, cut, since
     * it would take measurably longer with scrypt, but not with bcrypt. */
    if (password.data == NULL)
        password = (struct text){"\0", 1};
    bool usable = password.length <= PASSWORD_LENGTH_EVER && memchr(password.data, '\0', password.length) == NULL;
    if (password.length > PASSWORD_LENGTH_EVER)
        password.length = PASSWORD_LENGTH_EVER;

    measure_once(context, password);
    bool bcrypt_is_longest =
        bcrypt_cost_expected >= BCRYPT_COST_LEAST && bcrypt_time.nanoseconds > scrypt_time.nanoseconds;
    int64_t enough = processor_nanoseconds() + (bcrypt_is_longest ? bcrypt_time.nanoseconds : scrypt_time.nanoseconds);

    parse_hash(context, hash, &stored);
    bool is_configured = same_cost(stored.cost, configured_cost(context->config));
    switch (stored.kind) {
    case KIND_NONE:
        compute_nothing(context, password);
        is_configured = true;
        break;
    case KIND_SCRYPT:
        match.matches = check_scrypt(context, password, &stored) && usable;
        match.outdated = match.matches && !is_configured;
        break;
    case KIND_BCRYPT:
        match.matches = check_bcrypt(context, password, hash) && usable;
        match.outdated = match.matches;
        if (bcrypt_cost_expected < stored.bcrypt_cost && bcrypt_cost_expected < BCRYPT_COST_USUAL)
            bcrypt_cost_expected = stored.bcrypt_cost < BCRYPT_COST_USUAL ? stored.bcrypt_cost : BCRYPT_COST_USUAL;
        break;
    }
    /* A hash of the configured cost has taken its time, give or take; to go on after the quick ones alone would make
     * the average longer. */
    if (!is_configured || bcrypt_is_longest)
        compute_until(enough);
    return match;
}

/* Rules for new passwords. */

static pcre2_code *compile_pattern(const char *pattern, int *error_r, size_t *offset_r)
{
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, error_r,
                         offset_r, NULL);
}

bool password_check_pattern(const char *pattern, const char **error_r)
{
    static char error_text[200];
    if (pattern == NULL || *pattern == '\0')
        return true;

    int error = 0;
    size_t offset = 0;
    pcre2_code *code = compile_pattern(pattern, &error, &offset);
    if (code == NULL) {
        PCRE2_UCHAR reason[120];
        pcre2_get_error_message(error, reason, sizeof reason);
        snprintf(error_text, sizeof error_text, "%s, at offset %zu", (const char *)reason, offset);
        *error_r = error_text;
        return false;
    }
    pcre2_code_free(code);
    return true;
}

/* Whether the pattern is found anywhere in the password. A pattern that takes too many steps does not match, and the
 * operator is told. */
static bool matches_pattern(struct context *context, struct text password)
{
    int error = 0;
    size_t offset = 0;
    pcre2_code *code = compile_pattern(context->config->password_pattern, &error, &offset);
    pcre2_match_data *match_data = code != NULL ? pcre2_match_data_create(1, NULL) : NULL;
    pcre2_match_context *match_context = code != NULL ? pcre2_match_context_create(NULL) : NULL;
    int found = PCRE2_ERROR_NOMEMORY;
    if (match_data != NULL && match_context != NULL) {
        pcre2_set_match_limit(match_context, PATTERN_MATCHES_MOST);
        pcre2_set_heap_limit(match_context, PATTERN_HEAP_KIBIBYTES_MOST);
        found = pcre2_match(code, (PCRE2_SPTR)password.data, password.length, 0, 0, match_data, match_context);
    }
    /* Codes down to PCRE2_ERROR_UTF8_ERR21 say 'no match', or that the password is no UTF-8, which is not the
     * operator's fault. */
    if (found < PCRE2_ERROR_UTF8_ERR21) {
        PCRE2_UCHAR reason[120];
        pcre2_get_error_message(code == NULL ? error : found, reason, sizeof reason);
        log_error(context, "password_pattern can't be applied: %s; the new password was refused", (const char *)reason);
    }
    pcre2_match_context_free(match_context);
    pcre2_match_data_free(match_data);
    pcre2_code_free(code);
    return found >= 0;
}

/* Both without regard to case; `own` is the user's name or address. */
static bool is_own(struct context *context, struct text lower_password, struct text own)
{
    return own.length > 0 && text_equal(lower_password, text_to_lower(context->arena, own));
}

enum outcome password_check_rules(struct context *context, struct text password, struct text email, struct text name)
{
    const struct config *config = context->config;

    if (password.data == NULL)
        password = TEXT("");
    if (password.length > (size_t)config->password_length_most) {
        const char *detail =
            text_format(context->arena, "The password is too long: it may have at most %" PRId64 " byte%s.",
                        config->password_length_most, config->password_length_most == 1 ? "" : "s")
                .data;
        return problem_set_detail(context, ERROR_PASSWORD_TOO_LONG, 0, detail);
    }
    if (password.length < (size_t)config->password_length_least) {
        const char *detail =
            text_format(context->arena, "The password is too short: it must have at least %" PRId64 " byte%s.",
                        config->password_length_least, config->password_length_least == 1 ? "" : "s")
                .data;
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0, detail);
    }
    if (memchr(password.data, '\0', password.length) != NULL)
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                  "The password must not contain the character NUL.");
    if (config->password_pattern != NULL && *config->password_pattern != '\0' && !matches_pattern(context, password))
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                  "The password does not match the pattern that is required here.");
    if (!config->password_refuse_common)
        return OK;

    enum outcome outcome = OK;
    struct text lower = text_to_lower(context->arena, password);
    const char *at = email.data != NULL ? memchr(email.data, '@', email.length) : NULL;
    struct text local_part = {email.data, at != NULL ? (size_t)(at - email.data) : 0};
    if (common_password_is(lower))
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                     "The password is one of the commonest ones; choose another.");
    else if (is_own(context, lower, email) || is_own(context, lower, local_part))
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                     "The password must not be the email address, nor its first part.");
    else if (is_own(context, lower, name))
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0, "The password must not be the name.");
    if (lower.data != password.data)
        password_wipe(lower);
    return outcome;
}
