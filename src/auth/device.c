/* device.c: the device cookie. Its format is in device.h. */
#include "auth/device.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"

enum {
    COOKIE_VERSION = 1,
    TIME_LENGTH = 8,
    MAC_LENGTH = 32,
    HEAD_LENGTH = 1 + DEVICE_NUMBER_LENGTH,
    ACCOUNT_LENGTH = DEVICE_ACCOUNT_LENGTH + TIME_LENGTH,
    BYTES_MAX = HEAD_LENGTH + DEVICE_ACCOUNTS_MAX * ACCOUNT_LENGTH + MAC_LENGTH,
};

static const char label[] = "roster device cookie 1";

static void hmac(const void *key, size_t key_length, const void *bytes, size_t length,
                 unsigned char mac_r[static MAC_LENGTH])
{
    unsigned mac_length = MAC_LENGTH;
    invariant(key_length <= INT32_MAX &&
              HMAC(EVP_sha256(), key, (int)key_length, bytes, length, mac_r, &mac_length) != NULL);
}

/* The cookies have a key of their own, so that no other use of the secret key can sign one. */
static void sign(struct text secret, const unsigned char *bytes, size_t length, unsigned char mac_r[static MAC_LENGTH])
{
    unsigned char key[MAC_LENGTH];

    hmac(secret.data, secret.length, label, sizeof label - 1, key);
    hmac(key, sizeof key, bytes, length, mac_r);
    OPENSSL_cleanse(key, sizeof key);
}

/* The name of an account by one of the secret keys. */
static void name_account(struct context *context, struct text secret, const struct device *device, struct text user_id,
                         unsigned char account_r[static DEVICE_ACCOUNT_LENGTH])
{
    size_t length = 1 + DEVICE_NUMBER_LENGTH + user_id.length;
    unsigned char *bytes = (unsigned char *)arena_alloc(context->arena, length);

    bytes[0] = 0; /* a cookie begins with COOKIE_VERSION, so no cookie has the HMAC of an account */
    memcpy(bytes + 1, device->number, DEVICE_NUMBER_LENGTH);
    if (user_id.length > 0) {
        memcpy(bytes + 1 + DEVICE_NUMBER_LENGTH, user_id.data, user_id.length);
    }
    unsigned char mac[MAC_LENGTH];
    sign(secret, bytes, length, mac);
    memcpy(account_r, mac, DEVICE_ACCOUNT_LENGTH);
}

/* Returns the number of bytes; 0 where the cookie is not hexadecimal, or has an invalid length. */
static size_t decode(struct text cookie, unsigned char bytes_r[static BYTES_MAX])
{
    size_t length = cookie.length / 2;
    if (length < HEAD_LENGTH + MAC_LENGTH || length > BYTES_MAX ||
        (length - HEAD_LENGTH - MAC_LENGTH) % ACCOUNT_LENGTH != 0) {
        return 0;
    }
    return hex_decode(cookie, bytes_r, length) ? length : 0;
}

/* Whether one of the keys has signed the bytes, behind which the signature stands. */
static bool is_signed(const struct secret_keys *keys, const unsigned char *bytes, size_t length)
{
    unsigned char mac[MAC_LENGTH];
    bool is_ours = false;
    for (size_t i = 0; i < keys->count && !is_ours; i++) {
        sign(keys->items[i], bytes, length, mac);
        is_ours = CRYPTO_memcmp(mac, bytes + length, MAC_LENGTH) == 0;
    }
    return is_ours;
}

bool device_read(struct context *context, struct text cookie, struct device *device_r)
{
    unsigned char bytes[BYTES_MAX];
    size_t length = decode(cookie, bytes);

    memset(device_r, 0, sizeof *device_r);
    if (length == 0 || bytes[0] != COOKIE_VERSION) {
        return false;
    }
    size_t signed_length = length - MAC_LENGTH;
    if (!is_signed(&context->config->secret_keys, bytes, signed_length)) {
        return false;
    }
    memcpy(device_r->number, bytes + 1, DEVICE_NUMBER_LENGTH);
    for (size_t at = HEAD_LENGTH; at < signed_length; at += ACCOUNT_LENGTH) {
        struct device_account *account = &device_r->accounts[device_r->count++];
        uint64_t seconds = 0;
        memcpy(account->account, bytes + at, DEVICE_ACCOUNT_LENGTH);
        for (size_t i = 0; i < TIME_LENGTH; i++) {
            seconds = seconds << 8 | bytes[at + DEVICE_ACCOUNT_LENGTH + i];
        }
        account->signed_in_at = (int64_t)seconds;
    }
    return true;
}

bool device_knows(struct context *context, const struct device *device, struct text user_id)
{
    const struct secret_keys *keys = &context->config->secret_keys;
    unsigned char account[DEVICE_ACCOUNT_LENGTH];
    bool knows = false;

    for (size_t key = 0; key < keys->count; key++) {
        name_account(context, keys->items[key], device, user_id, account);
        for (size_t i = 0; i < device->count; i++) {
            bool is_same = CRYPTO_memcmp(device->accounts[i].account, account, sizeof account) == 0;
            knows =
                knows || (is_same && device->accounts[i].signed_in_at > context->now_seconds - DEVICE_LIFETIME_SECONDS);
        }
    }
    return knows && user_id.data != NULL;
}

/* The place of an account, whichever key has named it; device->count: it has none. */
static size_t find_account(struct context *context, const struct device *device, struct text user_id)
{
    const struct secret_keys *keys = &context->config->secret_keys;
    unsigned char account[DEVICE_ACCOUNT_LENGTH];
    for (size_t key = 0; key < keys->count; key++) {
        name_account(context, keys->items[key], device, user_id, account);
        for (size_t i = 0; i < device->count; i++) {
            if (memcmp(device->accounts[i].account, account, sizeof account) == 0) {
                return i;
            }
        }
    }
    return device->count;
}

void device_add(struct context *context, struct device *device, struct text user_id)
{
    static const unsigned char zero[DEVICE_NUMBER_LENGTH];
    struct device_account first = {.signed_in_at = context->now_seconds};

    if (memcmp(device->number, zero, sizeof zero) == 0) {
        random_bytes(device->number, sizeof device->number);
    }
    name_account(context, context->config->secret_keys.items[0], device, user_id, first.account);
    size_t place = find_account(context, device, user_id);
    if (place == device->count) {
        place = device->count < DEVICE_ACCOUNTS_MAX ? device->count++ : DEVICE_ACCOUNTS_MAX - 1;
    }
    memmove(device->accounts + 1, device->accounts, place * sizeof device->accounts[0]);
    device->accounts[0] = first;
}

struct text device_print(struct context *context, const struct device *device)
{
    unsigned char bytes[BYTES_MAX];

    bytes[0] = COOKIE_VERSION;
    memcpy(bytes + 1, device->number, DEVICE_NUMBER_LENGTH);
    size_t length = HEAD_LENGTH;
    for (size_t i = 0; i < device->count; i++) {
        memcpy(bytes + length, device->accounts[i].account, DEVICE_ACCOUNT_LENGTH);
        length += DEVICE_ACCOUNT_LENGTH;
        for (int shift = 56; shift >= 0; shift -= 8) {
            bytes[length++] = (unsigned char)((uint64_t)device->accounts[i].signed_in_at >> shift);
        }
    }
    sign(context->config->secret_keys.items[0], bytes, length, bytes + length);
    return hex_encode(context->arena, bytes, length + MAC_LENGTH);
}

struct text device_key(struct context *context, const struct device *device, struct text user_id)
{
    unsigned char account[DEVICE_ACCOUNT_LENGTH];

    name_account(context, context->config->secret_keys.items[0], device, user_id, account);
    struct text number = hex_encode(context->arena, device->number, sizeof device->number);
    struct text name = hex_encode(context->arena, account, sizeof account);
    return text_format(context->arena, "%.*s:%.*s", (int)number.length, number.data, (int)name.length, name.data);
}
