/* test_password.c: with small costs; the configuration is filled by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libscrypt.h>

#include "auth/common_passwords.h"
#include "auth/password.h"
#include "base/array.h"
#include "config/config.h"
#include "unit.h"

/* Made with crypt(3). */
#define BCRYPT_B "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e" /* correct horse */
#define BCRYPT_A "$2a$05$abcdefghijklmnopqrstuuGUnCqbfgs3htOkLrFduUjAyLBw1Rq/u" /* 72 times a */
#define BCRYPT_Y "$2y$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC" /* p\xc3\xa4ssw\xc3\xb6rd */
#define OPENWALL                                                                                         \
    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" /* U*U, of crypt_blowfish's own tests \
                                                                    */

static struct config config;
static struct context context;

static int set_up(void **state)
{
    (void)state;
    config = (struct config){.password_length_least = 8,
                             .password_length_most = 256,
                             .password_pattern = "",
                             .password_refuse_common = true,
                             .password_hash_memory_limit = 64 << 20,
                             .password_scrypt_n = 1024,
                             .password_scrypt_r = 8,
                             .password_scrypt_p = 1};
    context = (struct context){.arena = arena_new(0), .config = &config};
    password_expect_bcrypt(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

static struct text hash_of(struct text password)
{
    struct text hash;
    assert_int_equal(password_hash(&context, password, &hash), OK);
    return hash;
}

static void assert_match(struct text password, struct text hash, bool matches, bool outdated)
{
    struct password_match match = password_verify(&context, password, hash);
    if (match.matches != matches || match.outdated != outdated) {
        fail_msg("%.*s, %.*s: %d %d", (int)password.length, password.data, (int)hash.length, hash.data, match.matches,
                 match.outdated);
    }
}

static void scrypt(void **state)
{
    (void)state;
    struct text hash = hash_of(TEXT("correct horse"));
    assert_true(text_starts_with(hash, "$s1$0a0801$"));
    assert_int_equal(hash.length, strlen(hash.data));
    assert_false(text_equal(hash, hash_of(TEXT("correct horse"))));
    assert_match(TEXT("correct horse"), hash, true, false);
    assert_match(TEXT("correct horsf"), hash, false, false);
    assert_match(TEXT("correct hors"), hash, false, false);
    assert_match(TEXT("correct horse "), hash, false, false);
    assert_match(TEXT(""), hash, false, false);
    assert_match(TEXT_NULL, hash, false, false);

    /* Taken whole: no end at 72 bytes. */
    char long_password[300];
    memset(long_password, 'a', sizeof long_password);
    hash = hash_of((struct text){long_password, 300});
    assert_match((struct text){long_password, 300}, hash, true, false);
    assert_match((struct text){long_password, 299}, hash, false, false);
}

static void scrypt_of_libscrypt(void **state)
{
    (void)state;
    char copy[SCRYPT_MCF_LEN];
    snprintf(copy, sizeof copy, "%s", hash_of(TEXT("correct horse")).data);
    assert_true(libscrypt_check(copy, "correct horse") > 0);
    snprintf(copy, sizeof copy, "%s", hash_of(TEXT("correct horse")).data);
    assert_true(libscrypt_check(copy, "correct horsf") == 0);

    assert_true(libscrypt_hash(copy, "correct horse", 1024, 8, 1) > 0);
    assert_match(TEXT("correct horse"), text_of(copy), true, false);
    assert_match(TEXT("x"), text_of(copy), false, false);
}

static void other_costs(void **state)
{
    (void)state;
    struct text one = hash_of(TEXT("correct horse"));
    config.password_scrypt_p = 2;
    struct text two = hash_of(TEXT("correct horse"));
    assert_true(text_starts_with(two, "$s1$0a0802$"));
    assert_match(TEXT("correct horse"), one, true, true);
    assert_match(TEXT("wrong"), one, false, false);

    config.password_scrypt_n = 4096;
    config.password_scrypt_r = 10;
    config.password_scrypt_p = 17;
    struct text dear = hash_of(TEXT("correct horse"));
    assert_true(text_starts_with(dear, "$s1$0c0a11$"));
    assert_match(TEXT("correct horse"), dear, true, false);

    /* However far the cost is lowered, what was made before still matches, and is made anew. */
    config.password_scrypt_n = 1024;
    config.password_scrypt_r = 1;
    config.password_scrypt_p = 1;
    assert_match(TEXT("correct horse"), dear, true, true);
    assert_match(TEXT("wrong"), dear, false, false);

    /* But memory and time have a limit, which the configured cost alone may pass. */
    config.password_hash_memory_limit = 5242880 - 1;
    assert_match(TEXT("correct horse"), dear, false, false);
    config.password_scrypt_n = 4096;
    config.password_scrypt_r = 10;
    assert_match(TEXT("correct horse"), dear, true, true);
}

/* Which costs a stored hash may have: nothing is computed here. */
static void limits(void **state)
{
    (void)state;
    struct scrypt_cost cost;
    assert_true(password_read_cost(TEXT("0e0805"), &cost));
    assert_int_equal(cost.n, 16384);
    assert_int_equal(cost.r, 8);
    assert_int_equal(cost.p, 5);
    assert_int_equal(password_cost_memory(cost), 16 << 20);
    static const char *const malformed[] = {"0e08",   "0e0800", "0e0005", "000805",
                                            "200805", "0g0805", "0E0805", "0e08051"};
    for (size_t i = 0; i < ARRAY_COUNT(malformed); i++) {
        assert_false(password_read_cost(text_of(malformed[i]), &cost));
    }

    config.password_hash_memory_limit = 512 << 20;
    assert_true(password_cost_is_allowed(&config, (struct scrypt_cost){524288, 8, 1})); /* 512 MiB */
    assert_false(password_cost_is_allowed(&config, (struct scrypt_cost){524288, 9, 1}));
    assert_false(password_cost_is_allowed(&config, (struct scrypt_cost){1048576, 8, 1})); /* 1 GiB */
    assert_false(password_cost_is_allowed(&config, (struct scrypt_cost){UINT64_C(1) << 31, 255, 255}));
    assert_true(password_cost_is_allowed(&config, (struct scrypt_cost){16384, 8, 128}));
    assert_false(password_cost_is_allowed(&config, (struct scrypt_cost){16384, 8, 129})); /* too long */
    config.password_scrypt_n = 1048576;
    config.password_scrypt_p = 3;
    assert_true(password_cost_is_allowed(&config, (struct scrypt_cost){1048576, 8, 1}));
    assert_true(password_cost_is_allowed(&config, (struct scrypt_cost){1048576, 8, 3}));
    assert_false(password_cost_is_allowed(&config, (struct scrypt_cost){1048576, 8, 4}));
}

static void bcrypt(void **state)
{
    (void)state;
    assert_match(TEXT("correct horse"), TEXT(BCRYPT_B), true, true);
    assert_match(TEXT("correct horsf"), TEXT(BCRYPT_B), false, false);
    assert_match(TEXT("p\xc3\xa4ssw\xc3\xb6rd"), TEXT(BCRYPT_Y), true, true);
    assert_match(TEXT("p\xc3\xa4ssword"), TEXT(BCRYPT_Y), false, false);
    assert_match(TEXT("U*U"), TEXT(OPENWALL), true, true);
    assert_match(TEXT("U*"), TEXT(OPENWALL), false, false);

    char password[80];
    memset(password, 'a', sizeof password);
    assert_match((struct text){password, 72}, TEXT(BCRYPT_A), true, true);
    assert_match((struct text){password, 80}, TEXT(BCRYPT_A), true, true);
    assert_match((struct text){password, 71}, TEXT(BCRYPT_A), false, false);
}

static void nul_and_length(void **state)
{
    (void)state;
    struct text ignored;
    assert_int_equal(password_hash(&context, TEXT("correct\0horse"), &ignored), PROBLEM);
    assert_match(TEXT("correct horse\0"), hash_of(TEXT("correct horse")), false, false);
    assert_match(TEXT("correct horse\0x"), TEXT(BCRYPT_B), false, false);

    char *endless = arena_alloc(context.arena, 5000);
    memset(endless, 'a', 5000);
    assert_match((struct text){endless, 4096}, hash_of((struct text){endless, 4096}), true, false);
    assert_match((struct text){endless, 5000}, hash_of((struct text){endless, 4096}), false, false);
    assert_match((struct text){endless, 5000}, TEXT(BCRYPT_A), false, false);
}

static void malformed(void **state)
{
    (void)state;
    config.password_scrypt_n = 16; /* hundreds are computed */
    static const char *const hashes[] = {"",
                                         "x",
                                         "!",
                                         "*0",
                                         "$",
                                         "$s1",
                                         "$s1$",
                                         "$s1$040801",
                                         "$s1$040801$",
                                         "$s1$040801$$",
                                         "$s2$040801$AAAA$",
                                         "$2b$",
                                         "$2b$04$",
                                         "$2b$04$short",
                                         "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
                                         "correct horse",
                                         "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$0x$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6",
                                         "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6ee",
                                         "$2b$04$abcdefghijklmnopqrst:ujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$04$abcdefghijklmnopqrstu+jydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                                         "$2b$04+abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"};
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_match(TEXT("correct horse"), text_of(hashes[i]), false, false);
    }
    assert_match(TEXT("correct horse"), TEXT_NULL, false, false);

    /* A good one with one character changed, or cut. */
    struct text hash = hash_of(TEXT("correct horse"));
    char *changed = arena_alloc(context.arena, hash.length);
    for (size_t i = 0; i < hash.length; i++) {
        for (const char *with = "$ \n=\xff"; *with != '\0'; with++) {
            memcpy(changed, hash.data, hash.length);
            changed[i] = *with;
            if (memcmp(changed, hash.data, hash.length) != 0) {
                assert_match(TEXT("correct horse"), (struct text){changed, hash.length}, false, false);
            }
        }
    }
    for (size_t length = 0; length < hash.length; length++) {
        assert_match(TEXT("correct horse"), (struct text){hash.data, length}, false, false);
    }

    static const char *const costs[] = {"000801", "200801", "ff0801", "040001", "040800",
                                        "04ffff", "1e0801", "070801", "0A0801", "4 0801"};
    for (size_t i = 0; i < ARRAY_COUNT(costs); i++) {
        memcpy(changed, hash.data, hash.length);
        memcpy(changed + 4, costs[i], 6);
        assert_match(TEXT("correct horse"), (struct text){changed, hash.length}, false, false);
    }
}

static int64_t processor_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Every kind of hash takes the same time. The tolerance is wide, for machines with other work to do. */
static void assert_same_times(const struct text *hashes, size_t count)
{
    enum { ROUNDS = 8 };
    int64_t taken[16] = {0};
    password_verify(&context, TEXT("wrong"), hashes[0]);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            int64_t started = processor_microseconds();
            password_verify(&context, round % 2 == 0 ? TEXT("wrong") : TEXT("correct horse"), hashes[i]);
            taken[i] += processor_microseconds() - started;
        }
    }
    for (size_t i = 1; i < count; i++) {
        if (taken[i] < taken[0] * 7 / 10 || taken[i] > taken[0] * 13 / 10) {
            fail_msg("hash %zu takes %lld microseconds, an unknown account %lld", i, (long long)taken[i] / ROUNDS,
                     (long long)taken[0] / ROUNDS);
        }
    }
}

static void times(void **state)
{
    (void)state;
    config.password_scrypt_p = 1;
    struct text cheap = hash_of(TEXT("correct horse"));
    config.password_scrypt_p = 4;
    struct text hashes[] = {TEXT_NULL,         hash_of(TEXT("correct horse")),
                            TEXT(BCRYPT_B),    cheap,
                            TEXT("malformed"), TEXT("$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")};
    assert_same_times(hashes, ARRAY_COUNT(hashes));

    /* With bcrypt of cost 7 longer than scrypt. */
    config.password_scrypt_n = 256;
    config.password_scrypt_p = 2;
    password_expect_bcrypt(7);
    hashes[1] = hash_of(TEXT("correct horse"));
    hashes[2] = TEXT("$2b$07$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e");
    hashes[3] = TEXT(BCRYPT_B);
    assert_same_times(hashes, ARRAY_COUNT(hashes));

    /* After the cost was lowered, with scrypt hashes left that take three times as long. */
    password_expect_bcrypt(0);
    config.password_scrypt_n = 1024;
    config.password_scrypt_p = 6;
    hashes[3] = hash_of(TEXT("correct horse"));
    config.password_scrypt_p = 2;
    password_expect_scrypt(&config, (struct scrypt_cost){1024, 8, 6});
    hashes[1] = hash_of(TEXT("correct horse"));
    hashes[2] = TEXT(BCRYPT_B);
    assert_same_times(hashes, ARRAY_COUNT(hashes));
}

static void assert_refused(struct text password, enum error_code code, const char *detail)
{
    context.problem = (struct problem){0};
    assert_int_equal(password_check_rules(&context, password, TEXT("Jane.Roe@example.org"), TEXT("\xc3\x84nne Meier")),
                     PROBLEM);
    assert_int_equal(context.problem.code, code);
    assert_string_equal(context.problem.detail, detail);
}

static void assert_allowed(struct text password)
{
    context.problem = (struct problem){0};
    if (password_check_rules(&context, password, TEXT("Jane.Roe@example.org"), TEXT("\xc3\x84nne Meier")) != OK) {
        fail_msg("%.*s: %s", (int)password.length, password.data, context.problem.detail);
    }
}

static void rules(void **state)
{
    (void)state;
    static const char common[] = "The password is one of the most common ones; choose another.";
    static const char own_email[] = "The password must not be the email address or its first part.";
    char long_password[257];
    memset(long_password, 'z', sizeof long_password);

    assert_refused(TEXT("sev3n.x"), ERROR_INVALID_PASSWORD,
                   "The password is too short: it must have at least 8 bytes.");
    assert_refused(TEXT(""), ERROR_INVALID_PASSWORD, "The password is too short: it must have at least 8 bytes.");
    assert_refused(TEXT_NULL, ERROR_INVALID_PASSWORD, "The password is too short: it must have at least 8 bytes.");
    assert_refused((struct text){long_password, 257}, ERROR_PASSWORD_TOO_LONG,
                   "The password is too long: it may have at most 256 bytes.");
    assert_allowed((struct text){long_password, 256});
    assert_allowed(TEXT("eight.xy"));
    assert_refused(TEXT("eight\0.xy"), ERROR_INVALID_PASSWORD, "The password must not contain the character NUL.");

    assert_refused(TEXT("password"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("PassWord"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("12345678"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("1qaz2wsx"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("P@ssw0rd!"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("Summer2026!"), ERROR_INVALID_PASSWORD, common);
    assert_refused(TEXT("aaaaaaaaaa"), ERROR_INVALID_PASSWORD, common);
    assert_allowed(TEXT("12345678x"));

    assert_refused(TEXT("jane.roe@EXAMPLE.org"), ERROR_INVALID_PASSWORD, own_email);
    assert_refused(TEXT("jane.roe"), ERROR_INVALID_PASSWORD, own_email);
    assert_refused(TEXT("\xc3\xa4nne meier"), ERROR_INVALID_PASSWORD, "The password must not be the name.");
    assert_allowed(TEXT("jane.roe@example"));

    assert_int_equal(password_check_rules(&context, TEXT("eight.xy"), TEXT_NULL, TEXT_NULL), OK);
    assert_int_equal(password_check_rules(&context, TEXT("eight.xy"), TEXT("@"), TEXT("")), OK);

    config.password_length_least = 1;
    assert_refused(TEXT("qwerty"), ERROR_INVALID_PASSWORD, common);
    config.password_refuse_common = false;
    assert_allowed(TEXT("qwerty"));
    assert_allowed(TEXT("jane.roe"));
    assert_refused(TEXT(""), ERROR_INVALID_PASSWORD, "The password is too short: it must have at least 1 byte.");
}

static void pattern(void **state)
{
    (void)state;
    static const char detail[] = "The password does not match the pattern that is required here.";
    config.password_pattern = "^(?=.*\\p{Lu})(?=.*\\d).{8,}$";
    assert_allowed(TEXT("x9 dfb Qw"));
    assert_allowed(TEXT("x9 dfb \xc3\x84w")); /* a letter of another script */
    assert_refused(TEXT("x9 dfb qw"), ERROR_INVALID_PASSWORD, detail);
    assert_refused(TEXT("\xc3\x84\xc3\x84\xc3\x84\x39z"), ERROR_INVALID_PASSWORD, detail); /* 8 bytes, 5 characters */
    assert_refused(TEXT("x9 dfb Qw\xff"), ERROR_INVALID_PASSWORD, detail);

    /* One that takes exponential time is given up. */
    config.password_pattern = "^(a+)+$";
    assert_refused(TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
                   ERROR_INVALID_PASSWORD, detail);
    config.password_pattern = "(";
    assert_refused(TEXT("x9 dfb Qw"), ERROR_INVALID_PASSWORD, detail);

    struct error error;
    error_set(&error, "untouched");
    assert_true(password_check_pattern(NULL, &error));
    assert_true(password_check_pattern("", &error));
    assert_true(password_check_pattern("[a-z]\\d", &error));
    assert_string_equal(error.text, "untouched");
    assert_false(password_check_pattern("[a-z", &error));
    assert_string_equal(error.text, "missing terminating ] for character class, at offset 4");
    assert_false(password_check_pattern("\\C", &error));
    assert_false(password_check_pattern("\xff", &error));
}

/* The list as the lookup needs it: sorted, so that each entry is found. */
static void common_list(void **state)
{
    (void)state;
    size_t count = 0;
    static const struct {
        size_t length;
        const char *bytes;
    } lists[] = {
#define COMMON_PASSWORDS(length, bytes) {(length), (bytes)},
#include "auth/common_passwords.inc"
#undef COMMON_PASSWORDS
    };
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        assert_true(i == 0 || lists[i].length > lists[i - 1].length);
        assert_int_equal(strlen(lists[i].bytes) % lists[i].length, 0);
        for (const char *at = lists[i].bytes; *at != '\0'; at += lists[i].length, count++) {
            struct text entry = {at, lists[i].length};
            if (!common_password_is(entry) || !text_equal(entry, text_to_lower(context.arena, entry))) {
                fail_msg("%.*s", (int)entry.length, entry.data);
            }
        }
    }
    assert_in_range(count, 5000, 20000);
    assert_false(common_password_is(TEXT("")));
    assert_false(common_password_is(TEXT("passwore")));
    assert_false(common_password_is(TEXT("~~~~~~~~")));
    assert_false(common_password_is(TEXT(" !!!!!!!")));
}

/* Without memory nobody's password is wrong. In a child, as the limit stays. */
static void without_memory(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__)
    struct text hash = hash_of(TEXT("correct horse"));
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        /* less than there is: nothing can be mapped any more */
        static const struct rlimit limit = {1 << 20, RLIM_INFINITY};
        close(STDERR_FILENO);
        config.password_scrypt_n = 16384;
        setrlimit(RLIMIT_AS, &limit);
        struct password_match right = password_verify(&context, TEXT("correct horse"), hash);
        struct password_match unknown = password_verify(&context, TEXT("correct horse"), TEXT_NULL);
        struct text made;
        bool refused = password_hash(&context, TEXT("correct horse"), &made) == FAULT &&
                       context.problem.code == ERROR_UNAVAILABLE && context.problem.retry_after_seconds > 0;
        _exit(right.failed && !right.matches && unknown.failed && !unknown.matches && refused ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(password_verify(&context, TEXT("correct horsf"), hash).failed);
#endif
}

static void wipe(void **state)
{
    (void)state;
    char bytes[] = "correct horse";
    password_wipe((struct text){bytes, 7});
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0 horse", sizeof bytes);
    password_wipe(TEXT_NULL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(scrypt),        TEST(scrypt_of_libscrypt),
                                       TEST(other_costs),   TEST(limits),
                                       TEST(bcrypt),        TEST(nul_and_length),
                                       TEST(malformed),     TEST(times),
                                       TEST(rules),         TEST(pattern),
                                       TEST(common_list),   TEST(wipe),
                                       TEST(without_memory)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
