/* password.c: hashes, verifies and checks passwords.
 *
 * The response time must not reveal whether an account exists. A verification may have to compute a scrypt hash of the
 * configured cost, no hash (unknown account), or a hash of another cost: scrypt from before a change of the
 * configuration, or bcrypt, Argon2 or one of crypt(3) of an imported account. So each verification takes the time of
 * the longest hash that is expected:
 * - scrypt of the configured cost
 * - bcrypt or Argon2 of the highest cost that accounts have (password_expect_bcrypt, password_expect_argon2)
 * - crypt(3) of the highest cost that this process has met; by default these cost far less than scrypt
 * - scrypt from before the cost was lowered (password_expect_scrypt), up to four times the configured cost
 * Which of them takes longest depends on the machine.
 *
 * Without a stored hash, a dummy hash is computed. A verification that ends early goes on hashing dummy data until the
 * thread has used the processor time of the longest hash, which is a moving average in this process. Processor time and
 * not wall time, so that a busy machine delays this work as much as a real hash.
 *
 * Not hidden: a hash of a higher cost than expected, until password_verify has met one; and that a successful sign-in
 * with an outdated hash computes a second one (that client knows the password). */
#include "auth/password.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <crypt.h>
#include <libscrypt.h>
#include <openssl/crypto.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "auth/common_passwords.h"
#include "auth/password_argon2.h"
#include "auth/password_crypt.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/config.h"

enum {
    HASH_LENGTH = SCRYPT_HASH_LEN,
    HASH_ENCODED_LENGTH = (HASH_LENGTH + 2) / 3 * 4,
    SALT_LENGTH = SCRYPT_SALT_LEN,
    SALT_ENCODED_LENGTH = (SALT_LENGTH + 2) / 3 * 4,
    SALT_ENCODED_LENGTH_MAX = 128,
    /* the longest time may be that of hashes up to so many times the configured cost */
    SCRYPT_HIDDEN_FACTOR = 4,
    SCRYPT_WORK_MAX = 16777216, /* N * r * p of a stored hash: a few seconds */
    BCRYPT_LENGTH = 60,
    BCRYPT_COST_MIN = 4,
    BCRYPT_COST_MAX = 15,
    BCRYPT_COST_USUAL = 12,
    BCRYPT_PASSWORD_MAX = 72,
    PASSWORD_LENGTH_EVER = 4096, /* the upper limit of password_length_most */
    PATTERN_MATCHES_MAX = 1000000,
    PATTERN_HEAP_KIBIBYTES_MAX = 4096
};

enum kind { KIND_NONE, KIND_SCRYPT, KIND_BCRYPT, KIND_ARGON2, KIND_CRYPT };

/* A parsed stored hash. */
struct stored {
    enum kind kind;
    unsigned bcrypt_cost;
    struct argon2_hash argon2;
    uint64_t crypt_cost;
    struct scrypt_cost cost; /* of scrypt */
    unsigned char salt[SALT_ENCODED_LENGTH_MAX];
    size_t salt_length;
    const char *encoded_hash; /* scrypt: HASH_ENCODED_LENGTH characters */
};

void password_wipe(struct text text)
{
    if (text.data != NULL) {
        explicit_bzero((char *)text.data, text.length);
    }
}

/* Computing, and the time it takes. */

static uint64_t work_of(struct scrypt_cost cost)
{
    return cost.n * cost.r * cost.p;
}

int64_t password_cost_memory(struct scrypt_cost cost)
{
    return (int64_t)(128 * cost.n * cost.r);
}

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

/* The processor time of hashes in this process; 0: not known yet. */
static struct {
    struct scrypt_cost cost; /* the configured one */
    int64_t nanoseconds;
} scrypt_time;

static struct {
    unsigned cost;
    int64_t nanoseconds;
} bcrypt_time;

/* The most expensive Argon2 hash that is expected; memory_kibibytes 0: no Argon2 hash is expected. */
static struct {
    struct argon2_hash parameters;
    int64_t nanoseconds;
} argon2_time;

/* The most expensive hash of crypt(3) that was met; cost 0: none was. */
static struct {
    uint64_t cost;
    int64_t nanoseconds;
} crypt_time;

/* The most expensive scrypt hash of the accounts, where it takes longer than the configured cost; n 0: no such hash. */
static struct {
    struct scrypt_cost cost;
    int64_t nanoseconds;
} old_scrypt_time;

static unsigned bcrypt_cost_expected = BCRYPT_COST_USUAL;

void password_expect_scrypt(const struct config *config, struct scrypt_cost cost)
{
    const uint64_t configured = work_of(configured_cost(config));
    const uint64_t known = work_of(old_scrypt_time.cost);
    if (work_of(cost) > configured && work_of(cost) <= SCRYPT_HIDDEN_FACTOR * configured && work_of(cost) > known &&
        password_cost_is_allowed(config, cost)) {
        old_scrypt_time.cost = cost;
        old_scrypt_time.nanoseconds = 0;
    }
}

void password_expect_bcrypt(unsigned cost)
{
    bcrypt_cost_expected = cost <= BCRYPT_COST_MAX ? cost : BCRYPT_COST_MAX;
}

static void expect_argon2(const struct argon2_hash *hash)
{
    if (argon2_cost(hash) > argon2_cost(&argon2_time.parameters)) {
        argon2_time.parameters = *hash;
        argon2_time.nanoseconds = 0;
    }
}

void password_expect_argon2(struct text hash)
{
    struct argon2_hash parsed;
    if (hash.data == NULL) {
        argon2_time.parameters = (struct argon2_hash){.memory_kibibytes = 0};
    } else if (argon2_is_available() && argon2_parse(hash, &parsed) == NULL) {
        expect_argon2(&parsed);
    }
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
        if (!same_cost(cost, scrypt_time.cost)) {
            scrypt_time.nanoseconds = 0;
        }
        scrypt_time.cost = cost;
        add_to_average(&scrypt_time.nanoseconds, processor_nanoseconds() - started);
    } else if (same_cost(cost, old_scrypt_time.cost)) {
        add_to_average(&old_scrypt_time.nanoseconds, processor_nanoseconds() - started);
    }
    return true;
}

/* `setting` is a hash, or one without its last 31 characters. The password is cut at 72 bytes, as libxcrypt does, in
 * the NUL-terminated copy. True with BCRYPT_LENGTH characters; false where it fails. */
static bool compute_bcrypt(struct context *context, struct text password, const char *setting,
                           char hash_r[BCRYPT_LENGTH])
{
    unsigned cost = (unsigned)((setting[4] - '0') * 10 + setting[5] - '0');
    char key[BCRYPT_PASSWORD_MAX + 1] = {0};
    memcpy(key, password.data, password.length < BCRYPT_PASSWORD_MAX ? password.length : BCRYPT_PASSWORD_MAX);

    struct crypt_data *data = arena_zero(context->arena, 1, sizeof *data);
    int64_t started = processor_nanoseconds();
    /* Not crypt_r: it returns a string on failure, and AddressSanitizer replaces it, so that a sanitized build would
     * not be linked with libcrypt. */
    const char *hash = crypt_rn(key, setting, data, (int)sizeof *data);
    bool computed = hash != NULL && strlen(hash) == BCRYPT_LENGTH;
    if (computed) {
        memcpy(hash_r, hash, BCRYPT_LENGTH);
        if (cost == bcrypt_time.cost) {
            add_to_average(&bcrypt_time.nanoseconds, processor_nanoseconds() - started);
        }
    }
    explicit_bzero(data, sizeof *data);
    explicit_bzero(key, sizeof key);
    return computed;
}

/* False where it fails. */
static bool compute_argon2(struct context *context, struct text password, const struct argon2_hash *hash,
                           bool *matches_r)
{
    int64_t started = processor_nanoseconds();
    bool computed = argon2_compare(context, password, hash, matches_r);
    if (computed && argon2_cost(hash) == argon2_cost(&argon2_time.parameters)) {
        add_to_average(&argon2_time.nanoseconds, processor_nanoseconds() - started);
    }
    return computed;
}

/* False where it fails. A NUL ends the password. */
static bool compute_crypt(struct context *context, struct text password, struct text hash, uint64_t cost,
                          bool *matches_r)
{
    int64_t started = processor_nanoseconds();
    bool computed = crypt_compare(context, password, hash, matches_r);
    if (cost > crypt_time.cost) {
        crypt_time.cost = cost;
        crypt_time.nanoseconds = 0;
    }
    if (computed && cost == crypt_time.cost) {
        add_to_average(&crypt_time.nanoseconds, processor_nanoseconds() - started);
    }
    return computed;
}

/* Computes a dummy hash; the result is as that of compute_scrypt. */
static bool compute_nothing(struct context *context, struct text password, struct scrypt_cost cost)
{
    static const unsigned char salt[SALT_LENGTH] = {0};
    unsigned char hash[HASH_LENGTH];
    bool computed = compute_scrypt(context, password, salt, sizeof salt, cost, hash);
    explicit_bzero(hash, sizeof hash);
    return computed;
}

/* Hashes in steps of less than a millisecond until the thread has used this much processor time. */
static void compute_until(int64_t nanoseconds)
{
    static const unsigned char nothing[SALT_LENGTH] = {0};
    unsigned char hash[HASH_LENGTH];
    while (processor_nanoseconds() < nanoseconds) {
        (void)libscrypt_scrypt(nothing, sizeof nothing, nothing, sizeof nothing, 64, 8, 1, hash, sizeof hash);
    }
}

/* Measures the times, once per process, before the account is known. */
static void measure_once(struct context *context, struct text password)
{
    if (scrypt_time.nanoseconds == 0 || !same_cost(scrypt_time.cost, configured_cost(context->config))) {
        compute_nothing(context, password, configured_cost(context->config));
    }
    if (old_scrypt_time.cost.n != 0 && old_scrypt_time.nanoseconds == 0) {
        compute_nothing(context, password, old_scrypt_time.cost);
    }
    if (bcrypt_cost_expected >= BCRYPT_COST_MIN && bcrypt_time.cost != bcrypt_cost_expected) {
        char setting[sizeof "$2b$00$CCCCCCCCCCCCCCCCCCCCC."];
        snprintf(setting, sizeof setting, "$2b$%02u$CCCCCCCCCCCCCCCCCCCCC.", bcrypt_cost_expected % 100);
        bcrypt_time.cost = bcrypt_cost_expected;
        bcrypt_time.nanoseconds = 0;
        char hash[BCRYPT_LENGTH];
        compute_bcrypt(context, password, setting, hash);
        explicit_bzero(hash, sizeof hash);
    }
    if (argon2_time.parameters.memory_kibibytes > 0 && argon2_time.nanoseconds == 0) {
        bool ignored;
        compute_argon2(context, password, &argon2_time.parameters, &ignored);
    }
}

enum outcome password_hash(struct context *context, struct text password, struct text *hash_r)
{
    struct scrypt_cost cost = configured_cost(context->config);
    char *stored = arena_alloc(context->arena, SCRYPT_MCF_LEN);

    if (password.data == NULL || memchr(password.data, '\0', password.length) != NULL) {
        return problem_set(context, ERROR_INVALID_PASSWORD);
    }

    unsigned char salt[SALT_LENGTH];
    random_bytes(salt, sizeof salt);
    unsigned char hash[HASH_LENGTH];
    if (!compute_scrypt(context, password, salt, sizeof salt, cost, hash)) {
        return problem_set_unavailable(context);
    }
    char encoded_salt[SALT_ENCODED_LENGTH + 1];
    base64_encode(BASE64_PADDED, salt, sizeof salt, encoded_salt);
    char encoded_hash[HASH_ENCODED_LENGTH + 1];
    base64_encode(BASE64_PADDED, hash, sizeof hash, encoded_hash);
    explicit_bzero(hash, sizeof hash);
    invariant((cost.n & (cost.n - 1)) == 0); /* libscrypt_mcf would write the next lower power of two */
    invariant(libscrypt_mcf((uint32_t)cost.n, cost.r, cost.p, encoded_salt, encoded_hash, stored) == 1);
    *hash_r = text_of(stored);
    return OK;
}

/* Stored hashes. */

/* Whether `text` is base64 with padding, no longer than SALT_ENCODED_LENGTH_MAX. */
static bool decode_salt(struct text text, struct stored *stored)
{
    return text.length > 0 && text.length <= SALT_ENCODED_LENGTH_MAX &&
           base64_decode_into(BASE64_PADDED, text, stored->salt, sizeof stored->salt, &stored->salt_length);
}

bool password_read_cost(struct text digits, struct scrypt_cost *cost_r)
{
    unsigned char cost[3]; /* the exponent of N, r and p */
    if (!hex_decode(digits, cost, sizeof cost) || cost[0] < 1 || cost[0] > 31 || cost[1] < 1 || cost[2] < 1) {
        return false;
    }
    *cost_r = (struct scrypt_cost){UINT64_C(1) << cost[0], cost[1], cost[2]};
    return true;
}

/* The configured cost is allowed, and each that may have been configured before; but an imported hash must not take
 * gigabytes or minutes. */
bool password_cost_is_allowed(const struct config *config, struct scrypt_cost cost)
{
    const struct scrypt_cost configured = configured_cost(config);
    const int64_t memory = password_cost_memory(cost);
    const bool fits = memory <= config->password_hash_memory_limit || memory <= password_cost_memory(configured);
    return fits && (work_of(cost) <= SCRYPT_WORK_MAX || work_of(cost) <= work_of(configured));
}

/* Parses `$s1$NNrrpp$salt$hash`: NN is the exponent of N; NN, rr and pp are hexadecimal, salt and hash base64. */
static bool parse_scrypt(const struct config *config, struct text hash, struct stored *stored)
{
    enum { COSTS_AT = 4, SALT_AT = COSTS_AT + 7 };
    if (hash.length < SALT_AT + 1 + HASH_ENCODED_LENGTH || hash.data[SALT_AT - 1] != '$') {
        return false;
    }

    if (!password_read_cost((struct text){hash.data + COSTS_AT, 6}, &stored->cost)) {
        return false;
    }
    if (!password_cost_is_allowed(config, stored->cost)) {
        return false;
    }

    size_t salt_length = hash.length - HASH_ENCODED_LENGTH - 1 - SALT_AT;
    stored->encoded_hash = hash.data + hash.length - HASH_ENCODED_LENGTH;
    return stored->encoded_hash[-1] == '$' && decode_salt((struct text){hash.data + SALT_AT, salt_length}, stored);
}

/* Parses `$2b$NN$`, 22 characters of salt, 31 of hash. */
static bool parse_bcrypt(struct text hash, struct stored *stored)
{
    if (hash.length != BCRYPT_LENGTH || hash.data[6] != '$') {
        return false;
    }
    for (size_t i = 7; i < hash.length; i++) {
        if (hash.data[i] != '.' && (hash.data[i] == '+' || !base64_has(BASE64_PADDED, hash.data[i]))) {
            return false;
        }
    }

    int tens = hash.data[4] - '0';
    int ones = hash.data[5] - '0';
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9) {
        return false;
    }
    stored->bcrypt_cost = (unsigned)(tens * 10 + ones);
    return stored->bcrypt_cost >= BCRYPT_COST_MIN && stored->bcrypt_cost <= BCRYPT_COST_MAX;
}

/* Parses a stored hash. Returns NULL where it can be verified; else the reason (static). */
static const char *take_apart(struct context *context, struct text hash, struct stored *stored_r)
{
    *stored_r = (struct stored){.kind = KIND_NONE};
    if (text_starts_with(hash, "$s1$")) {
        if (!parse_scrypt(context->config, hash, stored_r)) {
            return "a scrypt hash that is malformed, or too expensive (see password_hash_memory_limit)";
        }
        stored_r->kind = KIND_SCRYPT;
    } else if (text_starts_with(hash, "$2a$") || text_starts_with(hash, "$2b$") || text_starts_with(hash, "$2y$")) {
        if (!parse_bcrypt(hash, stored_r)) {
            return "a bcrypt hash that is malformed, or too expensive";
        }
        stored_r->kind = KIND_BCRYPT;
    } else if (text_starts_with(hash, "$argon2")) {
        const char *fault = argon2_is_available()
                                ? argon2_parse(hash, &stored_r->argon2)
                                : "an Argon2 hash, which this build can't verify: it was made without libargon2";
        if (fault != NULL) {
            return fault;
        }
        stored_r->kind = KIND_ARGON2;
    } else if (crypt_is_hash(hash)) {
        const char *fault = crypt_judge_hash(hash, &stored_r->crypt_cost);
        if (fault != NULL) {
            return fault;
        }
        stored_r->kind = KIND_CRYPT;
    } else {
        return "hashed in a format that can't be verified here";
    }
    return NULL;
}

const char *password_judge_hash(struct context *context, struct text hash)
{
    struct stored stored;
    return take_apart(context, hash, &stored);
}

void password_warn_unusable(struct context *context, struct text user_id, struct text hash)
{
    const char *fault = hash.data != NULL ? password_judge_hash(context, hash) : NULL;
    if (fault != NULL) {
        log_warning(context,
                    "the user %s can't sign in with a password, since the stored one is %s; set a new one: "
                    "`rosterctl user passwd'",
                    text_to_string(context->arena, user_id), fault);
    }
}

/* *failed_r: the hash could not be computed. */
static bool check_scrypt(struct context *context, struct text password, const struct stored *stored, bool *failed_r)
{
    unsigned char hash[HASH_LENGTH];
    char encoded[HASH_ENCODED_LENGTH + 1];
    bool matches = false;
    *failed_r = !compute_scrypt(context, password, stored->salt, stored->salt_length, stored->cost, hash);
    if (!*failed_r) {
        base64_encode(BASE64_PADDED, hash, sizeof hash, encoded);
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
    /* A null password and one with a NUL never match, and take the same time. One that is too long does not match
     * either; it is cut, since scrypt would take measurably longer. */
    if (password.data == NULL) {
        password = (struct text){"\0", 1};
    }
    bool usable = password.length <= PASSWORD_LENGTH_EVER && memchr(password.data, '\0', password.length) == NULL;
    if (password.length > PASSWORD_LENGTH_EVER) {
        password.length = PASSWORD_LENGTH_EVER;
    }

    measure_once(context, password);
    int64_t longest = scrypt_time.nanoseconds;
    if (bcrypt_cost_expected >= BCRYPT_COST_MIN && bcrypt_time.nanoseconds > longest) {
        longest = bcrypt_time.nanoseconds;
    }
    if (argon2_time.parameters.memory_kibibytes > 0 && argon2_time.nanoseconds > longest) {
        longest = argon2_time.nanoseconds;
    }
    if (crypt_time.nanoseconds > longest) {
        longest = crypt_time.nanoseconds;
    }
    if (old_scrypt_time.nanoseconds > longest) {
        longest = old_scrypt_time.nanoseconds;
    }
    bool scrypt_is_longest = longest == scrypt_time.nanoseconds;
    int64_t enough = processor_nanoseconds() + longest;

    struct stored stored;
    take_apart(context, hash, &stored);
    bool is_configured = same_cost(stored.cost, configured_cost(context->config));
    struct password_match match = {false, false, false};
    switch (stored.kind) {
    case KIND_NONE:
        match.failed = !compute_nothing(context, password, configured_cost(context->config));
        is_configured = true;
        break;
    case KIND_SCRYPT:
        match.matches = check_scrypt(context, password, &stored, &match.failed) && usable;
        match.outdated = match.matches && !is_configured;
        password_expect_scrypt(context->config, stored.cost);
        break;
    case KIND_BCRYPT:
        match.matches = check_bcrypt(context, password, hash) && usable;
        match.outdated = match.matches;
        if (bcrypt_cost_expected < stored.bcrypt_cost && bcrypt_cost_expected < BCRYPT_COST_USUAL) {
            bcrypt_cost_expected = stored.bcrypt_cost < BCRYPT_COST_USUAL ? stored.bcrypt_cost : BCRYPT_COST_USUAL;
        }
        break;
    case KIND_ARGON2:
        match.failed = !compute_argon2(context, password, &stored.argon2, &match.matches);
        match.matches = match.matches && usable;
        match.outdated = match.matches;
        expect_argon2(&stored.argon2);
        break;
    case KIND_CRYPT:
        match.failed = !compute_crypt(context, password, hash, stored.crypt_cost, &match.matches);
        match.matches = match.matches && usable;
        match.outdated = match.matches;
        break;
    }
    /* Where a hash of the configured cost is the longest, it took about its average time. To extend only those that
     * were faster would raise the average. */
    if (!is_configured || !scrypt_is_longest) {
        compute_until(enough);
    }
    return match;
}

/* Rules for new passwords. */

static pcre2_code *compile_pattern(const char *pattern, int *error_r, size_t *offset_r)
{
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, error_r,
                         offset_r, NULL);
}

bool password_check_pattern(const char *pattern, struct error *error)
{
    if (pattern == NULL || *pattern == '\0') {
        return true;
    }

    int code_of_error = 0;
    size_t offset = 0;
    pcre2_code *code = compile_pattern(pattern, &code_of_error, &offset);
    if (code == NULL) {
        PCRE2_UCHAR reason[120];
        pcre2_get_error_message(code_of_error, reason, sizeof reason);
        return error_set(error, "%s, at offset %zu", (const char *)reason, offset);
    }
    pcre2_code_free(code);
    return true;
}

/* Whether the pattern matches anywhere in the password. A pattern that takes too many steps does not match (logged). */
static bool matches_pattern(struct context *context, struct text password)
{
    int error = 0;
    size_t offset = 0;
    pcre2_code *code = compile_pattern(context->config->password_pattern, &error, &offset);
    pcre2_match_data *match_data = code != NULL ? pcre2_match_data_create(1, NULL) : NULL;
    pcre2_match_context *match_context = code != NULL ? pcre2_match_context_create(NULL) : NULL;
    int found = PCRE2_ERROR_NOMEMORY;
    if (match_data != NULL && match_context != NULL) {
        pcre2_set_match_limit(match_context, PATTERN_MATCHES_MAX);
        pcre2_set_heap_limit(match_context, PATTERN_HEAP_KIBIBYTES_MAX);
        found = pcre2_match(code, (PCRE2_SPTR)password.data, password.length, 0, 0, match_data, match_context);
    }
    /* Codes down to PCRE2_ERROR_UTF8_ERR21 are 'no match', or invalid UTF-8 in the password: not an error of the
     * pattern. */
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

/* Whether the password is `own`, the user's name or address. Ignores case. */
static bool is_own(struct context *context, struct text lower_password, struct text own)
{
    return own.length > 0 && text_equal(lower_password, text_to_lower(context->arena, own));
}

enum outcome password_check_rules(struct context *context, struct text password, struct text email, struct text name)
{
    const struct config *config = context->config;

    if (password.data == NULL) {
        password = TEXT("");
    }
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
    if (memchr(password.data, '\0', password.length) != NULL) {
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                  "The password must not contain the character NUL.");
    }
    if (config->password_pattern != NULL && *config->password_pattern != '\0' && !matches_pattern(context, password)) {
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                  "The password does not match the pattern that is required here.");
    }
    if (!config->password_refuse_common) {
        return OK;
    }

    enum outcome outcome = OK;
    struct text lower = text_to_lower(context->arena, password);
    const char *at = email.data != NULL ? memchr(email.data, '@', email.length) : NULL;
    struct text local_part = {email.data, at != NULL ? (size_t)(at - email.data) : 0};
    if (common_password_is(lower)) {
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                     "The password is one of the most common ones; choose another.");
    } else if (is_own(context, lower, email) || is_own(context, lower, local_part)) {
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                     "The password must not be the email address or its first part.");
    } else if (is_own(context, lower, name)) {
        outcome = problem_set_detail(context, ERROR_INVALID_PASSWORD, 0, "The password must not be the name.");
    }
    if (lower.data != password.data) {
        password_wipe(lower);
    }
    return outcome;
}
