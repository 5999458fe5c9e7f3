/* password_crypt.h: verifies hashes of crypt(3) and Apache's variant of MD5, as files of htpasswd(1) and /etc/shadow
 * hold them. bcrypt, which they hold, too, is password.c's. */
#ifndef ROSTER_AUTH_PASSWORD_CRYPT_H
#define ROSTER_AUTH_PASSWORD_CRYPT_H

#include "base/context.h"

/* Whether a stored hash is one of these: `$1$` (MD5), `$apr1$`, `$5$` and `$6$` (SHA-256 and SHA-512), `$y$` and `$gy$`
 * (yescrypt), or 13 characters (DES). */
bool crypt_is_hash(struct text hash);

/* Judges a hash for which crypt_is_hash is true, and returns NULL.
 * *cost_r: about the microseconds that it takes.
 * Otherwise returns the reason (static, to continue `the password is'): it is malformed, takes over 256 MiB or about
 * half a second, or the system's libcrypt does not have its method. */
const char *crypt_judge_hash(struct text hash, uint64_t *cost_r);

/* Hashes `password`, which has no NUL, as `hash` was, and compares in constant time. DES takes the first 8 bytes of the
 * password.
 * True, with the result in *matches_r. False where memory is short (logged). */
bool crypt_compare(struct context *context, struct text password, struct text hash, bool *matches_r);

#endif
