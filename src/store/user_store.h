/* user_store.h: rows of `user` and of tables that belong to users. Outcomes as in problem.h; rows are in the request's
 * arena. */
#ifndef ROSTER_STORE_USER_STORE_H
#define ROSTER_STORE_USER_STORE_H

#include "store/rows.h"

enum { USER_ACTIVE_SECONDS = 180 };

/* One user, without large documents: see document_store_complete. PROBLEM USER_NOT_FOUND. */
enum outcome user_store_get(struct context *context, struct text user_id, const struct value **user_r);

/* The same with the user's groups: see group_store_names_of_user. */
enum outcome user_store_get_with_groups(struct context *context, struct text user_id, const struct value **user_r,
                                        struct result *groups_r);

/* An older account that other programs may take for this one: without regard to case, accents and shapes of a letter it
 * has the same address, or with by_username the same username. *elder_r: its id; null: there is none. */
enum outcome user_store_elder(struct context *context, struct text user_id, bool by_username, struct text *elder_r);

/* The picture of a user. */
struct user_picture {
    struct text id, name;
    struct text address; /* as in answers, unless is_own_bytes */
    bool is_own_bytes;   /* the row contains a data URI: see picture_store_bring */
};
enum outcome user_store_picture(struct context *context, struct text user_id, struct user_picture *picture_r);

/* The owner of a chat, if it is shared, or is the caller's, or `any` is true; else PROBLEM USER_NOT_FOUND. */
enum outcome user_store_chat_owner(struct context *context, struct text chat_id, struct text caller_id, bool any,
                                   struct text *user_id_r);

/* *last_active_at_r: last_active_at of a user. -1: there is no such user. */
enum outcome user_store_last_active(struct context *context, struct text user_id, int64_t *last_active_at_r);

/* Within a transaction: locks a user's row. All transactions that change the account or end its sessions do this.
 * PROBLEM USER_NOT_FOUND. */
struct locked_user {
    struct text role, email, name;
    struct text picture, banner; /* addresses; of a data URI its first 255 characters */
};
enum outcome user_store_lock(struct context *context, struct text user_id, struct locked_user *user_r);

/* The same, but reads the whole row, as user_store_get does. When it was changed as what was written says, and the
 * transaction is over, user_store_complete makes of it what user_store_get would read then. */
enum outcome user_store_lock_row(struct context *context, struct text user_id, struct result *row_r);
const struct value *user_store_complete(struct context *context, struct result *row);

/* Any user whose account is disabled. *user_id_r: the null text where there is none. */
enum outcome user_store_a_disabled(struct context *context, struct text *user_id_r);

/* The id of the primary administrator. Null: there are no accounts. */
enum outcome user_store_primary(struct context *context, struct text *user_id_r);

/* *taken_r: another user than `except_id` (may be null) has this email address. */
enum outcome user_store_email_taken(struct context *context, struct text email, struct text except_id, bool *taken_r);

/* taken_r[i] becomes true where a user has emails[i], which is valid or empty. One statement. */
enum outcome user_store_emails_taken(struct context *context, const struct text *emails, size_t count, bool *taken_r);

/* What sign-in needs. `email` may have any form (email.h). */
struct user_login {
    bool found;
    struct text id, password_hash;
    bool active;
    bool must_change; /* the password, before anything else */
};
enum outcome user_store_login(struct context *context, struct text email, struct user_login *login_r);

/* The same for a sign-in without a password: password_hash is null. A user without a row in `auth` is active. */
enum outcome user_store_find_by_email(struct context *context, struct text email, struct user_login *login_r);

/* Notes that a user is active now; at once (touch_store.h), or else in the row, unless last_active_at is newer than
 * last_active_interval, or another transaction locks the row. */
void user_store_touch(struct context *context, struct text user_id);

/* OAuth sessions of a user, without tokens. */
enum outcome user_store_oauth_sessions(struct context *context, struct text user_id, struct result *sessions_r);

/* Ends the sessions of a user at one identity provider. PROBLEM NOT_FOUND: there are none. */
enum outcome user_store_end_oauth_sessions(struct context *context, struct text user_id, struct text provider);

#endif
