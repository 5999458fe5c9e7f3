/* ctl_invite.c: rosterctl user invite and user reset: one-time links, by which people choose passwords themselves. */
#include <stdio.h>
#include <string.h>

#include "auth/identity.h"
#include "base/json_writer.h"
#include "config/config_mail.h"
#include "ctl/ctl.h"
#include "ctl/find.h"
#include "store/account_store.h"
#include "store/link_store.h"
#include "store/mail_store.h"
#include "store/overview_store.h"
#include "store/user_store.h"

static int check_ways(const struct invocation *invocation)
{
    const bool prints = ctl_has_option(invocation, OPTION_print);
    if (!identity_has_passwords(invocation->config)) {
        return ctl_fail(EXIT_CONFIGURATION, "nobody signs in with a password here");
    }
    if (invocation->config->public_url[0] == '\0') {
        return ctl_fail(EXIT_CONFIGURATION, "set public_url first: links are made of it");
    }
    return prints || invocation->config->sends_mail
               ? EXIT_DONE
               : ctl_fail(EXIT_CONFIGURATION,
                          "no mails are sent here: set sendmail_command, or add --print to get the link yourself");
}

/* The link alone on stdout. It can't be shown again. */
static int print_link(struct invocation *invocation, struct text user_id, enum mail_link purpose)
{
    struct text secret;
    if (link_store_make_alone(&invocation->context, user_id, purpose, &secret) != OK) {
        return ctl_problem(invocation, "the link");
    }
    const struct text link = config_mail_link(invocation->context.arena, invocation->config, purpose, secret);
    if (invocation->json) {
        struct json_writer json;
        json_start(&json, invocation->context.arena);
        json_begin_object(&json);
        json_member_text(&json, "id", user_id);
        json_member_text(&json, "link", link);
        json_end_object(&json);
        ctl_print_json(invocation, json_finish(&json));
    } else {
        puts(link.data);
    }
    return EXIT_DONE;
}

static void say_on_its_way(const struct invocation *invocation, const char *to)
{
    ctl_say(invocation, "A mail with the link goes to %s; `rosterctl mail' shows whether it still waits.", to);
}

static int choose_group(struct invocation *invocation, struct account_new *account)
{
    const struct value *group = NULL;
    int status = EXIT_DONE;
    if (ctl_has_option(invocation, OPTION_group)) {
        status = find_group(invocation, ctl_option(invocation, OPTION_group), &group);
        account->group_id = status == EXIT_DONE ? group[GROUP_id].text : TEXT_NULL;
        return status;
    }
    json_object *document;
    if (config_store_read(&invocation->context, &document) != OK) {
        return ctl_problem(invocation, "the settings");
    }
    account->group_id = config_store_text(&invocation->context, document, SETTING_DEFAULT_GROUP_ID);
    return EXIT_DONE;
}

int command_user_invite(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const char *role = ctl_option(invocation, OPTION_role), *name = ctl_option(invocation, OPTION_name);
    const char *email = ctl_argument(invocation, 0);
    const bool prints = ctl_has_option(invocation, OPTION_print);
    struct account_new account = {
        .name = name != NULL ? text_trim_unicode(text_of(name)) : (struct text){email, strcspn(email, "@")},
        .role = text_of(role != NULL ? role : "user"),
        .is_invited = !prints,
    };
    int status = check_ways(invocation);
    if (status == EXIT_DONE && !find_is_name(account.name, 255)) {
        return find_bad_name("--name", 255);
    }
    if (status == EXIT_DONE &&
        account_store_take_email(context, text_of(email), TEXT_NULL, TEXT_NULL, &account.email) != OK) {
        return ctl_problem(invocation, email);
    }
    status = status == EXIT_DONE ? choose_group(invocation, &account) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    if (account_store_add(context, &account) != OK) {
        return ctl_problem(invocation, email);
    }
    ctl_say_aside(invocation, "Created the account of %.*s <%s>, role %s, id %s.", (int)account.name.length,
                  account.name.data, account.email.data, account.role.data, account.id.data);
    if (prints) {
        return print_link(invocation, account.id, MAIL_LINK_invite);
    }
    say_on_its_way(invocation, account.email.data);
    return EXIT_DONE;
}

/* Somebody who has no password yet is invited once more. */
int command_user_reset(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct value *user = NULL;
    struct account_overview overview;
    int status = check_ways(invocation);
    status = status == EXIT_DONE ? find_user(invocation, ctl_argument(invocation, 0), &user) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    if (overview_store_accounts(context, &user[USER_id].text, 1, &overview) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    if (overview.is_disabled) {
        return ctl_fail(EXIT_REFUSED, "%s is disabled: `user enable' comes first", find_user_title(invocation, user));
    }
    const enum mail_link purpose = overview.has_password ? MAIL_LINK_reset : MAIL_LINK_invite;
    if (ctl_has_option(invocation, OPTION_print)) {
        return print_link(invocation, user[USER_id].text, purpose);
    }
    const struct mail_new mail = {.kind = overview.has_password ? MAIL_reset : MAIL_invite,
                                  .user_id = user[USER_id].text};
    if (mail_store_add(context, &mail) != OK) {
        return ctl_problem(invocation, ctl_argument(invocation, 0));
    }
    say_on_its_way(invocation, user[USER_email].text.data);
    return EXIT_DONE;
}
