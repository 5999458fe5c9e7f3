/* groups.c: /groups. */
#include "api/handlers.h"
#include "base/json.h"
#include "store/group_store.h"
#include "store/user_store.h"

/* Group + member_count, without the closing brace. */
static void open_group(struct buffer *body, const struct value *group)
{
    buffer_add_byte(body, '{');
    serialise_group_members(body, group);
    serialise_integer_member(body, "member_count", group[GROUP_MEMBER_COUNT].integer, false);
}

/* The group as it is now, as the whole answer. */
static enum outcome answer_group(struct request *request, struct text group_id)
{
    struct buffer *body = &request->response.body;
    const struct value *group;

    enum outcome outcome = group_store_get(&request->context, group_id, &group);
    if (outcome != OK)
        return outcome;
    open_group(body, group);
    buffer_add_byte(body, '}');
    return OK;
}

/* An object of the body as it will be stored; the null text where it is absent. */
static struct text stored_object(struct request *request, const struct input *input)
{
    return input->present ? json_print(request->context.arena, input->json) : (struct text){NULL, 0};
}

enum outcome handle_groups_list(struct request *request)
{
    const struct input *share = &request->query[INPUT_groups_query_share];
    struct text member_id = identity_is_admin(&request->identity) ? (struct text){NULL, 0} : request->identity.user_id;
    struct buffer *body = &request->response.body;
    struct result groups;

    enum outcome outcome =
        group_store_list(&request->context, member_id, share->present ? share->integer != 0 : -1, &groups);
    if (outcome != OK)
        return outcome;
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < groups.row_count; i++) {
        if (i > 0)
            buffer_add_byte(body, ',');
        open_group(body, result_row(&groups, i));
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, ']');
    return OK;
}

enum outcome handle_group_create(struct request *request)
{
    const struct input *input = request->input;
    const struct group_change group = {
        .name = input[INPUT_group_create_name].text,
        .description = input[INPUT_group_create_description].text,
        .permissions = stored_object(request, &input[INPUT_group_create_permissions]),
        .data = stored_object(request, &input[INPUT_group_create_data]),
    };
    struct text group_id;

    enum outcome outcome = group_store_add(&request->context, request->identity.user_id, &group, &group_id);
    return outcome == OK ? answer_group(request, group_id) : outcome;
}

enum outcome handle_group_get(struct request *request)
{
    return answer_group(request, request->parameters[0]);
}

enum outcome handle_group_export(struct request *request)
{
    struct buffer *body = &request->response.body;
    const struct value *group;
    struct result ids;

    enum outcome outcome = group_store_get(&request->context, request->parameters[0], &group);
    if (outcome == OK)
        outcome = group_store_member_ids(&request->context, request->parameters[0], &ids);
    if (outcome != OK)
        return outcome;
    open_group(body, group);
    serialise_key(body, "user_ids", false);
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < ids.row_count; i++) {
        if (i > 0)
            buffer_add_byte(body, ',');
        buffer_add_json(body, result_row(&ids, i)->text);
    }
    buffer_add_literal(body, "]}");
    return OK;
}

enum outcome handle_group_users(struct request *request)
{
    struct buffer *body = &request->response.body;
    const struct value *group;
    struct result users;

    enum outcome outcome = group_store_get(&request->context, request->parameters[0], &group);
    if (outcome == OK)
        outcome = user_store_members(&request->context, request->parameters[0], &users);
    if (outcome != OK)
        return outcome;
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < users.row_count; i++) {
        if (i > 0)
            buffer_add_byte(body, ',');
        serialise_user_info(body, result_row(&users, i));
    }
    buffer_add_byte(body, ']');
    return OK;
}

enum outcome handle_group_update(struct request *request)
{
    const struct input *input = request->input;
    const struct group_change change = {
        .name = input[INPUT_group_update_name].text,
        .description = input[INPUT_group_update_description].text,
        .permissions = stored_object(request, &input[INPUT_group_update_permissions]),
        .data = stored_object(request, &input[INPUT_group_update_data]),
    };

    enum outcome outcome = group_store_change(&request->context, request->parameters[0], &change);
    return outcome == OK ? answer_group(request, request->parameters[0]) : outcome;
}

/* user_ids may be absent or null: then nobody comes or goes. */
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
