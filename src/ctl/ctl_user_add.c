/* ctl_user_add.c: rosterctl user add and user passwd: the commands that set passwords. */
#include <stdio.h>

#include "auth/identity.h"
#include "auth/password.h"
#include "base/json_writer.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "store/account_store.h"
#include "store/config_store.h"
#include "store/password_store.h"
#include "store/user_store.h"

/* The role of a new account. Under a lock, the store makes the first account an administrator's. Another process may
 * create the first account before this one: then a role that was not given is the lowest. */
static int choose_role(struct invocation *invocation, struct text *role_r)
{
    const char *role = ctl_option(invocation, OPTION_role);
    struct text primary;
    if (user_store_primary(&invocation->context, &primary) != OK) {
        return ctl_problem(invocation, "the new user");
    }
    bool is_first = primary.data == NULL;
    if (is_first && role != NULL && !text_is(text_of(role), "admin")) {
        return ctl_fail(EXIT_REFUSED,
                        "the first account is always an administrator's: omit --role, or give --role admin");
    }
    if (!is_first && role == NULL) {
        return ctl_fail(EXIT_USAGE, "add --role: pending, user or admin");
    }
    *role_r = text_of(role != NULL ? role : "pending");
    return EXIT_DONE;
}

/* The group that new accounts are added to. Null: there is no such group. */
static int choose_group(struct invocation *invocation, struct text *group_id_r)
{
    json_object *document;
    if (config_store_read(&invocation->context, &document) != OK) {
        return ctl_problem(invocation, "the settings");
    }
    *group_id_r = config_store_text(&invocation->context, document, SETTING_DEFAULT_GROUP_ID);
    return EXIT_DONE;
}

/* Whether the new password must be changed before anything else. */
static bool must_change(const struct invocation *invocation)
{
    return ctl_has_option(invocation, OPTION_one_time_password) || ctl_has_option(invocation, OPTION_must_change);
}

static int take_password(struct invocation *invocation, struct account_new *account, struct text *password_r,
                         bool *is_random_r)
{
    *password_r = TEXT_NULL;
    *is_random_r = false;
    if (ctl_has_option(invocation, OPTION_no_password)) {
        return ctl_has_option(invocation, OPTION_random_password) || must_change(invocation) ||
                       ctl_has_option(invocation, OPTION_password_stdin)
                   ? ctl_fail(EXIT_USAGE, "--no-password can't be used together with another option for a password")
                   : EXIT_DONE;
    }
    int status = ask_new_password(invocation, account->email, account->name, password_r, is_random_r);
    if (status == EXIT_DONE && password_hash(&invocation->context, *password_r, &account->password_hash) != OK) {
        status = ctl_problem(invocation, "the password");
    }
    return status;
}

/* Prints a generated password alone on stdout, for $(…). It can't be shown again. */
static void show_account(struct invocation *invocation, struct text id, struct text email, struct text role,
                         struct text password)
{
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, invocation->context.arena);
        json_begin_object(&json);
        json_member_text(&json, "id", id);
        json_member_text(&json, "email", email);
        json_member_text(&json, "role", role);
        if (password.data != NULL) {
            json_member_text(&json, "password", password);
        }
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
        password_wipe(json_finish(&json));
    } else if (password.data != NULL) {
        puts(password.data);
    } else if (invocation->quiet) {
        puts(id.data);
    }
}

static void say_must_change(const struct invocation *invocation)
{
    if (must_change(invocation)) {
        ctl_say_aside(invocation,
                      identity_has_passwords(invocation->config)
                          ? "It must be changed at the first sign-in; until then everything else is refused."
                          : "Note: nobody signs in with a password here, so it need not be changed.");
    }
}

int command_user_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct account_new account = {
        .name = text_trim_unicode(text_of(ctl_option(invocation, OPTION_name))),
        .must_change = must_change(invocation),
    };

    if (!find_is_name(account.name, 255)) {
        return find_bad_name("--name", 255);
    }
    if (account_store_take_email(context, text_of(ctl_option(invocation, OPTION_email)), TEXT_NULL, TEXT_NULL,
                                 &account.email) != OK) {
        return ctl_problem(invocation, "--email");
    }
    int status = choose_role(invocation, &account.role);
    status = status == EXIT_DONE ? choose_group(invocation, &account.group_id) : status;
    struct text password;
    bool is_random;
    status = status == EXIT_DONE ? take_password(invocation, &account, &password, &is_random) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    if (account_store_add(context, &account) != OK) {
        password_wipe(password);
        return ctl_problem(invocation, account.email.data);
    }
    if (account.became_first) {
        ctl_say_aside(invocation, "Created the first account, an administrator's: %s <%s>, id %s. Sign-up is closed.",
                      account.name.data, account.email.data, account.id.data);
    } else {
        ctl_say_aside(invocation, "Created the account of %s <%s>, role %s, id %s.", account.name.data,
                      account.email.data, account.role.data, account.id.data);
    }
    say_must_change(invocation);
    show_account(invocation, account.id, account.email, account.role, is_random ? password : TEXT_NULL);
    password_wipe(password);
    return EXIT_DONE;
}

int command_user_passwd(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct text password;
    bool is_random;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status == EXIT_DONE) {
        status = ask_new_password(invocation, user[USER_email].text, user[USER_name].text, &password, &is_random);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    struct text id = user[USER_id].text;
    struct text hash;
    if (password_hash(context, password, &hash) != OK ||
        password_store_change(context, &(struct password_change){
                                           .user_id = id,
                                           .hash = hash,
                                           .must_change = must_change(invocation),
                                           .ends_sessions = true,
                                           .kept = KEPT_NONE,
                                       }) != OK) {
        password_wipe(password);
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say_aside(invocation, "Changed the password of %s; all sessions were ended.",
                  find_user_title(invocation, user));
    say_must_change(invocation);
    show_account(invocation, id, user[USER_email].text, user[USER_role].text, is_random ? password : TEXT_NULL);
    password_wipe(password);
    return EXIT_DONE;
}
