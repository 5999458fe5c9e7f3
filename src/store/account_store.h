/* account_store.h: creates, changes, disables and deletes accounts. */
#ifndef ROSTER_STORE_ACCOUNT_STORE_H
#define ROSTER_STORE_ACCOUNT_STORE_H

#include "store/rows.h"
#include "store/session_store.h"

struct picture;

/* Validates an email address. *email_r: its canonical form (email.h).
 * `user_id`, `present`: the user whose address changes, and the present one; both null for a new account. The present
 * address is always valid, since an imported one may have another form.
 * PROBLEM INVALID_EMAIL_FORMAT: valid are `x@y.z` and `x@localhost`.
 * PROBLEM EMAIL_TAKEN: another user has it. */
enum outcome account_store_take_email(struct context *context, struct text sent, struct text user_id,
                                      struct text present, struct text *email_r);

/* The same for many new accounts, with one statement. *refusals_r: for each of them INVALID_EMAIL_FORMAT, EMAIL_TAKEN
 * or ERROR_NONE. That two of them are the same is not looked at. */
enum outcome account_store_check_emails(struct context *context, const struct text *sent, size_t count,
                                        enum error_code **refusals_r);

/* A new account. */
struct account_new {
    bool is_sign_up; /* false: an administrator or a proxy adds it */
    struct text name, email, role;
    struct text picture; /* address; null: /user.png */
    const struct picture *new_picture;
    struct text password_hash;    /* null: an account without a password (trusted headers) */
    bool must_change;             /* the password, before anything else */
    struct text group_id;         /* of the default group; null, empty or unknown: no group */
    const struct text *group_ids; /* of further groups; unknown ones are passed over */
    size_t group_count;
    struct text timezone; /* null: none */
    bool is_disabled;
    bool is_invited; /* gets a mail with a link to choose a password */
    /* set by the store */
    struct text id;
    bool became_first;
    int64_t created_at;
};

/* Creates an account in one transaction, or as a part of one, which locks out other additions.
 * The first account becomes an administrator's, and closes sign-up.
 * A later sign-up gets the default role and group of the settings.
 * PROBLEM EMAIL_TAKEN; INVALID_IMAGE (picture_store_hold).
 * PROBLEM ACCESS_PROHIBITED, 403: a later sign-up, and sign-up is closed. */
enum outcome account_store_add(struct context *context, struct account_new *account);

/* Creates accounts in one transaction, all of them or none. Otherwise as account_store_add.
 * *failed_r: the index of the account that a PROBLEM is about. */
enum outcome account_store_add_all(struct context *context, struct account_new *accounts, size_t count,
                                   size_t *failed_r);

/* Within a transaction: takes the lock that all additions take. Until it ends, the first account can't change. */
enum outcome account_store_lock_first(struct context *context);

/* A change by an administrator, in one transaction. */
struct account_change {
    struct text user_id;
    struct text role, name, email;     /* each null: it stays */
    struct text picture;               /* address; null: it stays */
    const struct picture *new_picture; /* the picture to store, or NULL */
    struct text password_hash;         /* null: it stays */
    bool has_precondition;             /* nothing is changed unless updated_at is if_updated_at */
    int64_t if_updated_at;
    struct kept_session kept; /* stays valid if the password changes; a change of role ends all sessions */
    /* set by the store */
    bool ends_sessions;           /* role or password changed */
    struct text replaced_picture; /* the previous address; null: unchanged */
    const struct value *user;     /* the row of USER_COLUMNS as it is now */
};

/* PROBLEM EMAIL_TAKEN, USER_NOT_FOUND, INVALID_IMAGE (picture_store_hold), PRECONDITION_FAILED. */
enum outcome account_store_change(struct context *context, struct account_change *change);

/* Changes a role and nothing else, and ends all sessions of the user. Idempotent.
 * PROBLEM ACTION_PROHIBITED: the primary administrator. PROBLEM USER_NOT_FOUND. */
enum outcome account_store_set_role(struct context *context, struct text user_id, struct text role);

/* Deletes a user with all data of the user, and revokes the sessions in Redis.
 * PROBLEM ACTION_PROHIBITED: the primary administrator. PROBLEM USER_NOT_FOUND. */
enum outcome account_store_delete(struct context *context, struct text user_id);

/* The same, and nothing personal remains in the audit, of which the housekeeper empties it (audit_chain.h). Also of an
 * account that was deleted before. */
enum outcome account_store_erase(struct context *context, struct text user_id);

/* Within a transaction: deletes whoever was erased, behind a restore of a backup from before that. */
enum outcome account_store_erase_again(struct context *context);

/* Removes rows of `deleted_user` that are older than a day, a thousand at a time. */
enum outcome account_store_clean(struct context *context);

/* `auth.active`, a column of the original service, says whether an account is disabled. An account without a row in
 * `auth` (signed in by a trusted header) is active. */

/* Disables an account, ends all its sessions, and revokes them in Redis, in one transaction. Idempotent.
 * An account without a row in `auth` gets one with an empty password hash, which no password matches, in Roster and in
 * the original service.
 * PROBLEM ACTION_PROHIBITED: the primary administrator. PROBLEM USER_NOT_FOUND. */
enum outcome account_store_disable(struct context *context, struct text user_id);

/* Enables an account. API keys work again; ended sessions stay ended. PROBLEM USER_NOT_FOUND. */
enum outcome account_store_enable(struct context *context, struct text user_id);

#endif
