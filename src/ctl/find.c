#include "ctl/find.h"

#include <string.h>

#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/user_store.h"

int find_user(struct invocation *invocation, const char *typed, const struct value **user_r)
{
    struct context *context = &invocation->context;
    struct text user_id = text_of(typed);
    if (strchr(typed, '@') != NULL) {
        struct user_login login;
        if (user_store_find_by_email(context, text_of(typed), &login) != OK) {
            return ctl_problem(invocation, typed);
        }
        user_id = login.found ? login.id : user_id;
    }
    return user_store_get(context, user_id, user_r) == OK ? EXIT_DONE : ctl_problem(invocation, typed);
}

int find_user_at(struct invocation *invocation, const char *where, const char *typed, struct text *user_id_r)
{
    struct context *context = &invocation->context;
    struct user_login login = {.found = false};
    int64_t last_active_at = -1;
    enum outcome outcome = strchr(typed, '@') != NULL
                               ? user_store_find_by_email(context, text_of(typed), &login)
                               : user_store_last_active(context, text_of(typed), &last_active_at);
    if (outcome != OK) {
        return ctl_problem(invocation, where);
    }
    *user_id_r = login.found ? login.id : text_of(typed);
    return login.found || last_active_at >= 0 ? EXIT_DONE
                                              : ctl_fail(EXIT_NOT_FOUND, "%s: `%s': there is no such user", where,
                                                         sheet_clean(context->arena, text_of(typed)).data);
}

int find_group(struct invocation *invocation, const char *typed, const struct value **group_r)
{
    struct result groups;
    *group_r = NULL;
    if (group_store_list(&invocation->context, TEXT_NULL, -1, &groups) != OK) {
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
        return ctl_fail(EXIT_USAGE, "%zu groups have the name `%s': give the id that `rosterctl group list' shows",
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

bool find_is_name(struct text name, size_t max)
{
    return name.length > 0 && text_is_plain(name) && text_count_characters(name) <= max;
}

int find_bad_name(const char *what, size_t max)
{
    return ctl_fail(
        EXIT_USAGE,
        "%s: give 1 to %zu characters of UTF-8, without control characters, line separators and bidirectional "
        "formatting characters",
        what, max);
}
