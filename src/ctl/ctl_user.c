/* ctl_user.c: rosterctl user …, but for what has to do with passwords. */
#include <stdio.h>

#include "api/account.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/group_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/serialise.h"

static const struct text nobody = {NULL, 0};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void add_user_row(struct sheet *sheet, const struct value *user)
{
    struct sheet_cell *row = sheet_add(sheet);
    row[0] = sheet_value(&user[USER_id]);
    row[1] = sheet_value(&user[USER_name]);
    row[2] = sheet_value(&user[USER_email]);
    row[3] = sheet_value(&user[USER_role]);
    row[4] = sheet_value(&user[USER_last_active_at]);
    row[5] = sheet_value(&user[USER_created_at]);
}

int command_user_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", "ID", SHEET_TEXT},
        {"name", "NAME", SHEET_TEXT},
        {"email", "EMAIL", SHEET_TEXT},
        {"role", "ROLE", SHEET_TEXT},
        {"last_active_at", "LAST ACTIVE", SHEET_TIME},
        {"created_at", "MADE", SHEET_TIME},
    };
    struct context *context = &invocation->context;
    const char *order = ctl_option(invocation, "order");
    struct user_listing listing = {
        .query = text_of(ctl_argument(invocation, 0)),
        .order_by = text_of(order != NULL ? order : "created_at"),
        .ascending = !ctl_has_option(invocation, "descending"),
        .page = 1,
        .whole = true,
    };
    struct sheet sheet;
    struct buffer json;
    struct result users;
    int64_t total = 0;
    sheet_init(&sheet, context->arena, columns, COUNT(columns));
    buffer_init(&json, context->arena);
    do {
        if (user_store_list(context, &listing, &users, &total) != OK) {
            return ctl_problem(invocation, "users");
        }
        for (size_t i = 0; i < users.row_count; i++) {
            if (invocation->json) {
                buffer_add_byte(&json, json.length == 0 ? '[' : ',');
                serialise_user(&json, result_row(&users, i), true);
            } else {
                add_user_row(&sheet, result_row(&users, i));
            }
        }
        listing.page++;
    } while (users.row_count == USER_PAGE_ROWS);

    if (invocation->json) {
        buffer_add_string(&json, json.length == 0 ? "[]" : "]");
        ctl_print(&json);
    } else {
        sheet_print(invocation, &sheet);
    }
    return EXIT_DONE;
}

static void print_user(struct invocation *invocation, const struct value *user, const struct result *groups,
                       size_t session_count)
{
    struct arena *arena = invocation->context.arena;
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        if (user_columns[i].type == COLUMN_JSON) {
            continue;
        }
        bool is_time = user_columns[i].type == COLUMN_INTEGER;
        struct text text = user[i].is_null ? TEXT("-")
                           : is_time       ? sheet_time_text(arena, user[i].integer)
                                           : sheet_clean(arena, user[i].text);
        printf("%-26s%.*s\n", user_columns[i].name, (int)text.length, text.data);
    }
    printf("%-26s%s", "groups", groups->row_count == 0 ? "-" : "");
    for (size_t i = 0; i < groups->row_count; i++) {
        printf("%s%s", i > 0 ? ", " : "", sheet_clean(arena, result_row(groups, i)[1].text).data);
    }
    printf("\n%-26s%zu\n", "sessions", session_count);
}

static void print_user_json(struct invocation *invocation, const struct value *user, const struct result *groups,
                            size_t session_count)
{
    struct buffer json;
    buffer_init(&json, invocation->context.arena);
    buffer_add_byte(&json, '{');
    serialise_user_members(&json, user, true);
    serialise_key(&json, "groups", false);
    buffer_add_byte(&json, '[');
    for (size_t i = 0; i < groups->row_count; i++) {
        buffer_add_string(&json, i > 0 ? ",{" : "{");
        serialise_text_member(&json, "id", result_row(groups, i)[0].text, true);
        serialise_text_member(&json, "name", result_row(groups, i)[1].text, false);
        buffer_add_byte(&json, '}');
    }
    buffer_add_byte(&json, ']');
    serialise_integer_member(&json, "session_count", (int64_t)session_count, false);
    buffer_add_byte(&json, '}');
    ctl_print(&json);
}

int command_user_show(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct result sessions, groups;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (session_store_list(context, user[USER_id].text, &sessions) != OK ||
        group_store_names_of_user(context, user[USER_id].text, &groups) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (invocation->json) {
        print_user_json(invocation, user, &groups, sessions.row_count);
    } else if (invocation->quiet) {
        puts(user[USER_id].text.data);
    } else {
        print_user(invocation, user, &groups, sessions.row_count);
    }
    return EXIT_DONE;
}

static struct user_change same_user(const struct value *user)
{
    return (struct user_change){
        .role = user[USER_role].text,
        .name = user[USER_name].text,
        .email = user[USER_email].text,
        .picture = user[USER_profile_image_url].text,
        .kept_expires_at = -1,
    };
}

int command_user_set(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    const char *name = ctl_option(invocation, "name");
    const char *email = ctl_option(invocation, "email");
    const char *timezone = ctl_option(invocation, "timezone");
    bool no_picture = ctl_has_option(invocation, "no-picture");
    if (name == NULL && email == NULL && timezone == NULL && !no_picture) {
        return ctl_fail(EXIT_USAGE, "say what to change: --name, --email, --timezone or --no-picture");
    }
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    struct user_change change = same_user(user);
    if (name != NULL) {
        change.name = text_trim(text_of(name));
        if (change.name.length == 0 || !text_is_utf8(change.name) || text_count_characters(change.name) > 255) {
            return ctl_fail(EXIT_USAGE, "--name: give 1 to 255 characters of UTF-8");
        }
    }
    if (email != NULL &&
        account_take_email(context, text_of(email), user[USER_id].text, user[USER_email].text, &change.email) != OK) {
        return ctl_problem(invocation, "--email");
    }
    if (no_picture) {
        change.picture = TEXT("/user.png");
    }
    if ((name != NULL || email != NULL || no_picture) &&
        user_store_change(context, user[USER_id].text, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (timezone != NULL && user_store_set_timezone(context, user[USER_id].text, text_of(timezone)) != OK) {
        return ctl_problem(invocation, "--timezone");
    }
    ctl_say(invocation, "Changed %s.", find_user_title(invocation, user));
    return EXIT_DONE;
}

int command_user_role(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct text primary, role = text_of(ctl_argument(invocation, 1));
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (user_store_primary(context, &primary) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (text_equal(user[USER_role].text, role)) {
        ctl_say(invocation, "%s has this role already.", find_user_title(invocation, user));
        return EXIT_DONE;
    }
    if (text_equal(primary, user[USER_id].text) && !text_is(role, "admin")) {
        return ctl_fail(EXIT_REFUSED, "%s has the oldest account, which stays an administrator's",
                        find_user_title(invocation, user));
    }
    struct user_change change = same_user(user);
    change.role = role;
    if (user_store_change(context, user[USER_id].text, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "%s is %s now; all sessions are over.", find_user_title(invocation, user), role.data);
    return EXIT_DONE;
}

int command_user_delete(struct invocation *invocation)
{
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status == EXIT_DONE) {
        status = ask_confirm(invocation, "Delete %s with everything of theirs?", find_user_title(invocation, user));
    }
    if (status == EXIT_DONE && user_store_delete(&invocation->context, user[USER_id].text) != OK) {
        status = ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Deleted %s.", find_user_title(invocation, user));
    }
    return status;
}

int command_user_sessions(struct invocation *invocation)
{
    static const struct sheet_column columns[SESSION_COLUMNS] = {
        [SESSION_jti] = {"jti", "SESSION", SHEET_TEXT},
        [SESSION_created_at] = {"created_at", "SIGNED IN", SHEET_TIME},
        [SESSION_last_seen_at] = {"last_seen_at", "LAST SEEN", SHEET_TIME},
        [SESSION_expires_at] = {"expires_at", "ENDS", SHEET_TIME},
        [SESSION_address] = {"address", "ADDRESS", SHEET_TEXT},
        [SESSION_user_agent] = {"user_agent", "BROWSER", SHEET_TEXT},
    };
    const struct value *user = NULL;
    struct result sessions;
    struct sheet sheet;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (session_store_list(&invocation->context, user[USER_id].text, &sessions) != OK) {
        return ctl_problem(invocation, "sessions");
    }
    sheet_init(&sheet, invocation->context.arena, columns, SESSION_COLUMNS);
    for (size_t i = 0; i < sessions.row_count; i++) {
        struct sheet_cell *row = sheet_add(&sheet);
        for (size_t column = 0; column < SESSION_COLUMNS; column++) {
            row[column] = sheet_value(&result_row(&sessions, i)[column]);
        }
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

int command_user_logout(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    const char *session = ctl_option(invocation, "session");
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (session != NULL) {
        if (session_store_end_row(context, text_of(session), user[USER_id].text) != OK) {
            return ctl_problem(invocation, session);
        }
        ctl_say(invocation, "Ended this session of %s.", find_user_title(invocation, user));
        return EXIT_DONE;
    }
    struct result sessions;
    if (session_store_list(context, user[USER_id].text, &sessions) != OK ||
        session_store_end_everywhere(context, user[USER_id].text, nobody, -1) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Ended all sessions of %s: %s, and whatever other programs have issued.",
            find_user_title(invocation, user), find_count(invocation, sessions.row_count, "session"));
    return EXIT_DONE;
}
