/* verify.c: GET /verify: who is calling, for nginx's auth_request: roster-api(7), Signing in for other programs.
 *
 * nginx passes on no body of such an answer, and knows the statuses 2xx, 401 and 403 alone. */
#include <stdlib.h>

#include "api/handlers.h"
#include "api/session.h"
#include "auth/factor.h"
#include "auth/rule.h"
#include "base/array.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/problem.h"
#include "store/user_store.h"
#include "worker/response.h"

/* nginx has 16 KiB for all header fields of an answer (fastcgi_buffer_size). */
enum { GROUPS_BYTES = 8192 };

/* ---- header fields ---- */

/* A part of a value by remote_encoding. `in_list`: a comma is between it and others. */
static void add_part(struct request *request, struct buffer *buffer, struct text text, bool in_list)
{
    static const char ext_value[] = "UTF-8''"; /* RFC 8187, section 3.2.1 */
    const struct text plain = text_without_odd(request->context.arena, text);
    const bool is_utf8 = request->context.config->remote_encoding == REMOTE_ENCODING_UTF8;
    bool is_encoded = !is_utf8 && text_starts_with_ignoring_case(plain, ext_value);
    for (size_t i = 0; !is_utf8 && i < plain.length; i++) {
        is_encoded = is_encoded || (plain.data[i] & 0x80) != 0 || (in_list && plain.data[i] == ',');
    }
    if (is_encoded) {
        buffer_add_string(buffer, ext_value);
        percent_add_segment(buffer, plain);
        return;
    }
    for (size_t i = 0; i < plain.length; i++) {
        if (is_utf8 && in_list && (plain.data[i] == ',' || plain.data[i] == '%')) {
            buffer_add_format(buffer, "%%%02X", plain.data[i]);
        } else {
            buffer_add_byte(buffer, plain.data[i]);
        }
    }
}

static void add_field(struct request *request, const char *name, struct text text)
{
    struct buffer value;
    buffer_init(&value, request->context.arena);
    add_part(request, &value, text, false);
    response_add_header(request, name, buffer_text(&value));
}

/* For programs that decode it whatever remote_encoding is, and read other bytes as Latin-1: nginx can't encode. */
static void add_encoded_name(struct request *request)
{
    struct buffer value;
    buffer_init(&value, request->context.arena);
    percent_add_segment(&value, text_without_odd(request->context.arena, request->identity.name));
    response_add_header(request, "X-Roster-Name", buffer_text(&value));
}

static int compare_names(const void *left, const void *right)
{
    return text_compare(*(const struct text *)left, *(const struct text *)right);
}

/* Sorted, since the order of the rows changes with the groups. */
static void add_groups(struct request *request, const struct result *groups)
{
    struct context *context = &request->context;
    struct text *names = arena_zero(context->arena, groups->row_count + 1, sizeof *names);
    struct buffer value;
    buffer_init(&value, context->arena);
    for (size_t i = 0; i < groups->row_count; i++) {
        names[i] = result_row(groups, i)[1].text;
    }
    qsort(names, groups->row_count, sizeof *names, compare_names);
    for (size_t i = 0; i < groups->row_count; i++) {
        const size_t before = value.length;
        buffer_add(&value, ",", i > 0);
        add_part(request, &value, names[i], true);
        if (value.length > GROUPS_BYTES) {
            value.length = before;
            log_warning(context, "Remote-Groups of user %.*s lacks %zu groups: nginx takes no more bytes",
                        (int)request->identity.user_id.length, request->identity.user_id.data, groups->row_count - i);
            break;
        }
    }
    response_add_header(request, "Remote-Groups", buffer_text(&value));
}

static struct text remote_user(const struct request *request, const struct value *user)
{
    switch (request->context.config->remote_user) {
    case REMOTE_USER_ID:
        return request->identity.user_id;
    case REMOTE_USER_USERNAME:
        return user[USER_username].text;
    case REMOTE_USER_EMAIL:
        break;
    }
    return request->identity.email;
}

/* ---- answers ---- */

static void start_answer(struct request *request, int status)
{
    request->response.status = status;
    request->response.no_body = true;
    response_add_header(request, "Vary", TEXT("Authorization, Cookie, X-API-Key"));
}

/* Programs such as git and WebDAV clients send a password after a challenge for one. Browsers would show a dialog. */
static struct text challenge(const struct request *request, enum error_code code)
{
    if (code == ERROR_SECOND_FACTOR_REQUIRED) {
        return TEXT("Bearer error=\"insufficient_user_authentication\""); /* RFC 9470, section 3 */
    }
    const bool is_browser = request->fetch_mode.length > 0 || text_starts_with(request->user_agent, "Mozilla/");
    return is_browser ? TEXT("Bearer") : TEXT("Basic realm=\"Roster\", charset=\"UTF-8\"");
}

/* `status` 0: that of the code. */
static enum outcome refuse(struct request *request, enum error_code code, int status)
{
    struct problem *problem = &request->context.problem;
    problem_set_detail(&request->context, code, status, NULL); /* for the log */
    start_answer(request, status != 0 ? status : error_status(code));
    response_add_header(request, "X-Roster-Code", text_of(error_name(code)));
    if (request->response.status == 401) {
        response_add_header(request, "WWW-Authenticate", challenge(request, code));
    }
    if (problem->retry_after_seconds > 0) {
        response_add_header(request, "Retry-After",
                            text_format(request->context.arena, "%d", problem->retry_after_seconds));
    }
    return OK;
}

/* Refuses by the rule of the location. `why` goes to administrators; NULL: the rule says it. */
static enum outcome refuse_by_rule(struct request *request, const char *why)
{
    if (identity_is_admin(&request->identity)) {
        struct arena *arena = request->context.arena;
        struct text rule = text_without_odd(arena, request->require);
        response_add_header(request, "X-Roster-Rule",
                            text_format(arena, "%.*s%s%s%s", (int)rule.length, rule.data, why != NULL ? " (" : "",
                                        why != NULL ? why : "", why != NULL ? ")" : ""));
    }
    return refuse(request, ERROR_ACCESS_PROHIBITED, 403);
}

/* Only nginx sets the cookie. */
static enum outcome renew(struct request *request)
{
    struct text token;
    int64_t expires_at;
    enum outcome outcome = session_renew(request, &token, &expires_at);
    if (outcome == OK && token.data != NULL) {
        response_add_header(request, "X-Roster-Renewed", response_token_cookie(request, token, expires_at));
    }
    return outcome;
}

/* What keeps an application from telling this person from all others, in words; NULL: nothing. */
static enum outcome find_ambiguity(struct request *request, const struct value *user, const char **why_r)
{
    struct context *context = &request->context;
    const bool by_username = context->config->remote_user == REMOTE_USER_USERNAME;
    const struct text username = by_username ? user[USER_username].text : TEXT_NULL;
    struct text elder;
    *why_r = NULL;
    if (by_username && username.length == 0) {
        *why_r = "there is no username, and remote_user is username";
        return OK;
    }
    if (by_username && !text_equal(text_trim_unicode(text_without_odd(context->arena, username)), username)) {
        *why_r = "the username has characters that no header field carries";
        return OK;
    }
    enum outcome outcome = user_store_elder(context, request->identity.user_id, by_username, &elder);
    if (outcome == OK && elder.data != NULL) {
        *why_r = text_format(context->arena, "applications may take this account for that of user %.*s, which is older",
                             (int)elder.length, elder.data)
                     .data;
    }
    return outcome;
}

static enum outcome let_in(struct request *request, const struct value *user, const struct result *groups)
{
    const char *why;
    enum outcome outcome = find_ambiguity(request, user, &why);
    if (outcome != OK) {
        return refuse(request, request->context.problem.code, 0);
    }
    if (why != NULL) {
        log_warning(&request->context, "user %.*s is refused: %s", (int)request->identity.user_id.length,
                    request->identity.user_id.data, why);
        return refuse_by_rule(request, why);
    }
    start_answer(request, 204);
    add_field(request, "Remote-User", remote_user(request, user));
    add_field(request, "Remote-Email", request->identity.email);
    add_field(request, "Remote-Name", request->identity.name);
    add_encoded_name(request);
    add_groups(request, groups);
    add_field(request, "Remote-Role", request->identity.role);
    /* nginx passes the field Authorization on to an application only where it has not signed in here */
    response_add_header(request, "X-Roster-Credential", request->identity.by_cookie ? TEXT("cookie") : TEXT("field"));
    return renew(request);
}

/* ---- the steps ---- */

/* OK; PROBLEM or FAULT where it has answered. */
static enum outcome identify(struct request *request)
{
    struct context *context = &request->context;
    request->credentials.accepts_basic = true;
    enum outcome outcome = factor_authenticate(context, &request->credentials, &request->identity);
    request->authenticated = outcome == OK;
    if (outcome != OK) {
        /* who must change the password is led to the sign-in page, which does that */
        refuse(request, context->problem.code,
               context->problem.code == ERROR_PASSWORD_CHANGE_REQUIRED ? 401 : context->problem.status);
    }
    return outcome;
}

static enum outcome judge(struct request *request, const struct result *groups, const char **why_r,
                          enum rule_verdict *verdict_r)
{
    struct context *context = &request->context;
    struct rule rule;
    struct error error;
    struct text unknown;
    *why_r = NULL;
    *verdict_r = RULE_REFUSES;
    if (!rule_parse(context->arena, request->require, &rule, &error)) {
        log_error(context, "the rule \"%.*s\" can't be read: %s", (int)request->require.length, request->require.data,
                  error.text);
        *why_r = text_without_odd(context->arena, text_format(context->arena, "%s", error.text)).data;
        return OK;
    }
    enum outcome outcome = rule_judge(context, &rule, &request->identity, groups, verdict_r, &unknown);
    if (outcome == OK && unknown.data != NULL) {
        *why_r = text_format(context->arena, "there is no group \"%.*s\"", (int)unknown.length, unknown.data).data;
        log_error(context, "the rule \"%.*s\" refuses: %s", (int)request->require.length, request->require.data,
                  *why_r);
    }
    return outcome;
}

enum outcome handle_verify(struct request *request)
{
    struct context *context = &request->context;
    const struct value *user;
    struct result groups;
    const char *why = NULL;
    enum rule_verdict verdict = RULE_REFUSES;
    if (identify(request) != OK) {
        return OK;
    }
    enum outcome outcome = user_store_get_with_groups(context, request->identity.user_id, &user, &groups);
    if (outcome == PROBLEM) {
        return refuse(request, ERROR_INVALID_TOKEN, 0); /* deleted since */
    }
    if (outcome == OK) {
        outcome = judge(request, &groups, &why, &verdict);
    }
    if (outcome != OK) {
        return refuse(request, context->problem.code, 0);
    }
    switch (verdict) {
    case RULE_PASSES:
        return let_in(request, user, &groups);
    case RULE_NOBODY:
        return refuse(request, ERROR_ACCESS_PROHIBITED, 401);
    case RULE_WANTS_FACTOR:
        return refuse(request, ERROR_SECOND_FACTOR_REQUIRED, 0);
    case RULE_REFUSES:
        break;
    }
    return refuse_by_rule(request, why);
}
