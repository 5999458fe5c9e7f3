/* digest.c: see digest.h. */
#include "base/digest.h"

#include <openssl/sha.h>

#include "base/hex.h"

struct text digest_sha256(struct arena *arena, struct text text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text.data, text.length, digest);
    return hex_encode(arena, digest, sizeof digest);
}
