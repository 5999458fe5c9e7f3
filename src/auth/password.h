/* password.h: hashing and judging passwords. scrypt (RFC 7914) for what is made here; bcrypt of imported accounts is verified. */
#ifndef ROSTER_AUTH_PASSWORD_H
#define ROSTER_AUTH_PASSWORD_H

#include <stdbool.h>

#include "base/context.h"

/* A hash in libscrypt's form `$s1$NNrrpp$salt$hash`, with the configured parameters, in the arena. FAULT where memory is missing (logged). */
enum outcome password_hash(struct context *context, struct text password, struct text *hash_r);

struct password_match {
    bool matches;
    bool outdated; /* matches, but should be hashed anew: bcrypt, or other parameters than the configured ones */
};

/* Compares with a stored hash: scrypt (`$s1$`), or bcrypt (`$2a$ $2b$ $2y$`, on the password's first 72 bytes). A hash that is malformed or costs more than bcrypt's 15 or 4 × the
 * configured scrypt cost never matches, and takes the time of a match. A null `hash` stands for an unknown account: it costs as much as a hash with the
 * configured parameters and does not match. Passwords with a NUL never match. */
struct password_match password_verify(struct context *context, struct text password, struct text hash);

/* Tells this process the greatest cost of the bcrypt hashes that accounts still have; 0: none has one. Whatever the
 * account, password_verify then takes the time of such a hash at least. Until it is called the cost counts as 12, which
 * is the original's; a bcrypt hash that turns up raises it again, to 12 at most. */
void password_expect_bcrypt(unsigned cost);

/* Whether a new password may be used: length (PASSWORD_TOO_LONG, INVALID_PASSWORD), NUL, pattern, the commonest ones, email (also its local part) and name (INVALID_PASSWORD, with a
 * detail that names the rule). OK or PROBLEM. email and name may be null. */
enum outcome password_check_rules(struct context *context, struct text password, struct text email, struct text name);

/* Compiles password_pattern; false with *error_r (static) where it is no PCRE2 pattern. Called by roster -t and before workers start. */
bool password_check_pattern(const char *pattern, const char **error_r);

/* Best effort: overwrites the bytes (explicit_bzero). */
void password_wipe(struct text text);

#endif
