/* test_password_crypt.c: hashes of crypt(3) and of htpasswd. */
#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "auth/password_apr1.h"
#include "auth/password_crypt.h"
#include "base/array.h"
#include "config/config.h"
#include "unit.h"

#define PASSWORD "correct horse battery"
#define MALFORMED "hashed in a format that can't be verified here"
#define TOO_MUCH "a hash of crypt(3) that takes more memory or time than is allowed here"

/* Of PASSWORD: by crypt(3), and `openssl passwd -apr1`. */
#define DES "abhfCpXqd4GrI"
#define MD5 "$1$saltsalt$UevX3RQ4rPNbqFqf8dVFn."
#define APR1 "$apr1$saltsalt$ZdO9ajrUOSz9es9I0fQZB."
#define SHA256 "$5$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6"
#define SHA256_ROUNDS "$5$rounds=1000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC"
#define SHA512 "$6$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/lesxj/"
#define YESCRYPT "$y$j75$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3"
#define YESCRYPT_USUAL "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$YAXMK9Llbqk/FSGbrI16AP6p2zwE4UhuWrJZceAG.p2"
#define GOST_YESCRYPT "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$Yjr3pclyq3lwNkvmdiTrObGQ8UY2.YXxKdcv.1G.Uo6"

static struct config config;
static struct context context;

static int set_up(void **state)
{
    (void)state;
    config = (struct config){.password_scrypt_n = 256, .password_scrypt_r = 8, .password_scrypt_p = 1};
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

static void assert_match(struct text password, const char *hash, bool matches)
{
    struct password_match match = password_verify(&context, password, text_of(hash));
    if (match.failed || match.matches != matches || match.outdated != matches) {
        fail_msg("%s, %s: %d %d %d", password.data, hash, match.matches, match.outdated, match.failed);
    }
}

static void kinds(void **state)
{
    (void)state;
    static const char *const hashes[] = {DES,    MD5,      APR1,           SHA256,       SHA256_ROUNDS,
                                         SHA512, YESCRYPT, YESCRYPT_USUAL, GOST_YESCRYPT};
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_null(password_judge_hash(&context, text_of(hashes[i])));
        assert_match(TEXT(PASSWORD), hashes[i], true);
        assert_match(TEXT("Correct horse battery"), hashes[i], false);
        assert_match(TEXT(""), hashes[i], false);
        assert_match(TEXT_NULL, hashes[i], false);
        assert_match(TEXT(PASSWORD "\0"), hashes[i], false);
        assert_match(TEXT(PASSWORD "\0x"), hashes[i], false);
    }
}

/* DES has 8 bytes, the others all. */
static void whole_password(void **state)
{
    (void)state;
    assert_match(TEXT("correct bird"), DES, true);
    assert_match(TEXT("correct"), DES, false);
    assert_match(TEXT(PASSWORD "!"), MD5, false);
    assert_match(TEXT(PASSWORD "!"), APR1, false);
    assert_match(TEXT(PASSWORD "!"), SHA512, false);
    assert_match(TEXT(PASSWORD "!"), YESCRYPT, false);
}

/* Of `openssl passwd -apr1 -salt SALT PASSWORD`. */
static void apr1_lengths(void **state)
{
    (void)state;
    char hash[APR1_SIZE];
    assert_true(apr1_hash(TEXT(""), TEXT("$apr1$x$"), hash));
    assert_string_equal(hash, "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/");
    assert_true(apr1_hash(TEXT("x234567890123456789"), TEXT("$apr1$12345678$"), hash));
    assert_string_equal(hash, "$apr1$12345678$CIXNGkgUJtH59HogdZFZt/");
    assert_false(apr1_hash(TEXT("x"), TEXT("$apr1$123456789$"), hash));
    assert_match(TEXT("x"), "$apr1$123456789$CIXNGkgUJtH59HogdZFZt/", false);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "",
        "abhfCpXqd4Gr",   /* 12 characters */
        "abhfCpXqd4GrI.", /* 14 */
        "abhfCpXqd4Gr!",
        "$1$",
        "$1$UevX3RQ4rPNbqFqf8dVFn.",
        "$1$salt$",
        "$apr1$salt$short",
        "$6$saltstring$",
        "$6$rounds=$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/lesxj/",
        "$6$rounds=-1$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/"
        "lesxj/",
        "$6$rounds=x$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/lesxj/",
        "$y$$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "$y$j$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "$y$k75$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "$y$j755$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "$y$jz5$abcd$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "$7$CU..../....salt$aBIAXW8X.BVjDNYy7xlIvexZ15qqmN0ILB4jwPZJCJ3",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "!$6$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/lesxj/",
    };
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_string_equal(password_judge_hash(&context, text_of(hashes[i])), MALFORMED);
        assert_match(TEXT(PASSWORD), hashes[i], false);
    }
    struct text with_nul = TEXT("$5$salt\0ring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6");
    assert_string_equal(password_judge_hash(&context, with_nul), MALFORMED);
}

/* Hours or gigabytes: an imported hash must not stop the service. */
static void expensive(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "$5$rounds=999999999$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6",
        "$5$rounds=900000$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6",
        "$y$jFT$abcd$HtfOKauxldK1d.AykJ1ely2mngW7Ufs2B6fE0Xy0E98",
        "$y$jTT$abcd$HtfOKauxldK1d.AykJ1ely2mngW7Ufs2B6fE0Xy0E98",
    };
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        assert_string_equal(password_judge_hash(&context, text_of(hashes[i])), TOO_MUCH);
        assert_match(TEXT(PASSWORD), hashes[i], false);
    }
    assert_null(
        password_judge_hash(&context, TEXT("$5$rounds=500000$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6")));
    assert_null(password_judge_hash(&context, TEXT("$y$jDT$abcd$HtfOKauxldK1d.AykJ1ely2mngW7Ufs2B6fE0Xy0E98")));
}

static void costs(void **state)
{
    (void)state;
    uint64_t usual, dear;
    assert_null(crypt_judge_hash(TEXT(SHA256), &usual));
    assert_null(
        crypt_judge_hash(TEXT("$5$rounds=500000$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6"), &dear));
    assert_int_equal(dear, 100 * usual);
    assert_null(crypt_judge_hash(TEXT(YESCRYPT), &usual));
    assert_null(crypt_judge_hash(TEXT(YESCRYPT_USUAL), &dear));
    assert_int_equal(dear, 16 * usual); /* 16 MiB and 1 MiB */
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(kinds), TEST(whole_password), TEST(apr1_lengths), TEST(malformed), TEST(expensive), TEST(costs),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("password_crypt", tests, NULL, NULL);
}
