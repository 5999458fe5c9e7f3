/* identity.h: finds out who is calling, by the steps of roster-api(7), AUTHENTICATION, in this order. */
#ifndef ROSTER_AUTH_IDENTITY_H
#define ROSTER_AUTH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/token.h"
#include "base/context.h"

/* The credentials of a request; each null where absent. */
struct credentials {
    struct text authorization; /* the whole header field */
    struct text api_key;       /* x-api-key */
    struct text cookie;        /* the value of the cookie `token`; of several the last one */
    struct text *cookies;      /* all of them; only where there are several */
    size_t cookie_count;
    struct text bond;          /* of the cookie IDENTITY_BOND_COOKIE: the jti of this browser's session */
    struct text trusted_email; /* of the trusted header, only where a trusted proxy sent it */
    bool authorization_repeated;
    struct text path; /* bare, decoded: for API keys that may call some paths only */
    /* For /verify alone: */
    bool accepts_basic;      /* an API key may be the password of the scheme Basic (RFC 7617) */
    struct text application; /* its name, which a key's list may have as `verify:NAME` */
};

/* Set beside the cookie `token` by a sign-in over https: no host but this one can set a cookie with this prefix (RFC
 * 6265bis, section 4.1.3), so none can make a browser use another session than its own: roster-api(7), Finding the
 * token. */
#define IDENTITY_BOND_COOKIE "__Host-roster_session"

/* Whether that cookie is set, and counts: not with cookie_domain, where the hosts of the domain share a session on
 * purpose, so that a sign-in at one of them replaces that of another. */
bool identity_bond_counts(const struct config *config);

struct identity {
    struct text user_id; /* data NULL: unknown caller */
    struct text email;
    struct text name;
    struct text role;
    int64_t last_active_at;
    bool is_api_key;
    bool is_automation; /* the token is of a program, not of a sign-in */
    /* How the session began: of its row, or, where it has none, of the token. auth_time and mfa_verified are known with
     * each value of compatibility. */
    struct token_claims claims;
    bool has_factor;         /* the account has a second factor */
    int factor_required;     /* who says that it needs one: bits of factor_store.h */
    bool site_wants_factor;  /* ENABLE_MFA; not read for an API key */
    struct text token;       /* as it was received */
    bool by_cookie;          /* the token was in the cookie, which browsers send by themselves */
    struct text jti;         /* null: the token has no jti */
    int64_t expires_at;      /* -1: never */
    int64_t issued_at;       /* -1: the token does not say, or is an API key */
    struct text session_jti; /* equal to jti where the session has a row of its own, else null */
    int64_t session_last_seen_at;
    int64_t confirmed_at; /* when the password was given again in the session; -1: never */
    struct text key_id;   /* of the API key */
    bool key_has_list;    /* it may call some paths only, by a list of its own */
    int64_t key_last_used_at;
    bool drop_cookies; /* the 401 deletes cookies: roster-api(7), Deleted cookies */
    bool is_tossed;    /* a cookie `token` was sent that this site has probably not set: others of its name go, too */
};

/* What an entry of a key's list begins with that names an application instead of a path: roster-api(7), API keys. */
#define KEY_ROUTE_VERIFY "verify:"

/* Finds the token, verifies it, and reads the user's row: all steps up to the cross-site check.
 * OK, or PROBLEM with the 401 or 403 of the step that fails.
 * FAULT where MariaDB is away, or Redis and redis_required is on. */
enum outcome identity_authenticate(struct context *context, const struct credentials *credentials,
                                   struct identity *identity_r);

/* The caller was found, and is there no more: the account was deleted meanwhile. PROBLEM with the 401 that
 * identity_authenticate would give now. */
enum outcome identity_refuse_deleted(struct context *context, struct identity *identity);

/* Finds the token of a request, without verifying it: roster-api(7), Finding the token. For signing out.
 * *token_r: null text where the request has no token.
 * *by_cookie_r: the token was in the cookie.
 * PROBLEM where the header field is malformed. */
enum outcome identity_find_token(struct context *context, const struct credentials *credentials, struct text *token_r,
                                 bool *by_cookie_r);

/* Brings a path of a key's list into the form that is compared with requests: roster-api(7), API keys.
 * True where it allows every path. */
bool identity_bare_path(struct text typed, struct text *bare_r);

/* Whether users sign in with passwords: else nobody could change one that must be changed. */
bool identity_has_passwords(const struct config *config);

/* roster-api(7), Roles: `verified` is user or admin. */
static inline bool identity_is_admin(const struct identity *identity)
{
    return text_is(identity->role, "admin");
}
bool identity_is_verified(const struct identity *identity);

/* Whether the password was given again within these seconds: roster-api(7), Confirming that it is you. */
enum { CONFIRMED_SECONDS = 600 };
static inline bool identity_is_confirmed(const struct context *context, const struct identity *identity)
{
    return identity->confirmed_at >= 0 && context->now_seconds - identity->confirmed_at < CONFIRMED_SECONDS;
}

/* Stores the time of the request: roster-api(7), Last activity. Called after the response is sent. */
void identity_touch(struct context *context, const struct identity *identity);

#endif
