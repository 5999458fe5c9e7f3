/* answer.h: functions for all handlers: short answers, streamed answers, who may see private data. */
#ifndef ROSTER_API_ANSWER_H
#define ROSTER_API_ANSWER_H

#include "worker/request.h"
#include "worker/response.h"
#include "worker/serialise.h"

/* `true` as the whole answer. */
enum outcome answer_true(struct request *request);

/* {"status":true} as the whole answer. */
enum outcome answer_status(struct request *request);

/* An answer that is sent in pieces while its rows are read, so that it may have any length. */
struct flow {
    struct request *request;
    int64_t count;       /* of pieces so far */
    struct buffer piece; /* the one being written */
};

/* Begins a piece. Returns the JSON writer of the answer, which writes to `arena` from now on. */
struct json_writer *flow_begin(struct flow *flow, struct arena *arena);

/* Ends the piece and sends it. Then the memory of the piece may be freed.
 * OK, or FAULT where the client has closed the connection. */
enum outcome flow_end(struct flow *flow);

/* For database_stream: adds a row of USER_INFO_COLUMNS to the list. `flow` is a struct flow. */
enum outcome flow_info(struct context *context, const struct value *info, void *flow);

/* True where the caller may see the private data of this user: an administrator, or the user. */
bool caller_sees_private(const struct request *request, struct text user_id);

#endif
