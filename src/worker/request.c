#include "worker/request.h"

#include <stdlib.h>

#include "base/log.h"


/* A FastCGI parameter that we look at, and where it goes. */
struct parameter_place {
    const char *name;
    size_t offset;
};

static const struct parameter_place parameter_places[] = {
    {"REQUEST_URI", offsetof(struct request, target)},
    {"QUERY_STRING", offsetof(struct request, query_string)},
    {"CONTENT_TYPE", offsetof(struct request, content_type)},
    {"HTTP_HOST", offsetof(struct request, host)},
    {"HTTP_USER_AGENT", offsetof(struct request, user_agent)},
    {"HTTP_ORIGIN", offsetof(struct request, origin)},
    {"HTTP_IF_NONE_MATCH", offsetof(struct request, if_none_match)},
    {"HTTP_X_API_KEY", offsetof(struct request, credentials.api_key)},
};

static enum method method_of(const char *name, bool *head_r)
{
    *head_r = strcmp(name, "HEAD") == 0;
    if (*head_r || strcmp(name, "GET") == 0) {
        return METHOD_GET;
    }
    return strcmp(name, "POST") == 0      ? METHOD_POST
           : strcmp(name, "DELETE") == 0  ? METHOD_DELETE
           : strcmp(name, "OPTIONS") == 0 ? METHOD_OPTIONS
                                          : METHOD_OTHER;
}

/* "X-Forwarded-Email" is what "HTTP_X_FORWARDED_EMAIL" holds. */
static bool is_header(const char *parameter, size_t length, const char *header)
{
    if (header[0] == '\0' || strlen(header) != length - 5) {
        return false;
    }
    for (size_t i = 0; header[i] != '\0'; i++) {
        char wanted = header[i] == '-' ? '_' : header[i];
        if (wanted >= 'a' && wanted <= 'z') {
            wanted = (char)(wanted - 'a' + 'A');
        }
        if (parameter[5 + i] != wanted) {
            return false;
        }
    }
    return true;
}

static void take_parameter(struct request *request, const char *name, size_t name_length, struct text value)
{
    for (size_t i = 0; i < sizeof parameter_places / sizeof parameter_places[0]; i++) {
        const char *wanted = parameter_places[i].name;
        if (strncmp(wanted, name, name_length) == 0 && wanted[name_length] == '\0') {
            struct text *place = (struct text *)((char *)request + parameter_places[i].offset);
            if (place->data == NULL) {
                *place = value;
            }
            return;
        }
    }
}

/* A field that came again: as one list (RFC 9110, section 5.3), which is no email address, so that nobody can slip one in beside the proxy's. */
static void join_field(struct request *request, struct text *field, struct text value)
{
    *field = field->data == NULL ? value : text_format(request->context.arena, "%s, %s", field->data, value.data);
}

static void take_header(struct request *request, const char *name, size_t length, struct text value)
{
    const struct config *config = request->context.config;
    request->header_count++;
    if (is_header(name, length, "Authorization")) {
        /* nginx refuses a second one; another server might not, and then nobody knows which is meant */
        request->credentials.authorization_repeated = request->credentials.authorization.data != NULL;
        request->credentials.authorization = value;
    } else if (is_header(name, length, "Cookie")) {
        request->request_cookies = request->request_cookies.data == NULL
                                       ? value
                                       : text_format(request->context.arena, "%s; %s", request->request_cookies.data, value.data);
    } else if (is_header(name, length, config->trusted_email_header)) {
        join_field(request, &request->trusted_email, value);
    } else if (is_header(name, length, config->trusted_name_header)) {
        join_field(request, &request->trusted_name, value);
    } else if (is_header(name, length, config->trusted_groups_header)) {
        join_field(request, &request->trusted_groups, value);
    } else {
        take_parameter(request, name, length, value);
    }
}

/* Header fields that only a trusted proxy may set are forgotten where they come from elsewhere. */
static void judge_trusted_headers(struct request *request)
{
    if (request->trusted_email.data == NULL && request->trusted_name.data == NULL && request->trusted_groups.data == NULL) {
        return;
    }
    request->from_trusted_proxy = networks_contain(&request->context.config->trusted_proxies, request->context.client_address);
    if (!request->from_trusted_proxy) {
        request->trusted_email = request->trusted_name = request->trusted_groups = (struct text){NULL, 0};
        if (log_topic_due(LOG_TOPIC_TRUSTED_HEADERS, 10)) {
            log_warning(&request->context, "trusted header fields were sent from an address that is not in trusted_proxies: ignored");
        }
    }
    request->credentials.trusted_email = request->trusted_email;
}

enum outcome request_parse(struct request *request)
{
    request->content_length = -1;
    request->method_text = "-";
    request->method = METHOD_OTHER;
    for (char **at = request->fcgi->envp; at != NULL && *at != NULL; at++) {
        const char *name = *at;
        const char *equals = strchr(name, '=');
        if (equals == NULL) {
            continue;
        }
        size_t length = (size_t)(equals - name);
        struct text value = text_of(equals + 1);
        if (strncmp(name, "HTTP_", 5) == 0) {
            take_header(request, name, length, value);
        } else if (length == 14 && strncmp(name, "REQUEST_METHOD", length) == 0) {
            request->method_text = value.data;
            request->method = method_of(value.data, &request->head);
        } else if (length == 14 && strncmp(name, "CONTENT_LENGTH", length) == 0) {
            if (value.length > 0 && (!text_to_integer(value, &request->content_length) || request->content_length < 0)) {
                request->content_length = -1;
            }
        } else if (length == 11 && strncmp(name, "REMOTE_ADDR", length) == 0) {
            request->context.client_address = value.data;
        } else if (length == 5 && strncmp(name, "HTTPS", length) == 0) {
            request->https = text_is_ignoring_case(value, "on");
        } else {
            take_parameter(request, name, length, value);
        }
    }
    if (request->target.data == NULL) {
        request->target = TEXT("/");
    }
    const char *question = memchr(request->target.data, '?', request->target.length);
    request->path = request->target;
    if (question != NULL) {
        request->path.length = (size_t)(question - request->target.data);
        request->query_string = (struct text){question + 1, request->target.length - request->path.length - 1};
    } else {
        request->query_string = TEXT("");
    }
    judge_trusted_headers(request);
    request->credentials.cookie = request_cookie(request, "token");
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
    /* Without a Content-Length (nginx always sends one) the body ends where the stream does. */
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
    char scrap[4096];
    if (request->stdin_drained) {
        return;
    }
    while (FCGX_GetStr(scrap, sizeof scrap, request->fcgi->in) > 0) {
    }
    request->stdin_drained = true;
}

struct text request_cookie(const struct request *request, const char *name)
{
    struct text found = {NULL, 0};
    struct text rest = request->request_cookies;
    size_t name_length = strlen(name);
    while (rest.length > 0) {
        const char *semicolon = memchr(rest.data, ';', rest.length);
        size_t length = semicolon != NULL ? (size_t)(semicolon - rest.data) : rest.length;
        struct text pair = text_trim((struct text){rest.data, length});
        if (pair.length > name_length && memcmp(pair.data, name, name_length) == 0 && pair.data[name_length] == '=') {
            struct text value = text_trim((struct text){pair.data + name_length + 1, pair.length - name_length - 1});
            if (value.length >= 2 && value.data[0] == '"' && value.data[value.length - 1] == '"') {
                value = (struct text){value.data + 1, value.length - 2};
            }
            found = value;
        }
        size_t step = length + (semicolon != NULL ? 1 : 0);
        rest = (struct text){rest.data + step, rest.length - step};
    }
    return found.length > 0 ? found : (struct text){NULL, 0};
}

static struct text decode_form(struct arena *arena, struct text raw)
{
    char *decoded = arena_alloc(arena, raw.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        char hexadecimal[3] = {0};
        if (raw.data[i] == '%' && i + 2 < raw.length) {
            memcpy(hexadecimal, raw.data + i + 1, 2);
        }
        if (hexadecimal[0] != '\0' && strspn(hexadecimal, "0123456789abcdefABCDEF") == 2) {
            decoded[length++] = (char)strtol(hexadecimal, NULL, 16);
            i += 2;
        } else {
            decoded[length++] = raw.data[i] == '+' ? ' ' : raw.data[i];
        }
    }
    decoded[length] = '\0';
    return (struct text){decoded, length};
}

void request_each_query(struct request *request, void (*each)(void *, struct text, struct text), void *argument)
{
    struct text rest = request->query_string;
    while (rest.length > 0) {
        const char *ampersand = memchr(rest.data, '&', rest.length);
        size_t length = ampersand != NULL ? (size_t)(ampersand - rest.data) : rest.length;
        const char *equals = memchr(rest.data, '=', length);
        if (length > 0) {
            size_t name_length = equals != NULL ? (size_t)(equals - rest.data) : length;
            struct text value = equals != NULL ? (struct text){equals + 1, length - name_length - 1} : TEXT("");
            each(argument, decode_form(request->context.arena, (struct text){rest.data, name_length}),
                 decode_form(request->context.arena, value));
        }
        size_t step = length + (ampersand != NULL ? 1 : 0);
        rest = (struct text){rest.data + step, rest.length - step};
    }
}
