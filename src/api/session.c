/* session.c: see session.h. */
#include "api/session.h"

#include "api/handlers.h"
#include "auth/factor.h"
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
#include "store/factor_store.h"
#include "store/mail_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/admission.h"
#include "worker/limit.h"

enum outcome session_issue(struct request *request, const struct session_start *start, struct text *token_r,
                           struct text *jti_r, int64_t *expires_at_r)
{
    struct context *context = &request->context;
    json_object *settings = start->settings;
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
        claims = (struct token_claims){start->auth_method, start->auth_time, TEXT_NULL, start->mfa_verified};
        if (start->stamp != NULL) {
            claims.session_stamp = *start->stamp;
        } else {
            outcome = session_store_stamp(context, start->user_id, &claims.session_stamp);
        }
        if (outcome != OK) {
            return outcome;
        }
    }
    token_key_id(key, key_id);
    *jti_r = jti;
    *token_r = token_renew(context, key, start->user_id, jti, context->now_seconds, *expires_at_r, &claims);
    return session_store_add(context, &(struct session_new){
                                          .jti = jti,
                                          .user_id = start->user_id,
                                          .password_hash = start->password_hash,
                                          .expires_at = *expires_at_r,
                                          .address = text_of(context->client_address),
                                          .user_agent = request->user_agent,
                                          .key_id = key_id,
                                          .auth_method = start->auth_method,
                                          .auth_time = start->auth_time,
                                          .mfa_verified = start->mfa_verified,
                                          .stamp = start->stamp,
                                      });
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
                               identity->issued_at, *expires_at_r,
                               config_behaves(context->config, BEHAVIOUR_CLAIMS) ? &identity->claims : NULL);
    }
    return OK;
}

void session_add_members(struct request *request, struct text token, const struct value *user)
{
    json_member_text(&request->response.json, "token", token);
    json_member_string(&request->response.json, "token_type", "Bearer");
    session_add_user(request, user);
}

void session_add_user(struct request *request, const struct value *user)
{
    struct json_writer *json = &request->response.json;
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

/* The answer Session; with recovery codes EnrolledSession. */
static enum outcome answer_session(struct request *request, const struct session_start *start, const struct value *user,
                                   const struct text *recovery_codes)
{
    struct text token, jti;
    int64_t expires_at;
    enum outcome outcome = tell_of_device(request, start->user_id);
    if (outcome == OK) {
        outcome = session_issue(request, start, &token, &jti, &expires_at);
    }
    if (outcome != OK) {
        return outcome;
    }
    request->account = start->user_id;
    session_store_note_sign_in(&request->context, start->user_id, text_of(request->context.client_address));
    response_set_token_cookie(request, token, expires_at);
    response_set_bond_cookie(request, jti, expires_at);
    response_set_challenge_cookie(request, TEXT_NULL, 0);
    admission_remember(request, start->user_id);
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    session_add_members(request, token, user);
    serialise_expiry(json, expires_at);
    outcome = serialise_permissions(request, start->user_id);
    if (recovery_codes != NULL) {
        session_add_codes(json, recovery_codes);
    }
    json_end_object(json);
    return outcome;
}

enum outcome session_needs_factor(struct request *request, const struct value *user, struct text auth_method,
                                  struct factor_standing *standing_r, bool *needed_r)
{
    enum outcome outcome = factor_store_standing(&request->context, user[USER_id].text, standing_r);
    if (outcome != OK) {
        return outcome;
    }
    const struct identity identity = {
        .user_id = user[USER_id].text,
        .email = user[USER_email].text,
        .name = user[USER_name].text,
        .role = user[USER_role].text,
        .claims = {.auth_method = auth_method},
        .has_factor = standing_r->state == FACTOR_PRESENT,
        .factor_required = standing_r->required,
        .site_wants_factor = standing_r->site_wants,
    };
    return factor_is_required(&request->context, &identity, needed_r);
}

void session_add_codes(struct json_writer *json, const struct text *recovery_codes)
{
    json_member_array(json, "recovery_codes");
    for (size_t i = 0; i < FACTOR_CODES; i++) {
        json_add_text(json, recovery_codes[i]);
    }
    json_end_array(json);
}

void session_add_next_step(struct request *request, const struct factor_challenge *challenge)
{
    static const char *const steps[FACTOR_KINDS] = {"enroll", "verify", "recover", "enroll", "enroll"};
    struct json_writer *json = &request->response.json;
    const int64_t seconds = challenge->expires_at - request->context.now_seconds;
    json_begin_object(json);
    json_member_string(json, "next_step", steps[challenge->kind]);
    json_member_text(json, "challenge_token", challenge->token);
    json_member_integer(json, "expires_in", seconds);
    json_end_object(json);
    if ((FACTOR_KIND(challenge->kind) & FACTOR_AT_SIGN_IN) != 0) {
        response_set_challenge_cookie(request, challenge->token, seconds);
    }
}

/* The first factor was right, and a second one is needed. */
static enum outcome ask_for_factor(struct request *request, const struct session_start *start,
                                   const struct factor_standing *standing)
{
    static const enum factor_kind kinds[] = {
        [FACTOR_NONE] = FACTOR_ENROLL, [FACTOR_PRESENT] = FACTOR_VERIFY, [FACTOR_RESET] = FACTOR_RECOVER};
    struct factor_challenge challenge = {
        .user_id = start->user_id,
        .kind = kinds[standing->state],
        .auth_method = start->auth_method,
        .auth_time = start->auth_time,
        .stamp = standing->stamp,
        .is_known = request->admission.is_known,
    };
    enum outcome outcome = factor_store_challenge(&request->context, &challenge);
    if (outcome == OK) {
        session_add_next_step(request, &challenge);
    }
    return outcome;
}

enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash)
{
    struct context *context = &request->context;
    const struct value *user;
    struct factor_standing standing;
    bool is_needed;
    const struct session_start start = {
        .user_id = user_id,
        .password_hash = password_hash,
        .auth_method = password_hash.data != NULL ? TEXT("password") : TEXT("trusted_header"),
        .auth_time = context->now_seconds,
        .stamp = &standing.stamp,
    };
    enum outcome outcome = user_store_get(context, user_id, &user);
    if (outcome == OK) {
        outcome = session_needs_factor(request, user, start.auth_method, &standing, &is_needed);
    }
    if (outcome != OK) {
        return outcome;
    }
    request->account = user_id;
    if (text_is(user[USER_role].text, "pending") && (is_needed || standing.site_wants)) {
        json_begin_object(&request->response.json);
        json_member_string(&request->response.json, "next_step", "pending");
        json_end_object(&request->response.json);
        return OK;
    }
    return is_needed ? ask_for_factor(request, &start, &standing) : answer_session(request, &start, user, NULL);
}

enum outcome session_answer_verified(struct request *request, const struct factor_challenge *challenge,
                                     const struct text *recovery_codes)
{
    const struct value *user;
    const struct session_start start = {
        .user_id = challenge->user_id,
        .auth_method = challenge->auth_method,
        .auth_time = challenge->auth_time,
        .mfa_verified = true,
        .stamp = &challenge->stamp,
    };
    request->admission.is_known = challenge->is_known;
    enum outcome outcome = user_store_get(&request->context, challenge->user_id, &user);
    if (outcome == OK) {
        outcome = answer_session(request, &start, user, recovery_codes);
    }
    return outcome == PROBLEM ? problem_set(&request->context, ERROR_CHALLENGE_EXPIRED) : outcome;
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

enum outcome session_refuse_code(struct request *request, struct text user_id, const char *reason)
{
    request->account = user_id;
    audit_store_refuse(&request->context, AUDIT_sign_in_refused, user_id, TEXT_NULL, reason);
    log_warning(&request->context, "sign-in failed: %s", reason);
    return PROBLEM;
}
