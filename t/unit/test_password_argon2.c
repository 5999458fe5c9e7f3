/* test_password_argon2.c: Argon2 of imported accounts. Built twice: as the build is, and as one without libargon2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/password_argon2.h"
#include "base/array.h"
#include "config/config.h"
#include "unit.h"

/* Of libargon2's own tests: "password" and "somesalt". */
#define ID "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define ID_LANES "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
#define I_NOW "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"
#define I_FIRST "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY"

static struct config config;
static struct context context;

static int set_up(void **state)
{
    (void)state;
    config = (struct config){.password_scrypt_n = 256, .password_scrypt_r = 8, .password_scrypt_p = 1};
    context = (struct context){.arena = arena_new(0), .config = &config};
    password_expect_bcrypt(0);
    password_expect_argon2(TEXT_NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

static void assert_match(const char *password, const char *hash, bool matches)
{
    struct password_match match = password_verify(&context, text_of(password), text_of(hash));
    if (match.matches != matches || match.outdated != matches) {
        fail_msg("%s, %s: %d %d", password, hash, match.matches, match.outdated);
    }
}

static void assert_judged(const char *hash, const char *fault)
{
    const char *said = password_judge_hash(&context, text_of(hash));
    if (fault == NULL || said == NULL) {
        assert_ptr_equal(said, fault);
    } else {
        assert_string_equal(said, fault);
    }
}

#ifdef HAVE_ARGON2
static void kinds(void **state)
{
    (void)state;
    static const char *const hashes[] = {ID, ID_LANES, I_NOW, I_FIRST};
    assert_true(argon2_is_available());
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_judged(hashes[i], NULL);
        assert_match("password", hashes[i], true);
        assert_match("Password", hashes[i], false);
        assert_match("", hashes[i], false);
    }
    assert_false(password_verify(&context, TEXT("password\0"), TEXT(ID)).matches);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$argon2",
        "$argon2id$",
        "$argon2x$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=20$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=64$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=-256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1,keyid=x$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c2Fs$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", /* a salt of three bytes */
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR",                         /* a hash of nine */
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ=$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR_uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4$",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
    };
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_judged(hashes[i], "hashed in a format that can't be verified here");
        assert_match("password", hashes[i], false);
    }
    /* cut anywhere, and with bases that are too long for any place to hold */
    for (size_t length = 0; length < sizeof ID - 1 - 22; length++) {
        assert_non_null(password_judge_hash(&context, (struct text){ID, length}));
    }
    char *endless = arena_alloc(context.arena, 70000);
    memset(endless, 'A', 70000);
    memcpy(endless, "$argon2id$v=19$m=256,t=2,p=1$", 29);
    assert_non_null(password_judge_hash(&context, (struct text){endless, 70000}));
    assert_false(password_verify(&context, TEXT("password"), (struct text){endless, 70000}).matches);
}

static void costs(void **state)
{
    (void)state;
    static const char dear[] = "an Argon2 hash that takes more memory or time than is allowed here";
    assert_judged("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", NULL);
    assert_judged("$argon2id$v=19$m=262144,t=4,p=16$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", NULL);
    assert_judged("$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", dear);
    assert_judged("$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", dear);
    assert_judged("$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", dear);
    assert_judged("$argon2id$v=19$m=256,t=999999999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", dear);
    /* what is too dear is refused without its being computed: this would take 4 TiB */
    assert_match("password",
                 "$argon2id$v=19$m=999999999,t=999999999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
                 false);
}

static int64_t processor_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Where accounts have Argon2, which takes longer than scrypt here, every kind of account takes its time. */
static void times(void **state)
{
    (void)state;
    enum { ROUNDS = 8 };
    static const char dear[] = "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    struct text scrypt;
    assert_int_equal(password_hash(&context, TEXT("correct horse"), &scrypt), OK);
    struct text hashes[] = {TEXT(dear), TEXT_NULL, scrypt, TEXT(ID), TEXT("malformed")};
    int64_t taken[ARRAY_COUNT(hashes)] = {0};
    password_expect_argon2(TEXT(dear));
    password_verify(&context, TEXT("wrong"), hashes[0]);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
            int64_t started = processor_microseconds();
            password_verify(&context, TEXT("wrong"), hashes[i]);
            taken[i] += processor_microseconds() - started;
        }
    }
    for (size_t i = 1; i < ARRAY_COUNT(hashes); i++) {
        if (taken[i] < taken[0] * 6 / 10 || taken[i] > taken[0] * 16 / 10) {
            fail_msg("hash %zu takes %lld microseconds, one of Argon2 %lld", i, (long long)taken[i] / ROUNDS,
                     (long long)taken[0] / ROUNDS);
        }
    }
}

/* Where there is no memory, a password is neither right nor wrong. */
static void without_memory(void **state)
{
    (void)state;
#if !defined(__SANITIZE_ADDRESS__)
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        static const struct rlimit limit = {1 << 20, RLIM_INFINITY}; /* nothing can be mapped any more */
        close(STDERR_FILENO);
        password_verify(&context, TEXT("password"), TEXT(ID));
        setrlimit(RLIMIT_AS, &limit);
        struct password_match match = password_verify(
            &context, TEXT("password"),
            TEXT("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"));
        _exit(match.failed && !match.matches && !match.outdated ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
#endif
}

#define TESTS TEST(kinds), TEST(malformed), TEST(costs), TEST(times), TEST(without_memory)
#else
static void refused(void **state)
{
    (void)state;
    assert_false(argon2_is_available());
    assert_judged(ID, "an Argon2 hash, which this build can't verify: it was made without libargon2");
    assert_judged("$argon2", "an Argon2 hash, which this build can't verify: it was made without libargon2");
    assert_match("password", ID, false);
    password_expect_argon2(TEXT(ID));
    assert_match("password", ID, false);
}

static void others(void **state)
{
    (void)state;
    struct text scrypt;
    assert_int_equal(password_hash(&context, TEXT("correct horse"), &scrypt), OK);
    assert_true(password_verify(&context, TEXT("correct horse"), scrypt).matches);
    assert_judged(scrypt.data, NULL);
    assert_judged("$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", NULL);
    assert_judged("$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
                  "a bcrypt hash that is malformed, or too expensive");
    assert_judged("pbkdf2:sha256:1$x$y", "hashed in a format that can't be verified here");
}

#define TESTS TEST(refused), TEST(others)
#endif

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {TESTS};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("password_argon2", tests, NULL, NULL);
}
