#include "ctl/find.h"

#include <string.h>

#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/user_store.h"

/* The id of the user with this email address, with a password or without; null text where there is none. */
static enum outcome id_of_email(struct context *context, struct text email, struct text *user_id_r)
{
    struct user_listing listing = {.query = email, .page = 1};
    struct result users;
    int64_t total;
    *user_id_r = (struct text){NULL, 0};
    do { /* the few whose address contains this one */
        enum outcome outcome = user_store_list(context, &listing, &users, &total);
        if (outcome != OK) {
            return outcome;
        }
        for (size_t i = 0; i < users.row_count; i++) {
            const struct value *user = result_row(&users, i);
            if (text_equal(text_to_lower(context->arena, user[USER_INFO_email].text), email)) {
                *user_id_r = user[USER_INFO_id].text;
                return OK;
            }
        }
        listing.page++;
    } while (users.row_count == USER_PAGE_ROWS);
    return OK;
}

int find_user(struct invocation *invocation, const char *typed, const struct value **user_r)
{
    struct context *context = &invocation->context;
    struct text user_id = text_of(typed);
    if (strchr(typed, '@') != NULL) {
        struct text found;
        if (id_of_email(context, text_to_lower(context->arena, text_of(typed)), &found) != OK) {
            return ctl_problem(invocation, typed);
        }
        user_id = found.data != NULL ? found : user_id;
    }
    return user_store_get(context, user_id, user_r) == OK ? EXIT_DONE : ctl_problem(invocation, typed);
}

int find_group(struct invocation *invocation, const char *typed, const struct value **group_r)
{
    struct result groups;
    *group_r = NULL;
    if (group_store_list(&invocation->context, (struct text){NULL, 0}, -1, &groups) != OK) {
        return ctl_problem(invocation, typed);
    }
    size_t named = 0;
    for (size_t i = 0; i < groups.row_count; i++) {
        const struct value *group = result_row(&groups, i);
        if (text_is(group[GROUP_id].text, typed)) {
            *group_r = group;
            return EXIT_DONE;
        }
        if (text_is(group[GROUP_name].text, typed)) {
            *group_r = group;
            named++;
        }
    }
    if (named > 1) {
        return ctl_fail(EXIT_USAGE, "%zu groups are called `%s': give the id, as `rosterctl group list' shows it",
                        named, typed);
    }
    return named == 1 ? EXIT_DONE : ctl_fail(EXIT_NOT_FOUND, "%s: there is no such group", typed);
}

const char *find_user_title(struct invocation *invocation, const struct value *user)
{
    struct arena *arena = invocation->context.arena;
    return text_format(arena, "%s <%s>", sheet_clean(arena, user[USER_name].text).data,
                       sheet_clean(arena, user[USER_email].text).data)
        .data;
}

const char *find_count(struct invocation *invocation, size_t count, const char *noun)
{
    return text_format(invocation->context.arena, "%zu %s%s", count, noun, count == 1 ? "" : "s").data;
}
