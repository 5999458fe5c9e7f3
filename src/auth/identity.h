/* identity.h: who is calling (api.md, 'Who is calling'): each step a function, in order. */
#ifndef ROSTER_AUTH_IDENTITY_H
#define ROSTER_AUTH_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"

/* What a request brings to prove who it comes from; each null where absent. */
struct credentials {
    struct text authorization;   /* the header field, whole */
    struct text api_key;         /* x-api-key */
    struct text cookie;          /* the value of the cookie `token` */
    struct text trusted_email;   /* of the trusted header, only where it came from a trusted proxy */
    bool authorization_repeated;
    struct text path;            /* bare, decoded: for keys that may call some paths only */
};

struct identity {
    struct text user_id;         /* data NULL: nobody */
    struct text email;
    struct text name;
    struct text role;
    int64_t last_active_at;
    bool is_api_key;
    struct text token;           /* as it came */
    struct text jti;             /* null: none */
    int64_t expires_at;          /* -1: never */
    struct text session_jti;     /* the same as jti where the session has a row of its own, else null */
    int64_t session_last_seen_at;
    struct text key_id;          /* of the API key */
    int64_t key_last_used_at;
    bool drop_cookies;           /* the 401 deletes the cookies that were sent (step 6) */
};

/* Steps 1 to 5: finds the token, verifies it and reads the user's row. OK, or PROBLEM with the 401 or 403 that api.md says, or FAULT. */
enum outcome identity_authenticate(struct context *context, const struct credentials *credentials, struct identity *identity_r);

/* The token that a request carries, wherever it came from, unverified; null text where there is none. For signing out. PROBLEM where the header is malformed. */
enum outcome identity_find_token(struct context *context, const struct credentials *credentials, struct text *token_r);

/* Step 7. `verified`: user or admin; `admin`: admin. */
static inline bool identity_is_admin(const struct identity *identity) { return text_is(identity->role, "admin"); }
bool identity_is_verified(const struct identity *identity);

/* Step 8, after the answer: last_active_at of the user, last_used_at of the key, last_seen_at of the session, each at most once per last_active_interval. */
void identity_touch(struct context *context, const struct identity *identity);

#endif
