#include "auth/identity.h"

#include "auth/permission.h"
#include "auth/token.h"
#include "base/json.h"
#include "base/log.h"
#include "config/config.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "store/session_store.h"
#include "store/user_store.h"

bool identity_is_verified(const struct identity *identity)
{
    return text_is(identity->role, "user") || text_is(identity->role, "admin");
}

/* ---- step 1: the token ---- */

/* `Bearer TOKEN` → TOKEN; null for another scheme. PROBLEM where it is Bearer, but not one word follows one space. */
static enum outcome token_of_authorization(struct context *context, struct text header, struct text *token_r)
{
    const char *space = header.length > 0 ? memchr(header.data, ' ', header.length) : NULL;
    size_t scheme_length = space != NULL ? (size_t)(space - header.data) : header.length;
    if (!text_is_ignoring_case((struct text){header.data, scheme_length}, "Bearer")) {
        return OK;
    }
    struct text rest = {header.data + scheme_length, header.length - scheme_length};
    if (rest.length < 2 || memchr(rest.data + 1, ' ', rest.length - 1) != NULL) {
        return problem_set_detail(context, ERROR_NOT_AUTHENTICATED, 0,
                                  "The header field Authorization is malformed: it must be `Bearer`, one space and the token.");
    }
    *token_r = (struct text){rest.data + 1, rest.length - 1};
    return OK;
}

enum outcome identity_find_token(struct context *context, const struct credentials *credentials, struct text *token_r)
{
    *token_r = (struct text){NULL, 0};
    if (credentials->authorization_repeated) {
        return problem_set_detail(context, ERROR_NOT_AUTHENTICATED, 0, "The header field Authorization was sent more than once.");
    }
    if (credentials->authorization.length > 0) {
        enum outcome outcome = token_of_authorization(context, credentials->authorization, token_r);
        if (outcome != OK) {
            return outcome;
        }
    }
    if (token_r->data == NULL && credentials->api_key.length > 0) {
        *token_r = credentials->api_key;
    }
    if (token_r->data == NULL) {
        *token_r = credentials->cookie;
    }
    return OK;
}

/* ---- step 2: API keys ---- */

/* True where `path` is one of the paths, or lies below one. Both without /api/v1 and slashes at the end. */
static bool path_is_below(struct text path, struct text allowed)
{
    allowed = text_trim(allowed);
    if (text_starts_with(allowed, "/api/v1") && (allowed.length == 7 || allowed.data[7] == '/')) {
        allowed = (struct text){allowed.data + 7, allowed.length - 7};
    }
    while (allowed.length > 0 && allowed.data[allowed.length - 1] == '/') {
        allowed.length--;
    }
    return allowed.length > 0 && path.length >= allowed.length && memcmp(path.data, allowed.data, allowed.length) == 0 &&
           (path.length == allowed.length || path.data[allowed.length] == '/');
}

/* The list of the settings: paths, separated by commas. */
static bool path_is_listed(struct text path, struct text list)
{
    while (list.length > 0) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma != NULL ? (size_t)(comma - list.data) : list.length;
        if (path_is_below(path, (struct text){list.data, length})) {
            return true;
        }
        size_t step = length + (comma != NULL ? 1 : 0);
        list = (struct text){list.data + step, list.length - step};
    }
    return false;
}

/* The list of a key of its own: JSON texts. A null list allows all. */
static bool path_is_in_routes(struct context *context, struct text path, struct text routes)
{
    json_object *list = json_parse(context->arena, routes);
    if (routes.data == NULL) {
        return true;
    }
    if (json_object_get_type(list) != json_type_array) {
        return false; /* what can't be read allows nothing */
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (path_is_below(path, json_text(json_object_array_get_idx(list, i)))) {
            return true;
        }
    }
    return false;
}

static enum outcome judge_key(struct context *context, const struct credentials *credentials, const struct key_owner *owner)
{
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    bool granted = false;
    if (config_store_is_on(context, document, SETTING_ENABLE_API_KEYS)) {
        outcome = permission_check(context, owner->user_id, text_is(owner->role, "admin"), "features.api_keys", &granted);
        if (outcome != OK) {
            return outcome;
        }
    }
    if (!granted) {
        return problem_set(context, ERROR_API_KEY_NOT_ALLOWED);
    }
    bool restricted = config_store_is_on(context, document, SETTING_ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS);
    if ((restricted &&
         !path_is_listed(credentials->path, config_store_text(context, document, SETTING_API_KEYS_ALLOWED_ENDPOINTS))) ||
        !path_is_in_routes(context, credentials->path, owner->routes)) {
        return problem_set(context, ERROR_API_KEY_ENDPOINT_NOT_ALLOWED);
    }
    return OK;
}

static enum outcome authenticate_key(struct context *context, const struct credentials *credentials, struct identity *identity)
{
    struct key_owner owner;
    enum outcome outcome = key_store_find(context, identity->token, &owner);
    if (outcome != OK) {
        return outcome;
    }
    if (!owner.found || (owner.expires_at >= 0 && owner.expires_at <= context->now_seconds)) {
        return problem_set_detail(context, ERROR_INVALID_TOKEN, 0, "This API key is not known or has expired.");
    }
    outcome = judge_key(context, credentials, &owner);
    if (outcome == OK && owner.plain) {
        outcome = key_store_hash_plain(context, owner.key_id, identity->token);
    }
    identity->is_api_key = true;
    identity->user_id = owner.user_id;
    identity->email = owner.email;
    identity->name = owner.name;
    identity->role = owner.role;
    identity->last_active_at = owner.last_active_at;
    identity->key_id = owner.key_id;
    identity->key_last_used_at = owner.last_used_at;
    return outcome;
}

/* ---- steps 3 to 5: JSON Web Tokens ---- */

static enum outcome refuse_session(struct context *context, struct identity *identity, enum error_code code)
{
    identity->drop_cookies = true;
    return problem_set(context, code);
}

/* A token without `exp` is good only where sessions live for ever. */
static enum outcome check_unlimited(struct context *context, struct identity *identity)
{
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome == OK && config_store_lifetime(context, document) >= 0) {
        return refuse_session(context, identity, ERROR_UNAUTHORIZED);
    }
    return outcome;
}

/* Whoever noticed that Redis is away has logged it. */
static enum outcome redis_is_away(struct context *context)
{
    if (!context->config->redis_required) {
        return OK;
    }
    enum outcome outcome = problem_set_fault(context, ERROR_UNAVAILABLE);
    context->problem.retry_after_seconds = 1;
    return outcome;
}

static enum outcome authenticate_token(struct context *context, const struct credentials *credentials, struct identity *identity)
{
    struct token token;
    switch (token_verify(context, identity->token, context->config->secret_key, true, &token)) {
    case TOKEN_GOOD:
        break;
    case TOKEN_BAD_USER:
        return refuse_session(context, identity, ERROR_INVALID_TOKEN);
    case TOKEN_BAD:
        log_debug(context, "token refused: %s", token.reason);
        return refuse_session(context, identity, ERROR_UNAUTHORIZED);
    }
    /* Redis works while MariaDB does: the question goes out first, its answer is read last. */
    struct session_caller caller;
    bool redis_known;
    session_store_ask(context, token.id, token.jti);
    enum outcome outcome = session_store_find(context, token.id, token.jti, &caller);
    bool revoked = session_store_is_revoked(context, token.issued_at, &redis_known);
    if (outcome == OK && !redis_known) {
        outcome = redis_is_away(context);
    }
    if (outcome == OK && token.expires_at < 0) {
        outcome = check_unlimited(context, identity);
    }
    if (outcome != OK) {
        return outcome;
    }
    bool over = caller.has_row ? caller.revoked : caller.sessions_ended_at >= 0 && token.issued_at <= caller.sessions_ended_at;
    bool other_email = text_trim(credentials->trusted_email).length > 0 &&
                       !text_equal(text_to_lower(context->arena, text_trim(credentials->trusted_email)),
                                   text_to_lower(context->arena, caller.email));
    if (!caller.found || revoked || over || other_email) {
        return refuse_session(context, identity, ERROR_INVALID_TOKEN);
    }
    identity->user_id = token.id;
    identity->email = caller.email;
    identity->name = caller.name;
    identity->role = caller.role;
    identity->last_active_at = caller.last_active_at;
    identity->jti = token.jti;
    identity->expires_at = token.expires_at;
    identity->session_jti = caller.has_row ? token.jti : (struct text){NULL, 0};
    identity->session_last_seen_at = caller.last_seen_at;
    return OK;
}

enum outcome identity_authenticate(struct context *context, const struct credentials *credentials, struct identity *identity_r)
{
    memset(identity_r, 0, sizeof *identity_r);
    identity_r->expires_at = -1;
    enum outcome outcome = identity_find_token(context, credentials, &identity_r->token);
    if (outcome != OK) {
        return outcome;
    }
    if (identity_r->token.data == NULL) {
        return problem_set(context, ERROR_NOT_AUTHENTICATED);
    }
    return text_starts_with(identity_r->token, "sk-") ? authenticate_key(context, credentials, identity_r)
                                                      : authenticate_token(context, credentials, identity_r);
}

/* ---- step 8 ---- */

void identity_touch(struct context *context, const struct identity *identity)
{
    int64_t interval = context->config->last_active_interval;
    int64_t due = context->now_seconds - interval;
    /* what was read with the caller's row tells most times that nothing is due, without a statement */
    if (identity->last_active_at <= due) {
        user_store_touch(context, identity->user_id, interval);
    }
    if (identity->is_api_key && identity->key_last_used_at <= due) {
        key_store_touch(context, identity->key_id, interval);
    }
    if (identity->session_jti.data != NULL && identity->session_last_seen_at <= due) {
        session_store_touch(context, identity->session_jti, interval);
    }
}
