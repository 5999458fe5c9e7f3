/* answer.c: see answer.h. */
#include "api/answer.h"

enum outcome answer_true(struct request *request)
{
    json_add_boolean(&request->response.json, true);
    return OK;
}

enum outcome answer_status(struct request *request)
{
    json_begin_object(&request->response.json);
    json_member_boolean(&request->response.json, "status", true);
    json_end_object(&request->response.json);
    return OK;
}

/* Room for most pieces from the start, since a buffer behind which others are is copied to grow. */
enum { PIECE_BYTES = 1200 };

struct json_writer *flow_begin(struct flow *flow, struct arena *arena)
{
    struct json_writer *json = &flow->request->response.json;
    buffer_init(&flow->piece, arena);
    buffer_reserve(&flow->piece, PIECE_BYTES);
    json_switch(json, &flow->piece);
    return json;
}

enum outcome flow_end(struct flow *flow)
{
    json_switch(&flow->request->response.json, &flow->request->response.body);
    flow->count++;
    return response_flow(flow->request, buffer_text(&flow->piece));
}

enum outcome flow_info(struct context *context, const struct value *info, void *flow)
{
    serialise_user_info(context, flow_begin(flow, context->arena), info);
    return flow_end(flow);
}

bool caller_sees_private(const struct request *request, struct text user_id)
{
    return request->context.config->privacy == PRIVACY_COMPATIBLE || identity_is_admin(&request->identity) ||
           text_equal(request->identity.user_id, user_id);
}
