/* profile_store.h: what users change in their own account, except for documents (document_store) and the password
 * (password_store). */
#ifndef ROSTER_STORE_PROFILE_STORE_H
#define ROSTER_STORE_PROFILE_STORE_H

#include "store/rows.h"

struct picture;

/* Sets the members that are not null. If all are null, nothing is written. *user_r: the row of USER_COLUMNS as it was
 * before, with the change. PROBLEM USER_NOT_FOUND. */
struct status_change {
    struct text emoji, message;
    bool has_expiry;
    int64_t expires_at;
};
enum outcome profile_store_set_status(struct context *context, struct text user_id, const struct status_change *status,
                                      const struct value **user_r);

/* Sets all members; null sets NULL, except for the picture. PROBLEM USER_NOT_FOUND, INVALID_IMAGE
 * (picture_store_hold). */
struct profile_change {
    struct text user_id;
    struct text picture;               /* address; null: unchanged */
    const struct picture *new_picture; /* the picture to store, or NULL */
    struct text name, bio, gender, date_of_birth;
    struct text replaced_picture; /* set by the store: the previous address; null: unchanged */
};
enum outcome profile_store_change(struct context *context, struct profile_change *change);

/* PROBLEM USER_NOT_FOUND. */
enum outcome profile_store_set_timezone(struct context *context, struct text user_id, struct text timezone);

/* The texts that a user's prompts may refer to, as they are stored: an object. *json_r: the null text where there are
 * none. PROBLEM USER_NOT_FOUND. */
enum outcome profile_store_variables(struct context *context, struct text user_id, struct text *json_r);

/* Replaces all of them. PROBLEM USER_NOT_FOUND. */
enum outcome profile_store_set_variables(struct context *context, struct text user_id, struct text json);

#endif
