/* digest.h: SHA-256 (FIPS 180-4) as text. */
#ifndef ROSTER_BASE_DIGEST_H
#define ROSTER_BASE_DIGEST_H

#include "base/arena.h"
#include "base/text.h"

/* The SHA-256 of a text as 64 lower-case hexadecimal digits, in the arena. */
struct text digest_sha256(struct arena *arena, struct text text);

#endif
