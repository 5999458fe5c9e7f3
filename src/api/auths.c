/* auths.c: sign-in, sign-up and sign-out. */

#include "api/handlers.h"
#include "api/picture_address.h"
#include "api/session.h"
#include "api/trusted.h"
#include "auth/api_key.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/return_url.h"
#include "store/account_store.h"
#include "store/config_store.h"
#include "store/factor_store.h"
#include "store/password_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/admission.h"
#include "worker/limit.h"
#include "worker/origin.h"

/* Stores a password that was just verified (is_rehash), or the one that replaces it. PROBLEM INVALID_CRED: another
 * request has changed it meanwhile. */
static enum outcome store_password(struct request *request, struct user_login *login, struct text password,
                                   bool is_rehash)
{
    struct context *context = &request->context;
    struct text hash;
    enum outcome outcome = password_hash(context, password, &hash);
    if (outcome == OK) {
        outcome = password_store_change(context, &(struct password_change){
                                                     .user_id = login->id,
                                                     .hash = hash,
                                                     .old_hash = login->password_hash,
                                                     .on_other = ERROR_INVALID_CRED,
                                                     .is_rehash = is_rehash,
                                                 });
    }
    login->password_hash = outcome == OK ? hash : login->password_hash;
    return outcome;
}

/* The new password of a user who must change it. All sessions have been ended since it had to be changed. */
static enum outcome take_new_password(struct request *request, struct user_login *login)
{
    struct context *context = &request->context;
    struct text password = request->input[INPUT_sign_in_new_password].text;
    const struct value *user;
    if (password.data == NULL) {
        return problem_set(context, ERROR_PASSWORD_CHANGE_REQUIRED);
    }
    if (text_equal(password, request->input[INPUT_sign_in_password].text)) {
        return problem_set_detail(context, ERROR_INVALID_PASSWORD, 0,
                                  "The new password must be another one than the present password.");
    }
    enum outcome outcome = user_store_get(context, login->id, &user);
    if (outcome == OK) {
        outcome = password_check_rules(context, password, user[USER_email].text, user[USER_name].text);
    }
    return outcome == OK ? store_password(request, login, password, false) : outcome;
}

/* roster-api(7), Passwords to be changed. An outdated hash is replaced, too. */
static enum outcome change_at_sign_in(struct request *request, struct user_login *login, bool is_outdated)
{
    if (login->must_change) {
        return take_new_password(request, login);
    }
    if (request->input[INPUT_sign_in_new_password].text.data != NULL) {
        return problem_set_detail(&request->context, ERROR_ACTION_PROHIBITED, 0,
                                  "This password need not be changed: sign in with it alone, then change it with "
                                  "POST /auths/update/password.");
    }
    return is_outdated ? store_password(request, login, request->input[INPUT_sign_in_password].text, true) : OK;
}

enum outcome handle_sign_in(struct request *request)
{
    struct context *context = &request->context;
    if (context->config->trusted_email_header[0] != '\0') {
        return trusted_sign_in(request);
    }
    if (!context->config->password_sign_in) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "Sign-in with a password is disabled here.");
    }
    struct text password = request->input[INPUT_sign_in_password].text;
    enum outcome outcome;
    if (admission_ends_here(request, &outcome)) {
        return outcome;
    }
    struct user_login login;
    outcome = user_store_login(context, limit_sign_in_email(request), &login);
    if (outcome != OK) {
        return outcome;
    }
    /* an unknown account takes as much time as a known one, so that the response time does not reveal which it is */
    struct password_match match = password_verify(context, password, login.found ? login.password_hash : TEXT_NULL);
    if (match.failed) {
        return problem_set_unavailable(context);
    }
    if (!login.found || !match.matches) {
        if (login.found) {
            password_warn_unusable(context, login.id, login.password_hash);
        }
        return session_refuse(request, login.found ? login.id : TEXT_NULL,
                              login.found ? "wrong password" : "unknown account");
    }
    if (!login.active) {
        return session_refuse(request, login.id, "the account is disabled");
    }
    limit_sign_in_succeeded(request);
    outcome = change_at_sign_in(request, &login, match.outdated);
    if (outcome == PROBLEM && context->problem.code == ERROR_USER_NOT_FOUND) {
        return session_refuse(request, login.id, "the account has just been deleted");
    }
    return outcome == OK ? session_answer(request, login.id, login.password_hash) : outcome;
}

/* Whether sign-up is enabled. Without any account, the first one can be made. */
static enum outcome find_sign_up(struct context *context, bool *is_open_r)
{
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    struct text primary = TEXT_NULL;
    if (outcome == OK && (!config_store_is_on(context, document, SETTING_ENABLE_SIGNUP) ||
                          !config_store_is_on(context, document, SETTING_ENABLE_LOGIN_FORM))) {
        outcome = user_store_primary(context, &primary);
    }
    *is_open_r = primary.data == NULL;
    return outcome;
}

enum outcome handle_site(struct request *request)
{
    const struct config *config = request->context.config;
    bool sign_up;
    enum outcome outcome = find_sign_up(&request->context, &sign_up);
    if (outcome == OK) {
        struct json_writer *json = &request->response.json;
        json_begin_object(json);
        json_member_string(json, "name", config->site_name);
        json_member_string(json, "picture", config->site_picture[0] != '\0' ? config->site_picture : NULL);
        json_member_boolean(json, "sign_up", sign_up);
        json_member_boolean(json, "password_sign_in", identity_has_passwords(config));
        json_member_boolean(json, "password_reset", config->sends_mail && identity_has_passwords(config));
        json_member_integer(json, "password_length_least", config->password_length_least);
        json_member_integer(json, "password_length_most", config->password_length_most);
        json_member_boolean(json, "password_refuse_common", config->password_refuse_common);
        json_end_object(json);
    }
    return outcome;
}

/* Checked before expensive work. account_store_add checks it again, under its lock. */
static enum outcome check_sign_up(struct request *request)
{
    struct context *context = &request->context;
    bool is_open;
    enum outcome outcome = find_sign_up(context, &is_open);
    if (outcome == OK && !is_open) {
        return problem_set_detail(context, ERROR_ACCESS_PROHIBITED, 403,
                                  "Sign-up is disabled; ask an administrator for an account.");
    }
    return outcome;
}

/* A fault while an account is made has a code of its own. */
static enum outcome creation_fault(struct context *context, enum outcome outcome)
{
    return outcome == FAULT && context->problem.code == ERROR_INTERNAL_ERROR
               ? problem_set_fault(context, ERROR_CREATE_USER_ERROR)
               : outcome;
}

/* Checks the input for a new account, except the name, which the schema has checked. */
static enum outcome check_account(struct request *request, struct text email, struct text picture, struct text password,
                                  struct account_new *account)
{
    struct context *context = &request->context;
    enum outcome outcome = account_store_take_email(context, email, TEXT_NULL, TEXT_NULL, &account->email);
    if (outcome == OK) {
        outcome =
            picture_address_take(request, picture, TEXT_NULL, TEXT_NULL, &account->picture, &account->new_picture);
    }
    return outcome == OK ? password_check_rules(context, password, account->email, account->name) : outcome;
}

enum outcome handle_sign_up(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct account_new account = {.is_sign_up = true, .name = input[INPUT_sign_up_name].text, .role = TEXT("pending")};
    enum outcome outcome = check_sign_up(request);
    if (outcome == OK) {
        outcome = check_account(request, input[INPUT_sign_up_email].text, input[INPUT_sign_up_profile_image_url].text,
                                input[INPUT_sign_up_password].text, &account);
    }
    if (outcome == OK && admission_ends_here(request, &outcome)) {
        return outcome;
    }
    if (outcome == OK) {
        outcome = password_hash(context, input[INPUT_sign_up_password].text, &account.password_hash);
    }
    if (outcome == OK) {
        outcome = creation_fault(context, account_store_add(context, &account));
    }
    if (outcome == OK) {
        log_notice(context, "account %.*s was made by sign-up%s", (int)account.id.length, account.id.data,
                   account.became_first ? ": the first one, so the administrator's; sign-up is closed now" : "");
        outcome = session_answer(request, account.id, account.password_hash);
    }
    return outcome;
}

/* A token for a new account. The null text: one that needs a second factor gets none. */
static enum outcome issue_for_added(struct request *request, const struct value *user, struct text password_hash,
                                    json_object *settings, struct text *token_r)
{
    struct factor_standing standing;
    struct text jti;
    bool is_needed;
    int64_t expires_at;
    *token_r = TEXT_NULL;
    enum outcome outcome = session_needs_factor(request, user, TEXT("password"), &standing, &is_needed);
    if (outcome != OK || is_needed || standing.site_wants) {
        return outcome;
    }
    return session_issue(request,
                         &(struct session_start){.user_id = user[USER_id].text,
                                                 .password_hash = password_hash,
                                                 .auth_method = TEXT("password"),
                                                 .auth_time = request->context.now_seconds,
                                                 .stamp = &standing.stamp,
                                                 .settings = settings},
                         token_r, &jti, &expires_at);
}

struct addition {
    struct request *request;
    struct account_new account;
    json_object *settings;
    struct text token;
};

/* Account and session: both or neither. */
static enum outcome add_with_session(struct context *context, void *argument)
{
    struct addition *addition = argument;
    struct account_new *account = &addition->account;
    enum outcome outcome = account_store_add(context, account);
    const struct value row[USER_COLUMNS] = {
        [USER_id] = {.text = account->id},
        [USER_email] = {.text = account->email},
        [USER_name] = {.text = account->name},
        [USER_role] = {.text = account->role},
    };
    return outcome == OK
               ? issue_for_added(addition->request, row, account->password_hash, addition->settings, &addition->token)
               : outcome;
}

enum outcome handle_user_add(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct account_new account = {.name = input[INPUT_user_add_name].text};
    account.role = input[INPUT_user_add_role].present ? input[INPUT_user_add_role].text : TEXT("pending");
    account.must_change = input[INPUT_user_add_must_change].integer != 0;
    enum outcome outcome =
        check_account(request, input[INPUT_user_add_email].text, input[INPUT_user_add_profile_image_url].text,
                      input[INPUT_user_add_password].text, &account);
    if (outcome == OK && admission_ends_here(request, &outcome)) {
        return outcome;
    }
    if (outcome == OK) {
        outcome = password_hash(context, input[INPUT_user_add_password].text, &account.password_hash);
    }
    struct addition addition = {.request = request};
    if (outcome == OK) {
        outcome = config_store_read(context, &addition.settings);
    }
    if (outcome == OK) {
        account.group_id = config_store_text(context, addition.settings, SETTING_DEFAULT_GROUP_ID);
        addition.account = account;
        database_concerns_nobody(); /* but for whom the parts name */
        outcome = creation_fault(context, database_transaction(context, add_with_session, &addition));
        account = addition.account;
    }
    const struct value row[USER_COLUMNS] = {
        /* what was written */
        [USER_id] = {.text = account.id},
        [USER_email] = {.text = account.email},
        [USER_name] = {.text = account.name},
        [USER_role] = {.text = account.role},
        [USER_profile_image_url] = {.text = account.picture},
    };
    if (outcome == OK) {
        json_begin_object(&request->response.json);
        if (addition.token.data != NULL) {
            session_add_members(request, addition.token, row);
        } else {
            session_add_user(request, row);
        }
        json_end_object(&request->response.json);
    }
    return outcome;
}

/* As `rosterctl user invite'. */
enum outcome handle_user_invite(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct account_new account = {.name = input[INPUT_user_invite_name].text, .is_invited = true};
    const struct value *user;
    json_object *document;
    account.role = input[INPUT_user_invite_role].present ? input[INPUT_user_invite_role].text : TEXT("user");
    if (!context->config->sends_mail || !identity_has_passwords(context->config)) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "This site sends no mails.");
    }
    enum outcome outcome =
        account_store_take_email(context, input[INPUT_user_invite_email].text, TEXT_NULL, TEXT_NULL, &account.email);
    if (outcome == OK) {
        outcome = config_store_read(context, &document);
    }
    if (outcome == OK) {
        if (account.name.length == 0) {
            struct text rest = account.email;
            account.name = text_take(&rest, '@');
        }
        account.group_id = config_store_text(context, document, SETTING_DEFAULT_GROUP_ID);
        outcome = creation_fault(context, account_store_add(context, &account));
    }
    if (outcome == OK) {
        outcome = user_store_get(context, account.id, &user);
    }
    if (outcome == OK) {
        json_begin_object(&request->response.json);
        serialise_user_members(context, &request->response.json, user, true);
        json_end_object(&request->response.json);
    }
    return outcome;
}

/* How many addresses a request may ask about. */
enum { CHECKED_MAX = 1000 };

enum outcome handle_user_add_check(struct request *request)
{
    const struct input *sent = &request->input[INPUT_user_add_check_emails];
    struct json_writer *json = &request->response.json;
    enum error_code *refusals;
    if (sent->text_count > CHECKED_MAX) {
        problem_add_body_fault(&request->context, FAULT_too_long, "emails", -1,
                               "This list is too long: a request takes 1000 addresses.");
        return PROBLEM;
    }
    enum outcome outcome = account_store_check_emails(&request->context, sent->texts, sent->text_count, &refusals);
    if (outcome != OK) {
        return outcome;
    }
    json_begin_array(json);
    for (size_t i = 0; i < sent->text_count; i++) {
        if (refusals[i] != ERROR_NONE) {
            json_begin_object(json);
            json_member_text(json, "email", sent->texts[i]);
            json_member_string(json, "code", error_name(refusals[i]));
            json_member_string(json, "detail", error_detail(refusals[i]));
            json_end_object(json);
        }
    }
    json_end_array(json);
    return OK;
}

/* Whether a page shows or runs what is asked for: a picture, say, whose address somebody else has chosen. Browsers send
 * such a request without anybody having clicked, with the cookie, and from the site's own page (W3C Fetch Metadata). */
static bool is_embedded(const struct request *request)
{
    return text_is_ignoring_case(text_trim(request->fetch_mode), "no-cors");
}

enum outcome handle_sign_out(struct request *request)
{
    struct context *context = &request->context;
    struct text text;
    struct token token;
    bool by_cookie;
    enum outcome outcome = identity_find_token(context, &request->credentials, &text, &by_cookie);
    const bool is_there = outcome == OK && text.data != NULL;
    if (is_there && by_cookie && is_embedded(request)) {
        return problem_set_detail(context, ERROR_CROSS_SITE, 0, "A picture or a script does not sign anybody out.");
    }
    outcome = OK;
    if (is_there && !api_key_is(text) && token_read_signed(context, text, &context->config->secret_keys, &token)) {
        outcome = session_store_sign_out(context, token.jti, token.id, token.expires_at);
    }
    if (outcome != OK) {
        return outcome;
    }
    context->problem = (struct problem){.code = ERROR_NONE}; /* a malformed header must not prevent a sign-out */
    response_drop_cookies(request, true);
    return answer_status(request);
}

enum outcome handle_sign_out_post(struct request *request)
{
    struct text token;
    bool by_cookie;
    /* a page of another site can make the browser send this request with its cookie */
    enum outcome outcome =
        identity_find_token(&request->context, &request->credentials, &token, &by_cookie) == OK && by_cookie
            ? origin_check(request)
            : OK;
    return outcome == OK ? handle_sign_out(request) : outcome;
}

/* Where a browser goes that may not go back. */
#define ACCOUNT_PAGE "/account/"

enum outcome handle_sign_in_return(struct request *request)
{
    const struct config *config = request->context.config;
    struct arena *arena = request->context.arena;
    const struct return_rules rules = {.own = origin_of_site(request),
                                       .domain = config->cookie_domain,
                                       .hosts = (const char *const *)config->return_hosts.items,
                                       .host_count = config->return_hosts.count};
    struct text address = return_url_find(arena, request->query_string);
    struct text url = address.data != NULL ? return_url_check(arena, &rules, address) : TEXT_NULL;
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_member_text(json, "url", url.data != NULL ? url : TEXT(ACCOUNT_PAGE));
    json_end_object(json);
    return OK;
}
