/* mfa.c: second factors: roster-api(7), Second factors. */
#include "api/handlers.h"
#include "api/session.h"
#include "auth/factor.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/percent.h"
#include "base/problem.h"
#include "base/qr_code.h"
#include "store/factor_store.h"
#include "store/user_store.h"
#include "worker/origin.h"

enum outcome handle_mfa_status(struct request *request)
{
    int64_t codes;
    bool is_present, is_required;
    struct json_writer *json = &request->response.json;
    enum outcome outcome = factor_store_brief(&request->context, request->identity.user_id, &is_present, &codes);
    if (outcome == PROBLEM && request->context.problem.code == ERROR_USER_NOT_FOUND) {
        return identity_refuse_deleted(&request->context, &request->identity);
    }
    if (outcome == OK) {
        outcome = factor_is_required(&request->context, &request->identity, &is_required);
    }
    if (outcome == OK) {
        json_begin_object(json);
        json_member_boolean(json, "enabled", is_present);
        json_member_boolean(json, "required", is_required);
        json_member_integer(json, "recovery_codes_remaining", codes);
        json_end_object(json);
    }
    return outcome;
}

/* ---- Steps of a sign-in ---- */

/* A code was refused: the log and the audit tell of it. Other outcomes pass. */
static enum outcome tell_refusal(struct request *request, struct text user_id, enum outcome outcome)
{
    if (outcome == PROBLEM && request->context.problem.code == ERROR_INVALID_CODE) {
        return session_refuse_code(request, user_id, "wrong code of the second factor");
    }
    if (outcome == PROBLEM && request->context.problem.code == ERROR_INVALID_RESET_TOKEN) {
        return session_refuse_code(request, user_id, "wrong reset token of the second factor");
    }
    return outcome;
}

/* The cookie alone shows which step it is, so a page of another site must not ask. */
enum outcome handle_mfa_challenge(struct request *request)
{
    struct context *context = &request->context;
    struct factor_challenge challenge;
    if (!origin_is_same(context->arena, request->origin, origin_of_site(request))) {
        return problem_set(context, ERROR_CROSS_SITE);
    }
    enum outcome outcome =
        factor_store_find(context, request_cookie(request, CHALLENGE_COOKIE), FACTOR_AT_SIGN_IN, &challenge);
    if (outcome == OK) {
        session_add_next_step(request, &challenge);
    } else if (outcome == PROBLEM) {
        response_set_challenge_cookie(request, TEXT_NULL, 0);
    }
    return outcome;
}

/* otpauth://totp/SITE:EMAIL?secret=…&issuer=SITE, as authenticators read it. */
static struct text provisioning_uri(struct request *request, struct text email, struct text secret)
{
    struct buffer uri;
    const struct text site = text_of(request->context.config->site_name);
    buffer_init(&uri, request->context.arena);
    buffer_add_literal(&uri, "otpauth://totp/");
    percent_add_segment(&uri, site);
    buffer_add_byte(&uri, ':');
    percent_add_segment(&uri, email);
    buffer_add_literal(&uri, "?secret=");
    buffer_add_text(&uri, secret);
    buffer_add_literal(&uri, "&issuer=");
    percent_add_segment(&uri, site);
    return buffer_text(&uri);
}

static struct text as_data_uri(struct arena *arena, struct text svg)
{
    static const char prefix[] = "data:image/svg+xml;base64,";
    char *out = arena_alloc(arena, sizeof prefix + svg.length * 4 / 3 + 5);
    memcpy(out, prefix, sizeof prefix - 1);
    const size_t length =
        base64_encode(BASE64_PADDED, (const unsigned char *)svg.data, svg.length, out + sizeof prefix - 1);
    return (struct text){out, sizeof prefix - 1 + length};
}

enum outcome handle_mfa_enroll_start(struct request *request)
{
    struct context *context = &request->context;
    struct factor_challenge challenge;
    struct text secret;
    const struct value *user;
    enum outcome outcome =
        factor_store_find(context, request->input[INPUT_challenge_challenge_token].text, FACTOR_ENROLMENTS, &challenge);
    if (outcome == OK) {
        outcome = factor_store_begin(context, &challenge, &secret);
    }
    if (outcome == OK) {
        outcome = user_store_get(context, challenge.user_id, &user);
    }
    if (outcome == PROBLEM) {
        return problem_set(context, ERROR_CHALLENGE_EXPIRED);
    }
    if (outcome != OK) {
        return outcome;
    }
    const struct text svg = qr_code_svg(context->arena, provisioning_uri(request, user[USER_email].text, secret));
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_member_text(json, "manual_key", secret);
    json_member_text(json, "qr_code", as_data_uri(context->arena, svg));
    json_end_object(json);
    return OK;
}

/* Whether somebody who enrols wants to be asked from now on: who has chosen so, or replaces a factor that nobody else
 * asks for. */
static enum outcome is_by_choice(struct request *request, const struct factor_challenge *challenge, bool *choice_r)
{
    struct factor_standing standing;
    const struct value *user;
    bool is_needed = false;
    *choice_r = challenge->kind == FACTOR_CHOOSE;
    if (challenge->kind != FACTOR_REPLACE) {
        return OK;
    }
    enum outcome outcome = user_store_get(&request->context, challenge->user_id, &user);
    if (outcome == OK) {
        outcome = session_needs_factor(request, user, challenge->auth_method, &standing, &is_needed);
    }
    *choice_r = !is_needed;
    return outcome;
}

enum outcome handle_mfa_enroll_confirm(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct factor_challenge challenge;
    struct text codes[FACTOR_CODES];
    bool choice;
    enum outcome outcome =
        factor_store_find(context, input[INPUT_challenge_code_challenge_token].text, FACTOR_ENROLMENTS, &challenge);
    if (outcome == OK) {
        outcome = is_by_choice(request, &challenge, &choice);
    }
    if (outcome == OK) {
        outcome = factor_store_enrol(context, &challenge, input[INPUT_challenge_code_code].text, choice, codes);
    }
    if (outcome != OK) {
        return tell_refusal(request, challenge.user_id, outcome);
    }
    if (challenge.kind == FACTOR_ENROLL) {
        return session_answer_verified(request, &challenge, codes);
    }
    json_begin_object(&request->response.json);
    session_add_codes(&request->response.json, codes);
    json_end_object(&request->response.json);
    return OK;
}

enum outcome handle_mfa_verify(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct factor_challenge challenge;
    enum outcome outcome = factor_store_find(context, input[INPUT_challenge_code_challenge_token].text,
                                             FACTOR_KIND(FACTOR_VERIFY), &challenge);
    if (outcome == OK) {
        outcome = factor_store_verify(context, &challenge, input[INPUT_challenge_code_code].text,
                                      input[INPUT_challenge_code_recovery].integer != 0);
    }
    return outcome == OK ? session_answer_verified(request, &challenge, NULL)
                         : tell_refusal(request, challenge.user_id, outcome);
}

enum outcome handle_mfa_recover(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct factor_challenge challenge;
    enum outcome outcome = factor_store_find(context, input[INPUT_factor_reset_challenge_token].text,
                                             FACTOR_KIND(FACTOR_RECOVER), &challenge);
    if (outcome == OK) {
        outcome = factor_store_recover(context, &challenge, input[INPUT_factor_reset_reset_token].text);
    }
    if (outcome == OK) {
        session_add_next_step(request, &challenge);
    }
    return tell_refusal(request, challenge.user_id, outcome);
}

/* ---- Changes by who is signed in ---- */

static struct factor_change change_of(const struct request *request)
{
    const struct identity *identity = &request->identity;
    return (struct factor_change){
        .user_id = identity->user_id,
        .auth_method = identity->claims.auth_method,
        .auth_time = identity->claims.auth_time,
    };
}

/* What is checked before a code is looked at. */
static enum outcome check_change(struct request *request, struct factor_change *change_r)
{
    struct context *context = &request->context;
    bool is_required;
    *change_r = change_of(request);
    change_r->code = request->input[INPUT_factor_code_code].text;
    change_r->is_recovery = request->input[INPUT_factor_code_recovery].integer != 0;
    if (!factor_is_fresh(context, &request->identity)) {
        return problem_set(context, ERROR_REAUTHENTICATION_REQUIRED);
    }
    enum outcome outcome = factor_is_required(context, &request->identity, &is_required);
    return outcome == OK && !is_required && !request->identity.has_factor ? problem_set(context, ERROR_FACTORS_OFF)
                                                                          : outcome;
}

/* The account was deleted meanwhile: the answer to any later request. Else as tell_refusal. */
static enum outcome finish_change(struct request *request, enum outcome outcome)
{
    return outcome == PROBLEM && request->context.problem.code == ERROR_USER_NOT_FOUND
               ? identity_refuse_deleted(&request->context, &request->identity)
               : tell_refusal(request, request->identity.user_id, outcome);
}

enum outcome handle_mfa_replace(struct request *request)
{
    struct factor_change change;
    struct factor_challenge challenge;
    enum outcome outcome = check_change(request, &change);
    if (outcome == OK) {
        outcome = factor_store_replace(&request->context, &change, &challenge);
    }
    if (outcome == OK) {
        session_add_next_step(request, &challenge);
    }
    return finish_change(request, outcome);
}

enum outcome handle_mfa_choose(struct request *request)
{
    const struct factor_change change = change_of(request);
    struct factor_challenge challenge;
    if (!factor_is_fresh(&request->context, &request->identity)) {
        return problem_set(&request->context, ERROR_REAUTHENTICATION_REQUIRED);
    }
    enum outcome outcome = factor_store_choose(&request->context, &change, &challenge);
    if (outcome == OK) {
        session_add_next_step(request, &challenge);
    }
    return finish_change(request, outcome);
}

enum outcome handle_mfa_recovery_codes(struct request *request)
{
    struct factor_change change;
    struct text codes[FACTOR_CODES];
    enum outcome outcome = check_change(request, &change);
    if (outcome == OK) {
        outcome = factor_store_renew_codes(&request->context, &change, codes);
    }
    if (outcome == OK) {
        json_begin_object(&request->response.json);
        session_add_codes(&request->response.json, codes);
        json_end_object(&request->response.json);
    }
    return finish_change(request, outcome);
}

enum outcome handle_mfa_remove(struct request *request)
{
    struct factor_change change;
    struct identity without = request->identity;
    bool is_needed = false;
    enum outcome outcome = check_change(request, &change);
    without.factor_required &= ~FACTOR_BY_CHOICE;
    if (outcome == OK) {
        outcome = factor_is_required(&request->context, &without, &is_needed);
    }
    if (outcome == OK && is_needed) {
        return problem_set_detail(&request->context, ERROR_ACTION_PROHIBITED, 0,
                                  "Your account needs a second factor, so it can only be replaced.");
    }
    if (outcome == OK) {
        outcome = factor_store_remove(&request->context, &change);
    }
    if (outcome == OK) {
        response_drop_cookies(request, true);
        return answer_true(request);
    }
    return finish_change(request, outcome);
}
