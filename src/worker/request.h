/* request.h: one request, from FastCGI's parameters to typed input, and the answer that grows beside it. */
#ifndef ROSTER_WORKER_REQUEST_H
#define ROSTER_WORKER_REQUEST_H

#include <fcgiapp.h>
#include <json.h>
#include <stdbool.h>

#include "auth/identity.h"
#include "base/buffer.h"
#include "base/context.h"
#include "config/config.h"
#include "worker/router.h"

/* A field of a body or a query after validation. */
struct input {
    bool present;         /* sent, and not null (for NULLABLE), so the value below counts */
    bool is_null;         /* sent as null */
    struct text text;     /* TEXT, ROLE, DATE (as YYYY-MM-DD) */
    int64_t integer;      /* INTEGER, BOOLEAN (0, 1) */
    json_object *json;    /* OBJECT, SECTION, OVERLAY; freed with the request */
    struct text *texts;   /* TEXTS */
    size_t text_count;
};

struct response {
    int status;                 /* 0 until somebody sets it: 200 */
    const char *content_type;   /* NULL: application/json */
    struct buffer body;
    struct buffer headers;      /* further header fields, each ending in CRLF */
    bool no_body;               /* 204, 304, X-Accel-Redirect */
    const char *cache_control;  /* NULL: no-store */
};

struct request {
    struct context context;     /* first: memory, configuration, problem, time */
    FCGX_Request *fcgi;
    enum pool pool;

    enum method method;
    bool head;                  /* HEAD: as GET, but the body is not sent */
    const char *method_text;
    struct text target;         /* REQUEST_URI, as it came */
    struct text path;           /* before `?` */
    struct text query_string;
    struct text content_type;
    int64_t content_length;     /* -1: none sent */
    struct text host;
    struct text user_agent;
    struct text origin;
    struct text if_none_match;
    bool https;
    bool from_trusted_proxy;
    struct text trusted_email, trusted_name, trusted_groups; /* null unless configured, sent, and from a trusted proxy */
    struct text request_cookies; /* the Cookie fields, joined with "; " */
    unsigned header_count;
    struct credentials credentials;

    const struct route *route;
    struct text parameters[ROUTE_PARAMETERS_MOST];
    struct identity identity;

    struct text body;           /* as it came; data NULL until read */
    json_object *json;          /* the parsed body, or NULL */
    struct input *input;        /* of the route's body schema: indexed by INPUT_… */
    struct input *query;        /* of its query schema */

    struct response response;
    bool stdin_drained;
    bool authenticated;         /* identity is somebody */
    bool client_gone;           /* it did not wait for the answer */
    int64_t rate_limit, rate_remaining, rate_reset_seconds; /* for the RateLimit header field; rate_limit 0: none */
    const char *rate_policy;
};

/* Reads FastCGI's parameters into a request that is all zero but for context (with its request_id) and fcgi. PROBLEM: too many header fields. */
enum outcome request_parse(struct request *request);

/* Reads the body to its end. CONTENT_TOO_LARGE, BODY_INCOMPLETE. */
enum outcome request_read_body(struct request *request);

/* Reads and forgets what is left of the body, so that nginx never sees its connection closed while it sends. */
void request_drain(struct request *request);

/* The value of the cookie `name`, null text where it was not sent. The last one of a name counts. */
struct text request_cookie(const struct request *request, const char *name);

/* Calls `each` for every query parameter, decoded (application/x-www-form-urlencoded), in order. */
void request_each_query(struct request *request, void (*each)(void *argument, struct text name, struct text value), void *argument);

#endif
