/* groups.c: /groups. */
#include "api/handlers.h"
#include "base/json.h"
#include "base/problem.h"
#include "store/group_store.h"
#include "store/user_listing.h"

/* Adds the members of a Group, and member_count, to the open object. */
static void put_group(const struct context *context, struct json_writer *json, const struct value *group)
{
    serialise_group_members(context, json, group);
    json_member_integer(json, "member_count", group[GROUP_MEMBER_COUNT].integer);
}

/* Answers with the present state of a group. */
static enum outcome answer_group(struct request *request, struct text group_id)
{
    struct json_writer *json = &request->response.json;
    const struct value *group;

    enum outcome outcome = group_store_get(&request->context, group_id, &group);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    put_group(&request->context, json, group);
    json_end_object(json);
    return OK;
}

/* The documents of the body in the form to store; the null text where one is absent. `data` is free-form and stays as
 * it was sent; permissions are written from the validated input. */
static enum outcome take_documents(struct request *request, const struct input *permissions, const struct input *data,
                                   struct group_change *group)
{
    struct context *context = &request->context;
    struct json_members members = request_sent_members(request);
    for (size_t i = 0; data->present && i < members.count; i++) {
        if (text_is(members.items[i].name, "data")) {
            group->data = members.items[i].value;
        }
    }
    if (permissions->present) {
        group->permissions = json_print(context->arena, permissions->json);
    }
    size_t max = (size_t)context->config->document_size_limit;
    if (group->data.length > max || group->permissions.length > max) {
        return problem_set_detail(
            context, ERROR_CONTENT_TOO_LARGE, 0,
            text_format(context->arena, "%s: this document is larger than the %zu bytes that this server accepts.",
                        group->data.length > max ? "data" : "permissions", max)
                .data);
    }
    return OK;
}

static enum outcome flow_group(struct context *context, const struct value *group, void *flow)
{
    struct json_writer *json = flow_begin(flow, context->arena);

    json_begin_object(json);
    put_group(context, json, group);
    json_end_object(json);
    return flow_end(flow);
}

static enum outcome flow_id(struct context *context, const struct value *id, void *flow)
{
    json_add_text(flow_begin(flow, context->arena), id->text);
    return flow_end(flow);
}

enum outcome handle_groups_list(struct request *request)
{
    const struct input *share = &request->query[INPUT_groups_query_share];
    struct text member_id = identity_is_admin(&request->identity) ? TEXT_NULL : request->identity.user_id;
    struct flow flow = {.request = request};

    json_begin_array(&request->response.json);
    enum outcome outcome =
        group_store_each(&request->context, member_id, share->present ? share->integer != 0 : -1, flow_group, &flow);
    json_end_array(&request->response.json);
    return outcome;
}

enum outcome handle_group_create(struct request *request)
{
    const struct input *input = request->input;
    struct group_change group = {
        .name = input[INPUT_group_create_name].text,
        .description = input[INPUT_group_create_description].text,
    };
    struct text group_id;

    enum outcome outcome =
        take_documents(request, &input[INPUT_group_create_permissions], &input[INPUT_group_create_data], &group);
    if (outcome == OK) {
        outcome = group_store_add(&request->context, request->identity.user_id, &group, &group_id);
    }
    return outcome == OK ? answer_group(request, group_id) : outcome;
}

enum outcome handle_group_get(struct request *request)
{
    return answer_group(request, request->parameters[0]);
}

enum outcome handle_group_export(struct request *request)
{
    struct json_writer *json = &request->response.json;
    struct flow flow = {.request = request};
    const struct value *group;

    enum outcome outcome = group_store_get(&request->context, request->parameters[0], &group);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    put_group(&request->context, json, group);
    json_member_array(json, "user_ids");
    outcome = group_store_each_member_id(&request->context, request->parameters[0], flow_id, &flow);
    json_end_array(json);
    json_end_object(json);
    return outcome;
}

enum outcome handle_group_users(struct request *request)
{
    struct flow flow = {.request = request};
    const struct value *group;

    enum outcome outcome = group_store_get(&request->context, request->parameters[0], &group);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_array(&request->response.json);
    outcome = user_listing_members(&request->context, request->parameters[0], flow_info, &flow);
    json_end_array(&request->response.json);
    return outcome;
}

enum outcome handle_group_update(struct request *request)
{
    const struct input *input = request->input;
    struct group_change change = {
        .name = input[INPUT_group_update_name].text,
        .description = input[INPUT_group_update_description].text,
        .has_precondition = input[INPUT_group_update_if_updated_at].present,
        .if_updated_at = input[INPUT_group_update_if_updated_at].integer,
    };

    enum outcome outcome =
        take_documents(request, &input[INPUT_group_update_permissions], &input[INPUT_group_update_data], &change);
    if (outcome == OK) {
        outcome = group_store_change(&request->context, request->parameters[0], &change);
    }
    return outcome == OK ? answer_group(request, request->parameters[0]) : outcome;
}

/* Changes no member where user_ids is absent or null. */
static enum outcome change_members(struct request *request,
                                   enum outcome (*change)(struct context *, struct text, const struct text *, size_t))
{
    const struct input *user_ids = &request->input[INPUT_group_members_user_ids];
    struct text group_id = request->parameters[0];

    enum outcome outcome =
        change(&request->context, group_id, user_ids->texts, user_ids->present ? user_ids->text_count : 0);
    return outcome == OK ? answer_group(request, group_id) : outcome;
}

enum outcome handle_group_users_add(struct request *request)
{
    return change_members(request, group_store_add_members);
}

enum outcome handle_group_users_remove(struct request *request)
{
    return change_members(request, group_store_remove_members);
}

enum outcome handle_group_delete(struct request *request)
{
    enum outcome outcome = group_store_delete(&request->context, request->parameters[0]);
    return outcome == OK ? answer_true(request) : outcome;
}
