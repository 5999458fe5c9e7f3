/* session.c: see session.h. */
#include "api/session.h"

#include "api/handlers.h"
#include "auth/identity.h"
#include "auth/permission.h"
#include "auth/token.h"
#include "base/array.h"
#include "base/json.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/problem.h"
#include "base/random.h"
#include "config/compatibility.h"
#include "config/config_mail.h"
#include "store/audit_store.h"
#include "store/config_store.h"
#include "store/mail_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/admission.h"
#include "worker/limit.h"

enum outcome session_issue(struct request *request, struct text user_id, struct text password_hash,
                           json_object *settings, struct text *token_r, struct text *jti_r, int64_t *expires_at_r)
{
    struct context *context = &request->context;
    enum outcome outcome = settings == NULL ? config_store_read(context, &settings) : OK;
    if (outcome != OK) {
        return outcome;
    }
    int64_t lifetime = config_store_lifetime(context, settings);
    *expires_at_r = lifetime < 0 ? -1 : context->now_seconds + lifetime;
    const struct text jti = random_uuid(context->arena), key = context->config->secret_keys.items[0];
    char key_id[TOKEN_KEY_ID_SIZE];
    struct token_claims claims = {.auth_method = TEXT_NULL};
    if (config_behaves(context->config, BEHAVIOUR_CLAIMS)) {
        claims.auth_method = password_hash.data != NULL ? TEXT("password") : TEXT("trusted_header");
        claims.auth_time = context->now_seconds;
        outcome = session_store_stamp(context, user_id, &claims.session_stamp);
        if (outcome != OK) {
            return outcome;
        }
    }
    token_key_id(key, key_id);
    *jti_r = jti;
    *token_r = token_renew(context, key, user_id, jti, context->now_seconds, *expires_at_r, &claims);
    return session_store_add(context, &(struct session_new){.jti = jti,
                                                            .user_id = user_id,
                                                            .password_hash = password_hash,
                                                            .expires_at = *expires_at_r,
                                                            .address = text_of(context->client_address),
                                                            .user_agent = request->user_agent,
                                                            .key_id = key_id});
}

enum outcome session_renew(struct request *request, struct text *token_r, int64_t *expires_at_r)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    int64_t lifetime;
    *token_r = TEXT_NULL;
    if (!request->renews || !identity->by_cookie || identity->session_jti.data == NULL || identity->issued_at < 0 ||
        identity->expires_at < 0) {
        return OK;
    }
    enum outcome outcome = config_store_read_lifetime(context, &lifetime);
    if (outcome != OK || lifetime < 0 || identity->expires_at - context->now_seconds > lifetime / 4) {
        return outcome;
    }
    *expires_at_r = context->now_seconds + lifetime;
    if (session_store_prolong(context, identity->session_jti, identity->user_id, *expires_at_r)) {
        *token_r = token_renew(context, context->config->secret_keys.items[0], identity->user_id, identity->session_jti,
                               identity->issued_at, *expires_at_r, &identity->claims);
    }
    return OK;
}

void session_add_members(struct request *request, struct text token, const struct value *user)
{
    struct json_writer *json = &request->response.json;
    json_member_text(json, "token", token);
    json_member_string(json, "token_type", "Bearer");
    static const enum user_column columns[] = {USER_id, USER_email, USER_name, USER_role};
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        serialise_user_column(json, user, columns[i]);
    }
    if (config_behaves(request->context.config, BEHAVIOUR_PORTRAIT_PATH)) {
        struct buffer path;
        buffer_init(&path, request->context.arena);
        buffer_add_literal(&path, "/api/v1/users/");
        percent_add_segment(&path, user[USER_id].text);
        buffer_add_literal(&path, "/profile/image");
        json_member_text(json, "profile_image_url", buffer_text(&path));
    } else {
        serialise_user_column(json, user, USER_profile_image_url);
    }
}

/* -1: the session does not expire, or the caller has an API key. */
static void serialise_expiry(struct json_writer *json, int64_t expires_at)
{
    json_name(json, "expires_at");
    if (expires_at < 0) {
        json_add_null(json);
    } else {
        json_add_integer(json, expires_at);
    }
}

static enum outcome serialise_permissions(struct request *request, struct text user_id)
{
    struct text permissions;
    enum outcome outcome = permission_document(&request->context, user_id, &permissions);
    if (outcome == OK) {
        json_member_raw(&request->response.json, "permissions", permissions);
    }
    return outcome;
}

/* Has the owner told of a sign-in from a device and a network that the account did not know. Nothing is said of the
 * first sign-in of all, nor of those that a proxy in front has let in. Written before there is a session: so none is
 * without its notice, even though the session may still be refused, where the password has just been changed. */
static enum outcome tell_of_device(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    bool has_signed_in;
    if (request->admission.is_known || context->config->trusted_email_header[0] != '\0' ||
        !config_mail_wants(context->config, MAIL_NOTICE_new_device)) {
        return OK;
    }
    enum outcome outcome = session_store_has_signed_in(context, user_id, &has_signed_in);
    if (outcome != OK || !has_signed_in) {
        return outcome;
    }
    const struct mail_new mail = {
        .kind = MAIL_new_device,
        .user_id = user_id,
        .data = mail_store_data(context, text_of(context->client_address), request->user_agent),
    };
    return mail_store_add(context, &mail);
}

enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash)
{
    const struct value *user;
    struct text token, jti;
    int64_t expires_at;
    enum outcome outcome = user_store_get(&request->context, user_id, &user);
    if (outcome == OK) {
        outcome = tell_of_device(request, user_id);
    }
    if (outcome == OK) {
        outcome = session_issue(request, user_id, password_hash, NULL, &token, &jti, &expires_at);
    }
    if (outcome != OK) {
        return outcome;
    }
    request->account = user_id;
    session_store_note_sign_in(&request->context, user_id, text_of(request->context.client_address));
    response_set_token_cookie(request, token, expires_at);
    response_set_bond_cookie(request, jti, expires_at);
    admission_remember(request, user_id);
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    session_add_members(request, token, user);
    serialise_expiry(json, expires_at);
    outcome = serialise_permissions(request, user_id);
    json_end_object(json);
    return outcome;
}

enum outcome handle_session_get(struct request *request)
{
    struct identity *identity = &request->identity;
    const struct value *user;
    enum outcome outcome = user_store_get(&request->context, identity->user_id, &user);
    if (outcome == PROBLEM && request->context.problem.code == ERROR_USER_NOT_FOUND) {
        return identity_refuse_deleted(&request->context, identity);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct text token;
    int64_t expires_at;
    outcome = session_renew(request, &token, &expires_at);
    if (outcome != OK) {
        return outcome;
    }
    if (token.data == NULL) {
        token = identity->token;
        expires_at = identity->expires_at;
    }
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    session_add_members(request, identity->is_api_key ? TEXT_NULL : token, user);
    serialise_expiry(json, identity->is_api_key ? -1 : expires_at);
    static const enum user_column columns[] = {USER_bio,          USER_gender,         USER_date_of_birth,
                                               USER_status_emoji, USER_status_message, USER_status_expires_at};
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        serialise_user_column(json, user, columns[i]);
    }
    outcome = serialise_permissions(request, identity->user_id);
    json_end_object(json);
    if (outcome == OK && !identity->is_api_key) {
        response_set_token_cookie(request, token, expires_at);
    }
    return outcome;
}

enum outcome session_refuse(struct request *request, struct text user_id, const char *reason)
{
    struct context *context = &request->context;
    const struct text email = limit_sign_in_email(request);
    request->account = audit_store_pseudonym(context, email);
    audit_store_refuse(context, AUDIT_sign_in_refused, user_id, email, reason);
    log_warning(context, "sign-in failed: %s", reason);
    return problem_set(context, ERROR_INVALID_CRED);
}
