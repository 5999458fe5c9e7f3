/* profile.c: what users change about themselves: profile, time zone, password. */
#include "api/handlers.h"
#include "api/picture_address.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/time_zone.h"
#include "store/password_store.h"
#include "store/profile_store.h"
#include "store/user_store.h"
#include "worker/admission.h"

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
    struct profile_change profile = {
        .user_id = user_id,
        .name = input[INPUT_profile_name].text,
        .bio = input[INPUT_profile_bio].text,
        .gender = input[INPUT_profile_gender].text,
        .date_of_birth = input[INPUT_profile_date_of_birth].text,
    };
    outcome = picture_address_take(request, input[INPUT_profile_profile_image_url].text, user_id,
                                   user[USER_profile_image_url].text, &profile.picture, &profile.new_picture);
    if (outcome == OK) {
        outcome = profile_store_change(context, &profile);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_member_text(json, "id", user_id);
    json_member_text(json, "name", profile.name);
    json_member_text(json, "role", request->identity.role);
    json_member_text(json, "email", request->identity.email);
    json_member_text(json, "profile_image_url",
                     profile.picture.data != NULL ? profile.picture : user[USER_profile_image_url].text);
    json_end_object(json);
    return OK;
}

enum outcome handle_timezone_update(struct request *request)
{
    struct context *context = &request->context;
    struct text timezone = request->input[INPUT_timezone_timezone].text;
    if (!time_zone_is_name(timezone)) {
        problem_add_body_fault(context, FAULT_zoneinfo_str, "timezone", -1, NULL);
        return PROBLEM;
    }
    enum outcome outcome = profile_store_set_timezone(context, request->identity.user_id, timezone);
    return outcome == OK ? answer_status(request) : outcome;
}

enum outcome handle_password_update(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    if (context->config->trusted_email_header[0] != '\0') {
        return problem_set_detail(context, ERROR_ACTION_PROHIBITED, 400,
                                  "This service has no passwords: a proxy in front signs users in.");
    }
    enum outcome outcome;
    if (admission_ends_here(request, &outcome)) {
        return outcome;
    }
    struct text old_hash;
    outcome = password_store_hash(context, identity->user_id, &old_hash);
    if (outcome != OK) {
        return outcome;
    }
    struct password_match match = password_verify(context, request->input[INPUT_password_password].text, old_hash);
    if (match.failed) {
        return problem_set_unavailable(context);
    }
    if (!match.matches) {
        password_warn_unusable(context, identity->user_id, old_hash);
        log_warning(context, "password change failed: wrong present password");
        return problem_set(context, ERROR_INCORRECT_PASSWORD);
    }
    struct text password = request->input[INPUT_password_new_password].text;
    outcome = password_check_rules(context, password, identity->email, identity->name);
    struct text hash;
    if (outcome == OK) {
        outcome = password_hash(context, password, &hash);
    }
    if (outcome == OK) {
        outcome = password_store_change(context, &(struct password_change){
                                                     .user_id = identity->user_id,
                                                     .hash = hash,
                                                     .old_hash = old_hash,
                                                     .on_other = ERROR_INCORRECT_PASSWORD,
                                                     .ends_sessions = true,
                                                     .kept = {identity->jti, identity->expires_at},
                                                 });
    }
    return outcome == OK ? answer_true(request) : outcome;
}
