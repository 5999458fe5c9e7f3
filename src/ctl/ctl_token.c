/* ctl_token.c: rosterctl token: decodes a token, and says whether the service would accept it. */
#include <json.h>

#include "auth/api_key.h"
#include "auth/identity.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/problem.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/key_store.h"
#include "store/session_store.h"
#include "worker/request.h"
#include "worker/router.h"
#include "worker/worker.h"

struct findings {
    const char *reason; /* why it is refused; NULL: it is accepted */
    /* members of the JSON result; null: left out */
    struct text header, payload, key_id;
};

/* The segment of a token with this index; empty: there is no such segment. */
static struct text segment(struct text token, unsigned index)
{
    for (; index > 0; index--) {
        text_take(&token, '.');
    }
    return text_take(&token, '.');
}

static const char *moment(struct invocation *invocation, int64_t seconds)
{
    struct arena *arena = invocation->context.arena;
    int64_t away = seconds - invocation->context.now_seconds;
    int64_t absolute = away < 0 ? -away : away;
    const char *unit = absolute < 120 ? "seconds" : absolute < 7200 ? "minutes" : absolute < 172800 ? "hours" : "days";
    int64_t count = absolute < 120      ? absolute
                    : absolute < 7200   ? absolute / 60
                    : absolute < 172800 ? absolute / 3600
                                        : absolute / 86400;
    return text_format(arena, "%s, %lld %s %s", sheet_time_text(arena, seconds).data, (long long)count, unit,
                       away < 0 ? "ago" : "ahead")
        .data;
}

/* A decoded segment, in JSON; null: it can't be decoded. It is not verified yet. */
static struct text show_part(struct invocation *invocation, const char *name, struct text encoded)
{
    struct arena *arena = invocation->context.arena;
    struct text decoded = base64_decode(arena, BASE64_URL, encoded);
    json_object *object = decoded.data != NULL && text_is_utf8(decoded) ? json_parse(arena, decoded) : NULL;
    struct text printed = object != NULL ? json_print(arena, object) : TEXT("null");
    ctl_say(invocation, "%-12s%s", name, object != NULL ? sheet_clean(arena, printed).data : "(not JSON in base64url)");
    return printed;
}

/* Why a session is invalid. NULL: it is valid. */
static const char *session_reason(enum session_state state)
{
    switch (state) {
    case SESSION_VALID:
        break;
    case SESSION_WITHOUT_USER:
        return "its user does not exist";
    case SESSION_OF_DISABLED:
        return "the account is disabled; `rosterctl user enable' lets it in again";
    case SESSION_ENDED:
        return "its session was ended: by a sign-out, a change of password or role, or an administrator";
    case SESSION_IDLE:
        return "nobody used its session for session_idle";
    case SESSION_ENDED_WITH_ALL:
        return "all sessions of this user were ended after it was issued (or it has no `iat')";
    case SESSION_ENDED_IN_REDIS:
        return "it is revoked in Redis";
    case SESSION_ENDED_WITH_ALL_IN_REDIS:
        return "all tokens of this user were revoked in Redis after it was issued (or it has no `iat')";
    }
    return NULL;
}

static void say_user(struct invocation *invocation, const struct caller *user)
{
    struct arena *arena = invocation->context.arena;
    ctl_say(invocation, "%-12s%s <%s>, %s", "user", sheet_clean(arena, user->name).data,
            sheet_clean(arena, user->email).data, user->role.data);
}

static int explain_token(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    findings->header = show_part(invocation, "header", segment(typed, 0));
    findings->payload = show_part(invocation, "payload", segment(typed, 1));
    struct token token;
    if (token_verify(context, typed, &context->config->secret_keys, true, &token) != TOKEN_GOOD) {
        findings->reason = token.reason;
        return EXIT_DONE;
    }
    ctl_say(invocation, "%-12s%s", "signature", "valid: signed with this service's key");
    if (token.issued_at >= 0) {
        ctl_say(invocation, "%-12s%s", "issued", moment(invocation, token.issued_at));
    }
    ctl_say(invocation, "%-12s%s", "ends", token.expires_at >= 0 ? moment(invocation, token.expires_at) : "never");

    struct token_session session;
    json_object *document;
    if (session_store_find(context, token.id, token.jti, token.issued_at, token_stamp(context, &token), &session) !=
            OK ||
        config_store_read(context, &document) != OK) {
        return ctl_problem(invocation, "the token");
    }
    if (session.state != SESSION_WITHOUT_USER) {
        say_user(invocation, &session.caller);
        ctl_say(invocation, "%-12s%s", "session",
                session.has_row ? "issued by this service"
                                : "no row in MariaDB: issued by another program with the same key");
    }
    findings->reason = session_reason(session.state);
    if (findings->reason == NULL && token.expires_at < 0 && config_store_lifetime(context, document) >= 0) {
        findings->reason =
            "it never expires (it has no `exp'), but the configured lifetime of sessions is not unlimited";
    } else if (findings->reason == NULL && !session.redis_answered && context->config->redis_required) {
        findings->reason = "Redis is unavailable, and redis_required is yes";
    }
    return EXIT_DONE;
}

static int explain_key(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    struct key_owner owner;
    if (key_store_find(context, typed, &owner) != OK) {
        return ctl_problem(invocation, "the key");
    }
    if (!owner.found) {
        findings->reason = "there is no such API key";
        return EXIT_DONE;
    }
    ctl_say(invocation, "%-12s%s", "API key", owner.key_id.data);
    say_user(invocation, &owner.caller);
    ctl_say(invocation, "%-12s%s", "ends", owner.expires_at >= 0 ? moment(invocation, owner.expires_at) : "never");
    ctl_say(invocation, "%-12s%s", "paths",
            owner.routes.data != NULL ? sheet_clean(context->arena, owner.routes).data : "all");
    findings->key_id = owner.key_id;
    if (owner.expires_at >= 0 && owner.expires_at <= context->now_seconds) {
        findings->reason = "the key has expired";
    } else if (owner.caller.standing == CALLER_DISABLED) {
        findings->reason = "the account is disabled; `rosterctl user enable' lets it in again";
    }
    return EXIT_DONE;
}

/* The request that the token is checked for. */
struct question {
    struct text path; /* null: no particular request */
    const char *method_name;
    struct request *request;
};

/* Checks the token for a request, with the service's own stages: routing, authentication, authorization. */
static enum outcome judge_request(struct invocation *invocation, struct text typed, enum method method,
                                  struct question *question)
{
    struct request *request = arena_zero(invocation->context.arena, 1, sizeof *request);
    request->context = invocation->context;
    request->method = method;
    request->path = question->path;
    request->credentials.api_key = typed;
    buffer_init(&request->response.headers, invocation->context.arena);
    enum outcome outcome = worker_judge(request);
    /* such a route ignores the token, so it must be checked here */
    if (outcome == OK && request->route->who == WHO_ANYONE) {
        outcome = identity_authenticate(&request->context, &request->credentials, &request->identity);
    }
    invocation->context.problem = request->context.problem;
    question->method_name = method_name(method);
    question->request = request;
    return outcome;
}

/* Checks the token for a path, with the given method, or the first one that the path allows. */
static enum outcome judge_path(struct invocation *invocation, struct text typed, struct question *question)
{
    const char *wanted = ctl_option(invocation, OPTION_method);
    enum outcome outcome = PROBLEM;
    router_init();
    for (enum method method = METHOD_GET; method <= METHOD_DELETE; method++) {
        if (wanted != NULL && strcmp(wanted, method_name(method)) != 0) {
            continue;
        }
        invocation->context.problem = (struct problem){.code = ERROR_NONE};
        outcome = judge_request(invocation, typed, method, question);
        if (wanted != NULL || outcome == OK || invocation->context.problem.code != ERROR_METHOD_NOT_ALLOWED) {
            break;
        }
    }
    invariant(question->request != NULL); /* --method names one of these methods */
    return outcome;
}

/* Checks the token alone. A key that is restricted to listed paths is accepted, with a note. */
static enum outcome judge_alone(struct invocation *invocation, struct text typed, struct question *question)
{
    struct context *context = &invocation->context;
    struct request *request = arena_zero(context->arena, 1, sizeof *request);
    request->credentials = (struct credentials){.api_key = typed, .path = TEXT("/")};
    question->request = request;
    enum outcome outcome = identity_authenticate(context, &request->credentials, &request->identity);
    if (outcome != OK && context->problem.code == ERROR_API_KEY_ENDPOINT_NOT_ALLOWED) {
        ctl_say(invocation, "%-12s%s", "note", "this key may call only the listed paths; check one with --path");
        context->problem = (struct problem){.code = ERROR_NONE};
        outcome = OK;
    }
    return outcome;
}

static void print_judgement(struct invocation *invocation, enum error_code code, struct findings *findings,
                            const struct question *question)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_boolean(&json, "accepted", code == ERROR_NONE);
    json_member_string(&json, "code", code == ERROR_NONE ? NULL : error_name(code));
    json_member_string(&json, "reason", code == ERROR_NONE ? NULL : findings->reason);
    if (question->path.data != NULL) {
        json_member_string(&json, "method", question->method_name);
        json_member_text(&json, "path", question->path);
    }
    if (findings->header.data != NULL) {
        json_member_raw(&json, "header", findings->header);
        json_member_raw(&json, "payload", findings->payload);
    }
    if (findings->key_id.data != NULL) {
        json_member_text(&json, "key_id", findings->key_id);
    }
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

static void say_accepted(struct invocation *invocation, const struct question *question)
{
    const struct request *request = question->request;
    if (question->path.data == NULL) {
        ctl_say(invocation, "ACCEPTED.%s",
                text_is(request->identity.role, "pending") ? " But the role is pending, which has almost no rights."
                                                           : "");
    } else {
        ctl_say(invocation, "ACCEPTED for %s %s.%s", question->method_name,
                sheet_clean(invocation->context.arena, question->path).data,
                request->route->who == WHO_ANYONE ? " This request needs no token." : "");
    }
}

/* Whether the service would accept the token. The service checks all requests with the same functions. */
static int judge(struct invocation *invocation, struct text typed, struct findings *findings)
{
    struct context *context = &invocation->context;
    const char *path = ctl_option(invocation, OPTION_path);
    struct question question = {.path = {path, path != NULL ? strcspn(path, "?#") : 0}};
    enum outcome outcome =
        path != NULL ? judge_path(invocation, typed, &question) : judge_alone(invocation, typed, &question);
    enum error_code code = outcome == OK ? ERROR_NONE : context->problem.code;
    if (code != ERROR_NONE &&
        (findings->reason == NULL || error_status(code) != 401 || code == ERROR_ACCESS_PROHIBITED)) {
        findings->reason = context->problem.detail != NULL ? context->problem.detail : error_detail(code);
    }
    if (invocation->json) {
        print_judgement(invocation, code, findings, &question);
    }
    if (code == ERROR_NONE) {
        say_accepted(invocation, &question);
        return EXIT_DONE;
    }
    struct text reason = text_of(findings->reason);
    ctl_say(invocation, "REFUSED with %s: %s%s", error_name(code), reason.data, text_ends_with(reason, ".") ? "" : ".");
    if (code == ERROR_METHOD_NOT_ALLOWED) {
        ctl_say(invocation, "%-12s%s", "methods", context->problem.allow);
    }
    return code == ERROR_UNAVAILABLE ? EXIT_AWAY : EXIT_REFUSED;
}

int command_token(struct invocation *invocation)
{
    struct findings findings = {.reason = NULL};
    const char *path = ctl_option(invocation, OPTION_path);
    if (path != NULL && path[0] != '/') {
        return ctl_fail(EXIT_USAGE, "--path: `%s' is not a path: it must start with a slash", path);
    }
    if (path == NULL && ctl_has_option(invocation, OPTION_method)) {
        return ctl_fail(EXIT_USAGE, "--method needs --path");
    }
    struct text typed;
    int status = ask_secret(invocation, "Token", &typed);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text token = text_trim(typed);
    if (text_starts_with(token, "Bearer ")) {
        token = text_trim((struct text){token.data + 7, token.length - 7});
    }
    status =
        api_key_is(token) ? explain_key(invocation, token, &findings) : explain_token(invocation, token, &findings);
    status = status == EXIT_DONE ? judge(invocation, token, &findings) : status;
    password_wipe(typed);
    return status;
}
