#include "api/settings_patch.h"

#include "auth/permission.h"
#include "base/array.h"
#include "base/json.h"
#include "config/compatibility.h"
#include "store/config_store.h"
#include "store/document_store.h"

/* Removes all members with this name. */
static void remove_member(struct json_members *members, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < members->count; i++) {
        if (!text_is(members->items[i].name, name)) {
            members->items[kept++] = members->items[i];
        }
    }
    members->count = kept;
}

static enum outcome may(struct request *request, enum permission permission, bool *granted_r)
{
    return permission_check(&request->context, request->identity.user_id, identity_is_admin(&request->identity),
                            permission, granted_r);
}

/* ---- compatibility with 0.6: members are replaced as a whole ---- */

static enum outcome check_whole(struct request *request, struct json_members *members)
{
    struct context *context = &request->context;
    json_object *ui = request->input[INPUT_settings_ui].json;
    json_object *tool_servers;
    if (!request->input[INPUT_settings_ui].present) {
        remove_member(members, "ui"); /* null counts as absent */
        return OK;
    }
    if (!json_object_object_get_ex(ui, "toolServers", &tool_servers)) {
        return OK;
    }
    bool granted;
    enum outcome outcome = may(request, PERMISSION_features_direct_tool_servers, &granted);
    if (outcome == OK && !granted) {
        json_object_object_del(ui, "toolServers");
        remove_member(members, "ui");
        members->items[members->count++] = json_text_member(context->arena, "ui", json_print(context->arena, ui));
    }
    return outcome;
}

/* ---- compatibility with 0.12: single members of ui ---- */

static const char *const interface_fields[] = {
#define INTERFACE_FIELD(name) #name,
#include "tables/interface_fields.def"
};

static bool is_interface_field(struct text name)
{
    for (size_t i = 0; i < ARRAY_COUNT(interface_fields); i++) {
        if (text_is(name, interface_fields[i])) {
            return true;
        }
    }
    return false;
}

/* What a caller may change. */
struct rights {
    bool tool_servers, webhooks, system, interface;
};

static enum outcome read_rights(struct request *request, struct rights *rights_r)
{
    bool controls = false, prompt = false;
    const struct {
        enum permission permission;
        bool *granted;
    } wanted[] = {
        {PERMISSION_features_direct_tool_servers, &rights_r->tool_servers},
        {PERMISSION_features_webhooks, &rights_r->webhooks},
        {PERMISSION_settings_interface, &rights_r->interface},
        {PERMISSION_chat_controls, &controls},
        {PERMISSION_chat_system_prompt, &prompt},
    };
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < ARRAY_COUNT(wanted); i++) {
        outcome = may(request, wanted[i].permission, wanted[i].granted);
    }
    rights_r->system = controls && prompt;
    return outcome;
}

/* ui.notifications without its member webhook_url. */
static struct text without_webhook(struct arena *arena, struct text notifications)
{
    struct json_members members;
    if (!json_text_members(arena, notifications, &members)) {
        return notifications;
    }
    remove_member(&members, "webhook_url");
    return json_text_merge(arena, &(struct json_members){NULL, 0}, &members);
}

/* Leaves out of `ui` what may not be changed. */
static void drop_forbidden(struct arena *arena, struct json_members *ui, const struct rights *rights)
{
    size_t kept = 0;
    for (size_t i = 0; i < ui->count; i++) {
        struct json_member member = ui->items[i];
        if ((text_is(member.name, "toolServers") && !rights->tool_servers) ||
            (text_is(member.name, "system") && !rights->system) ||
            (is_interface_field(member.name) && !rights->interface)) {
            continue;
        }
        if (text_is(member.name, "notifications") && !rights->webhooks) {
            member.value = without_webhook(arena, member.value);
        }
        ui->items[kept++] = member;
    }
    ui->count = kept;
}

static enum outcome check_patch(struct request *request, struct json_members *members, struct json_members *ui_r)
{
    struct context *context = &request->context;
    struct rights rights;
    *ui_r = (struct json_members){NULL, 0};
    enum outcome outcome = read_rights(request, &rights);
    if (outcome != OK) {
        return outcome;
    }
    for (size_t i = 0; request->input[INPUT_settings_ui].present && i < members->count; i++) {
        if (text_is(members->items[i].name, "ui")) {
            json_text_members(context->arena, members->items[i].value, ui_r);
        }
    }
    remove_member(members, "ui");
    drop_forbidden(context->arena, ui_r, &rights);
    if (!rights.webhooks) {
        remove_member(members, "notifications");
    }
    return OK;
}

enum outcome settings_patch_store(struct request *request, struct text *whole_r)
{
    struct context *context = &request->context;
    struct json_members members = request_sent_members(request), ui;
    const bool is_patch = config_behaves(context->config, BEHAVIOUR_SETTINGS_PATCH);
    enum outcome outcome = is_patch ? check_patch(request, &members, &ui) : check_whole(request, &members);
    return outcome == OK ? document_store_merge(context, request->identity.user_id, USER_settings, &members,
                                                is_patch ? &ui : NULL, whole_r)
                         : outcome;
}

/* ---- reading ---- */

/* `over` laid over a copy of `under`: objects member by member, and a null of `over` does not count. */
static json_object *lay_over(json_object *under, json_object *over)
{
    if (json_object_get_type(under) != json_type_object || json_object_get_type(over) != json_type_object) {
        return json_object_get(over);
    }
    json_object *both = json_object_new_object();
    json_object_object_foreach(under, name, value)
    {
        json_object_object_add(both, name, json_object_get(value));
    }
    json_object_object_foreach(over, key, own)
    {
        if (own != NULL) {
            json_object *present;
            bool is_there = json_object_object_get_ex(both, key, &present);
            json_object *laid = is_there ? lay_over(present, own) : json_object_get(own);
            json_object_object_add(both, key, laid);
        }
    }
    return both;
}

enum outcome settings_patch_show(struct request *request, struct text stored, struct text *shown_r)
{
    struct context *context = &request->context;
    *shown_r = stored;
    if (!config_behaves(context->config, BEHAVIOUR_SETTINGS_PATCH) ||
        request->query[INPUT_settings_query_raw].integer != 0) {
        return OK;
    }
    json_object *document, *own = NULL, *own_ui = NULL;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    json_object *defaults = config_store_get(context, document, SETTING_DEFAULT_INTERFACE_SETTINGS);
    enum json_state state = json_text_parse(context->arena, stored, &own);
    if (json_object_object_length(defaults) == 0 || state == JSON_BROKEN ||
        (own != NULL && json_object_get_type(own) != json_type_object)) {
        return OK;
    }
    if (own != NULL) {
        json_object_object_get_ex(own, "ui", &own_ui);
    }
    json_object *ui =
        json_keep(context->arena, own_ui != NULL ? lay_over(defaults, own_ui) : json_object_get(defaults));
    struct json_members members = {NULL, 0};
    struct text json;
    if (json_text_read(context->arena, stored, &json) == JSON_WHOLE) {
        json_text_members(context->arena, json, &members);
    }
    struct json_member member = json_text_member(context->arena, "ui", json_print(context->arena, ui));
    *shown_r = json_text_merge(context->arena, &members, &(struct json_members){&member, 1});
    return OK;
}
