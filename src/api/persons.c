/* persons.c: everything that is held about a person, shown. */
#include "api/handlers.h"
#include "base/problem.h"
#include "store/person_store.h"

struct showing {
    struct flow flow;
    enum person_table table;
};

static enum outcome flow_row(struct context *context, const struct value *row, void *argument)
{
    struct showing *showing = argument;
    person_store_put(flow_begin(&showing->flow, context->arena), context->arena, showing->table, row);
    return flow_end(&showing->flow);
}

static enum outcome answer_person(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    struct showing showing = {.flow = {.request = request}};
    enum outcome outcome = person_store_note_export(context, user_id);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_integer(json, "exported_at", context->now_seconds);
    json_member_array(json, "pictures");
    outcome = person_store_put_pictures(context, user_id, json);
    json_end_array(json);
    for (showing.table = 0; outcome == OK && showing.table < PERSON_TABLES; showing.table++) {
        json_add_name_string(json, person_store_name(showing.table));
        json_begin_array(json);
        outcome = person_store_each(context, showing.table, user_id, flow_row, &showing);
        json_end_array(json);
    }
    json_end_object(json);
    return outcome;
}

enum outcome handle_own_export(struct request *request)
{
    enum outcome outcome = answer_person(request, request->identity.user_id);
    return outcome == PROBLEM && request->context.problem.code == ERROR_USER_NOT_FOUND
               ? identity_refuse_deleted(&request->context, &request->identity)
               : outcome;
}

enum outcome handle_user_export(struct request *request)
{
    return answer_person(request, request->parameters[0]);
}
