/* profile.c: what people change about themselves: profile, time zone, password. */
#include <sys/stat.h>

#include "api/account.h"
#include "api/handlers.h"
#include "auth/password.h"
#include "base/log.h"
#include "store/user_store.h"

enum outcome handle_profile_update(struct request *request)
{
    struct context *context = &request->context;
    const struct input *input = request->input;
    struct text user_id = request->identity.user_id;
    const struct value *user;
    enum outcome outcome = user_store_get(context, user_id, &user);
    if (outcome != OK) {
        return outcome;
    }
    struct user_profile profile = {
        .name = input[INPUT_profile_name].text,
        .bio = input[INPUT_profile_bio].text,
        .gender = input[INPUT_profile_gender].text,
        .date_of_birth = input[INPUT_profile_date_of_birth].text,
    };
    outcome = account_take_picture(context, input[INPUT_profile_profile_image_url].text, user[USER_profile_image_url].text,
                                   &profile.picture, &profile.new_picture);
    if (outcome == OK) {
        outcome = user_store_set_profile(context, user_id, &profile);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct buffer *body = &request->response.body;
    buffer_add_byte(body, '{');
    serialise_text_member(body, "id", user_id, true);
    serialise_text_member(body, "name", profile.name, false);
    serialise_text_member(body, "role", request->identity.role, false);
    serialise_text_member(body, "email", request->identity.email, false);
    serialise_text_member(body, "profile_image_url", profile.picture, false);
    buffer_add_byte(body, '}');
    return OK;
}

/* A name of the IANA database: letters, digits and `_+-/`, and, where the machine has the database, a file of it. */
static bool is_time_zone(struct arena *arena, struct text name)
{
    static const char directory[] = "/usr/share/zoneinfo";
    struct stat status;
    if (name.length == 0 || name.data[0] == '/' || memchr(name.data, '.', name.length) != NULL) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
        if (!letter && strchr("_+-/", byte) == NULL) {
            return false;
        }
    }
    if (stat(directory, &status) != 0) {
        return true;
    }
    return stat(text_format(arena, "%s/%.*s", directory, (int)name.length, name.data).data, &status) == 0 && S_ISREG(status.st_mode);
}

enum outcome handle_timezone_update(struct request *request)
{
    struct context *context = &request->context;
    struct text timezone = request->input[INPUT_timezone_timezone].text;
    if (!is_time_zone(context->arena, timezone)) {
        problem_add_fault(context, "zoneinfo_str", TEXT("[\"body\",\"timezone\"]"),
                          "This must be a name of the IANA time zone database, as Europe/Vienna.");
        return PROBLEM;
    }
    enum outcome outcome = user_store_set_timezone(context, request->identity.user_id, timezone);
    return outcome == OK ? answer_status(request) : outcome;
}

enum outcome handle_password_update(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    if (context->config->trusted_email_header[0] != '\0') {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 400, "Passwords are not kept here: the proxy in front signs people in.");
    }
    struct text old_hash;
    struct text hash;
    enum outcome outcome = user_store_password_hash(context, identity->user_id, &old_hash);
    if (outcome != OK) {
        return outcome;
    }
    if (!password_verify(context, request->input[INPUT_password_password].text, old_hash).matches) {
        log_warning(context, "password change failed: wrong present password");
        return problem_set(context, ERROR_INCORRECT_PASSWORD);
    }
    outcome = account_take_password(context, request->input[INPUT_password_new_password].text, identity->email, identity->name, &hash);
    if (outcome == OK) {
        outcome = user_store_replace_password(context, identity->user_id, old_hash, hash, true, identity->jti, identity->expires_at,
                                              ERROR_INCORRECT_PASSWORD);
    }
    return outcome == OK ? answer_true(request) : outcome;
}
