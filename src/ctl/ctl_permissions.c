/* ctl_permissions.c: rosterctl permissions …: what may be done, by everybody, by the members of a group, by one user.
 * */
#include "auth/permission.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "worker/schema.h"

/* Where the document of settings keeps what everybody may do. */
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

/* "chat.delete": kept in the arena that `argument` points to. */
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

static bool parse_answer(const char *typed, bool *granted_r)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcasecmp(typed, yes[i]) == 0 || strcasecmp(typed, no[i]) == 0) {
            *granted_r = strcasecmp(typed, yes[i]) == 0;
            return true;
        }
    }
    return false;
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
        if (typed[length] != '=' || !parse_answer(typed + length + 1, &assignment->granted)) {
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
    *permissions_r = permission_defaults(&invocation->context, document);
    return EXIT_DONE;
}

int command_permissions_show(struct invocation *invocation)
{
    const char *typed = ctl_argument(invocation, 0);
    const struct value *user = NULL;
    json_object *permissions = NULL;
    int status = typed == NULL ? read_defaults(invocation, &permissions) : find_user(invocation, typed, &user);
    if (status == EXIT_DONE && typed != NULL &&
        permission_of_user(&invocation->context, user[USER_id].text, &permissions) != OK) {
        status = ctl_problem(invocation, typed);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    if (typed != NULL && text_is(user[USER_role].text, "admin")) {
        ctl_say_aside(invocation, "Note: an administrator; the service asks administrators for no permission.");
    }
    print_permissions(invocation, permissions);
    return EXIT_DONE;
}

static void change_defaults(struct context *context, json_object *document, void *argument)
{
    json_object *permissions = permission_defaults(context, document);
    assign(permissions, argument);
    config_store_put(document, default_path, json_object_get(permissions));
}

int command_permissions_default(struct invocation *invocation)
{
    struct assignments assignments;
    json_object *permissions = NULL;
    int status = parse_assignments(invocation, 0, &assignments);
    if (status != EXIT_DONE) {
        return status;
    }
    if (assignments.count > 0) {
        if (config_store_change(&invocation->context, change_defaults, &assignments) != OK) {
            return ctl_problem(invocation, "the permissions");
        }
        ctl_say(invocation, "Changed %s for everybody.", find_count(invocation, assignments.count, "permission"));
        return EXIT_DONE;
    }
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
    json_object *permissions = json_parse(context->arena, group[GROUP_permissions].text);
    if (!json_object_is_type(permissions, json_type_object)) {
        permissions = json_keep(context->arena, json_object_new_object());
    }
    if (assignments.count == 0) {
        print_permissions(invocation, permissions);
        return EXIT_DONE;
    }
    assign(permissions, &assignments);
    struct group_change change = {.permissions = json_print(context->arena, permissions)};
    if (group_store_change(context, group[GROUP_id].text, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Changed %s for the members of %s.", find_count(invocation, assignments.count, "permission"),
            sheet_clean(context->arena, group[GROUP_name].text).data);
    return EXIT_DONE;
}
