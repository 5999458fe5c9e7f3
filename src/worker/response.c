#include "worker/response.h"

#include <sys/socket.h>
#include <time.h>

#include "auth/device.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/clock.h"
#include "base/host_port.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/return_url.h"
#include "base/scoreboard.h"

/* The most that is buffered of a body; beyond it is sent at once. */
enum { FLOW_BYTES = 64 * 1024 };

enum { LOG_SECONDS = 60 };

/* Enough for most headers. */
enum { HEAD_BYTES = 512 };

static const char *const session_cookies[] = {"token", "oui-session", "oauth_id_token", "oauth_session_id"};

const char *response_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {302, "Found"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

void response_start(struct request *request)
{
    struct response *response = &request->response;
    *response = (struct response){.status = 0};
    buffer_init(&response->body, request->context.arena);
    buffer_init(&response->headers, request->context.arena);
    json_start_in(&response->json, &response->body);
}

void response_add_header(struct request *request, const char *name, struct text value)
{
    struct buffer *headers = &request->response.headers;
    buffer_add_string(headers, name);
    buffer_add_literal(headers, ": ");
    size_t run = 0; /* bytes before this one are added */
    for (size_t i = 0; i < value.length; i++) {
        if (ascii_is_control(value.data[i])) {
            buffer_add(headers, value.data + run, i - run);
            run = i + 1;
        }
    }
    buffer_add(headers, value.data + run, value.length - run);
    buffer_add_literal(headers, "\r\n");
}

static bool is_for_https(const struct request *request)
{
    const enum cookie_secure secure = request->context.config->cookie_secure;
    return secure == COOKIE_SECURE_YES || (secure == COOKIE_SECURE_AUTO && request->https);
}

/* The attributes that end each Set-Cookie. */
static const char *cookie_attributes_at(const struct request *request, const char *path)
{
    return text_format(request->context.arena, "; Path=%s; HttpOnly; SameSite=%s%s", path,
                       enum_word(same_site_words, (int)request->context.config->cookie_same_site),
                       is_for_https(request) ? "; Secure" : "")
        .data;
}

static const char *cookie_attributes(const struct request *request)
{
    return cookie_attributes_at(request, "/");
}

/* The attribute Domain of the session's cookies: "" where cookie_domain does not cover the host of the request, since
 * browsers would refuse the cookie. public_url is at a host that it covers: config_check.c. */
static const char *domain_attribute(struct request *request)
{
    const struct config *config = request->context.config;
    struct host_port parts;
    if (config->cookie_domain[0] == '\0') {
        return "";
    }
    if (config->public_url[0] == '\0' && (!host_port_split(request->host, &parts) ||
                                          !return_url_domain_covers(text_of(config->cookie_domain), parts.host))) {
        if (log_topic_due(LOG_TOPIC_COOKIE_DOMAIN, LOG_SECONDS)) {
            log_warning(&request->context,
                        "the cookie is not for cookie_domain %s: the request is for the host \"%.*s\"; does nginx pass "
                        "on the header field Host?",
                        config->cookie_domain, (int)request->host.length,
                        request->host.data != NULL ? request->host.data : "");
        }
        return "";
    }
    return text_format(request->context.arena, "; Domain=%s", config->cookie_domain).data;
}

/* "; Expires=…"; "" for a session cookie. */
static const char *expires_attribute(struct request *request, int64_t expires_at)
{
    char expires[64] = "";
    if (expires_at >= 0) {
        time_t seconds = (time_t)expires_at;
        struct tm utc;
        if (gmtime_r(&seconds, &utc) != NULL) {
            strftime(expires, sizeof expires, "; Expires=%a, %d %b %Y %H:%M:%S GMT", &utc);
        }
    }
    return text_copy(request->context.arena, text_of(expires)).data;
}

struct text response_token_cookie(struct request *request, struct text token, int64_t expires_at)
{
    return text_format(request->context.arena, "token=%.*s%s%s%s", (int)token.length, token.data,
                       expires_attribute(request, expires_at), domain_attribute(request), cookie_attributes(request));
}

void response_set_token_cookie(struct request *request, struct text token, int64_t expires_at)
{
    response_add_header(request, "Set-Cookie", response_token_cookie(request, token, expires_at));
}

void response_set_bond_cookie(struct request *request, struct text jti, int64_t expires_at)
{
    if (is_for_https(request) && identity_bond_counts(request->context.config)) {
        response_add_header(request, "Set-Cookie",
                            text_format(request->context.arena, "%s=%.*s%s%s", IDENTITY_BOND_COOKIE, (int)jti.length,
                                        jti.data, expires_attribute(request, expires_at), cookie_attributes(request)));
    }
}

void response_set_device_cookie(struct request *request, struct text device)
{
    response_add_header(request, "Set-Cookie",
                        text_format(request->context.arena, "%s=%.*s; Max-Age=%d%s", DEVICE_COOKIE, (int)device.length,
                                    device.data, DEVICE_LIFETIME_SECONDS, cookie_attributes(request)));
}

static void drop_cookie(struct request *request, const char *name, const char *domain)
{
    response_add_header(request, "Set-Cookie",
                        text_format(request->context.arena, "%s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0%s%s",
                                    name, domain, cookie_attributes(request)));
}

/* Deletes the cookies `token` that a host beside or below this one may have set for this host and those above it.
 * Browsers ignore the domains for which nobody can set cookies (co.uk). */
static void drop_tossed(struct request *request)
{
    enum { LABELS_MAX = 10 };
    struct host_port parts;
    if (!host_port_split(request->host, &parts) || parts.has_brackets) {
        return;
    }
    struct text host = parts.host;
    for (size_t i = 0; i < host.length; i++) {
        if (!ascii_is_letter(host.data[i]) && !ascii_is_digit(host.data[i]) && host.data[i] != '-' &&
            host.data[i] != '.') {
            return;
        }
    }
    const char *last = host.length > 0 ? memrchr(host.data, '.', host.length) : NULL;
    if (last == NULL || ascii_is_digit(last[1])) {
        return; /* an IPv4 address, or a name of one word: no other host has a part in it */
    }
    for (size_t i = 0; i < LABELS_MAX && memchr(host.data, '.', host.length) != NULL; i++) {
        drop_cookie(request, "token",
                    text_format(request->context.arena, "; Domain=%.*s", (int)host.length, host.data).data);
        text_take(&host, '.');
    }
}

void response_set_challenge_cookie(struct request *request, struct text token, int64_t seconds)
{
    if (token.data == NULL && request_cookie(request, CHALLENGE_COOKIE).data == NULL) {
        return;
    }
    response_add_header(request, "Set-Cookie",
                        text_format(request->context.arena, "%s=%.*s; Max-Age=%lld%s", CHALLENGE_COOKIE,
                                    (int)token.length, token.data != NULL ? token.data : "",
                                    (long long)(token.data != NULL ? seconds : 0),
                                    cookie_attributes_at(request, "/api/v1/auths/mfa")));
}

void response_drop_cookies(struct request *request, bool all)
{
    const char *domain = domain_attribute(request);
    if (request->identity.is_tossed) {
        drop_tossed(request);
    }
    if (request->credentials.bond.data != NULL) {
        drop_cookie(request, IDENTITY_BOND_COOKIE, "");
    }
    for (size_t i = 0; i < ARRAY_COUNT(session_cookies); i++) {
        if (all || request_cookie(request, session_cookies[i]).data != NULL) {
            drop_cookie(request, session_cookies[i], "");
            if (domain[0] != '\0') { /* two cookies to a browser: it may have both, where cookie_domain is new */
                drop_cookie(request, session_cookies[i], domain);
            }
        }
    }
}

void response_internal_redirect(struct request *request, struct text location)
{
    response_add_header(request, "X-Accel-Redirect", location);
    request->response.no_body = true;
}

static void render_faults(struct json_writer *json, const struct fault *fault)
{
    json_begin_array(json);
    for (; fault != NULL; fault = fault->next) {
        json_begin_object(json);
        json_member_string(json, "type", fault_name(fault->type));
        json_member_raw(json, "loc", fault->loc);
        json_member_string(json, "msg", fault->msg);
        json_end_object(json);
    }
    json_end_array(json);
}

void response_render_problem(struct request *request)
{
    struct response *response = &request->response;
    const struct problem *problem = &request->context.problem;
    struct json_writer *json = &response->json;
    response_start(request);
    response->status = problem->status != 0 ? problem->status : error_status(problem->code);

    json_begin_object(json);
    json_name(json, "detail");
    if (problem->faults != NULL) {
        render_faults(json, problem->faults);
    } else {
        json_add_string(json, problem->detail != NULL ? problem->detail : error_detail(problem->code));
    }
    json_member_string(json, "code", error_name(problem->code));
    json_end_object(json);

    if (response->status == 401) {
        response_add_header(request, "WWW-Authenticate", TEXT("Bearer"));
        if (request->identity.drop_cookies) {
            response_drop_cookies(request, false);
        }
    }
    if (problem->retry_after_seconds > 0) {
        response_add_header(request, "Retry-After",
                            text_format(request->context.arena, "%d", problem->retry_after_seconds));
    }
    if (problem->allow != NULL) {
        response_add_header(request, "Allow", text_of(problem->allow));
    }
}

/* Lets pages of the configured origins read the response, also an error (the Fetch standard, 'CORS protocol'). */
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
                response_add_header(request, "Access-Control-Allow-Headers",
                                    TEXT("Authorization, Content-Type, X-API-Key"));
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
                            text_format(arena, "\"%s\";q=%lld;w=%lld", request->rate_policy,
                                        (long long)request->rate_limit,
                                        (long long)request->context.config->rate_limit_window));
        response_add_header(request, "RateLimit",
                            text_format(arena, "\"%s\";r=%lld;t=%lld", request->rate_policy,
                                        (long long)request->rate_remaining, (long long)request->rate_reset_seconds));
    }
}

static bool put(struct request *request, const struct buffer *buffer)
{
    request->response.put_bytes += buffer->length;
    return FCGX_PutStr(buffer->data, (int)buffer->length, request->fcgi->out) >= 0;
}

/* `has_length`: the body is complete, so Content-Length is sent. */
static bool send_head(struct request *request, bool no_body, bool has_length)
{
    struct response *response = &request->response;
    struct buffer head;
    buffer_init(&head, request->context.arena);
    add_cors(request);
    add_rate(request);
    buffer_reserve(&head, HEAD_BYTES);
    buffer_add_literal(&head, "Status: ");
    buffer_add_integer(&head, response->status);
    buffer_add_byte(&head, ' ');
    buffer_add_string(&head, response_reason(response->status));
    buffer_add_literal(&head, "\r\n");
    if (!no_body) {
        buffer_add_literal(&head, "Content-Type: ");
        buffer_add_string(&head, response->content_type != NULL ? response->content_type : "application/json");
        buffer_add_literal(&head, "\r\n");
        if (has_length) {
            buffer_add_literal(&head, "Content-Length: ");
            buffer_add_integer(&head, (int64_t)response->body.length);
            buffer_add_literal(&head, "\r\n");
        }
    }
    if (!request->admission.is_handed_over) { /* else nginx would add it to that of the final response */
        buffer_add_literal(&head, "Cache-Control: ");
        buffer_add_string(&head, response->cache_control != NULL ? response->cache_control : "no-store");
        buffer_add_literal(&head, "\r\n");
    }
    if (!request->is_named) { /* else nginx adds these two to each response (roster-headers.conf) */
        buffer_add_literal(&head, "X-Content-Type-Options: nosniff\r\n");
        if (request->context.request_id != NULL) {
            response_add_header(request, "X-Request-Id", text_of(request->context.request_id));
        }
    }
    buffer_add_text(&head, buffer_text(&response->headers));
    buffer_add_literal(&head, "\r\n");
    return put(request, &head);
}

/* Sends the buffered part of the body; for HEAD it is only counted. */
static bool send_waiting(struct request *request)
{
    struct response *response = &request->response;
    bool sent = request->head || response->body.length == 0 || put(request, &response->body);
    response->sent_bytes += response->body.length;
    return sent;
}

/* Sends the header once, and then the buffered part of the body. */
static bool flow_on(struct request *request)
{
    struct response *response = &request->response;
    if (!response->is_flowing) {
        response->status = response->status != 0 ? response->status : 200;
        response->is_flowing = true;
        request_drain(request);
        if (!send_head(request, false, false)) {
            return false;
        }
    }
    bool sent = send_waiting(request);
    response->body.length = 0;
    if (request->slot != NULL) {
        atomic_store(&request->slot->part_sent, clock_monotonic_microseconds());
    }
    return sent;
}

enum outcome response_flow(struct request *request, struct text piece)
{
    struct buffer *body = &request->response.body;
    while (piece.length > 0) {
        if (body->length >= FLOW_BYTES && !flow_on(request)) {
            request->client_gone = true;
            return FAULT;
        }
        size_t length = FLOW_BYTES - body->length < piece.length ? FLOW_BYTES - body->length : piece.length;
        buffer_add(body, piece.data, length);
        piece = (struct text){piece.data + length, piece.length - length};
    }
    return OK;
}

enum outcome response_flow_written(struct request *request)
{
    if (request->response.body.length >= FLOW_BYTES && !flow_on(request)) {
        request->client_gone = true;
        return FAULT;
    }
    return OK;
}

/* nginx takes the end of a connection without keep-alive for the end of the response, with or without FCGI_END_REQUEST.
 * A record with an invalid FastCGI version makes it abort the response, without the last chunk for the client. libfcgi
 * has sent whole records only. */
void response_break_off(struct request *request)
{
    static const unsigned char no_record[8] = {0xFF};
    const enum error_code code = request->context.problem.code;
    request->response.is_broken_off = true;
    request->response.status = code != ERROR_NONE ? error_status(code) : request->response.status;
    if (send(request->fcgi->ipcFd, no_record, sizeof no_record, MSG_NOSIGNAL) < 0) {
        request->client_gone = true;
    }
    shutdown(request->fcgi->ipcFd, SHUT_RDWR);
}

bool response_send(struct request *request)
{
    struct response *response = &request->response;
    bool no_body = response->no_body || response->status == 204 || response->status == 304;
    if (response->is_broken_off) {
        return !request->client_gone;
    }
    invariant(no_body || response->content_type != NULL || json_is_whole(&response->json));
    if (!response->is_flowing && !send_head(request, no_body, true)) {
        return false;
    }
    /* What is in libfcgi's buffer leaves with the end of the stream, in one piece: nginx hangs up after an
     * X-Accel-Redirect, and that must not look like a client that has closed the connection. */
    return no_body || send_waiting(request);
}
