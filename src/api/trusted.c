/* trusted.c: users whom a trusted proxy has authenticated: account, name and groups. */
#include "api/trusted.h"

#include "api/session.h"
#include "base/email.h"
#include "base/header_text.h"
#include "base/problem.h"
#include "store/account_store.h"
#include "store/group_store.h"
#include "store/user_store.h"

enum { NAME_LENGTH_MAX = 255 }; /* characters of a name from a header field; as in schemas.def */

/* ---- names ---- */

/* The name from the header field, cut to the maximum length, without odd characters (text.h): a user could not correct
 * a refused name. Null text where it is not valid UTF-8. */
static struct text name_of_header(struct request *request)
{
    struct arena *arena = request->context.arena;
    struct text name =
        header_text_decode_percent(arena, request->trusted_name, request->context.config->trusted_header_encoding);
    return text_cut_characters(text_trim_unicode(text_without_odd(arena, name)), NAME_LENGTH_MAX);
}

/* ---- groups ---- */

/* The separators between names. With `auto`: commas, or else semicolons, or else bars, whichever the field has first in
 * this order; none where the whole field is the name of a group. */
static enum outcome find_separators(struct request *request, struct text list, const char **separators_r)
{
    static const char *const automatic[] = {",", ";", "|"};
    const char *configured = request->context.config->trusted_groups_separator;
    *separators_r = configured;
    if (strcmp(configured, "auto") != 0) {
        return OK;
    }
    size_t i = 0;
    while (i < 3 && memchr(list.data, automatic[i][0], list.length) == NULL) {
        i++;
    }
    *separators_r = i < 3 ? automatic[i] : "";
    if (i == 0 || i == 3) {
        return OK;
    }
    bool is_group = false;
    enum outcome outcome = group_store_has_name(&request->context, text_trim(list), &is_group);
    *separators_r = is_group ? "" : *separators_r;
    return outcome;
}

/* The names in a list. Repeated header fields are separated by line ends (request.c). */
static struct text *split_names(struct arena *arena, struct text list, const char *separators, size_t *count_r)
{
    struct text *names = arena_zero(arena, list.length / 2 + 1, sizeof *names);
    *count_r = 0;
    while (list.length > 0) {
        size_t length = 0;
        while (length < list.length && list.data[length] != '\n' &&
               (list.data[length] == '\0' || strchr(separators, list.data[length]) == NULL)) {
            length++;
        }
        struct text name = text_trim_unicode(text_without_odd(arena, (struct text){list.data, length}));
        if (name.length > 0) {
            names[(*count_r)++] = name;
        }
        size_t step = length + (length < list.length ? 1 : 0);
        list = (struct text){list.data + step, list.length - step};
    }
    return names;
}

static enum outcome take_groups(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    struct text list =
        header_text_decode(context->arena, request->trusted_groups, context->config->trusted_header_encoding);
    if (request->trusted_groups.data == NULL) {
        return OK;
    }
    if (list.data == NULL) {
        list = TEXT(""); /* an invalid list names no group */
    }
    const char *separators;
    enum outcome outcome = find_separators(request, list, &separators);
    if (outcome != OK) {
        return outcome;
    }
    size_t count;
    struct text *names = split_names(context->arena, list, separators, &count);
    return group_store_synchronise(context, user_id, names, count);
}

/* ---- accounts ---- */

/* Creates the account of a user whom the proxy has authenticated, at the first sign-in. */
static enum outcome create_trusted(struct request *request, struct text email, struct text *user_id_r)
{
    struct text name = name_of_header(request);
    struct account_new account = {
        .is_sign_up = true, .name = name.length > 0 ? name : email, .email = email, .role = TEXT("pending")};
    enum outcome outcome = account_store_add(&request->context, &account);
    *user_id_r = account.id;
    if (outcome == PROBLEM) { /* another request may have created the account at the same time */
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

enum outcome trusted_sign_in(struct request *request)
{
    struct context *context = &request->context;
    struct text sent = text_trim(request->trusted_email);
    if (sent.length == 0) {
        return problem_set(context, ERROR_INVALID_TRUSTED_HEADER);
    }
    struct text email = email_fold(context->arena, sent);
    if (!email_is_valid(email)) {
        return problem_set(context, ERROR_INVALID_EMAIL_FORMAT);
    }
    struct user_login login;
    enum outcome outcome = user_store_find_by_email(context, email, &login);
    struct text user_id = login.id;
    if (outcome == OK && login.found && !login.active) {
        return session_refuse(request, user_id, "the account is disabled");
    }
    if (outcome == OK && !login.found) {
        outcome = create_trusted(request, email, &user_id);
    }
    if (outcome == OK) {
        outcome = take_groups(request, user_id);
    }
    return outcome == OK ? session_answer(request, user_id, TEXT_NULL) : outcome;
}
