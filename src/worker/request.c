#include "worker/request.h"

#include "base/array.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/percent.h"
#include "base/problem.h"
#include "config/network.h"

/* Of the lengths of a parameter's name and value, at most. */
enum { LENGTHS_BYTES = 8 };

static enum method method_of(struct text name, bool *head_r)
{
    *head_r = text_is(name, "HEAD");
    if (*head_r || text_is(name, "GET")) {
        return METHOD_GET;
    }
    return text_is(name, "POST")      ? METHOD_POST
           : text_is(name, "DELETE")  ? METHOD_DELETE
           : text_is(name, "OPTIONS") ? METHOD_OPTIONS
                                      : METHOD_OTHER;
}

/* ---- parameters ---- */

static void take_method(struct request *request, struct text value)
{
    request->method_text = value.data;
    request->method = method_of(value, &request->head);
}

static void take_content_length(struct request *request, struct text value)
{
    if (value.length > 0 && (!text_to_integer(value, &request->content_length) || request->content_length < 0)) {
        request->content_length = -1;
        request->received_bytes = REQUEST_RECORDS_BYTES;
    }
}

static void take_address(struct request *request, struct text value)
{
    request->context.client_address = value.data;
}

static void take_hand_over(struct request *request, struct text value)
{
    request->admission.may_hand_over = text_is(value, "on");
}

static void take_hold(struct request *request, struct text value)
{
    text_to_integer(value, &request->hold_connection);
}

static void take_admission(struct request *request, struct text value)
{
    request->admission.sent = value;
}

static void take_renew(struct request *request, struct text value)
{
    request->renews = text_is(value, "on");
}

static void take_https(struct request *request, struct text value)
{
    request->https = text_is_ignoring_case(value, "on");
}

static void take_forwarded(struct request *request, struct text value)
{
    request->is_forwarded |= value.length > 0;
}

static void take_authorization(struct request *request, struct text value)
{
    /* nginx refuses a second one; with another server it would be ambiguous */
    request->credentials.authorization_repeated = request->credentials.authorization.data != NULL;
    request->credentials.authorization = value;
}

static void take_cookie(struct request *request, struct text value)
{
    request->request_cookies =
        request->request_cookies.data == NULL
            ? value
            : text_format(request->context.arena, "%s; %s", request->request_cookies.data, value.data);
}

/* The FastCGI parameters that are read, most frequent first: by a function, or stored in a member where they come the
 * first time. */
static const struct fastcgi_parameter {
    struct text name;
    void (*take)(struct request *request, struct text value);
    size_t offset; /* where `take` is NULL */
} parameters[] = {
#define TAKEN(name, take) {{name, sizeof(name) - 1}, take, 0}
#define STORED(name, member) {{name, sizeof(name) - 1}, NULL, offsetof(struct request, member)}
    TAKEN("REQUEST_METHOD", take_method),
    STORED("REQUEST_URI", target),
    STORED("CONTENT_TYPE", content_type),
    TAKEN("CONTENT_LENGTH", take_content_length),
    TAKEN("REMOTE_ADDR", take_address),
    STORED("PEER_ADDR", peer_address),
    STORED("HTTP_HOST", host),
    TAKEN("HTTP_AUTHORIZATION", take_authorization),
    STORED("HTTP_USER_AGENT", user_agent),
    STORED("HTTP_ACCEPT", accept),
    TAKEN("HTTP_COOKIE", take_cookie),
    TAKEN("HTTPS", take_https),
    STORED("HTTP_ORIGIN", origin),
    STORED("HTTP_SEC_FETCH_SITE", fetch_site),
    STORED("HTTP_IF_NONE_MATCH", if_none_match),
    STORED("HTTP_X_API_KEY", credentials.api_key),
    TAKEN("HTTP_X_FORWARDED_FOR", take_forwarded),
    TAKEN("HTTP_FORWARDED", take_forwarded),
    TAKEN("ROSTER_HAND_OVER", take_hand_over),
    TAKEN("ROSTER_ADMISSION", take_admission),
    TAKEN("ROSTER_HOLD", take_hold),
    STORED("ROSTER_KEEP_DIRECTORY", keep_directory),
    STORED("HTTP_SEC_FETCH_MODE", fetch_mode),
    STORED("ROSTER_REQUIRE", require),
    TAKEN("ROSTER_RENEW", take_renew),
    STORED("ROSTER_APPLICATION", credentials.application),
#undef TAKEN
#undef STORED
};

static const struct fastcgi_parameter *find_parameter(struct text name)
{
    for (size_t i = 0; i < ARRAY_COUNT(parameters); i++) {
        if (parameters[i].name.length == name.length && memcmp(parameters[i].name.data, name.data, name.length) == 0) {
            return &parameters[i];
        }
    }
    return NULL;
}

/* Compares "X-Forwarded-Email" with "HTTP_X_FORWARDED_EMAIL". */
static bool is_header(struct text parameter, const char *header)
{
    if (header[0] == '\0' || strlen(header) != parameter.length - 5) {
        return false;
    }
    for (size_t i = 0; header[i] != '\0'; i++) {
        if (parameter.data[5 + i] != (header[i] == '-' ? '_' : ascii_to_upper(header[i]))) {
            return false;
        }
    }
    return true;
}

/* A repeated field is joined into one list (RFC 9110, section 5.3). A list is no valid email address, so a client can't
 * add an address to the proxy's. Lists of groups are joined with line ends, which no field can contain. */
static void join_field(struct request *request, struct text *field, struct text value, const char *between)
{
    *field =
        field->data == NULL ? value : text_format(request->context.arena, "%s%s%s", field->data, between, value.data);
}

/* True for a header field that only a trusted proxy may set. */
static bool take_trusted(struct request *request, struct text name, struct text value)
{
    const struct config *config = request->context.config;
    if (is_header(name, config->trusted_email_header)) {
        join_field(request, &request->trusted_email, value, ", ");
    } else if (is_header(name, config->trusted_name_header)) {
        join_field(request, &request->trusted_name, value, ", ");
    } else if (is_header(name, config->trusted_groups_header)) {
        join_field(request, &request->trusted_groups, value, "\n");
    } else {
        return false;
    }
    return true;
}

static void take(struct request *request, struct text name, struct text value)
{
    const bool is_of_client = name.length >= 5 && memcmp(name.data, "HTTP_", 5) == 0;
    const struct fastcgi_parameter *parameter = find_parameter(name);
    request->header_count += is_of_client;
    /* Authorization and Cookie are taken as themselves, whatever is configured */
    const bool may_be_trusted = is_of_client && (parameter == NULL || parameter->take == NULL);
    if ((may_be_trusted && take_trusted(request, name, value)) || parameter == NULL) {
        return;
    }
    if (parameter->take != NULL) {
        parameter->take(request, value);
        return;
    }
    struct text *place = (struct text *)((char *)request + parameter->offset);
    if (place->data == NULL) {
        *place = value;
    }
}

/* Drops the header fields that only a trusted proxy may set, where another peer sent them. REMOTE_ADDR may be the
 * client that a proxy names (nginx's real_ip); it is the peer only where nginx sends no peer address. */
static void judge_trusted_headers(struct request *request)
{
    if (request->trusted_email.data == NULL && request->trusted_name.data == NULL &&
        request->trusted_groups.data == NULL) {
        return;
    }
    const char *peer = request->peer_address.length > 0 ? request->peer_address.data : request->context.client_address;
    request->from_trusted_proxy = networks_contain(&request->context.config->trusted_proxies, peer);
    if (!request->from_trusted_proxy) {
        request->trusted_email = request->trusted_name = request->trusted_groups = TEXT_NULL;
        if (log_topic_due(LOG_TOPIC_TRUSTED_HEADERS, 10)) {
            log_warning(&request->context,
                        "trusted header fields were sent by %s, which is not in trusted_proxies: ignored",
                        peer != NULL ? peer : "an unknown address");
        }
    }
    request->credentials.trusted_email = request->trusted_email;
}

/* Takes cookies off `rest` up to the next one with this name. False: there is no further one. */
static bool next_cookie(struct text *rest, const char *name, struct text *value_r)
{
    const size_t length = strlen(name);
    while (rest->length > 0) {
        const struct text pair = text_trim(text_take(rest, ';'));
        if (pair.length > length && memcmp(pair.data, name, length) == 0 && pair.data[length] == '=') {
            *value_r = text_unquote(text_trim((struct text){pair.data + length + 1, pair.length - length - 1}));
            return true;
        }
    }
    return false;
}

static void take_session_cookies(struct request *request)
{
    struct credentials *credentials = &request->credentials;
    struct text value, rest = request->request_cookies;
    while (next_cookie(&rest, "token", &value)) {
        credentials->cookie_count += value.length > 0;
        credentials->cookie = value.length > 0 ? value : credentials->cookie;
    }
    if (credentials->cookie_count == 1) {
        credentials->cookie_count = 0;
    } else if (credentials->cookie_count > 1) {
        credentials->cookies =
            arena_alloc(request->context.arena, credentials->cookie_count * sizeof *credentials->cookies);
        credentials->cookie_count = 0;
        for (rest = request->request_cookies; next_cookie(&rest, "token", &value);) {
            if (value.length > 0) {
                credentials->cookies[credentials->cookie_count++] = value;
            }
        }
    }
    credentials->bond =
        identity_bond_counts(request->context.config) ? request_cookie(request, IDENTITY_BOND_COOKIE) : TEXT_NULL;
}

enum outcome request_parse(struct request *request)
{
    request->content_length = -1;
    request->method_text = "-";
    request->method = METHOD_OTHER;
    for (char **at = request->fcgi->envp; at != NULL && *at != NULL; at++) {
        const struct text whole = text_of(*at);
        struct text value = whole;
        const struct text name = text_take(&value, '=');
        request->received_bytes += whole.length + LENGTHS_BYTES;
        if (name.length < whole.length) {
            take(request, name, value);
        }
    }
    if (request->target.data == NULL) {
        request->target = TEXT("/");
    }
    request->query_string = request->target;
    request->path = text_take(&request->query_string, '?');
    judge_trusted_headers(request);
    take_session_cookies(request);
    if ((int64_t)request->header_count > request->context.config->request_header_limit) {
        return problem_set_detail(&request->context, ERROR_HEADER_FIELDS_TOO_LARGE, 0,
                                  text_format(request->context.arena, "The request has more than %lld header fields.",
                                              (long long)request->context.config->request_header_limit)
                                      .data);
    }
    return OK;
}

enum outcome request_read_body(struct request *request)
{
    struct context *context = &request->context;
    int64_t limit = context->config->request_body_limit;
    if (request->content_length > limit) {
        return problem_set(context, ERROR_CONTENT_TOO_LARGE);
    }
    /* Without a Content-Length (nginx always sends one) the body ends with the stream. */
    int64_t wanted = request->content_length >= 0 ? request->content_length : limit + 1;
    size_t capacity = request->content_length >= 0 ? (size_t)wanted : 4096;
    struct buffer body;
    buffer_init(&body, context->arena);
    int64_t length = 0;
    while (length < wanted) {
        size_t room = capacity > 65536 ? 65536 : capacity > 0 ? capacity : 1;
        if ((int64_t)room > wanted - length) {
            room = (size_t)(wanted - length);
        }
        char *place = buffer_reserve(&body, room + 1);
        int got = FCGX_GetStr(place, (int)room, request->fcgi->in);
        if (got <= 0) {
            break;
        }
        body.length += (size_t)got;
        request->received_bytes += (size_t)got;
        length += got;
        if (arena_exceeded(context->arena)) {
            return problem_set(context, ERROR_CONTENT_TOO_LARGE);
        }
    }
    if (FCGX_GetError(request->fcgi->in) != 0 || (request->content_length >= 0 && length < request->content_length)) {
        return problem_set(context, ERROR_BODY_INCOMPLETE);
    }
    if (length > limit) {
        return problem_set(context, ERROR_CONTENT_TOO_LARGE);
    }
    request->body = buffer_text(&body);
    if (request->body.data == NULL) {
        request->body = TEXT("");
    }
    return OK;
}

void request_drain(struct request *request)
{
    if (request->stdin_drained) {
        return;
    }
    char scrap[4096];
    int got;
    while ((got = FCGX_GetStr(scrap, sizeof scrap, request->fcgi->in)) > 0) {
        request->received_bytes += (size_t)got;
    }
    request->stdin_drained = true;
}

struct json_members request_sent_members(struct request *request)
{
    struct json_members members;
    invariant(json_text_members(request->context.arena, request->body, &members));
    for (size_t i = 0; i < members.count; i++) {
        members.items[i].value = json_text_compact(request->context.arena, members.items[i].value);
    }
    return members;
}

struct text request_cookie(const struct request *request, const char *name)
{
    struct text found = TEXT_NULL;
    struct text rest = request->request_cookies;
    struct text value;
    while (next_cookie(&rest, name, &value)) {
        found = value;
    }
    return found.length > 0 ? found : TEXT_NULL;
}

void request_each_query(struct request *request, void (*each)(void *, struct text, struct text), void *argument)
{
    struct text rest = request->query_string;
    while (rest.length > 0) {
        struct text value = text_take(&rest, '&');
        if (value.length > 0) {
            struct text name = text_take(&value, '=');
            each(argument, percent_decode_query(request->context.arena, name),
                 percent_decode_query(request->context.arena, value));
        }
    }
}
