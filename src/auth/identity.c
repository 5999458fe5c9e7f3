#include "auth/identity.h"

#include "auth/api_key.h"
#include "auth/key_access.h"
#include "auth/token.h"
#include "base/base64.h"
#include "base/email.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/problem.h"
#include "config/config.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "store/session_store.h"
#include "store/touch_store.h"
#include "store/user_store.h"

bool identity_is_verified(const struct identity *identity)
{
    return text_is(identity->role, "user") || text_is(identity->role, "admin");
}

bool identity_has_passwords(const struct config *config)
{
    return config->password_sign_in && config->trusted_email_header[0] == '\0';
}

/* ---- finding the token ---- */

/* `Bearer TOKEN` → TOKEN; null for another scheme. PROBLEM where the field is malformed. */
static enum outcome token_of_authorization(struct context *context, struct text header, struct text *token_r)
{
    const char *space = header.length > 0 ? memchr(header.data, ' ', header.length) : NULL;
    size_t scheme_length = space != NULL ? (size_t)(space - header.data) : header.length;
    if (!text_is_ignoring_case((struct text){header.data, scheme_length}, "Bearer")) {
        return OK;
    }
    struct text rest = {header.data + scheme_length, header.length - scheme_length};
    if (rest.length < 2 || memchr(rest.data + 1, ' ', rest.length - 1) != NULL) {
        return problem_set_detail(
            context, ERROR_NOT_AUTHENTICATED, 0,
            "The header field Authorization is malformed: it must be `Bearer`, one space and the token.");
    }
    *token_r = (struct text){rest.data + 1, rest.length - 1};
    return OK;
}

/* `Basic BASE64` → the password, where it is an API key; the user-id counts for nothing. Else null: the field may be
 * for the application. */
static struct text key_of_basic(struct context *context, struct text header)
{
    static const char scheme[] = "Basic ";
    if (!text_starts_with_ignoring_case(header, scheme)) {
        return TEXT_NULL;
    }
    struct text encoded = {header.data + strlen(scheme), header.length - strlen(scheme)};
    struct text decoded = base64_decode(context->arena, BASE64_ANY_PADDED, text_trim(encoded));
    const char *colon = decoded.length > 0 ? memchr(decoded.data, ':', decoded.length) : NULL;
    if (colon == NULL) {
        return TEXT_NULL;
    }
    struct text password = {colon + 1, decoded.length - (size_t)(colon + 1 - decoded.data)};
    return api_key_is(password) ? password : TEXT_NULL;
}

bool identity_bond_counts(const struct config *config)
{
    return config->cookie_domain[0] == '\0';
}

/* A browser may send several cookies `token`: a host beside this one, or above, sets one for its whole domain, which is
 * called cookie tossing; or cookie_domain has changed. One that is not signed by us, or has expired, hides no other. Of
 * those that are good the one of this browser's own sign-in counts, if it is known, else the newest. *is_unclear_r:
 * they belong to several people, and nothing tells who sent them here. */
static struct text choose_cookie(struct context *context, const struct credentials *credentials, bool *is_unclear_r)
{
    struct text chosen = credentials->cookie, owner = TEXT_NULL;
    int64_t issued_at = INT64_MIN;
    *is_unclear_r = false;
    for (size_t i = 0; i < credentials->cookie_count; i++) {
        const struct text cookie = credentials->cookies[i];
        struct token token;
        if (api_key_is(cookie) ||
            token_verify(context, cookie, &context->config->secret_keys, true, &token) != TOKEN_GOOD) {
            continue;
        }
        if (credentials->bond.data != NULL) {
            if (text_equal(token.jti, credentials->bond)) {
                return cookie;
            }
            continue;
        }
        *is_unclear_r = *is_unclear_r || (owner.data != NULL && !text_equal(owner, token.id));
        if (token.issued_at >= issued_at) {
            chosen = cookie;
            owner = token.id;
            issued_at = token.issued_at;
        }
    }
    return chosen;
}

static enum outcome find_token(struct context *context, const struct credentials *credentials, struct text *token_r,
                               bool *by_cookie_r, bool *is_unclear_r)
{
    *token_r = TEXT_NULL;
    *by_cookie_r = *is_unclear_r = false;
    if (credentials->authorization_repeated) {
        return problem_set_detail(context, ERROR_NOT_AUTHENTICATED, 0,
                                  "The header field Authorization was sent more than once.");
    }
    if (credentials->authorization.length > 0) {
        enum outcome outcome = token_of_authorization(context, credentials->authorization, token_r);
        if (outcome != OK) {
            return outcome;
        }
        if (token_r->data == NULL && credentials->accepts_basic) {
            *token_r = key_of_basic(context, credentials->authorization);
        }
    }
    if (token_r->data == NULL && credentials->api_key.length > 0) {
        *token_r = credentials->api_key;
    }
    if (token_r->data == NULL) {
        *token_r = choose_cookie(context, credentials, is_unclear_r);
        *by_cookie_r = token_r->data != NULL;
    }
    return OK;
}

enum outcome identity_find_token(struct context *context, const struct credentials *credentials, struct text *token_r,
                                 bool *by_cookie_r)
{
    bool is_unclear;
    return find_token(context, credentials, token_r, by_cookie_r, &is_unclear);
}

static enum outcome refuse_session(struct context *context, struct identity *identity, enum error_code code)
{
    identity->drop_cookies = true;
    return problem_set(context, code);
}

/* The cookie is not of this browser's sign-in, or nobody can tell whose it is. */
static enum outcome refuse_tossed(struct context *context, struct identity *identity)
{
    identity->is_tossed = true;
    refuse_session(context, identity, ERROR_UNAUTHORIZED);
    return problem_set_detail(context, ERROR_UNAUTHORIZED, 0,
                              "The cookie `token' is not of a sign-in of this browser, or there are cookies `token' of "
                              "several people. Please sign in again.");
}

static void take_caller(struct identity *identity, const struct caller *caller)
{
    identity->user_id = caller->user_id;
    identity->email = caller->email;
    identity->name = caller->name;
    identity->role = caller->role;
    identity->last_active_at = caller->last_active_at;
    identity->has_factor = caller->has_factor;
    identity->factor_required = caller->factor_required;
}

/* The row knows more than the token: who signs in again does so in the same session, with the same token. */
static void take_claims(struct identity *identity, const struct token *token, const struct token_session *session)
{
    identity->claims = token->claims;
    if (session->has_row) {
        identity->claims.auth_time = session->auth_time;
        identity->claims.mfa_verified = session->mfa_verified;
        if (session->auth_method.data != NULL) {
            identity->claims.auth_method = session->auth_method;
        }
    }
}

/* roster-api(7), Passwords to be changed. */
static enum outcome check_password_change(struct context *context, const struct caller *caller)
{
    return caller->standing == CALLER_MUST_CHANGE && identity_has_passwords(context->config)
               ? problem_set(context, ERROR_PASSWORD_CHANGE_REQUIRED)
               : OK;
}

/* ---- API keys ---- */

bool identity_bare_path(struct text typed, struct text *bare_r)
{
    struct text path = text_trim(typed);
    while (path.length > 0 && path.data[path.length - 1] == '/') {
        path.length--;
    }
    if (text_starts_with(path, "/api/v1") && (path.length == 7 || path.data[7] == '/')) {
        *bare_r = (struct text){path.data + 7, path.length - 7};
        return path.length == 7;
    }
    bool is_everything = text_is(path, "/api");
    *bare_r = is_everything ? (struct text){path.data, 0} : path;
    return is_everything;
}

/* True where `path` equals `allowed`, or is below it. `path` is without /api/v1 and trailing slashes. An empty entry
 * allows no path. */
static bool path_is_below(struct text path, struct text allowed)
{
    struct text bare;
    if (identity_bare_path(allowed, &bare)) {
        return true;
    }
    return bare.length > 0 && path.length >= bare.length && memcmp(path.data, bare.data, bare.length) == 0 &&
           (path.length == bare.length || path.data[bare.length] == '/');
}

/* True where one entry of a list allows the request: its path, or for /verify the application. */
static bool entry_allows(const struct credentials *credentials, struct text entry)
{
    static const char prefix[] = KEY_ROUTE_VERIFY;
    const struct text typed = text_trim(entry);
    if (text_starts_with(typed, prefix)) {
        const struct text name = {typed.data + strlen(prefix), typed.length - strlen(prefix)};
        return name.length > 0 && text_equal(name, credentials->application);
    }
    return path_is_below(credentials->path, entry);
}

/* `list` is the list of the settings: paths, separated by commas. */
static bool is_listed(const struct credentials *credentials, struct text list)
{
    while (list.length > 0) {
        if (entry_allows(credentials, text_take(&list, ','))) {
            return true;
        }
    }
    return false;
}

/* `routes` is the list of one key: a JSON array of strings. A null list allows every path. */
static bool is_in_routes(struct context *context, const struct credentials *credentials, struct text routes)
{
    if (routes.data == NULL) {
        return true;
    }
    json_object *list;
    json_text_parse(context->arena, routes, &list);
    if (json_object_get_type(list) != json_type_array) {
        return false; /* an unreadable list allows no path */
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (entry_allows(credentials, json_text(json_object_array_get_idx(list, i)))) {
            return true;
        }
    }
    return false;
}

static enum outcome judge_key(struct context *context, const struct credentials *credentials,
                              const struct key_access *access)
{
    if (!access->is_granted) {
        return problem_set(context, ERROR_API_KEY_NOT_ALLOWED);
    }
    if ((access->allowed.data != NULL && !is_listed(credentials, access->allowed)) ||
        !is_in_routes(context, credentials, access->owner.routes)) {
        return problem_set(context, ERROR_API_KEY_ENDPOINT_NOT_ALLOWED);
    }
    return OK;
}

static enum outcome refuse_key(struct context *context)
{
    return problem_set_detail(context, ERROR_INVALID_TOKEN, 0, "This API key is not known or has expired.");
}

enum outcome identity_refuse_deleted(struct context *context, struct identity *identity)
{
    return identity->is_api_key ? refuse_key(context) : refuse_session(context, identity, ERROR_INVALID_TOKEN);
}

static enum outcome authenticate_key(struct context *context, const struct credentials *credentials,
                                     struct identity *identity)
{
    struct key_access access;
    const struct key_owner *owner = &access.owner;
    enum outcome outcome = key_access_find(context, identity->token, &access);
    if (outcome != OK) {
        return outcome;
    }
    if (!owner->found || (owner->expires_at >= 0 && owner->expires_at <= context->now_seconds)) {
        return refuse_key(context);
    }
    if (owner->caller.standing == CALLER_DISABLED) {
        return refuse_session(context, identity, ERROR_INVALID_TOKEN);
    }
    outcome = check_password_change(context, &owner->caller);
    if (outcome != OK) {
        return outcome;
    }
    outcome = judge_key(context, credentials, &access);
    if (outcome == OK && owner->is_plain) {
        outcome = key_store_hash_plain(context, owner->caller.user_id, owner->key_id, identity->token);
    }
    identity->is_api_key = true;
    take_caller(identity, &owner->caller);
    identity->key_id = owner->key_id;
    identity->key_last_used_at = owner->last_used_at;
    identity->key_has_list = owner->routes.data != NULL;
    return outcome;
}

/* ---- JSON Web Tokens, and their sessions ---- */

/* A token without `exp` is valid only where the lifetime of sessions is unlimited. */
static enum outcome check_unlimited(struct context *context, struct identity *identity)
{
    int64_t lifetime;
    enum outcome outcome = config_store_read_lifetime(context, &lifetime);
    if (outcome == OK && lifetime >= 0) {
        return refuse_session(context, identity, ERROR_UNAUTHORIZED);
    }
    return outcome;
}

/* store/redis.c has logged the error. */
static enum outcome redis_is_away(struct context *context)
{
    if (!context->config->redis_required) {
        return OK;
    }
    enum outcome outcome = problem_set_fault(context, ERROR_UNAVAILABLE);
    context->problem.retry_after_seconds = 1;
    return outcome;
}

static enum outcome authenticate_token(struct context *context, const struct credentials *credentials,
                                       struct identity *identity)
{
    struct token token;
    switch (token_verify(context, identity->token, &context->config->secret_keys, true, &token)) {
    case TOKEN_GOOD:
        break;
    case TOKEN_BAD_USER:
        return refuse_session(context, identity, ERROR_INVALID_TOKEN);
    case TOKEN_BAD:
        log_debug(context, "token refused: %s", token.reason);
        return refuse_session(context, identity, ERROR_UNAUTHORIZED);
    }
    if (identity->by_cookie && credentials->bond.data != NULL && !text_equal(token.jti, credentials->bond)) {
        return refuse_tossed(context, identity);
    }
    struct token_session session;
    enum outcome outcome =
        session_store_find(context, token.id, token.jti, token.issued_at, token_stamp(context, &token), &session);
    if (outcome == OK && !session.redis_answered) {
        outcome = redis_is_away(context);
    }
    if (outcome == OK && token.expires_at < 0) {
        outcome = check_unlimited(context, identity);
    }
    if (outcome != OK) {
        return outcome;
    }
    bool other_email = text_trim(credentials->trusted_email).length > 0 &&
                       !email_equal(context->arena, credentials->trusted_email, session.caller.email);
    if (session.state != SESSION_VALID || other_email) {
        return refuse_session(context, identity, ERROR_INVALID_TOKEN);
    }
    outcome = check_password_change(context, &session.caller);
    if (outcome != OK) {
        return outcome;
    }
    take_caller(identity, &session.caller);
    identity->is_automation = token.is_automation;
    identity->site_wants_factor = session.site_wants_factor;
    take_claims(identity, &token, &session);
    identity->jti = token.jti;
    identity->expires_at = token.expires_at;
    identity->issued_at = token.issued_at;
    identity->session_jti = session.has_row ? token.jti : TEXT_NULL;
    identity->session_last_seen_at = session.last_seen_at;
    identity->confirmed_at = session.confirmed_at;
    return OK;
}

enum outcome identity_authenticate(struct context *context, const struct credentials *credentials,
                                   struct identity *identity_r)
{
    memset(identity_r, 0, sizeof *identity_r);
    identity_r->expires_at = identity_r->issued_at = identity_r->confirmed_at = -1;
    bool is_unclear;
    enum outcome outcome = find_token(context, credentials, &identity_r->token, &identity_r->by_cookie, &is_unclear);
    if (outcome != OK) {
        return outcome;
    }
    if (identity_r->token.data == NULL) {
        return problem_set(context, ERROR_NOT_AUTHENTICATED);
    }
    const bool is_key_for_session =
        identity_r->by_cookie && credentials->bond.data != NULL && api_key_is(identity_r->token);
    if (is_unclear || is_key_for_session) {
        return refuse_tossed(context, identity_r);
    }
    identity_r->is_tossed = identity_r->by_cookie && credentials->cookie_count > 1;
    return api_key_is(identity_r->token) ? authenticate_key(context, credentials, identity_r)
                                         : authenticate_token(context, credentials, identity_r);
}

/* ---- last activity ---- */

void identity_touch(struct context *context, const struct identity *identity)
{
    const int64_t due = context->now_seconds - context->config->last_active_interval;
    /* the times in the caller's row mostly show, without a statement, that no update is due */
    if (identity->last_active_at <= due) {
        user_store_touch(context, identity->user_id);
    }
    if (identity->is_api_key && identity->key_last_used_at <= due) {
        key_store_touch(context, identity->key_id, identity->user_id);
    }
    if (identity->session_jti.data != NULL &&
        identity->session_last_seen_at <= context->now_seconds - touch_store_interval(context->config, TOUCH_SESSION)) {
        session_store_touch(context, identity->session_jti);
    }
}
