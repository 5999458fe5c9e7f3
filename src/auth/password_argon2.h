/* password_argon2.h: verifies Argon2 hashes (RFC 9106) of imported accounts, with libargon2 where the build has it. */
#ifndef ROSTER_AUTH_PASSWORD_ARGON2_H
#define ROSTER_AUTH_PASSWORD_ARGON2_H

#include "base/context.h"

enum { ARGON2_BYTES_MAX = 64 };

enum argon2_kind { ARGON2_KIND_D, ARGON2_KIND_I, ARGON2_KIND_ID };

/* A parsed hash: `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`, salt and hash in base64 without padding. */
struct argon2_hash {
    enum argon2_kind kind;
    uint32_t version, memory_kibibytes, passes, lanes;
    unsigned char salt[ARGON2_BYTES_MAX], hash[ARGON2_BYTES_MAX];
    size_t salt_length, hash_length;
};

/* Whether this build can verify Argon2. */
bool argon2_is_available(void);

/* Parses a stored hash into *hash_r and returns NULL.
 * Otherwise returns the reason (static, to continue `the password is'): it is malformed, its hash is shorter than 16
 * bytes, or it takes more than 256 MiB, 16 lanes, or 1 GiB over all passes. */
const char *argon2_parse(struct text text, struct argon2_hash *hash_r);

/* The memory that is written over all passes, in KiB. The time is about proportional to it. */
uint64_t argon2_cost(const struct argon2_hash *hash);

/* Hashes `password` with the parameters and the salt of `hash`, in one thread, and compares in constant time.
 * True, with the result in *matches_r.
 * False where memory is short (logged), or the build has no libargon2. */
bool argon2_compare(struct context *context, struct text password, const struct argon2_hash *hash, bool *matches_r);

#endif
