/* auths.c: signing in, up and out. */
#include <stdlib.h>

#include "api/account.h"
#include "api/handlers.h"
#include "api/session.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "auth/token.h"
#include "base/json.h"
#include "base/log.h"
#include "store/config_store.h"
#include "store/group_store.h"
#include "store/picture_store.h"
#include "store/session_store.h"
#include "store/user_store.h"

static const struct text none = {NULL, 0};

enum { NAME_LENGTH_MOST = 255 }; /* characters of a name from a header field; as in schemas.def */

enum outcome session_issue(struct request *request, struct text user_id, struct text password_hash, struct text *token_r, int64_t *expires_at_r)
{
    struct context *context = &request->context;
    json_object *document;
    struct text jti;
    enum outcome outcome = config_store_read(context, &document);
    if (outcome != OK) {
        return outcome;
    }
    int64_t lifetime = config_store_lifetime(context, document);
    *expires_at_r = lifetime < 0 ? -1 : context->now_seconds + lifetime;
    *token_r = token_issue(context, context->config->secret_key, user_id, context->now_seconds, *expires_at_r, &jti);
    return session_store_add(context, jti, user_id, password_hash, *expires_at_r, text_of(context->client_address), request->user_agent);
}

/* The members that Session, SessionUser and the answer to /add begin with. A null token: an API key's caller. */
static void serialise_session_members(struct request *request, struct text token, const struct value *user)
{
    struct buffer *body = &request->response.body;
    serialise_text_member(body, "token", token, true);
    serialise_text_member(body, "token_type", TEXT("Bearer"), false);
    static const enum user_column columns[] = {USER_id, USER_email, USER_name, USER_role, USER_profile_image_url};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        serialise_text_member(body, user_columns[columns[i]].name, user[columns[i]].text, false);
    }
}

/* -1: the session lives for ever, or is an API key's. */
static void serialise_expiry(struct buffer *body, int64_t expires_at)
{
    serialise_key(body, "expires_at", false);
    if (expires_at < 0) {
        buffer_add_literal(body, "null");
    } else {
        buffer_add_integer(body, expires_at);
    }
}

static enum outcome serialise_permissions(struct request *request, struct text user_id)
{
    json_object *permissions;
    enum outcome outcome = permission_of_user(&request->context, user_id, &permissions);
    if (outcome == OK) {
        serialise_key(&request->response.body, "permissions", false);
        buffer_add_text(&request->response.body, json_print(request->context.arena, permissions));
    }
    return outcome;
}

enum outcome session_answer(struct request *request, struct text user_id, struct text password_hash)
{
    const struct value *user;
    struct text token;
    int64_t expires_at;
    enum outcome outcome = user_store_get(&request->context, user_id, &user);
    if (outcome == OK) {
        outcome = session_issue(request, user_id, password_hash, &token, &expires_at);
    }
    if (outcome != OK) {
        return outcome;
    }
    response_set_token_cookie(request, token, expires_at);
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '{');
    serialise_session_members(request, token, user);
    serialise_expiry(body, expires_at);
    outcome = serialise_permissions(request, user_id);
    buffer_add_byte(body, '}');
    return outcome;
}

enum outcome handle_session_get(struct request *request)
{
    const struct identity *identity = &request->identity;
    const struct value *user;
    enum outcome outcome = user_store_get(&request->context, identity->user_id, &user);
    if (outcome != OK) {
        return outcome;
    }
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '{');
    serialise_session_members(request, identity->is_api_key ? none : identity->token, user);
    serialise_expiry(body, identity->is_api_key ? -1 : identity->expires_at);
    static const enum user_column texts[] = {USER_bio, USER_gender, USER_date_of_birth, USER_status_emoji, USER_status_message};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        serialise_text_member(body, user_columns[texts[i]].name, user[texts[i]].text, false);
    }
    serialise_key(body, "status_expires_at", false);
    if (user[USER_status_expires_at].is_null) {
        buffer_add_literal(body, "null");
    } else {
        buffer_add_integer(body, user[USER_status_expires_at].integer);
    }
    outcome = serialise_permissions(request, identity->user_id);
    buffer_add_byte(body, '}');
    if (outcome == OK && !identity->is_api_key) {
        response_set_token_cookie(request, identity->token, identity->expires_at);
    }
    return outcome;
}

static enum outcome refuse_credentials(struct request *request, const char *reason)
{
    log_warning(&request->context, "sign-in failed: %s", reason);
    return problem_set(&request->context, ERROR_INVALID_CRED);
}

/* ---- trusted headers ---- */

/* The names in a list separated by commas. */
static struct text *split_names(struct arena *arena, struct text list, size_t *count_r)
{
    struct text *names = arena_zero(arena, list.length / 2 + 1, sizeof *names);
    *count_r = 0;
    while (list.length > 0) {
        const char *comma = memchr(list.data, ',', list.length);
        size_t length = comma != NULL ? (size_t)(comma - list.data) : list.length;
        struct text name = text_trim((struct text){list.data, length});
        if (name.length > 0) {
            names[(*count_r)++] = name;
        }
        size_t step = length + (comma != NULL ? 1 : 0);
        list = (struct text){list.data + step, list.length - step};
    }
    return names;
}

/* Proxies send a name percent-encoded (RFC 3986, 2.1), since a header field is no place for other characters than
 * ASCII. Gives it decoded; as it is where there is nothing to decode, or what comes out is no text. */
static struct text percent_decode(struct arena *arena, struct text encoded)
{
    char *decoded = arena_alloc(arena, encoded.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < encoded.length; i++) {
        char digits[3] = {0};
        if (encoded.data[i] == '%' && i + 2 < encoded.length) {
            memcpy(digits, encoded.data + i + 1, 2);
        }
        bool is_escape = strspn(digits, "0123456789abcdefABCDEF") == 2;
        decoded[length++] = is_escape ? (char)strtol(digits, NULL, 16) : encoded.data[i];
        i += is_escape ? 2 : 0;
    }
    decoded[length] = '\0';
    struct text text = {decoded, length};
    return text_is_utf8(text) && memchr(decoded, '\0', length) == NULL ? text : encoded;
}

/* As much of a header field as a name may be; null text where it is no UTF-8. */
static struct text name_of_header(struct arena *arena, struct text field)
{
    struct text name = text_trim(percent_decode(arena, field));
    size_t length = 0;
    if (!text_is_utf8(name)) {
        return none;
    }
    for (size_t i = 0; i < NAME_LENGTH_MOST && length < name.length; i++) {
        uint32_t character;
        length += text_utf8_step(name.data + length, name.length - length, &character);
    }
    return (struct text){name.data, length};
}

/* Creates the account of somebody that the proxy has signed in, at first sight. */
static enum outcome create_trusted(struct request *request, struct text email, struct text *user_id_r)
{
    struct text name = name_of_header(request->context.arena, request->trusted_name);
    struct user_new user = {.name = name.length > 0 ? name : email, .email = email, .role = TEXT("pending")};
    enum outcome outcome = user_store_add(&request->context, &user, true);
    *user_id_r = user.id;
    if (outcome == PROBLEM) { /* another request may have been first: its account is as good */
        const struct problem problem = request->context.problem;
        struct user_login login;
        outcome = user_store_find_by_email(&request->context, email, &login);
        if (outcome == OK && !login.found) {
            request->context.problem = problem;
            return PROBLEM;
        }
        *user_id_r = login.id;
    }
    return outcome;
}

static enum outcome sign_in_trusted(struct request *request)
{
    struct context *context = &request->context;
    struct text sent = text_trim(request->trusted_email);
    if (sent.length == 0) {
        return problem_set(context, ERROR_INVALID_TRUSTED_HEADER);
    }
    struct text email = text_to_lower(context->arena, sent);
    if (!text_is_utf8(email) || !account_is_email(email)) {
        return problem_set(context, ERROR_INVALID_EMAIL_FORMAT);
    }
    struct user_login login;
    enum outcome outcome = user_store_find_by_email(context, email, &login);
    struct text user_id = login.id;
    if (outcome == OK && login.found && !login.active) {
        return refuse_credentials(request, "the account is switched off");
    }
    if (outcome == OK && !login.found) {
        outcome = create_trusted(request, email, &user_id);
    }
    if (outcome == OK && request->trusted_groups.data != NULL) {
        size_t count;
        struct text *names = split_names(context->arena, request->trusted_groups, &count);
        outcome = group_store_synchronise(context, user_id, names, count);
    }
    return outcome == OK ? session_answer(request, user_id, none) : outcome;
}

/* ---- sign-in, sign-up, sign-out ---- */

enum outcome handle_sign_in(struct request *request)
{
    struct context *context = &request->context;
    if (context->config->trusted_email_header[0] != '\0') {
        return sign_in_trusted(request);
    }
    if (!context->config->password_sign_in) {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 0, "Nobody signs in with a password here.");
    }
    struct text password = request->input[INPUT_sign_in_password].text;
    struct user_login login;
    enum outcome outcome = user_store_login(context, text_to_lower(context->arena, text_trim(request->input[INPUT_sign_in_email].text)), &login);
    if (outcome != OK) {
        return outcome;
    }
    /* an unknown account costs as much as a known one, so that the time does not tell which it was */
    struct password_match match = password_verify(context, password, login.found ? login.password_hash : none);
    if (!login.found || !match.matches) {
        return refuse_credentials(request, login.found ? "wrong password" : "unknown account");
    }
    if (!login.active) {
        return refuse_credentials(request, "the account is switched off");
    }
    if (match.outdated) {
        struct text hash;
        outcome = password_hash(context, password, &hash);
        if (outcome == OK) {
            outcome = user_store_replace_password(context, login.id, login.password_hash, hash, false, none, -1, ERROR_INVALID_CRED);
        }
        if (outcome != OK) {
            return outcome;
        }
        login.password_hash = hash;
    }
    return session_answer(request, login.id, login.password_hash);
}

/* Before anything costly: whether sign-up is open at all. user_store_add looks again, under its lock. */
static enum outcome check_sign_up(struct request *request)
{
    struct context *context = &request->context;
    json_object *document;
    enum outcome outcome = config_store_read(context, &document);
    struct text primary = none;
    if (outcome == OK && !config_store_is_on(context, document, SETTING_ENABLE_SIGNUP)) {
        outcome = user_store_primary(context, &primary); /* where there is nobody, somebody must be the first */
    }
    if (outcome == OK && primary.data != NULL) {
        return problem_set_detail(context, ERROR_ACCESS_PROHIBITED, 403, "Sign-up is switched off; ask an administrator for an account.");
    }
    return outcome;
}

/* A fault while an account is made has a code of its own. */
static enum outcome creation_fault(struct context *context, enum outcome outcome)
{
    return outcome == FAULT && context->problem.code == ERROR_INTERNAL_ERROR ? problem_set_fault(context, ERROR_CREATE_USER_ERROR)
                                                                             : outcome;
}

enum outcome handle_sign_up(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct user_new user = {.name = input[INPUT_sign_up_name].text, .role = TEXT("pending")};
    enum outcome outcome = check_sign_up(request);
    if (outcome == OK) {
        outcome = account_take_email(context, input[INPUT_sign_up_email].text, none, none, &user.email);
    }
    if (outcome == OK) {
        outcome = picture_store_take(context, input[INPUT_sign_up_profile_image_url].text, &user.picture, &user.new_picture);
    }
    if (outcome == OK) {
        outcome = account_take_password(context, input[INPUT_sign_up_password].text, user.email, user.name, &user.password_hash);
    }
    if (outcome == OK) {
        outcome = creation_fault(context, user_store_add(context, &user, true));
    }
    if (outcome == OK) {
        log_notice(context, "account %.*s was made by sign-up%s", (int)user.id.length, user.id.data,
                   user.became_first ? ": the first one, so the administrator's; sign-up is closed now" : "");
        outcome = session_answer(request, user.id, user.password_hash);
    }
    return outcome;
}

enum outcome handle_user_add(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct user_new user = {.name = input[INPUT_user_add_name].text};
    json_object *document;
    const struct value *row;
    struct text token;
    int64_t expires_at;
    user.role = input[INPUT_user_add_role].present ? input[INPUT_user_add_role].text : TEXT("pending");
    enum outcome outcome = account_take_email(context, input[INPUT_user_add_email].text, none, none, &user.email);
    if (outcome == OK) {
        outcome = picture_store_take(context, input[INPUT_user_add_profile_image_url].text, &user.picture, &user.new_picture);
    }
    if (outcome == OK) {
        outcome = account_take_password(context, input[INPUT_user_add_password].text, user.email, user.name, &user.password_hash);
    }
    if (outcome == OK) {
        outcome = config_store_read(context, &document);
    }
    if (outcome == OK) {
        user.group_id = config_store_text(context, document, SETTING_DEFAULT_GROUP_ID);
        outcome = creation_fault(context, user_store_add(context, &user, false));
    }
    if (outcome == OK) {
        outcome = user_store_get(context, user.id, &row);
    }
    if (outcome == OK) {
        outcome = session_issue(request, user.id, user.password_hash, &token, &expires_at);
    }
    if (outcome == OK) {
        buffer_add_byte(&request->response.body, '{');
        serialise_session_members(request, token, row);
        buffer_add_byte(&request->response.body, '}');
    }
    return outcome;
}

enum outcome handle_sign_out(struct request *request)
{
    struct context *context = &request->context;
    struct text text;
    struct token token;
    enum outcome outcome = OK;
    if (identity_find_token(context, &request->credentials, &text) == OK && text.data != NULL && !text_starts_with(text, "sk-") &&
        token_verify(context, text, context->config->secret_key, true, &token) == TOKEN_GOOD && token.jti.data != NULL) {
        outcome = session_store_end(context, token.jti, token.id, token.expires_at);
    }
    if (outcome != OK) {
        return outcome;
    }
    context->problem = (struct problem){.code = ERROR_NONE}; /* a malformed header is no reason to stay signed in */
    response_drop_cookies(request, true);
    return answer_status(request);
}
