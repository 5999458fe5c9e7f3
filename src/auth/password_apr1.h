/* password_apr1.h: Apache's variant of crypt(3)'s MD5, which htpasswd(1) made by default for many years. */
#ifndef ROSTER_AUTH_PASSWORD_APR1_H
#define ROSTER_AUTH_PASSWORD_APR1_H

#include <stdbool.h>

#include "base/text.h"

#define APR1_PREFIX "$apr1$"

/* The digits of crypt(3)'s base64, in the order of their values. */
#define CRYPT_DIGITS "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The prefix, 8 characters of salt, a `$`, 22 characters, and a NUL. */
enum { APR1_SIZE = sizeof APR1_PREFIX + 8 + 1 + 22 };

/* Hashes a password with the salt of `setting`, which starts with the prefix.
 * hash_r: the hash in the form of the setting, NUL-terminated.
 * False: the setting is malformed, or OpenSSL has no MD5. */
bool apr1_hash(struct text password, struct text setting, char hash_r[static APR1_SIZE]);

#endif
