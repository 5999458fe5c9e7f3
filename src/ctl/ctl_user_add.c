/* ctl_user_add.c: rosterctl user add, user passwd: what has to do with passwords. */
#include <stdio.h>

#include "api/account.h"
#include "auth/password.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "store/config_store.h"
#include "store/user_store.h"

/* The role of a new account. The first one becomes an administrator's in the store, under a lock; so where somebody
 * else comes first after all, the role that was not given is the least. */
static int choose_role(struct invocation *invocation, struct text *role_r)
{
    const char *role = ctl_option(invocation, "role");
    struct text primary;
    if (user_store_primary(&invocation->context, &primary) != OK) {
        return ctl_problem(invocation, "the new user");
    }
    bool is_first = primary.data == NULL;
    if (is_first && role != NULL && !text_is(text_of(role), "admin")) {
        return ctl_fail(EXIT_REFUSED,
                        "the first account is an administrator's: leave --role out, or give --role admin");
    }
    if (!is_first && role == NULL) {
        return ctl_fail(EXIT_USAGE, "give the new user a --role: pending, user or admin");
    }
    *role_r = text_of(role != NULL ? role : "pending");
    return EXIT_DONE;
}

/* The group that new accounts come into; null text where there is none. */
static int choose_group(struct invocation *invocation, struct text *group_id_r)
{
    json_object *document;
    if (config_store_read(&invocation->context, &document) != OK) {
        return ctl_problem(invocation, "the settings");
    }
    *group_id_r = config_store_text(&invocation->context, document, SETTING_DEFAULT_GROUP_ID);
    return EXIT_DONE;
}

static int take_password(struct invocation *invocation, struct user_new *user, struct text *password_r,
                         bool *is_random_r)
{
    *password_r = (struct text){NULL, 0};
    *is_random_r = false;
    if (ctl_has_option(invocation, "no-password")) {
        return ctl_has_option(invocation, "random-password") || ctl_has_option(invocation, "password-stdin")
                   ? ctl_fail(EXIT_USAGE, "--no-password and another option for a password can't go together")
                   : EXIT_DONE;
    }
    int status = ask_new_password(invocation, user->email, user->name, password_r, is_random_r);
    if (status == EXIT_DONE && password_hash(&invocation->context, *password_r, &user->password_hash) != OK) {
        status = ctl_problem(invocation, "the password");
    }
    return status;
}

/* A password that was made is shown this once: alone on stdout, so that $(…) gets it. */
static void show_account(struct invocation *invocation, struct text id, struct text email, struct text role,
                         struct text password)
{
    if (invocation->json) {
        struct buffer json;
        buffer_init(&json, invocation->context.arena);
        buffer_add_literal(&json, "{\"id\":");
        buffer_add_json(&json, id);
        buffer_add_literal(&json, ",\"email\":");
        buffer_add_json(&json, email);
        buffer_add_literal(&json, ",\"role\":");
        buffer_add_json(&json, role);
        if (password.data != NULL) {
            buffer_add_literal(&json, ",\"password\":");
            buffer_add_json(&json, password);
        }
        buffer_add_byte(&json, '}');
        ctl_print(&json);
        password_wipe((struct text){json.data, json.length});
    } else if (password.data != NULL) {
        puts(password.data);
    } else if (invocation->quiet) {
        puts(id.data);
    }
}

int command_user_add(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    struct user_new user = {
        .name = text_trim(text_of(ctl_option(invocation, "name"))),
    };
    struct text password;
    bool is_random;

    if (user.name.length == 0 || !text_is_utf8(user.name) || text_count_characters(user.name) > 255) {
        return ctl_fail(EXIT_USAGE, "--name: give 1 to 255 characters of UTF-8");
    }
    if (account_take_email(context, text_of(ctl_option(invocation, "email")), (struct text){NULL, 0},
                           (struct text){NULL, 0}, &user.email) != OK) {
        return ctl_problem(invocation, "--email");
    }
    int status = choose_role(invocation, &user.role);
    status = status == EXIT_DONE ? choose_group(invocation, &user.group_id) : status;
    status = status == EXIT_DONE ? take_password(invocation, &user, &password, &is_random) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    if (user_store_add(context, &user, false) != OK) {
        password_wipe(password);
        return ctl_problem(invocation, user.email.data);
    }
    if (user.became_first) {
        ctl_say_aside(invocation, "Made the first account, an administrator's: %s <%s>, id %s. Sign-up is closed.",
                      user.name.data, user.email.data, user.id.data);
    } else {
        ctl_say_aside(invocation, "Made the account of %s <%s>, role %s, id %s.", user.name.data, user.email.data,
                      user.role.data, user.id.data);
    }
    show_account(invocation, user.id, user.email, user.role, is_random ? password : (struct text){NULL, 0});
    password_wipe(password);
    return EXIT_DONE;
}

int command_user_passwd(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct text password, hash, nobody = {NULL, 0};
    bool is_random;
    int status = find_user(invocation, ctl_argument(invocation, 0), &user);
    if (status == EXIT_DONE) {
        status = ask_new_password(invocation, user[USER_email].text, user[USER_name].text, &password, &is_random);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    struct text id = user[USER_id].text;
    if (password_hash(context, password, &hash) != OK ||
        user_store_set_password(context, id, hash, true, nobody, -1) != OK) {
        password_wipe(password);
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    ctl_say_aside(invocation, "Changed the password of %s; all sessions are over.", find_user_title(invocation, user));
    show_account(invocation, id, user[USER_email].text, user[USER_role].text, is_random ? password : nobody);
    password_wipe(password);
    return EXIT_DONE;
}
