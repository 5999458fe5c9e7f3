/* factor.h: who needs a second factor, and whether a session was begun with one: roster-api(7), Second factors. */
#ifndef ROSTER_AUTH_FACTOR_H
#define ROSTER_AUTH_FACTOR_H

#include "auth/identity.h"

/* Whether somebody needs a second factor: by the setting ENABLE_MFA, by second_factor_for of roster.conf, by choice, or
 * since an administrator has said so; not where the way of signing in (claims.auth_method) is let off by one of the
 * settings. OK, or FAULT of a store. */
enum outcome factor_is_required(struct context *context, const struct identity *identity, bool *required_r);

/* As identity_authenticate; then the session of somebody who needs a second factor must have been begun with one.
 * PROBLEM INVALID_TOKEN: it was not. API keys and automations need none. */
enum outcome factor_authenticate(struct context *context, const struct credentials *credentials,
                                 struct identity *identity_r);

/* Whether the password was typed within FACTOR_FRESH_SECONDS, at the sign-in or by POST /auths/confirm: a stolen
 * session alone changes no factor. An API key is never fresh. */
bool factor_is_fresh(const struct context *context, const struct identity *identity);

#endif
