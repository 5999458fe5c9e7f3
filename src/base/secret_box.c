/* secret_box.c: see secret_box.h. */
#include "base/secret_box.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"

enum { KEY_LENGTH = 32, NONCE_LENGTH = 12, TAG_LENGTH = 16, ID_LENGTH = SECRET_KEY_ID_SIZE - 1 };

static const char info[] = "roster stored secret 1";

struct text secret_box_key_id(struct arena *arena, struct text key)
{
    struct text id = digest_hmac_sha256(arena, key, TEXT(SECRET_KEY_ID_LABEL));
    return text_copy(arena, (struct text){id.data, ID_LENGTH});
}

/* HKDF without a salt. */
static void derive(struct text key, const char *label, unsigned char derived_r[static KEY_LENGTH])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    invariant(kdf != NULL);
    EVP_KDF_CTX *hkdf = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.data, key.length),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label)),
        OSSL_PARAM_END,
    };
    invariant(hkdf != NULL && EVP_KDF_derive(hkdf, derived_r, KEY_LENGTH, parameters) == 1);
    EVP_KDF_CTX_free(hkdf);
    EVP_KDF_free(kdf);
}

struct text secret_box_seal(struct arena *arena, struct text key, struct text label, struct text plain)
{
    const size_t length = NONCE_LENGTH + plain.length + TAG_LENGTH;
    unsigned char derived[KEY_LENGTH], *bytes = arena_alloc(arena, length);
    unsigned char *const sealed = bytes + NONCE_LENGTH;
    int part = 0;
    derive(key, info, derived);
    random_bytes(bytes, NONCE_LENGTH);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    invariant(cipher != NULL && plain.length <= INT32_MAX && label.length <= INT32_MAX &&
              EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, derived, bytes) == 1 &&
              EVP_EncryptUpdate(cipher, NULL, &part, (const unsigned char *)label.data, (int)label.length) == 1 &&
              EVP_EncryptUpdate(cipher, sealed, &part, (const unsigned char *)plain.data, (int)plain.length) == 1 &&
              EVP_EncryptFinal_ex(cipher, sealed + plain.length, &part) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_LENGTH, sealed + plain.length) == 1);
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(derived, sizeof derived);
    const struct text id = secret_box_key_id(arena, key);
    char *out = arena_alloc(arena, ID_LENGTH + 1 + length * 4 / 3 + 5);
    memcpy(out, id.data, ID_LENGTH);
    out[ID_LENGTH] = '.';
    return (struct text){out, ID_LENGTH + 1 + base64_encode(BASE64_URL, bytes, length, out + ID_LENGTH + 1)};
}

struct text secret_box_id_of(struct text sealed)
{
    return sealed.length > ID_LENGTH && sealed.data[ID_LENGTH] == '.' ? (struct text){sealed.data, ID_LENGTH}
                                                                      : TEXT_NULL;
}

static struct text open_gcm(struct arena *arena, struct text key, struct text label, struct text bytes)
{
    const size_t length = bytes.length - NONCE_LENGTH - TAG_LENGTH;
    unsigned char derived[KEY_LENGTH], *plain = arena_alloc(arena, length + 1);
    const unsigned char *const data = (const unsigned char *)bytes.data;
    int part = 0;
    derive(key, info, derived);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    invariant(cipher != NULL);
    const bool good =
        EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, derived, data) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &part, (const unsigned char *)label.data, (int)label.length) == 1 &&
        EVP_DecryptUpdate(cipher, plain, &part, data + NONCE_LENGTH, (int)length) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_LENGTH, (void *)(data + NONCE_LENGTH + length)) == 1 &&
        EVP_DecryptFinal_ex(cipher, plain + length, &part) == 1;
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(derived, sizeof derived);
    plain[length] = '\0';
    return good ? (struct text){(const char *)plain, length} : TEXT_NULL;
}

struct text secret_box_open(struct arena *arena, const struct text *keys, size_t count, struct text label,
                            struct text sealed)
{
    const struct text id = secret_box_id_of(sealed);
    const struct text bytes =
        id.data != NULL ? base64_decode(arena, BASE64_URL,
                                        (struct text){sealed.data + ID_LENGTH + 1, sealed.length - ID_LENGTH - 1})
                        : TEXT_NULL;
    if (bytes.length < NONCE_LENGTH + TAG_LENGTH || bytes.length > INT32_MAX || label.length > INT32_MAX) {
        return TEXT_NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (text_equal(secret_box_key_id(arena, keys[i]), id)) {
            return open_gcm(arena, keys[i], label, bytes);
        }
    }
    return TEXT_NULL;
}

/* ---- Fernet ---- */

enum { FERNET_VERSION = 0x80, FERNET_HEAD = 9, FERNET_BLOCK = 16, FERNET_MAC = 32, FERNET_KEY = 16 };

struct text secret_box_open_fernet(struct arena *arena, struct text key, const char *label, struct text token)
{
    unsigned char derived[KEY_LENGTH], mac[FERNET_MAC];
    unsigned mac_length = 0;
    while (token.length > 0 && token.data[token.length - 1] == '=') {
        token.length--;
    }
    const struct text all = base64_decode(arena, BASE64_URL, token);
    const unsigned char *const bytes = (const unsigned char *)all.data;
    const size_t rest = FERNET_HEAD + FERNET_BLOCK + FERNET_MAC;
    if (all.length <= rest || all.length > INT32_MAX || bytes[0] != FERNET_VERSION ||
        (all.length - rest) % FERNET_BLOCK != 0) {
        return TEXT_NULL;
    }
    const size_t length = all.length - rest;
    unsigned char *plain = arena_alloc(arena, length + FERNET_BLOCK);
    int first = 0, last = 0;
    derive(key, label, derived); /* its first half signs, its second half encrypts */
    const bool is_ours = HMAC(EVP_sha256(), derived, FERNET_KEY, bytes, all.length - FERNET_MAC, mac, &mac_length) &&
                         CRYPTO_memcmp(mac, bytes + all.length - FERNET_MAC, FERNET_MAC) == 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    invariant(cipher != NULL);
    const bool good =
        is_ours &&
        EVP_DecryptInit_ex(cipher, EVP_aes_128_cbc(), NULL, derived + FERNET_KEY, bytes + FERNET_HEAD) == 1 &&
        EVP_DecryptUpdate(cipher, plain, &first, bytes + FERNET_HEAD + FERNET_BLOCK, (int)length) == 1 &&
        EVP_DecryptFinal_ex(cipher, plain + first, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    OPENSSL_cleanse(derived, sizeof derived);
    if (!good) {
        return TEXT_NULL;
    }
    plain[first + last] = '\0';
    return (struct text){(const char *)plain, (size_t)(first + last)};
}
