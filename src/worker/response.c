#include "worker/response.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"

static const char *const session_cookies[] = {"token", "oui-session", "oauth_id_token", "oauth_session_id"};

const char *response_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"}, {204, "No Content"}, {302, "Found"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
        {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {413, "Content Too Large"}, {422, "Unprocessable Content"},
        {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

void response_add_header(struct request *request, const char *name, struct text value)
{
    struct buffer *headers = &request->response.headers;
    buffer_add_string(headers, name);
    buffer_add_literal(headers, ": ");
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        if (byte >= 0x20 && byte != 0x7f) {
            buffer_add_byte(headers, (char)byte);
        }
    }
    buffer_add_literal(headers, "\r\n");
}

/* What every Set-Cookie of ours ends with. */
static const char *cookie_attributes(const struct request *request)
{
    static const char *const same_site[] = {"lax", "strict", "none"};
    const struct config *config = request->context.config;
    bool secure = config->cookie_secure == COOKIE_SECURE_YES || (config->cookie_secure == COOKIE_SECURE_AUTO && request->https);
    return text_format(request->context.arena, "; Path=/; HttpOnly; SameSite=%s%s", same_site[config->cookie_same_site],
                       secure ? "; Secure" : "")
        .data;
}

void response_set_token_cookie(struct request *request, struct text token, int64_t expires_at)
{
    char expires[64] = "";
    if (expires_at >= 0) {
        time_t seconds = (time_t)expires_at;
        struct tm utc;
        if (gmtime_r(&seconds, &utc) != NULL) {
            strftime(expires, sizeof expires, "; Expires=%a, %d %b %Y %H:%M:%S GMT", &utc);
        }
    }
    response_add_header(request, "Set-Cookie",
                        text_format(request->context.arena, "token=%.*s%s%s", (int)token.length, token.data, expires,
                                    cookie_attributes(request)));
}

void response_drop_cookies(struct request *request, bool all)
{
    for (size_t i = 0; i < sizeof session_cookies / sizeof session_cookies[0]; i++) {
        if (all || request_cookie(request, session_cookies[i]).data != NULL) {
            response_add_header(request, "Set-Cookie",
                                text_format(request->context.arena, "%s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0%s",
                                            session_cookies[i], cookie_attributes(request)));
        }
    }
}

void response_internal_redirect(struct request *request, struct text location)
{
    response_add_header(request, "X-Accel-Redirect", location);
    request->response.no_body = true;
}

static void render_faults(struct buffer *body, const struct fault *fault)
{
    buffer_add_byte(body, '[');
    for (; fault != NULL; fault = fault->next) {
        buffer_add_literal(body, "{\"type\":");
        buffer_add_json(body, text_of(fault->type));
        buffer_add_literal(body, ",\"loc\":");
        buffer_add_text(body, fault->loc);
        buffer_add_literal(body, ",\"msg\":");
        buffer_add_json(body, text_of(fault->msg));
        buffer_add_string(body, fault->next != NULL ? "}," : "}");
    }
    buffer_add_byte(body, ']');
}

void response_render_problem(struct request *request)
{
    struct response *response = &request->response;
    const struct problem *problem = &request->context.problem;
    buffer_init(&response->body, request->context.arena);
    buffer_init(&response->headers, request->context.arena);
    response->content_type = NULL;
    response->no_body = false;
    response->cache_control = NULL;
    response->status = problem->status != 0 ? problem->status : error_status(problem->code);

    struct buffer *body = &response->body;
    buffer_add_literal(body, "{\"detail\":");
    if (problem->faults != NULL) {
        render_faults(body, problem->faults);
    } else {
        buffer_add_json(body, text_of(problem->detail != NULL ? problem->detail : error_detail(problem->code)));
    }
    buffer_add_literal(body, ",\"code\":\"");
    buffer_add_string(body, error_name(problem->code));
    buffer_add_literal(body, "\"}");

    if (response->status == 401) {
        response_add_header(request, "WWW-Authenticate", TEXT("Bearer"));
        if (request->identity.drop_cookies) {
            response_drop_cookies(request, false);
        }
    }
    if (problem->retry_after_seconds > 0) {
        response_add_header(request, "Retry-After", text_format(request->context.arena, "%d", problem->retry_after_seconds));
    }
    if (problem->allow != NULL) {
        response_add_header(request, "Allow", text_of(problem->allow));
    }
}

/* Pages of the configured origins may read the answer, also an error (the Fetch standard, 'CORS protocol'). */
static void add_cors(struct request *request)
{
    const struct words *origins = &request->context.config->cors_origins;
    if (origins->count == 0) {
        return;
    }
    response_add_header(request, "Vary", TEXT("Origin"));
    for (size_t i = 0; i < origins->count; i++) {
        if (text_is(request->origin, origins->items[i])) {
            response_add_header(request, "Access-Control-Allow-Origin", request->origin);
            response_add_header(request, "Access-Control-Allow-Credentials", TEXT("true"));
            if (request->method == METHOD_OPTIONS) {
                response_add_header(request, "Access-Control-Allow-Methods", TEXT("GET, POST, DELETE"));
                response_add_header(request, "Access-Control-Allow-Headers", TEXT("Authorization, Content-Type, X-API-Key"));
                response_add_header(request, "Access-Control-Max-Age", TEXT("600"));
            }
            return;
        }
    }
}

static void add_rate(struct request *request)
{
    if (request->rate_limit > 0) {
        struct arena *arena = request->context.arena;
        response_add_header(request, "RateLimit-Policy",
                            text_format(arena, "\"%s\";q=%lld;w=%lld", request->rate_policy, (long long)request->rate_limit,
                                        (long long)request->context.config->rate_limit_window));
        response_add_header(request, "RateLimit",
                            text_format(arena, "\"%s\";r=%lld;t=%lld", request->rate_policy, (long long)request->rate_remaining,
                                        (long long)request->rate_reset_seconds));
    }
}

bool response_send(struct request *request)
{
    struct response *response = &request->response;
    struct buffer head;
    buffer_init(&head, request->context.arena);
    add_cors(request);
    add_rate(request);
    bool no_body = response->no_body || response->status == 204 || response->status == 304;
    buffer_add_format(&head, "Status: %d %s\r\n", response->status, response_reason(response->status));
    if (!no_body) {
        buffer_add_literal(&head, "Content-Type: ");
        buffer_add_string(&head, response->content_type != NULL ? response->content_type : "application/json");
        buffer_add_format(&head, "\r\nContent-Length: %zu\r\n", response->body.length);
    }
    buffer_add_literal(&head, "Cache-Control: ");
    buffer_add_string(&head, response->cache_control != NULL ? response->cache_control : "no-store");
    buffer_add_literal(&head, "\r\nX-Content-Type-Options: nosniff\r\n");
    if (request->context.request_id != NULL) {
        response_add_header(request, "X-Request-Id", text_of(request->context.request_id));
    }
    buffer_add_text(&head, buffer_text(&response->headers));
    buffer_add_literal(&head, "\r\n");

    if (FCGX_PutStr(head.data, (int)head.length, request->fcgi->out) < 0) {
        return false;
    }
    /* What is in libfcgi's buffer leaves with the end of the stream, in one piece: nginx hangs up after an X-Accel-Redirect, and that must not look like a client
     * that is gone. */
    return no_body || request->head || response->body.length == 0 ||
           FCGX_PutStr(response->body.data, (int)response->body.length, request->fcgi->out) >= 0;
}
