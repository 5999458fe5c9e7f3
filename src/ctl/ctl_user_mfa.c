/* ctl_user_mfa.c: rosterctl user mfa: the second factor of a user. */
#include <inttypes.h>
#include <stdio.h>

#include "auth/factor.h"
#include "auth/identity.h"
#include "base/json_writer.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "ctl/sheet.h"
#include "store/factor_store.h"

static const char *state_name(const struct factor_facts *facts)
{
    static const char *const names[] = {[FACTOR_NONE] = "none", [FACTOR_PRESENT] = "present", [FACTOR_RESET] = "reset"};
    return facts->standing.state == FACTOR_PRESENT && !facts->has_secret ? "unreadable" : names[facts->standing.state];
}

static void add_moment(struct json_writer *json, const char *name, int64_t seconds)
{
    json_add_name_string(json, name);
    if (seconds >= 0) {
        json_add_integer(json, seconds);
    } else {
        json_add_null(json);
    }
}

static void print_json(struct invocation *invocation, const struct value *user, const struct factor_facts *facts,
                       bool is_required)
{
    struct json_writer json;
    json_start(&json, invocation->context.arena);
    json_begin_object(&json);
    json_member_text(&json, "id", user[USER_id].text);
    json_member_string(&json, "state", state_name(facts));
    json_member_boolean(&json, "required", is_required);
    json_member_boolean(&json, "required_by_setting", facts->standing.site_wants);
    json_member_boolean(&json, "required_by_choice", (facts->standing.required & FACTOR_BY_CHOICE) != 0);
    json_member_boolean(&json, "required_by_administrator", (facts->standing.required & FACTOR_BY_OPERATOR) != 0);
    add_moment(&json, "enrolled_at", facts->enrolled_at);
    add_moment(&json, "last_used_at", facts->last_used_at);
    json_member_integer(&json, "recovery_codes_remaining", facts->codes);
    json_member_text(&json, "key", facts->key_id);
    json_end_object(&json);
    ctl_print_json(invocation, json_finish(&json));
}

static void print_facts(struct arena *arena, const struct factor_facts *facts, bool is_required)
{
    const int required = facts->standing.required;
    printf("%-26s%s\n", "state", state_name(facts));
    printf("%-26s%s%s%s%s\n", "required", is_required ? "yes" : "no",
           facts->standing.site_wants ? ", of everybody (ENABLE_MFA)" : "",
           (required & FACTOR_BY_CHOICE) != 0 ? ", by choice" : "",
           (required & FACTOR_BY_OPERATOR) != 0 ? ", by an administrator" : "");
    printf("%-26s%s\n", "enrolled_at", facts->enrolled_at >= 0 ? sheet_time_text(arena, facts->enrolled_at).data : "-");
    printf("%-26s%s\n", "last_used_at",
           facts->last_used_at >= 0 ? sheet_time_text(arena, facts->last_used_at).data : "-");
    printf("%-26s%" PRId64 "\n", "recovery_codes_remaining", facts->codes);
    printf("%-26s%.*s\n", "key", facts->key_id.data != NULL ? (int)facts->key_id.length : 1,
           facts->key_id.data != NULL ? facts->key_id.data : "-");
}

static int show(struct invocation *invocation, const struct value *user)
{
    struct factor_facts facts;
    bool is_required;
    if (factor_store_facts(&invocation->context, user[USER_id].text, &facts) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 1));
    }
    const struct identity identity = {
        .user_id = user[USER_id].text,
        .email = user[USER_email].text,
        .role = user[USER_role].text,
        .factor_required = facts.standing.required,
        .site_wants_factor = facts.standing.site_wants,
    };
    if (factor_is_required(&invocation->context, &identity, &is_required) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 1));
    }
    if (invocation->json) {
        print_json(invocation, user, &facts, is_required);
    } else if (invocation->quiet) {
        puts(state_name(&facts));
    } else {
        print_facts(invocation->context.arena, &facts, is_required);
    }
    return EXIT_DONE;
}

static int reset(struct invocation *invocation, const struct value *user)
{
    struct text token;
    int status = ask_confirm(invocation, "Take the second factor of %s away, which ends all sessions?",
                             find_user_title(invocation, user));
    if (status != EXIT_DONE) {
        return status;
    }
    if (factor_store_reset(&invocation->context, user[USER_id].text, &token) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 1));
    }
    printf("%s\n", token.data);
    ctl_say_aside(
        invocation,
        "This is the reset token, which is not shown again: %s types it behind the password within 30 minutes, "
        "and sets up another second factor. Make sure by another way that it is this person who gets it.",
        find_user_title(invocation, user));
    return EXIT_DONE;
}

static int require(struct invocation *invocation, const struct value *user)
{
    const char *answer = invocation->argument_count > 2 ? ctl_argument(invocation, 2) : "yes";
    const bool is_required = strcmp(answer, "yes") == 0;
    bool is_changed;
    if (!is_required && strcmp(answer, "no") != 0) {
        return ctl_fail(EXIT_USAGE, "`%s' is neither yes nor no", answer);
    }
    if (factor_store_require(&invocation->context, user[USER_id].text, is_required, &is_changed) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 1));
    }
    if (!is_changed) {
        ctl_say(invocation, "It is so already.");
    } else {
        ctl_say(invocation,
                is_required ? "%s now needs a second factor; all sessions were ended."
                            : "%s needs no second factor any more, unless a setting, or second_factor_for in "
                              "roster.conf, says so; all sessions were ended.",
                find_user_title(invocation, user));
    }
    return EXIT_DONE;
}

int command_user_mfa(struct invocation *invocation)
{
    const char *what = ctl_argument(invocation, 0);
    const struct value *user = NULL;
    if (invocation->argument_count > 2 && strcmp(what, "require") != 0) {
        return ctl_fail(EXIT_USAGE, "`user mfa %s' takes a user alone", what);
    }
    int status = find_user(invocation, ctl_argument(invocation, 1), &user);
    if (status != EXIT_DONE) {
        return status;
    }
    return strcmp(what, "show") == 0    ? show(invocation, user)
           : strcmp(what, "reset") == 0 ? reset(invocation, user)
                                        : require(invocation, user);
}
