/* ctl_session.c: rosterctl session … and user sessions: who is signed in. */
#include <stdio.h>

#include "base/array.h"
#include "config/network.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/overview_store.h"
#include "store/session_limit.h"
#include "store/session_store.h"

static struct sheet_cell idle_end(const struct invocation *invocation, const struct value *session)
{
    const int64_t idle_at = session_limit_idle_end(&invocation->context, session[SESSION_last_seen_at].integer);
    return idle_at < 0 ? (struct sheet_cell){.is_null = true} : sheet_integer(idle_at);
}

/* `user_heading` NULL: the table has no column for the user. */
static int print_sessions(struct invocation *invocation, const struct session_filter *filter,
                          const struct networks *networks, const char *user_heading)
{
    const struct sheet_column columns[] = {
        {"jti", "SESSION", SHEET_TEXT},
        {"email", user_heading, SHEET_TEXT},
        {"created_at", "SIGNED IN", SHEET_TIME},
        {"last_seen_at", "LAST SEEN", SHEET_TIME},
        {"expires_at", "ENDS", SHEET_TIME},
        {"idle_at", invocation->context.config->session_idle > 0 ? "UNUSED UNTIL" : NULL, SHEET_TIME},
        {"address", "ADDRESS", SHEET_TEXT},
        {"user_agent", "BROWSER", SHEET_TEXT},
        {"user_id", NULL, SHEET_TEXT},
        {"name", NULL, SHEET_TEXT},
    };
    enum { COMPUTED = -1 };
    static const int order[] = {
        SESSION_jti, OVERVIEW_SESSION_email, SESSION_created_at, SESSION_last_seen_at,     SESSION_expires_at,
        COMPUTED,    SESSION_address,        SESSION_user_agent, OVERVIEW_SESSION_user_id, OVERVIEW_SESSION_name,
    };
    struct result sessions;
    if (overview_store_sessions(&invocation->context, filter, &sessions) != OK) {
        return ctl_problem(invocation, "sessions");
    }
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < sessions.row_count; i++) {
        const struct value *session = result_row(&sessions, i);
        if (networks->count > 0 && !networks_contain(networks, session[SESSION_address].text.data)) {
            continue;
        }
        struct sheet_cell *row = sheet_add(&sheet);
        for (size_t column = 0; column < ARRAY_COUNT(order); column++) {
            row[column] =
                order[column] == COMPUTED ? idle_end(invocation, session) : sheet_value(&session[order[column]]);
        }
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

static int take_age(struct invocation *invocation, enum option option, int64_t *moment)
{
    int64_t seconds;
    if (!ctl_has_option(invocation, option)) {
        return EXIT_DONE;
    }
    int status = ctl_take_duration(invocation, option, &seconds);
    if (status == EXIT_DONE) {
        *moment = invocation->context.now_seconds - seconds;
    }
    return status;
}

int command_session_list(struct invocation *invocation)
{
    struct session_filter filter = {.created_until = INT64_MAX, .seen_until = INT64_MAX};
    struct network network;
    struct networks networks = {&network, 0};
    struct error error;
    const char *address = ctl_option(invocation, OPTION_address);
    int status = take_age(invocation, OPTION_older, &filter.created_until);
    status = status == EXIT_DONE ? take_age(invocation, OPTION_idle, &filter.seen_until) : status;
    status = status == EXIT_DONE ? take_age(invocation, OPTION_active, &filter.seen_since) : status;
    if (status == EXIT_DONE && address != NULL) {
        networks.count = 1;
        if (!network_parse(text_of(address), &network, &error)) {
            return ctl_fail(EXIT_USAGE, "--address: %s", error.text);
        }
    }
    if (status == EXIT_DONE && ctl_argument(invocation, 0) != NULL) {
        const struct value *user = NULL;
        status = find_user(invocation, ctl_argument(invocation, 0), &user);
        filter.user_id = user != NULL ? user[USER_id].text : TEXT_NULL;
    }
    return status == EXIT_DONE ? print_sessions(invocation, &filter, &networks, "USER") : status;
}

int command_user_sessions(struct invocation *invocation)
{
    const struct value *user = NULL;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    return print_sessions(
        invocation,
        &(struct session_filter){.user_id = user[USER_id].text, .created_until = INT64_MAX, .seen_until = INT64_MAX},
        &(struct networks){NULL, 0}, NULL);
}

/* Finds all sessions first, so that a mistyped one fails the command before it ends any. */
int command_session_end(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const size_t count = invocation->argument_count;
    const struct value **sessions = arena_zero(context->arena, count, sizeof *sessions);
    for (size_t i = 0; i < count; i++) {
        if (overview_store_session(context, text_of(invocation->arguments[i]), &sessions[i]) != OK) {
            return ctl_problem(invocation, invocation->arguments[i]);
        }
        if (sessions[i] == NULL) {
            return ctl_fail(EXIT_NOT_FOUND, "%s: there is no such session; nothing was done", invocation->arguments[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct value *session = sessions[i];
        enum outcome outcome =
            session_store_end_row(context, session[SESSION_jti].text, session[OVERVIEW_SESSION_user_id].text);
        if (outcome == PROBLEM) { /* named twice, or ended meanwhile by another */
            context->problem = (struct problem){.code = ERROR_NONE};
        } else if (outcome != OK) {
            return ctl_problem(invocation, session[SESSION_jti].text.data);
        } else {
            ctl_say(invocation, "Ended a session of %s <%s>, signed in %s from %s.",
                    sheet_clean(context->arena, session[OVERVIEW_SESSION_name].text).data,
                    sheet_clean(context->arena, session[OVERVIEW_SESSION_email].text).data,
                    sheet_time_text(context->arena, session[SESSION_created_at].integer).data,
                    sheet_clean(context->arena, session[SESSION_address].text).data);
        }
    }
    return EXIT_DONE;
}
