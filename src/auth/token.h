/* token.h: JSON Web Tokens (RFC 7519), with HS256 (RFC 7518) only. */
#ifndef ROSTER_AUTH_TOKEN_H
#define ROSTER_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"
#include "base/secret_box.h"
#include "config/config.h"

/* The longest token that is parsed, in bytes. */
enum { TOKEN_LENGTH_MAX = 8192 };

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_BAD,     /* UNAUTHORIZED */
    TOKEN_BAD_USER /* INVALID_TOKEN: `id` is not a string, or `typ` is none of ours */
};

/* What a token says of the sign-in, with CLAIMS of behaviours.def. */
struct token_claims {
    struct text auth_method;   /* password or trusted_header; null: the token has no such claims */
    int64_t auth_time;         /* epoch seconds; -1: it does not say */
    struct text session_stamp; /* null: none */
    bool mfa_verified;
};

struct token {
    struct text id;     /* the user's id */
    struct text jti;    /* data NULL where absent */
    int64_t expires_at; /* epoch seconds; -1: no `exp` */
    int64_t issued_at;  /* epoch seconds; -1: no `iat` */
    bool is_automation;
    struct token_claims claims; /* only with CLAIMS */
    const char *reason;         /* why the token is refused, static; for `rosterctl token` and the debug log */
};

/* Loads what OpenSSL needs for signatures: about as much work as fifteen requests.
 * The master calls it, so that workers have it from their fork on. Not needed otherwise. */
void token_load_library(void);

/* The size of a key's id, with its NUL: eight hexadecimal digits, which may be public. */
enum { TOKEN_KEY_ID_SIZE = SECRET_KEY_ID_SIZE };

/* The id of a key: `kid` of the tokens that it signs. */
void token_key_id(struct text key, char id_r[static TOKEN_KEY_ID_SIZE]);

/* Verifies signature and claims: roster-api(7), JSON Web Tokens.
 * The signature is that of the key which the token names (kid), or, where it names none of ours, of any.
 * `unlimited`: a token without `exp` is accepted.
 * The texts of *token_r are in the arena.
 * The algorithm is checked before the key is used, and the signature is compared in constant time. */
enum token_verdict token_verify(struct context *context, struct text token, const struct secret_keys *keys,
                                bool unlimited, struct token *token_r);

/* Which stamp the session of a token must have (session_store_find). NULL: with this configuration it does not count.
 */
const struct text *token_stamp(const struct context *context, const struct token *token);

/* Verifies the signature alone (HS256), without regard to times and other claims. For signing out: the clock of
 * this host, or of the host that issued the token, may be wrong.
 * expires_at is -1 where `exp` is absent or not a number.
 * False where the signature does not match, or `id` or `jti` is not a string. */
bool token_read_signed(struct context *context, struct text token, const struct secret_keys *keys,
                       struct token *token_r);

/* Returns a token signed with `key`, with `id`, `jti`, `iat` and, where expires_at is not -1, `exp`. Times are epoch
 * seconds. *jti_r: its `jti`, a random UUID. */
struct text token_issue(struct context *context, struct text key, struct text user_id, int64_t issued_at,
                        int64_t expires_at, struct text *jti_r);

/* A token with a jti that the caller knows: of a new session (random_uuid), or of one again, with another expiry.
 * `claims`: NULL, or without auth_method: none. */
struct text token_renew(struct context *context, struct text key, struct text user_id, struct text jti,
                        int64_t issued_at, int64_t expires_at, const struct token_claims *claims);

#endif
