/* ctl_permissions.c: rosterctl permissions …: default permissions, permissions of groups, and effective permissions. */
#include "auth/permission.h"
#include "auth/permission_source.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/permission_table.h"
#include "config/compatibility.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "worker/scalar.h"

/* Path of the default permissions in the document of settings. */
static const char *const default_path = "user.permissions";

/* A permission and its answer, as typed: "chat.delete=no". */
struct assignment {
    const struct permission_row *row;
    bool granted;
};

struct assignments {
    struct assignment *items;
    size_t count;
};

/* "chat.delete", in the arena that `argument` points to. */
static const char *next_permission(size_t index, void *argument)
{
    const struct permission_row *row = permission_row(index);
    return row != NULL ? text_format(argument, "%s.%s", row->section, row->key).data : NULL;
}

static const struct permission_row *find_permission(const char *name, size_t length)
{
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        size_t section = strlen(row->section);
        if (length == section + 1 + strlen(row->key) && memcmp(name, row->section, section) == 0 &&
            name[section] == '.' && memcmp(name + section + 1, row->key, strlen(row->key)) == 0) {
            return row;
        }
    }
    return NULL;
}

/* The arguments from `first` on. */
static int parse_assignments(struct invocation *invocation, size_t first, struct assignments *assignments_r)
{
    struct arena *arena = invocation->context.arena;
    assignments_r->count = 0;
    assignments_r->items = arena_zero(arena, invocation->argument_count + 1, sizeof *assignments_r->items);
    for (size_t i = first; i < invocation->argument_count; i++) {
        const char *typed = invocation->arguments[i];
        size_t length = strcspn(typed, "=");
        struct assignment *assignment = &assignments_r->items[assignments_r->count++];
        assignment->row = find_permission(typed, length);
        if (assignment->row == NULL) {
            const char *name = text_copy(arena, (struct text){typed, length}).data;
            const char *near = ctl_suggest(name, next_permission, arena);
            return near != NULL
                       ? ctl_fail(EXIT_NOT_FOUND, "there is no permission `%s'; did you mean `%s'?", name, near)
                       : ctl_fail(EXIT_NOT_FOUND, "there is no permission `%s'; `rosterctl permissions show' lists all",
                                  name);
        }
        if (typed[length] != '=' ||
            scalar_read_boolean(text_of(typed + length + 1), &assignment->granted) != FAULT_NONE) {
            return ctl_fail(EXIT_USAGE, "`%s': write it as %s.%s=yes or %s.%s=no", typed, assignment->row->section,
                            assignment->row->key, assignment->row->section, assignment->row->key);
        }
    }
    return EXIT_DONE;
}

static void assign(json_object *permissions, const struct assignments *assignments)
{
    for (size_t i = 0; i < assignments->count; i++) {
        const struct assignment *assignment = &assignments->items[i];
        json_object *section = NULL;
        if (!json_object_object_get_ex(permissions, assignment->row->section, &section) ||
            !json_object_is_type(section, json_type_object)) {
            section = json_object_new_object();
            json_object_object_add(permissions, assignment->row->section, section);
        }
        json_object_object_add(section, assignment->row->key, json_object_new_boolean(assignment->granted));
    }
}

/* A line per permission; with --quiet the names of those that are granted. */
static void print_permissions(struct invocation *invocation, json_object *permissions)
{
    struct arena *arena = invocation->context.arena;
    if (invocation->json) {
        ctl_print_json(invocation, json_print(arena, permissions));
        return;
    }
    json_object_object_foreach(permissions, section_name, section)
    {
        if (!json_object_is_type(section, json_type_object)) {
            continue;
        }
        json_object_object_foreach(section, key, answer)
        {
            const char *name = sheet_clean(arena, text_format(arena, "%s.%s", section_name, key)).data;
            bool granted = json_object_is_type(answer, json_type_boolean) && json_object_get_boolean(answer);
            if (!invocation->quiet) {
                printf("%-32s%s\n", name, granted ? "yes" : "no");
            } else if (granted) {
                puts(name);
            }
        }
    }
}

static int read_defaults(struct invocation *invocation, json_object **permissions_r)
{
    json_object *document;
    if (config_store_read(&invocation->context, &document) != OK) {
        return ctl_problem(invocation, "the settings");
    }
    *permissions_r = permission_defaults(&invocation->context, document, invocation->context.config->compatibility);
    return EXIT_DONE;
}

/* "default, Staff, Sales" */
static const char *from_text(struct arena *arena, json_object *from, const struct result *groups)
{
    struct buffer text;
    buffer_init(&text, arena);
    for (size_t i = 0; i < json_object_array_length(from); i++) {
        struct text source = json_text(json_object_array_get_idx(from, i));
        struct text name = source;
        for (size_t row = 0; row < groups->row_count; row++) {
            const struct value *group = result_row(groups, row);
            name = text_equal(group[0].text, source) ? group[1].text : name;
        }
        buffer_add_string(&text, i > 0 ? ", " : "");
        buffer_add_text(&text, sheet_clean(arena, name));
    }
    return buffer_text(&text).data;
}

/* Adds a row for each permission below `prefix`. */
static void add_sources(struct sheet *sheet, json_object *sources, const char *prefix, const struct result *groups)
{
    json_object_object_foreach(sources, key, described)
    {
        struct arena *arena = sheet->arena;
        const char *name = text_format(arena, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key).data;
        json_object *value = json_object_object_get(described, "value");
        json_object *from = json_object_object_get(described, "from");
        if (json_object_get_type(value) != json_type_boolean || json_object_get_type(from) != json_type_array) {
            add_sources(sheet, described, name, groups);
            continue;
        }
        struct sheet_cell *row = sheet_add(sheet);
        row[0] = sheet_text(text_of(name));
        row[1] = sheet_integer(json_object_get_boolean(value));
        row[2] = sheet_text(text_of(from_text(arena, from, groups)));
    }
}

/* What a user may do, and where it comes from. */
static int print_sources(struct invocation *invocation, struct text user_id)
{
    static const struct sheet_column columns[] = {
        {"permission", "PERMISSION", SHEET_TEXT},
        {"value", "GRANTED", SHEET_BOOLEAN},
        {"from", "FROM", SHEET_TEXT},
    };
    struct context *context = &invocation->context;
    json_object *sources;
    struct result groups;
    if (permission_source_of_user(context, user_id, &sources) != OK ||
        group_store_names_of_user(context, user_id, &groups) != OK) {
        return ctl_problem(invocation, "the permissions");
    }
    if (invocation->json) {
        ctl_print_json(invocation, json_print(context->arena, sources));
        return EXIT_DONE;
    }
    struct sheet sheet;
    sheet_init(&sheet, context->arena, columns, ARRAY_COUNT(columns));
    add_sources(&sheet, sources, "", &groups);
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

static int show_user(struct invocation *invocation, const char *typed)
{
    const struct value *user;
    json_object *permissions;
    int status = find_user(invocation, typed, &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (text_is(user[USER_role].text, "admin")) {
        ctl_say_aside(invocation, "Note: this user is an administrator; permissions do not restrict administrators.");
    }
    if (ctl_has_option(invocation, OPTION_sources) || (!invocation->json && !invocation->quiet)) {
        return print_sources(invocation, user[USER_id].text);
    }
    if (permission_of_user(&invocation->context, user[USER_id].text, &permissions) != OK) {
        return ctl_problem(invocation, typed);
    }
    print_permissions(invocation, permissions);
    return EXIT_DONE;
}

int command_permissions_show(struct invocation *invocation)
{
    json_object *permissions = NULL;
    if (ctl_argument(invocation, 0) != NULL) {
        return show_user(invocation, ctl_argument(invocation, 0));
    }
    if (ctl_has_option(invocation, OPTION_sources)) {
        return ctl_fail(EXIT_USAGE, "--sources needs a user: the default permissions have no other source");
    }
    int status = read_defaults(invocation, &permissions);
    if (status == EXIT_DONE) {
        print_permissions(invocation, permissions);
    }
    return status;
}

static void change_defaults(struct context *context, json_object *document, void *argument)
{
    json_object *permissions = permission_defaults(context, document, COMPATIBILITY_NEWEST);
    assign(permissions, argument);
    config_store_put(document, default_path, json_object_get(permissions));
}

int command_permissions_default(struct invocation *invocation)
{
    struct assignments assignments;
    int status = parse_assignments(invocation, 0, &assignments);
    if (status != EXIT_DONE) {
        return status;
    }
    if (assignments.count > 0) {
        if (config_store_change(&invocation->context, change_defaults, &assignments) != OK) {
            return ctl_problem(invocation, "the permissions");
        }
        ctl_say(invocation, "Changed %s for all users.", find_count(invocation, assignments.count, "permission"));
        return EXIT_DONE;
    }
    json_object *permissions = NULL;
    status = read_defaults(invocation, &permissions);
    if (status == EXIT_DONE) {
        print_permissions(invocation, permissions);
    }
    return status;
}

int command_permissions_group(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct assignments assignments;
    const struct value *group = NULL;
    int status = parse_assignments(invocation, 1, &assignments);
    status = status == EXIT_DONE ? find_group(invocation, ctl_argument(invocation, 0), &group) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    json_object *permissions;
    if (json_text_parse(context->arena, group[GROUP_permissions].text, &permissions) == JSON_ABSENT) {
        permissions = json_keep(context->arena, json_object_new_object());
    } else if (!json_object_is_type(permissions, json_type_object)) {
        return ctl_fail(
            EXIT_FAILED,
            "table group: the permissions of %s are not a valid JSON object: fix the row, or replace it with "
            "POST /groups/id/%s/update",
            sheet_clean(context->arena, group[GROUP_name].text).data, group[GROUP_id].text.data);
    }
    struct text before;
    json_text_read(context->arena, group[GROUP_permissions].text, &before);
    if (assignments.count == 0) {
        print_permissions(invocation, permissions);
        return EXIT_DONE;
    }
    assign(permissions, &assignments);
    struct group_change change = {.permissions = json_text_rewrite(context->arena, before, permissions)};
    if (group_store_change(context, group[GROUP_id].text, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Changed %s for the members of %s.", find_count(invocation, assignments.count, "permission"),
            sheet_clean(context->arena, group[GROUP_name].text).data);
    return EXIT_DONE;
}
