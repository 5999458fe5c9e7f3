/* links.c: one-time links: a forgotten password, an invitation, an address to be verified. */
#include "api/handlers.h"
#include "auth/identity.h"
#include "auth/password.h"
#include "base/email.h"
#include "base/log.h"
#include "base/problem.h"
#include "store/mail_store.h"
#include "store/overview_store.h"
#include "store/password_store.h"
#include "store/user_store.h"
#include "worker/admission.h"
#include "worker/limit.h"

/* Writes down the address, and looks for no account: the process that sends mails does, behind the answer. So the
 * answer takes the same time whether there is one, it is disabled, or gets no more links for now. */
enum outcome handle_password_forgot(struct request *request)
{
    enum { ADDRESS_MAX = 254 };
    struct context *context = &request->context;
    if (!context->config->sends_mail || !identity_has_passwords(context->config)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0,
                                  "This site sends no such links; ask an administrator for a new password.");
    }
    const struct text email = email_fold(context->arena, request->input[INPUT_password_forgot_email].text);
    const bool is_sent = limit_link_mail(request) && email.length <= ADDRESS_MAX;
    const struct mail_new mail = {.kind = MAIL_reset, .address = is_sent ? email : TEXT("")};
    enum outcome outcome = mail_store_add(context, &mail);
    return outcome == OK ? answer_true(request) : outcome;
}

/* As `rosterctl user reset': somebody who has no password yet is invited once more. */
enum outcome handle_user_password_link(struct request *request)
{
    struct context *context = &request->context;
    const struct value *user;
    struct account_overview overview;
    enum outcome outcome = user_store_get(context, request->parameters[0], &user);
    if (outcome == OK && (!context->config->sends_mail || !identity_has_passwords(context->config))) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "This site sends no mails.");
    }
    if (outcome == OK) {
        outcome = overview_store_accounts(context, &request->parameters[0], 1, &overview);
    }
    if (outcome == OK && overview.is_disabled) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "The account is disabled: enable it first.");
    }
    const struct mail_new mail = {.kind = outcome == OK && overview.has_password ? MAIL_reset : MAIL_invite,
                                  .user_id = request->parameters[0]};
    if (outcome == OK) {
        outcome = mail_store_add(context, &mail);
    }
    return outcome == OK ? answer_true(request) : outcome;
}

/* A link by which a password is chosen. */
static enum outcome find_password_link(struct request *request, struct link *link_r)
{
    struct context *context = &request->context;
    enum outcome outcome = link_store_find(context, request->input[INPUT_password_reset_token].text, link_r);
    return outcome == OK && !link_store_is_for(link_r, MAIL_LINK_reset) && !link_store_is_for(link_r, MAIL_LINK_invite)
               ? problem_set(context, ERROR_INVALID_LINK)
               : outcome;
}

enum outcome handle_password_reset(struct request *request)
{
    struct context *context = &request->context;
    const struct text password = request->input[INPUT_password_reset_new_password].text;
    struct link link;
    const struct value *user;
    if (!identity_has_passwords(context->config)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "Sign-in with a password is disabled here.");
    }
    enum outcome outcome = find_password_link(request, &link);
    if (outcome == OK) {
        outcome = user_store_get(context, link.user_id, &user);
    }
    if (outcome == OK) {
        outcome = password_check_rules(context, password, user[USER_email].text, user[USER_name].text);
    }
    if (outcome == OK && admission_ends_here(request, &outcome)) {
        return outcome;
    }
    struct password_change change = {
        .user_id = link.user_id,
        .link = &link,
        .is_first = outcome == OK && link_store_is_for(&link, MAIL_LINK_invite),
        .ends_sessions = true,
        .kept = KEPT_NONE,
    };
    if (outcome == OK) {
        outcome = password_hash(context, password, &change.hash);
    }
    if (outcome == OK) {
        outcome = password_store_change(context, &change);
    }
    if (outcome == PROBLEM && context->problem.code == ERROR_USER_NOT_FOUND) {
        return problem_set(context, ERROR_INVALID_LINK); /* deleted meanwhile */
    }
    if (outcome != OK) {
        return outcome;
    }
    log_notice(context, "account %.*s got a password by a link (%.*s)", (int)link.user_id.length, link.user_id.data,
               (int)link.purpose.length, link.purpose.data);
    return answer_true(request);
}

enum outcome handle_email_verify(struct request *request)
{
    struct context *context = &request->context;
    struct link link;
    enum outcome outcome = link_store_find(context, request->input[INPUT_email_verify_token].text, &link);
    if (outcome == OK && !link_store_is_for(&link, MAIL_LINK_verify)) {
        return problem_set(context, ERROR_INVALID_LINK);
    }
    if (outcome == OK) {
        outcome = link_store_use_alone(context, &link);
    }
    return outcome == OK ? answer_true(request) : outcome;
}
