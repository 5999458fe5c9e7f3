/* ctl_member.c: rosterctl group add-member and remove-member. */
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/input.h"
#include "ctl/sheet.h"
#include "store/group_store.h"

/* The users whom the command names, each once. */
struct people {
    struct person {
        struct text id;
        const char *title;
    } *items;
    size_t count;
};

static int compare_people(const void *left, const void *right)
{
    const struct person *const *first = left, *const *second = right;
    int order = text_compare((*first)->id, (*second)->id);
    return order != 0 ? order : *first < *second ? -1 : 1;
}

/* Removes those that stand there again, and keeps the order of the others. */
static void remove_doubles(struct arena *arena, struct people *people)
{
    const size_t count = people->count;
    struct person **sorted = arena_zero(arena, count, sizeof *sorted);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &people->items[i];
    }
    qsort(sorted, count, sizeof(struct person *), compare_people);
    for (size_t i = count; i-- > 1;) {
        if (text_equal(sorted[i]->id, sorted[i - 1]->id)) {
            sorted[i]->id = TEXT_NULL;
        }
    }
    people->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (people->items[i].id.data != NULL) {
            people->items[people->count++] = people->items[i];
        }
    }
}

/* The users of the arguments. Finds all first, so that a mistyped one fails the command before it changes anything. */
static int take_arguments(struct invocation *invocation, struct people *people)
{
    for (size_t i = 1; i < invocation->argument_count; i++) {
        const struct value *user;
        int status = find_user(invocation, ctl_argument(invocation, i), &user);
        if (status != EXIT_DONE) {
            return status;
        }
        people->items[people->count++] = (struct person){user[USER_id].text, find_user_title(invocation, user)};
    }
    return EXIT_DONE;
}

/* Those of the file. All lines are looked at, so that all that are wrong are told at once. */
static int take_lines(struct invocation *invocation, struct text content, struct people *people)
{
    struct arena *arena = invocation->context.arena;
    const char *path = ctl_option(invocation, OPTION_file);
    struct input_line line = {.number = 0};
    int status = EXIT_DONE;
    while (input_next_line(&content, &line)) {
        struct person *person = &people->items[people->count];
        person->title = sheet_clean(arena, line.text).data;
        int found = find_user_at(invocation, text_format(arena, "%s:%zu", input_name(path), line.number).data,
                                 text_to_string(arena, line.text), &person->id);
        if (found != EXIT_DONE && found != EXIT_NOT_FOUND) {
            return found;
        }
        status = found == EXIT_DONE ? status : found;
        people->count += found == EXIT_DONE;
    }
    return status == EXIT_DONE ? EXIT_DONE : ctl_fail(EXIT_NOT_FOUND, "nothing was changed");
}

static int take_people(struct invocation *invocation, struct text content, struct people *people_r)
{
    size_t max = invocation->argument_count + 1;
    for (size_t i = 0; i < content.length; i++) {
        max += content.data[i] == '\n';
    }
    *people_r = (struct people){arena_zero(invocation->context.arena, max, sizeof *people_r->items), 0};
    int status = take_arguments(invocation, people_r);
    status = status == EXIT_DONE ? take_lines(invocation, content, people_r) : status;
    if (status == EXIT_DONE && people_r->count == 0) {
        return ctl_fail(EXIT_USAGE, "give users, or --file with a file that names some");
    }
    if (status == EXIT_DONE) {
        remove_doubles(invocation->context.arena, people_r);
    }
    return status;
}

/* The users, their group, and who of them is a member already. */
struct membership {
    const struct value *group;
    const char *name; /* of the group, to be shown */
    struct people people;
    struct text *ids;      /* of the people */
    struct result members; /* sorted */
};

static int compare_rows(const void *left, const void *right)
{
    return text_compare(((const struct value *)left)->text, ((const struct value *)right)->text);
}

static bool is_member(const struct membership *membership, struct text user_id)
{
    const struct value sought = {.text = user_id};
    const struct result *members = &membership->members; /* without rows, values is null: bsearch(3) takes no null */
    return members->row_count > 0 &&
           bsearch(&sought, members->values, members->row_count, sizeof sought, compare_rows) != NULL;
}

static int find_membership(struct invocation *invocation, struct membership *membership)
{
    struct context *context = &invocation->context;
    const char *path = ctl_option(invocation, OPTION_file);
    struct text content = TEXT("");
    int status = path != NULL ? input_read(invocation, path, &content) : EXIT_DONE;
    status = status == EXIT_DONE ? ctl_open_store(invocation) : status;
    status = status == EXIT_DONE ? find_group(invocation, ctl_argument(invocation, 0), &membership->group) : status;
    status = status == EXIT_DONE ? take_people(invocation, content, &membership->people) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    const struct people *people = &membership->people;
    membership->name = sheet_clean(context->arena, membership->group[GROUP_name].text).data;
    membership->ids = arena_zero(context->arena, people->count, sizeof *membership->ids);
    for (size_t i = 0; i < people->count; i++) {
        membership->ids[i] = people->items[i].id;
    }
    if (group_store_members_among(context, membership->group[GROUP_id].text, membership->ids, people->count,
                                  &membership->members) != OK) {
        return ctl_problem(invocation, membership->name);
    }
    if (membership->members.row_count > 0) { /* qsort(3) takes no null pointer, not even for no rows */
        qsort(membership->members.values, membership->members.row_count, sizeof *membership->members.values,
              compare_rows);
    }
    return EXIT_DONE;
}

static void say_done(struct invocation *invocation, const struct membership *membership, const char *done, size_t count)
{
    ctl_say(invocation, "%s: %s %s.", membership->name, done,
            membership->people.count == 1 ? membership->people.items[0].title : find_count(invocation, count, "user"));
}

int command_group_add_member(struct invocation *invocation)
{
    struct membership membership;
    int status = find_membership(invocation, &membership);
    if (status != EXIT_DONE) {
        return status;
    }
    const struct people *people = &membership.people;
    /* also who is a member already: a membership of a trusted header becomes one that was made by hand */
    if (group_store_add_members(&invocation->context, membership.group[GROUP_id].text, membership.ids, people->count) !=
        OK) {
        return ctl_problem(invocation, membership.name);
    }
    size_t added = 0;
    for (size_t i = 0; i < people->count; i++) {
        if (is_member(&membership, people->items[i].id)) {
            ctl_say_aside(invocation, "%s is already a member of %s.", people->items[i].title, membership.name);
        } else {
            added++;
        }
    }
    if (added > 0) {
        say_done(invocation, &membership, "added", added);
    }
    return EXIT_DONE;
}

int command_group_remove_member(struct invocation *invocation)
{
    struct membership membership;
    int status = find_membership(invocation, &membership);
    if (status != EXIT_DONE) {
        return status;
    }
    const struct people *people = &membership.people;
    const size_t members = membership.members.row_count;
    for (size_t i = 0; i < people->count; i++) {
        if (!is_member(&membership, people->items[i].id)) {
            ctl_fail(EXIT_NOT_FOUND, "%s is no member of %s", people->items[i].title, membership.name);
        }
    }
    if (members == 0) {
        return EXIT_NOT_FOUND;
    }
    if (group_store_remove_members(&invocation->context, membership.group[GROUP_id].text, membership.ids,
                                   people->count) != OK) {
        return ctl_problem(invocation, membership.name);
    }
    say_done(invocation, &membership, "removed", members);
    return members == people->count ? EXIT_DONE : EXIT_INCOMPLETE;
}
