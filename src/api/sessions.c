/* sessions.c: sessions: listed, ended one by one or all at once, by their user or by an administrator. */
#include "api/handlers.h"
#include "store/session_store.h"
#include "store/user_store.h"

static const struct text none = {NULL, 0};

static enum outcome answer_sessions(struct request *request, struct text user_id)
{
    struct result sessions;
    enum outcome outcome = session_store_list(&request->context, user_id, &sessions);
    if (outcome != OK) {
        return outcome;
    }
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < sessions.row_count; i++) {
        if (i > 0) {
            buffer_add_byte(body, ',');
        }
        serialise_session(body, result_row(&sessions, i), request->identity.jti);
    }
    buffer_add_byte(body, ']');
    return OK;
}

/* USER_NOT_FOUND, so that a mistyped id is not taken for 'has no sessions'. */
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
    enum outcome outcome = session_store_end_everywhere(&request->context, request->identity.user_id, none, -1);
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
        outcome = session_store_end_everywhere(&request->context, request->parameters[0], none, -1);
    }
    return outcome == OK ? answer_true(request) : outcome;
}
