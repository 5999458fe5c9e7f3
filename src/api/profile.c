/* profile.c: what users change about themselves: profile, time zone, password. */
#include "api/handlers.h"
#include "api/picture_address.h"
#include "auth/password.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/time_zone.h"
#include "store/audit_store.h"
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

/* ---- variables ---- */

enum { VARIABLE_CHARACTERS_MAX = 20000, VARIABLES_CHARACTERS_MAX = 100000 };

static enum outcome refuse_variable(struct request *request, const char *name, const char *why)
{
    struct arena *arena = request->context.arena;
    const struct text shown = text_cut_characters(text_without_odd(arena, text_of(name)), 100);
    return problem_set_detail(&request->context, ERROR_INVALID_VARIABLES, 0,
                              text_format(arena, "The variable `%.*s' %s.", (int)shown.length, shown.data, why).data);
}

/* [a-z][a-z0-9_]* */
static bool is_variable_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    return name[0] != '\0' && strchr(letters, name[0]) != NULL &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* A text with line ends as \n. */
static json_object *with_line_ends(struct arena *arena, struct text text)
{
    struct buffer buffer;
    buffer_init(&buffer, arena);
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] != '\r' || i + 1 == text.length || text.data[i + 1] != '\n') {
            buffer_add_byte(&buffer, text.data[i]);
        }
    }
    return json_object_new_string_len(buffer_text(&buffer).data, (int)buffer.length);
}

static enum outcome check_variables(struct request *request, json_object *sent, json_object *checked)
{
    size_t characters = 0;
    json_object_object_foreach(sent, name, value)
    {
        if (!is_variable_name(name)) {
            return refuse_variable(request, name, "must have a name of a to z, 0 to 9 and _ that begins with a letter");
        }
        if (json_object_get_type(value) != json_type_string) {
            return refuse_variable(request, name, "must be a text");
        }
        const size_t of_this = text_count_characters(json_text(value));
        characters += of_this;
        if (of_this > VARIABLE_CHARACTERS_MAX) {
            return refuse_variable(request, name, "has more than 20,000 characters");
        }
        json_object_object_add(checked, name, with_line_ends(request->context.arena, json_text(value)));
    }
    return characters <= VARIABLES_CHARACTERS_MAX
               ? OK
               : problem_set_detail(&request->context, ERROR_INVALID_VARIABLES, 0,
                                    "The variables together have more than 100,000 characters.");
}

static void answer_variables(struct request *request, struct text stored)
{
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_name(json, "variables");
    if (stored.data == NULL) {
        json_add_raw(json, TEXT("{}"));
    } else {
        serialise_document(json, "user", "variables", request->identity.user_id, stored);
    }
    json_end_object(json);
}

enum outcome handle_variables_get(struct request *request)
{
    struct text stored;
    enum outcome outcome = profile_store_variables(&request->context, request->identity.user_id, &stored);
    if (outcome == OK) {
        answer_variables(request, stored);
    }
    return outcome;
}

enum outcome handle_variables_update(struct request *request)
{
    struct context *context = &request->context;
    json_object *sent = request->input[INPUT_variables_variables].json;
    json_object *checked = json_keep(context->arena, json_object_new_object());
    enum outcome outcome = sent != NULL ? check_variables(request, sent, checked) : OK;
    const struct text json = json_print(context->arena, checked);
    if (outcome == OK) {
        outcome = profile_store_set_variables(context, request->identity.user_id, json);
    }
    if (outcome == OK) {
        answer_variables(request, json);
    }
    return outcome;
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
        audit_store_refuse(context, AUDIT_password_refused, identity->user_id, TEXT_NULL, "wrong present password");
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
