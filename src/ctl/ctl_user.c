/* ctl_user.c: rosterctl user …, without the commands that set passwords. */
#include <inttypes.h>
#include <stdio.h>

#include "base/array.h"
#include "base/time_zone.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/account_store.h"
#include "store/document_store.h"
#include "store/group_store.h"
#include "store/overview_store.h"
#include "store/profile_store.h"
#include "store/session_store.h"
#include "store/user_listing.h"
#include "store/user_store.h"
#include "worker/serialise.h"

static const char *state_of(const struct account_overview *overview)
{
    return overview->is_disabled ? "disabled" : overview->must_change ? "must change password" : "active";
}

/* A moment; null where it is not known. */
static struct sheet_cell moment(int64_t seconds)
{
    return seconds >= 0 ? sheet_integer(seconds) : sheet_text(TEXT_NULL);
}

/* The values are copied. */
static void add_user_row(struct sheet *sheet, const struct value *user, const struct account_overview *overview)
{
    struct sheet_cell *row = sheet_add(sheet);
    row[0] = sheet_text(text_copy(sheet->arena, user[USER_id].text));
    row[1] = sheet_text(text_copy(sheet->arena, user[USER_name].text));
    row[2] = sheet_text(text_copy(sheet->arena, user[USER_email].text));
    row[3] = sheet_text(text_copy(sheet->arena, user[USER_role].text));
    row[4] = sheet_text(text_of(state_of(overview)));
    row[5] = moment(overview->last_active_at);
    row[6] = sheet_value(&user[USER_created_at]);
}

static void add_moment_json(struct json_writer *json, int64_t seconds)
{
    if (seconds >= 0) {
        json_add_integer(json, seconds);
    } else {
        json_add_null(json);
    }
}

/* The user with what an administrator wants to know besides. Whoever was never here has no last activity. */
static void add_user_json(struct json_writer *json, struct context *context, const struct value *user,
                          const struct account_overview *overview)
{
    struct value shown[USER_COLUMNS];
    memcpy(shown, document_store_complete(context, user), sizeof shown);
    shown[USER_last_active_at] =
        (struct value){.integer = overview->last_active_at, .is_null = overview->last_active_at < 0};
    serialise_user_members(context, json, shown, true);
    json_member_boolean(json, "disabled", overview->is_disabled);
    json_member_boolean(json, "has_password", overview->has_password);
    json_member_boolean(json, "must_change_password", overview->must_change);
    json_member_boolean(json, "second_factor", overview->has_factor);
    json_name(json, "last_sign_in_at");
    add_moment_json(json, overview->last_sign_in_at);
    json_name(json, "email_verified_at");
    add_moment_json(json, overview->email_verified_at);
    json_member_text(json, "last_sign_in_address", overview->last_address);
    json_member_integer(json, "session_count", overview->session_count);
    json_member_integer(json, "key_count", overview->key_count);
}

static enum outcome find_overviews(struct context *context, const struct result *users,
                                   struct account_overview overviews_r[USER_PAGE_ROWS])
{
    struct text ids[USER_PAGE_ROWS];
    for (size_t i = 0; i < users->row_count; i++) {
        ids[i] = result_row(users, i)[USER_id].text;
    }
    return overview_store_accounts(context, ids, users->row_count, overviews_r);
}

/* What a list of users prints, in an arena of its own. */
struct user_list {
    struct arena *arena;
    struct sheet sheet;
    struct json_writer json;
    bool is_json;
};

static void add_listed_users(struct user_list *list, struct context *context, const struct result *users,
                             const struct account_overview *overviews)
{
    for (size_t i = 0; i < users->row_count; i++) {
        const struct value *user = result_row(users, i);
        if (list->is_json) {
            json_begin_object(&list->json);
            add_user_json(&list->json, context, user, &overviews[i]);
            json_end_object(&list->json);
        } else {
            add_user_row(&list->sheet, user, &overviews[i]);
        }
    }
}

/* Reads everybody, from page to page. The request's arena gives back what each page took. */
static enum outcome read_list(struct context *context, const struct user_listing *listing, struct user_list *list)
{
    struct user_place place = {0};
    struct user_page page;
    enum outcome outcome;
    do {
        struct result users;
        struct account_overview overviews[USER_PAGE_ROWS];
        if ((outcome = user_listing_next(context, listing, &place, &page)) != OK ||
            (outcome = user_listing_rows(context, &page, listing->whole, &users)) != OK ||
            (outcome = find_overviews(context, &users, overviews)) != OK) {
            return outcome;
        }
        add_listed_users(list, context, &users, overviews);
        place.key.text = text_copy(list->arena, place.key.text);
        place.id.text = text_copy(list->arena, place.id.text);
        arena_reset(context->arena);
    } while (page.count == USER_PAGE_ROWS);
    return OK;
}

int command_user_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", "ID", SHEET_TEXT},           {"name", "NAME", SHEET_TEXT},
        {"email", "EMAIL", SHEET_TEXT},     {"role", "ROLE", SHEET_TEXT},
        {"state", "STATE", SHEET_TEXT},     {"last_active_at", "LAST ACTIVE", SHEET_TIME},
        {"created_at", "MADE", SHEET_TIME},
    };
    struct context *context = &invocation->context;
    const char *order = ctl_option(invocation, OPTION_order);
    const struct user_listing listing = {
        .query = text_of(ctl_argument(invocation, 0)),
        .order_by = text_of(order != NULL ? order : "created_at"),
        .ascending = !ctl_has_option(invocation, OPTION_descending),
        .whole = true,
    };
    struct user_list list = {.arena = arena_new(0), .is_json = invocation->json};
    struct arena *const arena = context->arena;
    sheet_init(&list.sheet, list.arena, columns, ARRAY_COUNT(columns));
    json_start(&list.json, list.arena);
    json_begin_array(&list.json);
    context->arena = arena_new(0);
    const int status = read_list(context, &listing, &list) == OK ? EXIT_DONE : ctl_problem(invocation, "users");
    arena_free(context->arena);
    context->arena = arena;
    if (status == EXIT_DONE && invocation->json) {
        json_end_array(&list.json);
        ctl_print_json(invocation, json_finish(&list.json));
    } else if (status == EXIT_DONE) {
        sheet_print(invocation, &list.sheet);
    }
    arena_free(list.arena);
    return status;
}

static void print_fact(const char *name, struct text text)
{
    printf("%-26s%.*s\n", name, (int)text.length, text.data);
}

static struct text moment_text(struct arena *arena, int64_t seconds, const char *unknown)
{
    return seconds >= 0 ? sheet_time_text(arena, seconds) : text_of(unknown);
}

static void print_overview(struct arena *arena, const struct account_overview *overview)
{
    print_fact("last_active_at", moment_text(arena, overview->last_active_at, "never"));
    print_fact("last_sign_in_at", moment_text(arena, overview->last_sign_in_at, "-"));
    print_fact("last_sign_in_address", sheet_clean(arena, overview->last_address));
    print_fact("email_verified_at", moment_text(arena, overview->email_verified_at, "-"));
    print_fact("sessions", text_format(arena, "%" PRId64, overview->session_count));
    print_fact("keys", text_format(arena, "%" PRId64, overview->key_count));
    print_fact("password", overview->must_change    ? TEXT("must be changed")
                           : overview->has_password ? TEXT("set")
                                                    : TEXT("none"));
    print_fact("second_factor", overview->has_factor ? TEXT("yes") : TEXT("no"));
    print_fact("disabled", overview->is_disabled ? TEXT("yes") : TEXT("no"));
}

static void print_user(struct invocation *invocation, const struct value *user, const struct result *groups,
                       const struct account_overview *overview)
{
    struct arena *arena = invocation->context.arena;
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        if (user_columns[i].type == COLUMN_DOCUMENT || i == USER_last_active_at) {
            continue;
        }
        bool is_time = user_columns[i].type == COLUMN_INTEGER;
        print_fact(user_columns[i].name, user[i].is_null ? TEXT("-")
                                         : is_time       ? sheet_time_text(arena, user[i].integer)
                                                         : sheet_clean(arena, user[i].text));
    }
    struct buffer names;
    buffer_init(&names, arena);
    for (size_t i = 0; i < groups->row_count; i++) {
        buffer_add_string(&names, i > 0 ? ", " : "");
        buffer_add_text(&names, sheet_clean(arena, result_row(groups, i)[1].text));
    }
    print_fact("groups", groups->row_count > 0 ? buffer_text(&names) : TEXT("-"));
    print_overview(arena, overview);
}

static void print_user_json(struct invocation *invocation, const struct value *user, const struct result *groups,
                            const struct account_overview *overview)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    add_user_json(&json, &invocation->context, user, overview);
    json_name(&json, "groups");
    serialise_group_names(&json, groups);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

int command_user_show(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct result groups;
    struct account_overview overview;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    if (group_store_names_of_user(context, user[USER_id].text, &groups) != OK ||
        overview_store_accounts(context, &user[USER_id].text, 1, &overview) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (invocation->json) {
        print_user_json(invocation, user, &groups, &overview);
    } else if (invocation->quiet) {
        puts(user[USER_id].text.data);
    } else {
        print_user(invocation, user, &groups, &overview);
    }
    return EXIT_DONE;
}

static struct account_change same_user(const struct value *user)
{
    return (struct account_change){
        .user_id = user[USER_id].text,
        .role = user[USER_role].text,
        .name = user[USER_name].text,
        .email = user[USER_email].text,
        .kept = KEPT_NONE,
    };
}

int command_user_set(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *name = ctl_option(invocation, OPTION_name);
    const char *email = ctl_option(invocation, OPTION_email);
    const char *timezone = ctl_option(invocation, OPTION_timezone);
    bool no_picture = ctl_has_option(invocation, OPTION_no_picture);
    if (name == NULL && email == NULL && timezone == NULL && !no_picture) {
        return ctl_fail(EXIT_USAGE, "nothing to change: add --name, --email, --timezone or --no-picture");
    }
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    struct account_change change = same_user(user);
    if (name != NULL) {
        change.name = text_trim_unicode(text_of(name));
        if (!find_is_name(change.name, 255)) {
            return find_bad_name("--name", 255);
        }
    }
    if (email != NULL && account_store_take_email(context, text_of(email), user[USER_id].text, user[USER_email].text,
                                                  &change.email) != OK) {
        return ctl_problem(invocation, "--email");
    }
    if (timezone != NULL && !time_zone_is_name(text_of(timezone))) {
        return ctl_fail(EXIT_USAGE,
                        "--timezone: give a name of the IANA time zone database, for example Europe/Vienna");
    }
    if (no_picture) {
        change.picture = TEXT("/user.png");
    }
    if ((name != NULL || email != NULL || no_picture) && account_store_change(context, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (timezone != NULL && profile_store_set_timezone(context, user[USER_id].text, text_of(timezone)) != OK) {
        return ctl_problem(invocation, "--timezone");
    }
    ctl_say(invocation, "Changed %s.", find_user_title(invocation, user));
    return EXIT_DONE;
}

int command_user_role(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct text role = text_of(ctl_argument(invocation, 1));
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    struct text primary;
    if (user_store_primary(context, &primary) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (text_equal(user[USER_role].text, role)) {
        ctl_say(invocation, "%s already has this role.", find_user_title(invocation, user));
        return EXIT_DONE;
    }
    if (text_equal(primary, user[USER_id].text) && !text_is(role, "admin")) {
        return ctl_fail(EXIT_REFUSED, "%s has the oldest account, which is always an administrator's",
                        find_user_title(invocation, user));
    }
    struct account_change change = same_user(user);
    change.role = role;
    if (account_store_change(context, &change) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "%s now has the role %s; all sessions were ended.", find_user_title(invocation, user),
            role.data);
    return EXIT_DONE;
}

/* Finds the user of the first argument, and calls a function with the account. */
static int with_account(struct invocation *invocation, enum outcome (*change)(struct context *, struct text),
                        const struct value **user_r)
{
    int status = find_user(invocation, ctl_argument(invocation, 0), user_r);
    if (status == EXIT_DONE && change(&invocation->context, (*user_r)[USER_id].text) != OK) {
        status = ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    return status;
}

int command_user_disable(struct invocation *invocation)
{
    const struct value *user = NULL;
    int status = with_account(invocation, account_store_disable, &user);
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Disabled %s; all sessions were ended.", find_user_title(invocation, user));
    }
    return status;
}

int command_user_enable(struct invocation *invocation)
{
    const struct value *user = NULL;
    int status = with_account(invocation, account_store_enable, &user);
    if (status == EXIT_DONE) {
        ctl_say(invocation, "%s may sign in again.", find_user_title(invocation, user));
    }
    return status;
}

int command_user_delete(struct invocation *invocation)
{
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status == EXIT_DONE) {
        status = ask_confirm(invocation, "Delete %s with all data of this user?", find_user_title(invocation, user));
    }
    if (status == EXIT_DONE && account_store_delete(&invocation->context, user[USER_id].text) != OK) {
        status = ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation, "Deleted %s.", find_user_title(invocation, user));
    }
    return status;
}

/* Who was deleted before is in the audit alone, by the id. */
int command_user_erase(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *typed = ctl_argument(invocation, 0);
    const struct value *user = NULL;
    struct user_login login = {.found = false};
    const bool is_email = strchr(typed, '@') != NULL;
    bool found = false;
    if (!is_email && user_store_get(context, text_of(typed), &user) == OK) {
        found = true;
    } else if (is_email && user_store_find_by_email(context, text_of(typed), &login) == OK && login.found) {
        found = user_store_get(context, login.id, &user) == OK;
    }
    context->problem = (struct problem){.code = ERROR_NONE};
    const char *title = found ? find_user_title(invocation, user) : typed;
    int status = ask_confirm(invocation, "Erase %s, for good?", title);
    if (status == EXIT_DONE && account_store_erase(context, found ? user[USER_id].text : text_of(typed)) != OK) {
        status = ctl_problem(invocation, typed);
    }
    if (status == EXIT_DONE) {
        ctl_say(invocation,
                "Erased %s. Backups from before still have this person: a restore of one erases again. nginx keeps "
                "copies of pictures until `rosterctl pictures clean' runs; logs are as they are.",
                title);
    }
    return status;
}

int command_user_logout(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    const char *session = ctl_option(invocation, OPTION_session);
    const bool with_keys = ctl_has_option(invocation, OPTION_keys);
    if (session != NULL && with_keys) {
        return ctl_fail(EXIT_USAGE, "--keys: this goes with all sessions, not with --session");
    }
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
        session_store_end_everywhere(context, user[USER_id].text, KEPT_NONE, with_keys) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say(invocation, "Ended all sessions of %s: %s, and all that other programs issued.%s",
            find_user_title(invocation, user), find_count(invocation, sessions.row_count, "session"),
            with_keys ? " Removed all API keys." : "");
    return EXIT_DONE;
}
