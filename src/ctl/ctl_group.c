/* ctl_group.c: rosterctl group …, without the commands that change members. */
#include <stdio.h>

#include "base/array.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/user_listing.h"
#include "store/user_store.h"
#include "worker/serialise.h"

/* Several groups may have one name, made by other programs. Here they can be told apart by their ids alone. */
static void tell_doubles(struct invocation *invocation, const struct result *groups)
{
    for (size_t i = 0; i < groups->row_count; i++) {
        struct text name = result_row(groups, i)[GROUP_name].text;
        size_t before = 0, all = 0;
        for (size_t other = 0; other < groups->row_count; other++) {
            bool same = text_equal(result_row(groups, other)[GROUP_name].text, name);
            before += same && other < i;
            all += same;
        }
        if (before == 0 && all > 1) {
            ctl_say_aside(invocation,
                          "Note: %zu groups have the name `%s': `rosterctl group rename ID NAME' renames one.", all,
                          sheet_clean(invocation->context.arena, name).data);
        }
    }
}

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
    struct text member_id = TEXT_NULL;
    if (ctl_argument(invocation, 0) != NULL) {
        const struct value *user;
        int status = find_user(invocation, ctl_argument(invocation, 0), &user);
        if (status != EXIT_DONE) {
            return status;
        }
        member_id = user[USER_id].text;
    }
    struct result groups;
    if (group_store_list(&invocation->context, member_id, -1, &groups) != OK) {
        return ctl_problem(invocation, "groups");
    }
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
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
    tell_doubles(invocation, &groups);
    return EXIT_DONE;
}

static enum outcome add_member(struct context *context, const struct value *user, void *argument)
{
    struct sheet *sheet = argument;
    struct sheet_cell *row = sheet_add(sheet);
    (void)context; /* its arena is the row's */
    row[0] = sheet_text(text_copy(sheet->arena, user[USER_INFO_id].text));
    row[1] = sheet_text(text_copy(sheet->arena, user[USER_INFO_name].text));
    row[2] = sheet_text(text_copy(sheet->arena, user[USER_INFO_email].text));
    row[3] = sheet_text(text_copy(sheet->arena, user[USER_INFO_role].text));
    return OK;
}

int command_group_show(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {{"id", "ID", SHEET_TEXT},
                                                  {"name", "NAME", SHEET_TEXT},
                                                  {"email", "EMAIL", SHEET_TEXT},
                                                  {"role", "ROLE", SHEET_TEXT}};
    struct arena *arena = invocation->context.arena;
    const struct value *group = NULL;
    int status = find_group(invocation, ctl_argument(invocation, 0), &group);
    if (status != EXIT_DONE) {
        return status;
    }
    struct sheet members;
    sheet_init(&members, arena, columns, ARRAY_COUNT(columns));
    if (user_listing_members(&invocation->context, group[GROUP_id].text, add_member, &members) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, arena);
        json_begin_object(&json);
        serialise_group_members(&invocation->context, &json, group);
        json_member_integer(&json, "member_count", group[GROUP_MEMBER_COUNT].integer);
        json_name(&json, "members");
        sheet_add_json(&json, &members);
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
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

/* Another group's name is refused, though other programs may have given it twice: here a name stands for a group. */
static int refuse_double(struct invocation *invocation, struct text name)
{
    bool is_taken;
    if (group_store_has_name(&invocation->context, name, &is_taken) != OK) {
        return ctl_problem(invocation, "the groups");
    }
    return is_taken ? ctl_fail(EXIT_REFUSED, "there is a group `%s' already: give another name",
                               sheet_clean(invocation->context.arena, name).data)
                    : EXIT_DONE;
}

int command_group_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *owner = ctl_option(invocation, OPTION_owner);
    const char *description = ctl_option(invocation, OPTION_description);
    struct group_change group = {
        .name = text_trim_unicode(text_of(ctl_argument(invocation, 0))),
        .description = text_of(description != NULL ? description : ""),
    };
    if (!find_is_name(group.name, 255)) {
        return find_bad_name("NAME", 255);
    }
    if (!text_is_utf8(group.description)) {
        return ctl_fail(EXIT_USAGE, "--description: give UTF-8");
    }
    int status = refuse_double(invocation, group.name);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text owner_id;
    if (owner != NULL) {
        const struct value *user;
        status = find_user(invocation, owner, &user);
        if (status != EXIT_DONE) {
            return status;
        }
        owner_id = user[USER_id].text;
    } else if (user_store_primary(context, &owner_id) != OK) {
        return ctl_problem(invocation, "the owner");
    } else if (owner_id.data == NULL) {
        return ctl_fail(EXIT_REFUSED,
                        "there are no users yet, and a group needs an owner: create a user with `rosterctl user add'");
    }
    struct text group_id;
    if (group_store_add(context, owner_id, &group, &group_id) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Created the group %s, id %s.", sheet_clean(context->arena, group.name).data, group_id.data);
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, context->arena);
        json_begin_object(&json);
        json_member_text(&json, "id", group_id);
        json_member_text(&json, "name", group.name);
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
    } else if (invocation->quiet) {
        puts(group_id.data);
    }
    return EXIT_DONE;
}

int command_group_rename(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *group = NULL;
    struct group_change change = {.name = text_trim_unicode(text_of(ctl_argument(invocation, 1)))};
    if (!find_is_name(change.name, 255)) {
        return find_bad_name("NAME", 255);
    }
    int status = find_group(invocation, ctl_argument(invocation, 0), &group);
    if (status == EXIT_DONE && text_equal(group[GROUP_name].text, change.name)) {
        ctl_say(invocation, "The group already has this name.");
        return EXIT_DONE;
    }
    status = status == EXIT_DONE ? refuse_double(invocation, change.name) : status;
    if (status == EXIT_DONE && group_store_change(context, group[GROUP_id].text, &change) != OK) {
        status = ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "The group %s is now %s.", sheet_clean(context->arena, group[GROUP_name].text).data,
                sheet_clean(context->arena, change.name).data);
    }
    return status;
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
