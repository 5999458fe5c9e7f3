/* user_store.h: rows of `user` and what hangs on them. Every function answers as problem.h says; rows live in the request's arena. */
#ifndef ROSTER_STORE_USER_STORE_H
#define ROSTER_STORE_USER_STORE_H

#include <json.h>

#include "store/rows.h"

enum { USER_PAGE_ROWS = 30, USER_ACTIVE_SECONDS = 180 };

/* One user. USER_NOT_FOUND where there is none. */
enum outcome user_store_get(struct context *context, struct text user_id, const struct value **user_r);

/* How a list is asked for. */
struct user_listing {
    struct text query;       /* substring of name or email; null or empty: all */
    struct text order_by;    /* as sent; unknown: newest first */
    bool ascending;
    int64_t page;            /* from 1 */
    bool whole;              /* rows are User, else UserInfo */
};

/* A page. One statement, whatever the number of rows (and three more where pictures still lie in rows). `total_r` counts before paging. */
enum outcome user_store_list(struct context *context, const struct user_listing *listing, struct result *users_r, int64_t *total_r);

/* UserInfo of everyone, newest first. */
enum outcome user_store_all(struct context *context, struct result *users_r);

/* UserInfo of a group's members. */
enum outcome user_store_members(struct context *context, struct text group_id, struct result *users_r);

/* The owner of chat `chat_id`, where it is shared, or is the caller's, or `any` is true; else USER_NOT_FOUND. */
enum outcome user_store_chat_owner(struct context *context, struct text chat_id, struct text caller_id, bool any, struct text *user_id_r);

/* last_active_at of a user, in *last_active_at_r; -1 where there is no such user. */
enum outcome user_store_last_active(struct context *context, struct text user_id, int64_t *last_active_at_r);

/* A JSON column of a user as it is stored, null text for NULL. `column` is USER_info or USER_settings. USER_NOT_FOUND. */
enum outcome user_store_get_json(struct context *context, struct text user_id, enum user_column column, struct text *json_r);

/* Puts the members of `members` over those of the stored object, top level, in one transaction, and gives the whole. */
enum outcome user_store_merge_json(struct context *context, struct text user_id, enum user_column column, json_object *members,
                                   struct text *json_r);

/* Sets what is not null. An update with nothing in it touches nothing. */
struct user_status {
    struct text emoji, message;
    bool has_expiry;
    int64_t expires_at;
};
enum outcome user_store_set_status(struct context *context, struct text user_id, const struct user_status *status);

/* Profile: each is set, null ones to NULL. */
struct user_profile {
    struct text picture, name, bio, gender, date_of_birth;
    const struct picture *new_picture; /* to be stored with it, or NULL */
};
enum outcome user_store_set_profile(struct context *context, struct text user_id, const struct user_profile *profile);

enum outcome user_store_set_timezone(struct context *context, struct text user_id, struct text timezone);

/* The id of the oldest account, null text where there is none. */
enum outcome user_store_primary(struct context *context, struct text *user_id_r);

/* True in *taken_r where another user than `except_id` (may be null) has this email. */
enum outcome user_store_email_taken(struct context *context, struct text email, struct text except_id, bool *taken_r);

struct picture;

/* A change by an administrator, all or nothing: EMAIL_TAKEN, USER_NOT_FOUND. */
struct user_change {
    struct text role, name, email;
    struct text picture;             /* address */
    const struct picture *new_picture; /* to be stored with it, or NULL */
    struct text password_hash;       /* null: stays */
    struct text kept_jti;            /* the session that survives the end of all others, null: none */
    int64_t kept_expires_at;
    bool ends_sessions;              /* set by the store: role or password changed */
};
enum outcome user_store_change(struct context *context, struct text user_id, struct user_change *change);

/* A new account. */
struct user_new {
    struct text id;                  /* set by the store */
    struct text name, email, role;
    struct text picture;             /* null: /user.png */
    const struct picture *new_picture;
    struct text password_hash;       /* null: an account without a password (trusted headers) */
    struct text group_id;            /* of the default group; null or empty or unknown: none */
    bool became_first;               /* set by the store */
};
/* EMAIL_TAKEN. The first account of all becomes admin and closes sign-up, in one transaction that other additions wait for. With `sign_up` a later one
 * is refused with ACCESS_PROHIBITED, 403, where sign-up is closed by then, and gets the default role and group of the settings. */
enum outcome user_store_add(struct context *context, struct user_new *user, bool sign_up);

/* Deletes a user and everything of theirs, and tells Redis which sessions are over. ACTION_PROHIBITED for the primary admin; USER_NOT_FOUND. */
enum outcome user_store_delete(struct context *context, struct text user_id);

/* What sign-in needs. */
struct user_login {
    bool found;
    struct text id, password_hash;
    bool active;
};
enum outcome user_store_login(struct context *context, struct text email, struct user_login *login_r);

/* The same for somebody who signs in without a password: password_hash is null. Who has no row in `auth` is active. */
enum outcome user_store_find_by_email(struct context *context, struct text email, struct user_login *login_r);

/* The password hash of a user; null text where there is none. */
enum outcome user_store_password_hash(struct context *context, struct text user_id, struct text *hash_r);

/* The greatest cost among the bcrypt hashes of imported accounts; 0 where there are none any more. */
enum outcome user_store_greatest_bcrypt_cost(struct context *context, int *cost_r);

/* Stores another hash. With `ends_sessions`: in one transaction with the end of all sessions but kept_jti's. */
enum outcome user_store_set_password(struct context *context, struct text user_id, struct text hash, bool ends_sessions, struct text kept_jti,
                                     int64_t kept_expires_at);

/* The same where the present hash is still `old_hash`, which the password was verified with; else `on_other`: another request has changed it meanwhile. */
enum outcome user_store_replace_password(struct context *context, struct text user_id, struct text old_hash, struct text hash, bool ends_sessions,
                                         struct text kept_jti, int64_t kept_expires_at, enum error_code on_other);

/* last_active_at := now, unless it is newer than `interval_seconds`. */
enum outcome user_store_touch(struct context *context, struct text user_id, int64_t interval_seconds);

/* OAuth sessions of a user, without tokens. */
enum outcome user_store_oauth_sessions(struct context *context, struct text user_id, struct result *sessions_r);

#endif
