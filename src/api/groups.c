/* groups.c: /groups. */
#include "api/handlers.h"
#include "auth/permission.h"
#include "base/array.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/problem.h"
#include "config/compatibility.h"
#include "store/group_store.h"
#include "store/hierarchy_store.h"
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

/* The group above, as a body has it. PROBLEM INVALID_PARENT: an empty text. */
static enum outcome take_parent(struct request *request, const struct input *parent, struct group_change *group)
{
    group->sets_parent = parent->present || parent->is_null;
    group->parent_id = parent->text;
    return parent->present && parent->text.length == 0
               ? problem_set_detail(&request->context, ERROR_INVALID_PARENT, 0,
                                    "parent_group_id must be the id of a group, or null.")
               : OK;
}

/* What `data` says of the application where it says something: `config` is an object, and in it `default_models` a list
 * of texts that are not empty, or null. */
static enum outcome check_data(struct request *request, const struct input *data)
{
    json_object *config, *models;
    if (data->json == NULL || !json_object_object_get_ex(data->json, "config", &config)) {
        return OK;
    }
    bool is_good = json_object_get_type(config) == json_type_object;
    if (is_good && json_object_object_get_ex(config, "default_models", &models) && models != NULL) {
        is_good = json_object_get_type(models) == json_type_array;
        for (size_t i = 0; is_good && i < json_object_array_length(models); i++) {
            json_object *model = json_object_array_get_idx(models, i);
            is_good = json_object_get_type(model) == json_type_string && json_object_get_string_len(model) > 0;
        }
    }
    if (!is_good) {
        problem_add_body_fault(&request->context, FAULT_value_error, "data", -1,
                               "`config` must be an object, and its default_models a list of texts, or null.");
    }
    return is_good ? OK : PROBLEM;
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

    enum outcome outcome = check_data(request, &input[INPUT_group_create_data]);
    if (outcome == OK) {
        outcome =
            take_documents(request, &input[INPUT_group_create_permissions], &input[INPUT_group_create_data], &group);
    }
    if (outcome == OK) {
        outcome = take_parent(request, &input[INPUT_group_create_parent_group_id], &group);
    }
    if (group.data.data == NULL && config_behaves(request->context.config, BEHAVIOUR_NEW_GROUP_IS_SHARED)) {
        group.data = TEXT("{\"config\":{\"share\":\"members\"}}");
    }
    if (outcome == OK) {
        outcome = group_store_add(&request->context, request->identity.user_id, &group, &group_id);
    }
    return outcome == OK ? answer_group(request, group_id) : outcome;
}

enum outcome handle_group_get(struct request *request)
{
    return answer_group(request, request->parameters[0]);
}

/* Adds a GroupInfo. */
static void put_info(struct json_writer *json, const struct value *group)
{
    json_begin_object(json);
    json_member_text(json, "id", group[GROUP_id].text);
    json_member_text(json, "user_id", group[GROUP_user_id].text);
    json_member_text(json, "name", group[GROUP_name].text);
    json_member_text(json, "description", group[GROUP_description].text);
    json_member_text(json, "parent_group_id", group[GROUP_parent_group_id].text);
    json_member_integer(json, "member_count", group[GROUP_MEMBER_COUNT].integer);
    json_member_integer(json, "created_at", group[GROUP_created_at].integer);
    json_member_integer(json, "updated_at", group[GROUP_updated_at].integer);
    json_end_object(json);
}

enum outcome handle_group_info(struct request *request)
{
    const struct value *group;
    enum outcome outcome = group_store_get(&request->context, request->parameters[0], &group);
    if (outcome == OK) {
        put_info(&request->response.json, group);
    }
    return outcome;
}

/* The models that `data` has for new chats: a list that is not empty; NULL: none. */
static json_object *models_of(const struct context *context, struct text data)
{
    json_object *config, *models, *document;
    if (json_text_parse(context->arena, data, &document) != JSON_WHOLE ||
        !json_object_object_get_ex(document, "config", &config) ||
        !json_object_object_get_ex(config, "default_models", &models) ||
        !json_object_is_type(models, json_type_array) || json_object_array_length(models) == 0) {
        return NULL;
    }
    return models;
}

/* The models of the group, and those that its members get: its own, or those of the nearest group above that has some.
 */
static void put_models(const struct context *context, struct json_writer *json, const struct value *group,
                       const struct result *above)
{
    json_object *local = models_of(context, group[GROUP_data].text), *effective = local;
    struct text source = local != NULL ? group[GROUP_id].text : TEXT_NULL;
    for (size_t i = 0; effective == NULL && i < above->row_count; i++) {
        const struct value *row = result_row(above, i);
        effective = models_of(context, row[GROUP_data].text);
        source = effective != NULL ? row[GROUP_id].text : TEXT_NULL;
    }
    json_member_object(json, "default_models");
    json_member_raw(json, "local", local != NULL ? json_print(context->arena, local) : TEXT("null"));
    json_member_raw(json, "effective", effective != NULL ? json_print(context->arena, effective) : TEXT("[]"));
    json_member_text(json, "source_group_id", source);
    json_end_object(json);
}

enum outcome handle_group_preview(struct request *request)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    const struct value *group;
    struct result above;
    struct text own;
    json_object *inherited, *effective;
    enum outcome outcome = group_store_get(context, request->parameters[0], &group);
    if (outcome == OK) {
        outcome = hierarchy_store_above(context, request->parameters[0], &above);
    }
    if (outcome == OK) {
        struct text parent_id = group[GROUP_parent_group_id].text;
        outcome = permission_of_group(context, parent_id.data != NULL ? parent_id : TEXT(""), &inherited);
    }
    if (outcome == OK) {
        outcome = permission_of_group(context, request->parameters[0], &effective);
    }
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_object(json, "group");
    json_member_text(json, "id", group[GROUP_id].text);
    json_member_text(json, "name", group[GROUP_name].text);
    json_end_object(json);
    put_models(context, json, group, &above);
    serialise_no_resources(json);
    bool is_whole = json_text_read(context->arena, group[GROUP_permissions].text, &own) == JSON_WHOLE;
    json_member_raw(json, "permissions", is_whole ? own : TEXT("{}"));
    json_member_raw(json, "inherited_permissions", json_print(context->arena, inherited));
    json_member_raw(json, "effective_permissions", json_print(context->arena, effective));
    json_end_object(json);
    return OK;
}

/* Adds a GroupMember, from a row of hierarchy_store_members. */
static void put_member(const struct context *context, struct json_writer *json, const struct value *row)
{
    struct text via = row[HIERARCHY_MEMBER_VIA].text, id;
    json_begin_object(json);
    serialise_info_card(context, json, row);
    json_member_string(json, "membership_type", row[HIERARCHY_MEMBER_IS_DIRECT].integer != 0 ? "direct" : "inherited");
    json_member_array(json, "via_group_ids");
    while (user_listing_next_group(&via, &id)) {
        json_add_text(json, id);
    }
    json_end_array(json);
    json_end_object(json);
}

static enum outcome read_membership(struct request *request, enum hierarchy_membership *membership_r)
{
    static const char *const words[] = {
        [HIERARCHY_EFFECTIVE] = "effective", [HIERARCHY_DIRECT] = "direct", [HIERARCHY_INHERITED] = "inherited"};
    const struct input *input = &request->query[INPUT_members_query_membership];
    for (size_t i = 0; input->present && i < ARRAY_COUNT(words); i++) {
        if (text_is(input->text, words[i])) {
            *membership_r = (enum hierarchy_membership)i;
            return OK;
        }
    }
    *membership_r = HIERARCHY_EFFECTIVE;
    if (input->present) {
        problem_add_fault(&request->context, FAULT_literal_error, TEXT("[\"query\",\"membership\"]"), NULL);
    }
    return input->present ? PROBLEM : OK;
}

enum outcome handle_group_members(struct request *request)
{
    struct context *context = &request->context;
    struct json_writer *json = &request->response.json;
    const struct input *page = &request->query[INPUT_members_query_page];
    enum hierarchy_membership membership;
    struct hierarchy_members members;
    const struct value *group;
    enum outcome outcome = read_membership(request, &membership);
    if (page->present && page->integer < 1) {
        problem_add_fault(context, FAULT_greater_than_equal, TEXT("[\"query\",\"page\"]"), NULL);
        outcome = PROBLEM;
    }
    if (outcome == OK) {
        outcome = group_store_get(context, request->parameters[0], &group);
    }
    if (outcome == OK) {
        outcome = hierarchy_store_members(context, request->parameters[0], membership,
                                          request->query[INPUT_members_query_query].text,
                                          page->present ? page->integer : 1, &members);
    }
    if (outcome != OK) {
        return outcome;
    }
    json_begin_object(json);
    json_member_array(json, "items");
    for (size_t i = 0; i < members.rows.row_count; i++) {
        put_member(context, json, result_row(&members.rows, i));
    }
    json_end_array(json);
    json_member_integer(json, "total", members.total);
    json_member_object(json, "counts");
    json_member_integer(json, "direct", members.direct);
    json_member_integer(json, "inherited", members.effective - members.direct);
    json_member_integer(json, "effective", members.effective);
    json_end_object(json);
    json_end_object(json);
    return OK;
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

    enum outcome outcome = check_data(request, &input[INPUT_group_update_data]);
    if (outcome == OK) {
        outcome =
            take_documents(request, &input[INPUT_group_update_permissions], &input[INPUT_group_update_data], &change);
    }
    if (outcome == OK) {
        outcome = take_parent(request, &input[INPUT_group_update_parent_group_id], &change);
    }
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
