/* totp.h: codes that change with the time: TOTP (RFC 6238) over HOTP (RFC 4226), with SHA-1, six digits and steps of 30
 * seconds, which is what every authenticator can. */
#ifndef ROSTER_BASE_TOTP_H
#define ROSTER_BASE_TOTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"

enum { TOTP_SECRET_BYTES = 20, TOTP_DIGITS = 6, TOTP_STEP_SECONDS = 30 };

/* The number of a step, before it is cut to its last digits: RFC 4226, section 5.3. */
uint32_t totp_number(const unsigned char *secret, size_t length, uint64_t step);

/* Which step a code is of, where it is of the present one, the one before or the one after, and later than `last_step`
 * (-1: any): the earliest such. -1: of none. All three are compared, each in constant time. */
int64_t totp_match(const unsigned char *secret, size_t length, struct text code, int64_t now_seconds,
                   int64_t last_step);

/* base32 without padding (RFC 4648, section 6), in the arena: the form in which people type a secret. */
struct text totp_encode(struct arena *arena, const unsigned char *bytes, size_t length);

/* The bytes of such a text, in the arena; case, padding and spaces do not count. The null text: it is none. */
struct text totp_decode(struct arena *arena, struct text text);

#endif
