/* fastcgi_streams.h: a request without a server: FastCGI's parameters, what is sent as its body, and what is
 * answered, all in memory. */
#ifndef ROSTER_T_FASTCGI_STREAMS_H
#define ROSTER_T_FASTCGI_STREAMS_H

#include <fcgiapp.h>
#include <stdbool.h>
#include <string.h>

#include "config/config.h"
#include "worker/response.h"

struct streams {
    struct config config;
    struct request request;
    FCGX_Request fcgi;
    char *parameters[256]; /* "NAME=value", NULL last */

    FCGX_Stream in;
    unsigned char body[65536 + 1];
    size_t body_length, body_sent;
    size_t chunk;   /* as much comes at once */
    int body_error; /* FCGI_errno at the end of the body */

    FCGX_Stream out;
    unsigned char buffer[100];
    char answer[65536 + 1]; /* NUL-terminated */
    size_t answer_length;
};

static inline void streams_fill(FCGX_Stream *in)
{
    struct streams *streams = in->data;
    size_t left = streams->body_length - streams->body_sent;
    size_t size = left < streams->chunk ? left : streams->chunk;
    in->rdNext = in->stopUnget = streams->body + streams->body_sent;
    in->stop = in->wrNext = in->rdNext + size;
    streams->body_sent += size;
    if (size == 0) {
        in->isClosed = true;
        in->FCGI_errno = streams->body_error;
    }
}

static inline void streams_empty(FCGX_Stream *out, int do_close)
{
    struct streams *streams = out->data;
    size_t size = (size_t)(out->wrNext - streams->buffer);
    if (size <= sizeof streams->answer - 1 - streams->answer_length) {
        memcpy(streams->answer + streams->answer_length, streams->buffer, size);
        streams->answer_length += size;
        streams->answer[streams->answer_length] = '\0';
    }
    out->wrNext = streams->buffer;
    out->isClosed = do_close;
}

/* A request that nothing is known of yet, as worker.c makes it. The configuration stays as it is. */
static inline void streams_begin(struct streams *streams, struct arena *memory)
{
    memset(&streams->request, 0, sizeof streams->request);
    memset(&streams->fcgi, 0, sizeof streams->fcgi);
    memset(&streams->in, 0, sizeof streams->in);
    memset(&streams->out, 0, sizeof streams->out);
    memset(streams->parameters, 0, sizeof streams->parameters);
    streams->body_length = streams->body_sent = streams->answer_length = 0;
    streams->answer[0] = '\0';
    streams->chunk = 7;
    streams->body_error = 0;
    streams->in.isReader = true;
    streams->in.fillBuffProc = streams_fill;
    streams->in.rdNext = streams->in.wrNext = streams->in.stop = streams->in.stopUnget = streams->body;
    streams->in.data = streams->out.data = streams;
    streams->out.emptyBuffProc = streams_empty;
    streams->out.wrNext = streams->buffer;
    streams->out.stop = streams->out.rdNext = streams->buffer + sizeof streams->buffer;
    streams->fcgi.in = &streams->in;
    streams->fcgi.out = &streams->out;
    streams->fcgi.envp = streams->parameters;

    struct request *request = &streams->request;
    request->context.arena = memory;
    request->context.config = &streams->config;
    request->content_length = -1;
    request->fcgi = &streams->fcgi;
    response_start(request);
}

/* What the body stream will give. */
static inline void streams_send(struct streams *streams, struct text body)
{
    memcpy(streams->body, body.data, body.length);
    streams->body_length = body.length;
}

/* Brings the rest of the answer into `answer`. */
static inline void streams_flush(struct streams *streams)
{
    streams_empty(&streams->out, false);
}

/* A configuration with the limits of the sample file. */
static inline struct config streams_config(void)
{
    return (struct config){.request_body_limit = 4 << 20,
                           .request_header_limit = 100,
                           .rate_limit_window = 180,
                           .public_url = "",
                           .cookie_domain = "",
                           .trusted_email_header = "",
                           .trusted_name_header = "",
                           .trusted_groups_header = ""};
}

#endif
