/* bulk.c: POST /users/bulk: one change of many users.
 *
 * Each user is changed by what the call for a single one does, in a transaction of its own (members of a group: all in
 * one), so an answer tells of each what became of it. Who can't be changed does not keep the others from it. */
#include "api/handlers.h"
#include "base/array.h"
#include "base/log.h"
#include "base/problem.h"
#include "store/account_store.h"
#include "store/bulk_store.h"
#include "store/group_store.h"
#include "store/user_store.h"

enum {
    IDS_MAX = 1000,   /* in a request */
    CHANGED_MAX = 200 /* in a request for everybody; the next one goes on */
};

static const char *const action_names[BULK_ACTIONS] = {
    [BULK_ROLE] = "role",
    [BULK_ADD_TO_GROUP] = "add_to_group",
    [BULK_REMOVE_FROM_GROUP] = "remove_from_group",
    [BULK_DISABLE] = "disable",
    [BULK_ENABLE] = "enable",
    [BULK_DELETE] = "delete",
};

/* Why the primary administrator and the caller are left out; NULL: they are not. */
static const char *const of_primary[BULK_ACTIONS] = {
    [BULK_ROLE] = "The role of the primary administrator can't be changed.",
    [BULK_DISABLE] = "The primary administrator can't be disabled.",
    [BULK_ENABLE] = "The primary administrator can't be enabled here; after an import, use `rosterctl user enable'.",
    [BULK_DELETE] = "The primary administrator can't be deleted.",
};
static const char *const of_oneself[BULK_ACTIONS] = {
    [BULK_ROLE] = "You can't change your own role here.",
    [BULK_DISABLE] = "You can't disable your own account; another administrator can.",
    [BULK_ENABLE] = "You can't enable your own account; another administrator can.",
    [BULK_DELETE] = "You can't delete your own account; another administrator can.",
};

struct refusal {
    struct text id;
    enum error_code code;
    const char *detail;
};

struct bulk {
    struct bulk_change change;
    struct arena *arena; /* of the request */
    struct text primary, caller;
    bool dry_run, is_everybody;
    struct bulk_user *users; /* to be changed; not with dry_run */
    size_t count, room;      /* of them */
    int64_t unchanged;
    struct refusal refused[IDS_MAX];
    size_t refused_count;
    size_t changed; /* those of `users` in front, after the change */
    struct text last;
    bool has_more;
};

static void refuse(struct bulk *bulk, struct text id, enum error_code code, const char *detail)
{
    if (bulk->refused_count < ARRAY_COUNT(bulk->refused)) {
        bulk->refused[bulk->refused_count++] =
            (struct refusal){text_copy(bulk->arena, id), code, detail != NULL ? detail : error_detail(code)};
    }
}

static void keep(struct bulk *bulk, const struct bulk_user *user)
{
    if (bulk->dry_run) {
        bulk->count++;
        return;
    }
    invariant(bulk->count < bulk->room);
    bulk->users[bulk->count++] = (struct bulk_user){
        .id = text_copy(bulk->arena, user->id),
        .role = text_copy(bulk->arena, user->role),
    };
}

/* Sorts a user into those to change, those with whom nothing is to do, and those who are refused. */
static bool look_at(struct context *context, const struct bulk_user *user, void *argument)
{
    struct bulk *bulk = argument;
    const enum bulk_action action = bulk->change.action;
    (void)context;
    if (bulk->is_everybody && !bulk->dry_run && bulk->count + bulk->refused_count >= CHANGED_MAX) {
        bulk->has_more = true;
        return false;
    }
    if (user->role.data == NULL) {
        refuse(bulk, user->id, ERROR_USER_NOT_FOUND, NULL);
    } else if (user->is_unchanged) {
        bulk->unchanged++;
    } else if (of_primary[action] != NULL && text_equal(user->id, bulk->primary)) {
        refuse(bulk, user->id, ERROR_ACTION_PROHIBITED, of_primary[action]);
    } else if (of_oneself[action] != NULL && text_equal(user->id, bulk->caller)) {
        refuse(bulk, user->id, ERROR_ACTION_PROHIBITED, of_oneself[action]);
    } else {
        keep(bulk, user);
    }
    if (bulk->is_everybody && !bulk->dry_run) {
        bulk->last = text_copy(bulk->arena, user->id);
    }
    return true;
}

/* ---- what is asked for ---- */

static enum outcome fault_of(struct request *request, enum fault_type type, const char *field, const char *msg)
{
    problem_add_body_fault(&request->context, type, field, -1, msg);
    return PROBLEM;
}

static enum outcome take_action(struct request *request, struct bulk_change *change_r)
{
    const struct input *input = request->input;
    enum bulk_action action = 0;
    while (action < BULK_ACTIONS && !text_is(input[INPUT_users_bulk_action].text, action_names[action])) {
        action++;
    }
    if (action == BULK_ACTIONS) {
        return fault_of(request, FAULT_enum, "action",
                        "This must be role, add_to_group, remove_from_group, disable, enable or delete.");
    }
    *change_r = (struct bulk_change){.action = action};
    if (action == BULK_ROLE) {
        change_r->value = input[INPUT_users_bulk_role].text;
        return input[INPUT_users_bulk_role].present ? OK : fault_of(request, FAULT_missing, "role", NULL);
    }
    if (action == BULK_ADD_TO_GROUP || action == BULK_REMOVE_FROM_GROUP) {
        change_r->value = input[INPUT_users_bulk_group_id].text;
        return input[INPUT_users_bulk_group_id].present ? OK : fault_of(request, FAULT_missing, "group_id", NULL);
    }
    return OK;
}

static enum outcome take_users(struct request *request, bool *is_everybody_r)
{
    const struct input *ids = &request->input[INPUT_users_bulk_user_ids];
    *is_everybody_r = request->input[INPUT_users_bulk_everybody].integer != 0;
    if (ids->present == *is_everybody_r) {
        return fault_of(request, FAULT_missing, "user_ids", "Send either user_ids or everybody: true.");
    }
    return ids->present && ids->text_count > IDS_MAX
               ? fault_of(request, FAULT_too_long, "user_ids", "This list is too long: a request takes 1000 ids.")
               : OK;
}

static enum outcome find_users(struct request *request, struct bulk *bulk)
{
    struct context *context = &request->context;
    const struct input *ids = &request->input[INPUT_users_bulk_user_ids], *query = request->query;
    bulk->room = bulk->is_everybody ? CHANGED_MAX : ids->text_count;
    bulk->users = arena_zero(context->arena, bulk->room + 1, sizeof *bulk->users);
    if (!bulk->is_everybody) {
        return bulk_store_of_ids(context, &bulk->change, ids->texts, ids->text_count, look_at, bulk);
    }
    const struct user_listing listing = {
        .query = query[INPUT_users_match_query_query].text,
        .filter =
            {
                .role = query[INPUT_users_match_query_role].text,
                .group_id = query[INPUT_users_match_query_group].text,
                .by_disabled = query[INPUT_users_match_query_disabled].present,
                .is_disabled = query[INPUT_users_match_query_disabled].integer != 0,
                .by_activity = query[INPUT_users_match_query_active_since].present,
                .active_since = query[INPUT_users_match_query_active_since].integer,
            },
    };
    return bulk_store_of_listing(context, &bulk->change, &listing, request->input[INPUT_users_bulk_after].text, look_at,
                                 bulk);
}

/* ---- what is done ---- */

static enum outcome change_members(struct context *context, struct bulk *bulk)
{
    struct text *ids = arena_alloc(context->arena, (bulk->count + 1) * sizeof *ids);
    for (size_t i = 0; i < bulk->count; i++) {
        ids[i] = bulk->users[i].id;
    }
    enum outcome outcome = bulk->count == 0 ? OK
                           : bulk->change.action == BULK_ADD_TO_GROUP
                               ? group_store_add_members(context, bulk->change.value, ids, bulk->count)
                               : group_store_remove_members(context, bulk->change.value, ids, bulk->count);
    bulk->changed = outcome == OK ? bulk->count : 0;
    return outcome;
}

static enum outcome change_one(struct context *context, const struct bulk_change *change, struct text user_id)
{
    if (change->action != BULK_DELETE) {
        return change->action == BULK_ROLE      ? account_store_set_role(context, user_id, change->value)
               : change->action == BULK_DISABLE ? account_store_disable(context, user_id)
                                                : account_store_enable(context, user_id);
    }
    enum outcome outcome = account_store_delete(context, user_id);
    return outcome == FAULT && context->problem.code == ERROR_INTERNAL_ERROR
               ? problem_set_fault(context, ERROR_DELETE_USER_ERROR)
               : outcome;
}

/* A failure ends it; what was done before is told, and the rest is left for another request. */
static enum outcome change_each(struct context *context, struct bulk *bulk)
{
    struct text before = TEXT_NULL;
    for (size_t i = 0; i < bulk->count; i++) {
        const struct bulk_user user = bulk->users[i];
        enum outcome outcome = change_one(context, &bulk->change, user.id);
        if (outcome == FAULT && bulk->changed == 0) {
            return FAULT;
        }
        if (outcome == OK) {
            bulk->users[bulk->changed++] = user;
        } else {
            refuse(bulk, user.id, context->problem.code, context->problem.detail);
            context->problem = (struct problem){.code = ERROR_NONE};
        }
        if (outcome == FAULT) {
            for (size_t rest = i + 1; rest < bulk->count; rest++) {
                refuse(bulk, bulk->users[rest].id, ERROR_UNAVAILABLE, "This user was not reached: try again.");
            }
            bulk->last = before;
            bulk->has_more = bulk->is_everybody;
            break;
        }
        before = user.id;
    }
    return OK;
}

static void answer(struct request *request, const struct bulk *bulk)
{
    struct json_writer *json = &request->response.json;
    const int64_t changed = (int64_t)(bulk->dry_run ? bulk->count : bulk->changed);
    json_begin_object(json);
    json_member_boolean(json, "dry_run", bulk->dry_run);
    json_member_integer(json, "total", changed + bulk->unchanged + (int64_t)bulk->refused_count);
    json_member_integer(json, "changed", changed);
    json_member_integer(json, "unchanged", bulk->unchanged);
    json_member_array(json, "refused");
    for (size_t i = 0; i < bulk->refused_count; i++) {
        json_begin_object(json);
        json_member_text(json, "id", bulk->refused[i].id);
        json_member_string(json, "code", error_name(bulk->refused[i].code));
        json_member_string(json, "detail", bulk->refused[i].detail);
        json_end_object(json);
    }
    json_end_array(json);
    json_member_array(json, "changes");
    for (size_t i = 0; i < bulk->changed; i++) {
        json_begin_object(json);
        json_member_text(json, "id", bulk->users[i].id);
        json_member_text(json, "role", bulk->users[i].role);
        json_end_object(json);
    }
    json_end_array(json);
    json_member_text(json, "next", bulk->has_more ? bulk->last : TEXT_NULL);
    json_end_object(json);
}

static enum outcome run(struct request *request, struct bulk *bulk)
{
    struct context *context = &request->context;
    const bool is_of_group = bulk->change.action == BULK_ADD_TO_GROUP || bulk->change.action == BULK_REMOVE_FROM_GROUP;
    const struct value *group;
    enum outcome outcome = user_store_primary(context, &bulk->primary);
    if (outcome == OK && is_of_group) {
        outcome = group_store_get(context, bulk->change.value, &group);
    }
    if (outcome == OK) {
        outcome = find_users(request, bulk);
    }
    if (outcome != OK || bulk->dry_run) {
        return outcome;
    }
    outcome = is_of_group ? change_members(context, bulk) : change_each(context, bulk);
    if (outcome == OK) {
        log_notice(context, "%s of %zu users by %.*s; %zu were refused", action_names[bulk->change.action],
                   bulk->changed, (int)bulk->caller.length, bulk->caller.data, bulk->refused_count);
    }
    return outcome;
}

enum outcome handle_users_bulk(struct request *request)
{
    struct bulk *bulk = arena_zero(request->context.arena, 1, sizeof *bulk);
    bulk->arena = request->context.arena;
    bulk->caller = request->identity.user_id;
    bulk->dry_run = request->input[INPUT_users_bulk_dry_run].integer != 0;
    enum outcome outcome = take_action(request, &bulk->change);
    enum outcome users = take_users(request, &bulk->is_everybody);
    outcome = outcome == OK ? users : outcome;
    if (outcome == OK) {
        outcome = run(request, bulk);
    }
    if (outcome == OK) {
        answer(request, bulk);
    }
    return outcome;
}
