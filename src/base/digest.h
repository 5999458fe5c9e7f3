/* digest.h: SHA-256 (FIPS 180-4), and HMAC with it (RFC 2104), as text. */
#ifndef ROSTER_BASE_DIGEST_H
#define ROSTER_BASE_DIGEST_H

#include "base/arena.h"
#include "base/text.h"

/* The SHA-256 of a text as 64 lower-case hexadecimal digits, in the arena. */
struct text digest_sha256(struct arena *arena, struct text text);

/* The HMAC-SHA256 of a text with `key`, in the same form. */
struct text digest_hmac_sha256(struct arena *arena, struct text key, struct text text);

#endif
