/* ctl_group.c: rosterctl group … */
#include <stdio.h>

#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/user_store.h"
#include "worker/serialise.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

int command_group_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", "ID", SHEET_TEXT},
        {"name", "NAME", SHEET_TEXT},
        {"member_count", "MEMBERS", SHEET_INTEGER},
        {"description", "DESCRIPTION", SHEET_TEXT},
        {"user_id", NULL, SHEET_TEXT},
        {"permissions", NULL, SHEET_JSON},
        {"created_at", NULL, SHEET_TIME},
        {"updated_at", "CHANGED", SHEET_TIME},
    };
    struct text member_id = {NULL, 0};
    struct result groups;
    struct sheet sheet;
    if (ctl_argument(invocation, 0) != NULL) {
        const struct value *user;
        int status = find_user(invocation, ctl_argument(invocation, 0), &user);
        if (status != EXIT_DONE) {
            return status;
        }
        member_id = user[USER_id].text;
    }
    if (group_store_list(&invocation->context, member_id, -1, &groups) != OK) {
        return ctl_problem(invocation, "groups");
    }
    sheet_init(&sheet, invocation->context.arena, columns, COUNT(columns));
    for (size_t i = 0; i < groups.row_count; i++) {
        const struct value *group = result_row(&groups, i);
        struct sheet_cell *row = sheet_add(&sheet);
        row[0] = sheet_value(&group[GROUP_id]);
        row[1] = sheet_value(&group[GROUP_name]);
        row[2] = sheet_value(&group[GROUP_MEMBER_COUNT]);
        row[3] = sheet_value(&group[GROUP_description]);
        row[4] = sheet_value(&group[GROUP_user_id]);
        row[5] = sheet_value(&group[GROUP_permissions]);
        row[6] = sheet_value(&group[GROUP_created_at]);
        row[7] = sheet_value(&group[GROUP_updated_at]);
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

static void fill_members(struct sheet *sheet, const struct result *users)
{
    for (size_t i = 0; i < users->row_count; i++) {
        const struct value *user = result_row(users, i);
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_value(&user[USER_INFO_id]);
        row[1] = sheet_value(&user[USER_INFO_name]);
        row[2] = sheet_value(&user[USER_INFO_email]);
        row[3] = sheet_value(&user[USER_INFO_role]);
    }
}

int command_group_show(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {{"id", "ID", SHEET_TEXT},
                                                  {"name", "NAME", SHEET_TEXT},
                                                  {"email", "EMAIL", SHEET_TEXT},
                                                  {"role", "ROLE", SHEET_TEXT}};
    struct arena *arena = invocation->context.arena;
    const struct value *group = NULL;
    struct result users;
    struct sheet members;
    int status = find_group(invocation, ctl_argument(invocation, 0), &group);
    if (status != EXIT_DONE) {
        return status;
    }
    if (user_store_members(&invocation->context, group[GROUP_id].text, &users) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    sheet_init(&members, arena, columns, COUNT(columns));
    fill_members(&members, &users);
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, arena);
        buffer_add_byte(&json, '{');
        serialise_group_members(&json, group);
        serialise_integer_member(&json, "member_count", group[GROUP_MEMBER_COUNT].integer, false);
        serialise_key(&json, "members", false);
        sheet_add_json(&json, &members);
        buffer_add_byte(&json, '}');
        ctl_print(&json);
        return EXIT_DONE;
    }
    if (!invocation->quiet) {
        printf("id           %s\n", group[GROUP_id].text.data);
        printf("name         %s\n", sheet_clean(arena, group[GROUP_name].text).data);
        printf("description  %s\n", sheet_clean(arena, group[GROUP_description].text).data);
        printf("permissions  %s\n", sheet_clean(arena, group[GROUP_permissions].text).data);
        printf("made         %s\n", sheet_time_text(arena, group[GROUP_created_at].integer).data);
        printf("changed      %s\n\n", sheet_time_text(arena, group[GROUP_updated_at].integer).data);
    }
    sheet_print(invocation, &members);
    return EXIT_DONE;
}

int command_group_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *owner = ctl_option(invocation, "owner");
    const char *description = ctl_option(invocation, "description");
    struct group_change group = {
        .name = text_trim(text_of(ctl_argument(invocation, 0))),
        .description = text_of(description != NULL ? description : ""),
    };
    struct text owner_id, group_id;
    if (group.name.length == 0 || !text_is_utf8(group.name) || text_count_characters(group.name) > 255 ||
        !text_is_utf8(group.description)) {
        return ctl_fail(EXIT_USAGE, "NAME: give 1 to 255 characters of UTF-8");
    }
    if (owner != NULL) {
        const struct value *user;
        int status = find_user(invocation, owner, &user);
        if (status != EXIT_DONE) {
            return status;
        }
        owner_id = user[USER_id].text;
    } else if (user_store_primary(context, &owner_id) != OK) {
        return ctl_problem(invocation, "the owner");
    } else if (owner_id.data == NULL) {
        return ctl_fail(EXIT_REFUSED,
                        "there are no users yet, so nobody can have a group: start with `rosterctl user add'");
    }
    if (group_store_add(context, owner_id, &group, &group_id) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Made the group %s, id %s.", sheet_clean(context->arena, group.name).data, group_id.data);
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, context->arena);
        buffer_add_byte(&json, '{');
        serialise_text_member(&json, "id", group_id, true);
        serialise_text_member(&json, "name", group.name, false);
        buffer_add_byte(&json, '}');
        ctl_print(&json);
    } else if (invocation->quiet) {
        puts(group_id.data);
    }
    return EXIT_DONE;
}

int command_group_delete(struct invocation *invocation)
{
    const struct value *group = NULL;
    struct context *context = &invocation->context;
    int status = find_group(invocation, ctl_argument(invocation, 0), &group);
    if (status != EXIT_DONE) {
        return status;
    }
    const char *name = sheet_clean(context->arena, group[GROUP_name].text).data;
    status = ask_confirm(invocation, "Delete the group %s, with %s?", name,
                         find_count(invocation, (size_t)group[GROUP_MEMBER_COUNT].integer, "member"));
    if (status == EXIT_DONE && group_store_delete(context, group[GROUP_id].text) != OK) {
        status = ctl_problem(invocation, name);
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Deleted the group %s.", name);
    }
    return status;
}

typedef enum outcome member_change(struct context *context, struct text group_id, const struct text *user_ids,
                                   size_t count);

/* All users are looked for first, so that a mistyped one stops it before anything is done. */
static int change_members(struct invocation *invocation, member_change *change, const char *done)
{
    struct context *context = &invocation->context;
    size_t count = invocation->argument_count - 1;
    struct text *user_ids = arena_zero(context->arena, count, sizeof *user_ids);
    const struct value *group = NULL, *user = NULL;
    int status = find_group(invocation, ctl_argument(invocation, 0), &group);
    for (size_t i = 0; status == EXIT_DONE && i < count; i++) {
        status = find_user(invocation, ctl_argument(invocation, i + 1), &user);
        if (status == EXIT_DONE) {
            user_ids[i] = user[USER_id].text;
        }
    }
    if (status == EXIT_DONE && change(context, group[GROUP_id].text, user_ids, count) != OK) {
        status = ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "%s %s: %s.", sheet_clean(context->arena, group[GROUP_name].text).data, done,
                count == 1 ? find_user_title(invocation, user) : find_count(invocation, count, "user"));
    }
    return status;
}

int command_group_add_member(struct invocation *invocation)
{
    return change_members(invocation, group_store_add_members, "has as members now");
}

int command_group_remove_member(struct invocation *invocation)
{
    return change_members(invocation, group_store_remove_members, "has as members no more");
}
