/* token.h: JSON Web Tokens (RFC 7519), HS256 (RFC 7518) and nothing else. */
#ifndef ROSTER_AUTH_TOKEN_H
#define ROSTER_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"

/* Longest token that is looked at, in bytes. */
enum { TOKEN_LENGTH_MOST = 8192 };

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_BAD,        /* UNAUTHORIZED: does not decode, not signed by us, expired, not yet valid, a claim of the wrong type, no `id` */
    TOKEN_BAD_USER    /* INVALID_TOKEN: `id` is there, but is no text */
};

struct token {
    struct text id;        /* the user's id */
    struct text jti;       /* data NULL where absent */
    int64_t expires_at;    /* epoch seconds; -1: no `exp` */
    int64_t issued_at;     /* epoch seconds; -1: no `iat` */
    const char *reason;    /* where not good: why, static, for `rosterctl token` and the debug log */
};

/* Verifies signature and claims as api.md's step 3 says. `unlimited`: tokens without `exp` are accepted (the configured lifetime is unlimited). The texts are in
 * the arena. The signature is compared in constant time, the algorithm is checked before the key is used. */
enum token_verdict token_verify(struct context *context, struct text token, struct text key, bool unlimited, struct token *token_r);

/* A signed token with `id`, `jti` (a random UUID, given back in *jti_r), `iat` and, where expires_at is not -1, `exp`. */
struct text token_issue(struct context *context, struct text key, struct text user_id, int64_t issued_at, int64_t expires_at, struct text *jti_r);

/* A random UUID (RFC 9562, version 4) in its 36-character form. */
struct text token_new_uuid(struct arena *arena);

/* `size` bytes from the kernel's generator; ends the process where there are none. */
void token_random_bytes(unsigned char *bytes, size_t size);

/* SHA-256 as 64 lower-case hexadecimal digits. */
struct text token_sha256(struct arena *arena, struct text text);

/* Reads a lifetime: "-1" and "0" are unlimited (-1 in *seconds_r); else one or more of NUMBER and unit (ms, s, m, h, d, w), as "4w" or "1h30m"; numbers may be fractions. False where it is none of these. */
bool token_parse_lifetime(struct text text, int64_t *seconds_r);

#endif
