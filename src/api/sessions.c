/* sessions.c: lists sessions, and ends one or all of them, for their user or an administrator. */
#include "api/handlers.h"
#include "base/problem.h"
#include "store/session_store.h"
#include "store/user_store.h"

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
    enum outcome outcome = session_store_end_everywhere(&request->context, request->identity.user_id, KEPT_NONE);
    if (outcome == PROBLEM) { /* deleted since the token was verified: the same answer as to any later request */
        return problem_set(&request->context, ERROR_INVALID_TOKEN);
    }
    if (outcome != OK) {
        return outcome;
    }
    response_drop_cookies(request, true);
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

enum outcome handle_user_sessions_end(struct request *request)
{
    enum outcome outcome = check_user(request, request->parameters[0]);
    if (outcome == OK) {
        outcome = session_store_end_everywhere(&request->context, request->parameters[0], KEPT_NONE);
    }
    return outcome == OK ? answer_true(request) : outcome;
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
        outcome = session_store_end_everywhere(context, user_id, KEPT_NONE);
    }
    return outcome == OK ? answer_true(request) : outcome;
}
