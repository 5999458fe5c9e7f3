/* request.h: one request, from the FastCGI parameters to validated input, and its response. */
#ifndef ROSTER_WORKER_REQUEST_H
#define ROSTER_WORKER_REQUEST_H

#include <fcgiapp.h>
#include <json.h>
#include <stdbool.h>

#include "auth/identity.h"
#include "base/buffer.h"
#include "base/context.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "config/config.h"
#include "store/audit_store.h"
#include "store/prefetch.h"
#include "worker/router.h"

/* A field of a body or a query after validation. */
struct input {
    bool present;       /* sent, and not null (for NULLABLE), so the value below counts */
    bool is_null;       /* sent as null */
    struct text text;   /* TEXT, ROLE, DATE (as YYYY-MM-DD) */
    int64_t integer;    /* INTEGER, BOOLEAN (0, 1) */
    json_object *json;  /* OBJECT, SECTION, OVERLAY; freed with the request */
    struct text *texts; /* TEXTS */
    size_t text_count;
};

struct response {
    int status;               /* 0: not set, sent as 200 */
    const char *content_type; /* NULL: application/json */
    struct buffer body;
    struct json_writer json;   /* writes into the body */
    struct buffer headers;     /* further header fields, each ending in CRLF */
    bool no_body;              /* 204, 304, X-Accel-Redirect */
    const char *cache_control; /* NULL: no-store */
    bool is_flowing;           /* status and header fields are sent: see response_flow */
    bool is_broken_off;        /* see response_break_off */
    size_t sent_bytes;         /* of the body */
    size_t put_bytes;          /* in all, with the header */
};

/* How a request is passed to another worker: see worker/admission.h. Pictures are passed to nginx's store likewise. */
struct admission {
    struct text sent;    /* ROSTER_ADMISSION as it was received: admission_read */
    bool may_hand_over;  /* nginx has the named locations */
    bool is_handed_over; /* the response of this worker passes the request on */
    bool is_admitted;    /* another worker has counted it */
    bool is_known;       /* of a known client: is served before unknown clients */
    bool email_counted;  /* as a failed sign-in; a success takes it back */
    int64_t counted_at;
};

/* More than the heads and the padding of FastCGI's records take in a buffer of libfcgi. */
enum { REQUEST_RECORDS_BYTES = 1024 };

struct request {
    struct context context; /* first: memory, configuration, problem, time */
    FCGX_Request *fcgi;
    enum pool pool;
    bool is_named;                /* nginx has made the id */
    struct scoreboard_slot *slot; /* the worker's; NULL: of no worker */

    enum method method;
    bool head; /* HEAD: as GET, but the body is not sent */
    const char *method_text;
    struct text target; /* REQUEST_URI, as it was received */
    struct text path;   /* the target before `?` */
    struct text query_string;
    struct text content_type;
    int64_t content_length; /* -1: none sent */
    struct text host;
    struct text keep_directory; /* where nginx would keep this picture; null: nginx does not ask */
    struct text user_agent;
    struct text origin;
    struct text fetch_site; /* Sec-Fetch-Site */
    struct text if_none_match;
    struct text fetch_mode; /* Sec-Fetch-Mode */
    bool renews;            /* ROSTER_RENEW: /verify and GET /auths renew a session that is near its end */
    struct text require;    /* ROSTER_REQUIRE, which a client can't set: the rule of /verify (auth/rule.h) */
    struct text accept;
    bool https;
    struct text peer_address; /* the address of nginx's peer, where real_ip has replaced it in client_address */
    bool is_forwarded;        /* X-Forwarded-For or Forwarded was sent */
    bool from_trusted_proxy;
    /* null unless configured, sent, and from a trusted proxy */
    struct text trusted_email, trusted_name, trusted_groups;
    struct text request_cookies; /* the Cookie fields, joined with "; " */
    unsigned header_count;
    struct credentials credentials;

    const struct route *route;
    struct text parameters[ROUTE_PARAMETERS_MAX];
    struct prefetch prefetch; /* read with the caller */
    struct identity identity;
    struct audit_actor actor; /* of it */
    struct text account;      /* who signed in, or tried to, for the access log; null: nobody */

    /* The FastCGI parameter ROSTER_HOLD, which a client can't set: rosterctl is about to write over this connection to
     * MariaDB. 0: not sent. */
    int64_t hold_connection;

    struct text body;    /* as it was received, without a byte order mark; data NULL until read */
    json_object *json;   /* the parsed body, or NULL */
    struct input *input; /* of the route's body schema: indexed by INPUT_… */
    struct input *query; /* of its query schema */

    struct response response;
    size_t received_bytes; /* in all, at most */
    bool stdin_drained;
    bool authenticated;                                     /* identity is set */
    bool client_gone;                                       /* it closed the connection before the response */
    int64_t rate_limit, rate_remaining, rate_reset_seconds; /* for the RateLimit header field; rate_limit 0: no field */
    const char *rate_policy;
    struct admission admission;
};

/* Reads the FastCGI parameters into `request`, which is all zero except context (with its request_id) and fcgi.
 * OK, or PROBLEM with HEADER_FIELDS_TOO_LARGE. */
enum outcome request_parse(struct request *request);

/* Reads the whole body into request->body, in the arena.
 * OK, or PROBLEM with CONTENT_TOO_LARGE or BODY_INCOMPLETE. */
enum outcome request_read_body(struct request *request);

/* Reads and discards the rest of the body, so that the connection is not closed while nginx sends. */
void request_drain(struct request *request);

/* The members of the body, which must be an object, without white space. Documents are stored from this text and not
 * from json-c, which changes the spelling of some numbers. */
struct json_members request_sent_members(struct request *request);

/* The value of the cookie `name`; null text where it was not sent. Of several with one name the last one. */
struct text request_cookie(const struct request *request, const char *name);

/* Calls `each` for each query parameter, in order, decoded (application/x-www-form-urlencoded). */
void request_each_query(struct request *request, void (*each)(void *argument, struct text name, struct text value),
                        void *argument);

#endif
