/* password.h: hashes, verifies and checks passwords. New hashes are scrypt (RFC 7914); bcrypt, Argon2 and
 * crypt(3) hashes of imported accounts are verified. */
#ifndef ROSTER_AUTH_PASSWORD_H
#define ROSTER_AUTH_PASSWORD_H

#include <stdbool.h>

#include "base/context.h"

/* Hashes a password with the configured parameters.
 * *hash_r: in libscrypt's form `$s1$NNrrpp$salt$hash`, in the arena.
 * OK, or FAULT where memory is short (logged). */
enum outcome password_hash(struct context *context, struct text password, struct text *hash_r);

/* scrypt's parameters. */
struct scrypt_cost {
    uint64_t n;
    uint32_t r, p;
};

struct password_match {
    bool matches;
    bool failed; /* could not be verified, since memory is short (logged): the result is unknown */
    /* matches, but should be hashed again: bcrypt, Argon2, crypt(3), or other parameters than the configured ones */
    bool outdated;
};

/* Compares a password with a stored hash: scrypt (`$s1$`), bcrypt (`$2a$ $2b$ $2y$`, the first 72 bytes of the
 * password), Argon2 (`$argon2id$` and the like: password_argon2.h), or one of crypt(3) (password_crypt.h).
 * Takes the same time for each kind of hash, also without a match: see password.c.
 * Never matches: a malformed hash, a bcrypt cost over 15, a scrypt cost that password_cost_is_allowed refuses, a
 * password with a NUL.
 * `hash` null (an unknown account): does not match, and takes the time of a hash with the configured parameters. */
struct password_match password_verify(struct context *context, struct text password, struct text hash);

/* Sets the highest cost of the accounts' bcrypt hashes; 0: there are no bcrypt hashes.
 * password_verify then takes at least the time of such a hash, for each account.
 * The default is 12, the cost of the program that Roster replaces. When password_verify meets a higher cost, it raises
 * the value, up to 12. */
void password_expect_bcrypt(unsigned cost);

/* The same for Argon2.
 * `hash`: the most expensive hash of the accounts, with any salt; null: there are no Argon2 hashes.
 * When password_verify meets a more expensive hash, that one counts. */
void password_expect_argon2(struct text hash);

/* Returns why a stored hash can't be verified (static, to continue `the password is'); NULL: it can. */
const char *password_judge_hash(struct context *context, struct text hash);

/* Logs a warning with the user and the reason where the stored hash can't be verified. */
void password_warn_unusable(struct context *context, struct text user_id, struct text hash);

/* As password_expect_bcrypt, for scrypt hashes that cost more than the configured parameters (the cost was lowered
 * later). A cost of more than four times the configured one is ignored. */
void password_expect_scrypt(const struct config *config, struct scrypt_cost cost);

/* Parses the six digits NNrrpp of a stored scrypt hash. False where they are malformed. */
bool password_read_cost(struct text digits, struct scrypt_cost *cost_r);

/* The memory in bytes that the computation of a hash takes. */
int64_t password_cost_memory(struct scrypt_cost cost);

/* Whether stored hashes of this cost are verified. The configured cost always is, any other up to
 * password_hash_memory_limit and a few seconds. */
bool password_cost_is_allowed(const struct config *config, struct scrypt_cost cost);

/* Whether a new password may be used: roster-api(7), Passwords.
 * email and name may be null.
 * OK, or PROBLEM with PASSWORD_TOO_LONG or INVALID_PASSWORD and a detail that names the rule. */
enum outcome password_check_rules(struct context *context, struct text password, struct text email, struct text name);

/* Whether password_pattern is a valid PCRE2 pattern. NULL and "" (no rule) are valid.
 * Called by roster -t and before workers start. */
bool password_check_pattern(const char *pattern, struct error *error);

/* Overwrites the bytes (explicit_bzero). Copies elsewhere stay. */
void password_wipe(struct text text);

#endif
