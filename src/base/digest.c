/* digest.c: see digest.h. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/hex.h"
#include "base/log.h"

struct text digest_sha256(struct arena *arena, struct text text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text.data, text.length, digest);
    return hex_encode(arena, digest, sizeof digest);
}

struct text digest_hmac_sha256(struct arena *arena, struct text key, struct text text)
{
    unsigned char mac[SHA256_DIGEST_LENGTH];
    unsigned length = 0;
    invariant(HMAC(EVP_sha256(), key.data != NULL ? key.data : "", (int)key.length, (const unsigned char *)text.data,
                   text.length, mac, &length) != NULL &&
              length == sizeof mac);
    return hex_encode(arena, mac, sizeof mac);
}
