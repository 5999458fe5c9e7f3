#include "store/profile_store.h"

#include "base/problem.h"
#include "store/picture_store.h"
#include "store/row_cache.h"
#include "store/user_store.h"

/* The row as it is after the change. */
static const struct value *with_status(struct context *context, const struct value *user,
                                       const struct status_change *status)
{
    struct value *changed = arena_alloc(context->arena, USER_COLUMNS * sizeof *changed);
    memcpy(changed, user, USER_COLUMNS * sizeof *changed);
    if (status->emoji.data != NULL) {
        changed[USER_status_emoji] = (struct value){.text = status->emoji};
    }
    if (status->message.data != NULL) {
        changed[USER_status_message] = (struct value){.text = status->message};
    }
    if (status->has_expiry) {
        changed[USER_status_expires_at] = (struct value){.integer = status->expires_at};
    }
    changed[USER_updated_at] = (struct value){.integer = context->now_seconds};
    return changed;
}

enum outcome profile_store_set_status(struct context *context, struct text user_id, const struct status_change *status,
                                      const struct value **user_r)
{
    enum outcome outcome = user_store_get(context, user_id, user_r);
    if (outcome != OK || (status->emoji.data == NULL && status->message.data == NULL && !status->has_expiry)) {
        return outcome;
    }
    database_concerns(row_cache_row_name(context, user_id));
    outcome =
        database_change_row(context,
                            "UPDATE user SET " USER_NAMES_KEPT
                            ", status_emoji = COALESCE(?, status_emoji), status_message = COALESCE(?, status_message), "
                            "status_expires_at = COALESCE(?, status_expires_at), updated_at = ? WHERE id = ?",
                            PARAMETERS(BIND_TEXT(status->emoji), BIND_TEXT(status->message),
                                       status->has_expiry ? BIND_INTEGER(status->expires_at) : BIND_NULL,
                                       BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)),
                            ERROR_USER_NOT_FOUND);
    if (outcome == OK) {
        *user_r = with_status(context, *user_r, status);
    }
    return outcome;
}

enum outcome profile_store_set_timezone(struct context *context, struct text user_id, struct text timezone)
{
    database_concerns(row_cache_row_name(context, user_id));
    return database_change_row(
        context, "UPDATE user SET " USER_NAMES_KEPT ", timezone = ?, updated_at = ? WHERE id = ?",
        PARAMETERS(BIND_TEXT(timezone), BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)), ERROR_USER_NOT_FOUND);
}

static enum outcome set_profile(struct context *context, const struct profile_change *change)
{
    return database_change_row(
        context,
        "UPDATE user SET profile_image_url = COALESCE(?, profile_image_url), name = ?, bio = ?, gender = ?, "
        "date_of_birth = ?, updated_at = ? WHERE id = ?",
        PARAMETERS(BIND_TEXT(change->picture), BIND_TEXT(change->name), BIND_TEXT(change->bio),
                   BIND_TEXT(change->gender), BIND_TEXT(change->date_of_birth), BIND_INTEGER(context->now_seconds),
                   BIND_TEXT(change->user_id)),
        ERROR_USER_NOT_FOUND);
}

static enum outcome change_within(struct context *context, void *argument)
{
    struct profile_change *change = argument;
    struct locked_user user;
    enum outcome outcome = user_store_lock(context, change->user_id, &user);
    if (outcome == OK) {
        outcome = picture_store_hold(context, user.picture, change->picture, change->new_picture);
    }
    if (outcome == OK) {
        outcome = set_profile(context, change);
    }
    change->replaced_picture = outcome == OK ? user.picture : TEXT_NULL;
    return outcome;
}

/* Without a change of the picture nothing has to be locked. */
enum outcome profile_store_change(struct context *context, struct profile_change *change)
{
    change->replaced_picture = TEXT_NULL;
    database_concerns(change->user_id);
    if (change->picture.data == NULL) {
        return set_profile(context, change);
    }
    enum outcome outcome = database_transaction(context, change_within, change);
    if (outcome == OK) {
        picture_store_drop_replaced(context, change->replaced_picture);
    }
    return outcome;
}

enum outcome profile_store_variables(struct context *context, struct text user_id, struct text *json_r)
{
    return database_get_text(context, "SELECT variables FROM user WHERE id = ?", PARAMETERS(BIND_TEXT(user_id)), json_r,
                             ERROR_USER_NOT_FOUND);
}

enum outcome profile_store_set_variables(struct context *context, struct text user_id, struct text json)
{
    database_concerns(row_cache_row_name(context, user_id));
    return database_change_row(
        context, "UPDATE user SET " USER_NAMES_KEPT ", variables = ?, updated_at = ? WHERE id = ?",
        PARAMETERS(BIND_TEXT(json), BIND_INTEGER(context->now_seconds), BIND_TEXT(user_id)), ERROR_USER_NOT_FOUND);
}
