/* sessions.c: lists sessions, and ends one or all of them, for their user or an administrator; notes that the password
 * was given again in one. */
#include "api/handlers.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/problem.h"
#include "store/audit_store.h"
#include "store/password_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/admission.h"

static enum outcome answer_sessions(struct request *request, struct text user_id)
{
    struct result sessions;
    enum outcome outcome = session_store_list(&request->context, user_id, &sessions);
    if (outcome != OK) {
        return outcome;
    }
    struct json_writer *json = &request->response.json;
    json_begin_array(json);
    for (size_t i = 0; i < sessions.row_count; i++) {
        serialise_session(&request->context, json, result_row(&sessions, i), request->identity.jti);
    }
    json_end_array(json);
    return OK;
}

/* PROBLEM with USER_NOT_FOUND for an unknown id, which must not look like a user without sessions. */
static enum outcome check_user(struct request *request, struct text user_id)
{
    int64_t last_active_at;
    enum outcome outcome = user_store_last_active(&request->context, user_id, &last_active_at);
    return outcome == OK && last_active_at < 0 ? problem_set(&request->context, ERROR_USER_NOT_FOUND) : outcome;
}

enum outcome handle_sessions_list(struct request *request)
{
    return answer_sessions(request, request->identity.user_id);
}

enum outcome handle_session_end(struct request *request)
{
    enum outcome outcome = session_store_end_row(&request->context, request->parameters[0], request->identity.user_id);
    return outcome == OK ? answer_true(request) : outcome;
}

enum outcome handle_sessions_end(struct request *request)
{
    const struct identity *identity = &request->identity;
    const bool others = request->query[INPUT_sessions_end_query_others].integer != 0;
    const struct kept_session kept = others ? (struct kept_session){identity->jti, identity->expires_at} : KEPT_NONE;
    enum outcome outcome = session_store_end_everywhere(&request->context, identity->user_id, kept,
                                                        request->query[INPUT_sessions_end_query_keys].integer != 0);
    if (outcome == PROBLEM) { /* deleted since the token was verified: the same answer as to any later request */
        return problem_set(&request->context, ERROR_INVALID_TOKEN);
    }
    if (outcome != OK) {
        return outcome;
    }
    if (!others) {
        response_drop_cookies(request, true);
    }
    return answer_true(request);
}

enum outcome handle_user_sessions_list(struct request *request)
{
    enum outcome outcome = check_user(request, request->parameters[0]);
    return outcome == OK ? answer_sessions(request, request->parameters[0]) : outcome;
}

enum outcome handle_user_session_end(struct request *request)
{
    enum outcome outcome = check_user(request, request->parameters[0]);
    if (outcome == OK) {
        outcome = session_store_end_row(&request->context, request->parameters[1], request->parameters[0]);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

static enum outcome end_all_of_user(struct request *request, bool with_keys)
{
    enum outcome outcome = check_user(request, request->parameters[0]);
    if (outcome == OK) {
        outcome = session_store_end_everywhere(&request->context, request->parameters[0], KEPT_NONE, with_keys);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

enum outcome handle_user_sessions_end(struct request *request)
{
    return end_all_of_user(request, request->query[INPUT_user_sessions_end_query_keys].integer != 0);
}

enum outcome handle_user_sessions_revoke(struct request *request)
{
    struct context *context = &request->context;
    struct text user_id = request->parameters[0], primary;
    enum outcome outcome = check_user(request, user_id);
    if (outcome == PROBLEM) {
        return problem_set_detail(context, ERROR_USER_NOT_FOUND, 404, NULL);
    }
    if (outcome == OK) {
        outcome = user_store_primary(context, &primary);
    }
    if (outcome == OK && text_equal(primary, user_id) && !text_equal(primary, request->identity.user_id)) {
        return problem_set(context, ERROR_ACTION_PROHIBITED);
    }
    if (outcome == OK) {
        outcome = session_store_end_everywhere(context, user_id, KEPT_NONE, false);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

/* Refuses a confirmation, as a change of the password is refused. */
static enum outcome refuse_confirmation(struct request *request, struct text hash)
{
    struct context *context = &request->context;
    password_warn_unusable(context, request->identity.user_id, hash);
    audit_store_refuse(context, AUDIT_password_refused, request->identity.user_id, TEXT_NULL,
                       "wrong password at a confirmation");
    log_warning(context, "confirmation failed: wrong password");
    return problem_set(context, ERROR_INCORRECT_PASSWORD);
}

enum outcome handle_confirm(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    struct text hash;
    enum outcome outcome;
    if (!identity_has_passwords(context->config)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0,
                                  "Nobody signs in with a password here, so nobody confirms anything with one.");
    }
    if (identity->session_jti.data == NULL) {
        return problem_set_detail(context, ERROR_SESSION_REQUIRED, 0,
                                  "This token is of another program, and has no session here: sign in.");
    }
    if (admission_ends_here(request, &outcome)) {
        return outcome;
    }
    outcome = password_store_hash(context, identity->user_id, &hash);
    if (outcome != OK) {
        return outcome;
    }
    struct password_match match = password_verify(context, request->input[INPUT_confirm_password].text, hash);
    if (match.failed) {
        return problem_set_unavailable(context);
    }
    if (!match.matches) {
        return refuse_confirmation(request, hash);
    }
    outcome = session_store_confirm(context, identity->session_jti, identity->user_id, hash);
    if (outcome == OK) {
        struct json_writer *json = &request->response.json;
        json_begin_object(json);
        json_member_integer(json, "confirmed_until", context->now_seconds + CONFIRMED_SECONDS);
        json_end_object(json);
    }
    return outcome;
}
