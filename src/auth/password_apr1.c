#include "auth/password_apr1.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "base/array.h"

enum { DIGEST_SIZE = 16, SALT_MAX = 8, ROUNDS = 1000 };

/* Parts of what is hashed next. A failure shows at the end. */
struct sum {
    EVP_MD_CTX *md5;
    bool is_good;
};

static void begin(struct sum *sum)
{
    sum->is_good = sum->is_good && EVP_DigestInit_ex(sum->md5, EVP_md5(), NULL) == 1;
}

static void add(struct sum *sum, const void *bytes, size_t length)
{
    sum->is_good = sum->is_good && EVP_DigestUpdate(sum->md5, bytes, length) == 1;
}

static void add_text(struct sum *sum, struct text text)
{
    add(sum, text.data, text.length);
}

static void end(struct sum *sum, unsigned char digest[DIGEST_SIZE])
{
    sum->is_good = sum->is_good && EVP_DigestFinal_ex(sum->md5, digest, NULL) == 1;
}

/* The digest that the rounds begin with. */
static void start(struct sum *sum, struct text password, struct text salt, unsigned char digest[DIGEST_SIZE])
{
    begin(sum);
    add_text(sum, password);
    add_text(sum, salt);
    add_text(sum, password);
    end(sum, digest);

    begin(sum);
    add_text(sum, password);
    add_text(sum, TEXT(APR1_PREFIX));
    add_text(sum, salt);
    for (size_t left = password.length; left > 0; left -= left < DIGEST_SIZE ? left : DIGEST_SIZE) {
        add(sum, digest, left < DIGEST_SIZE ? left : DIGEST_SIZE);
    }
    for (size_t bits = password.length; bits > 0; bits >>= 1) {
        add(sum, (bits & 1) != 0 ? "" : password.data, 1); /* a NUL, or the first byte */
    }
    end(sum, digest);
}

static void run_round(struct sum *sum, unsigned number, struct text password, struct text salt,
                      unsigned char digest[DIGEST_SIZE])
{
    struct text before = {(const char *)digest, DIGEST_SIZE};
    bool is_odd = number % 2 == 1;
    begin(sum);
    add_text(sum, is_odd ? password : before);
    if (number % 3 != 0) {
        add_text(sum, salt);
    }
    if (number % 7 != 0) {
        add_text(sum, password);
    }
    add_text(sum, is_odd ? before : password);
    end(sum, digest);
}

/* Writes `count` characters of crypt's base64, lowest bits first. */
static char *encode(char *out, unsigned bits, int count)
{
    for (; count > 0; count--, bits >>= 6) {
        *out++ = CRYPT_DIGITS[bits & 63];
    }
    return out;
}

bool apr1_hash(struct text password, struct text setting, char hash_r[static APR1_SIZE])
{
    static const unsigned char order[][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};
    struct text rest = {setting.data + sizeof APR1_PREFIX - 1, setting.length - (sizeof APR1_PREFIX - 1)};
    struct text salt = text_take(&rest, '$');
    if (salt.length > SALT_MAX) {
        return false;
    }
    unsigned char digest[DIGEST_SIZE] = {0};
    struct sum sum = {.md5 = EVP_MD_CTX_new()};
    sum.is_good = sum.md5 != NULL;
    start(&sum, password, salt, digest);
    for (unsigned number = 0; number < ROUNDS; number++) {
        run_round(&sum, number, password, salt, digest);
    }
    EVP_MD_CTX_free(sum.md5);
    char *out = hash_r + snprintf(hash_r, APR1_SIZE, APR1_PREFIX "%.*s$", (int)salt.length, salt.data);
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        out = encode(out, (unsigned)(digest[order[i][0]] << 16 | digest[order[i][1]] << 8 | digest[order[i][2]]), 4);
    }
    out = encode(out, digest[11], 2);
    *out = '\0';
    explicit_bzero(digest, sizeof digest);
    return sum.is_good;
}
