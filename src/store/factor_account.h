/* factor_account.h: what factor_store.c does with an account: reading what there is of its second factor, counting
 * tries, comparing and using up codes. */
#ifndef ROSTER_STORE_FACTOR_ACCOUNT_H
#define ROSTER_STORE_FACTOR_ACCOUNT_H

#include "store/database.h"

enum factor_state {
    FACTOR_NONE,
    FACTOR_PRESENT,
    FACTOR_RESET /* by an administrator: a new one needs the reset token */
};

/* Who says that a person needs one: bits. */
enum { FACTOR_BY_CHOICE = 1, FACTOR_BY_OPERATOR = 2 };

enum {
    FACTOR_CODES = 10,              /* for an emergency */
    FACTOR_CHALLENGE_SECONDS = 300, /* how long a challenge is good */
    FACTOR_FRESH_SECONDS = 300,     /* how old a sign-in may be that changes a factor */
    FACTOR_RESET_SECONDS = 1800,    /* how long a reset token is good */
    FACTOR_CHALLENGE_TRIES = 5,     /* codes for one challenge */
    FACTOR_TRIES = 10,              /* codes for one account */
    FACTOR_TRIES_SECONDS = 900      /* within this time */
};

/* Takes over what an import brought (auth.mfa, in the form of Open WebUI 0.12) into the tables of Roster, in a
 * transaction. What can't be read counts as a factor that was reset. */
enum outcome factor_account_adopt(struct context *context, struct text user_id);

/* Whether what an import brings (auth.mfa) can be read: it is JSON, and where it has a secret, one of our secret keys
 * opens it. Else its codes for an emergency count alone, or an administrator has to reset the factor. */
bool factor_account_reads(struct context *context, struct text mfa);

/* An account within a transaction, its rows locked. */
struct factor_account {
    struct text email;
    bool is_active;
    enum factor_state state;
    int required;
    struct text stamp;
    struct text secret; /* sealed; null: none */
    int64_t last_step;
};

/* Locks the rows of user and auth, and makes those that are missing. PROBLEM USER_NOT_FOUND. */
enum outcome factor_account_lock(struct context *context, struct text user_id, struct factor_account *account_r);

/* Counts one try of the account. PROBLEM RATE_LIMIT_EXCEEDED, with Retry-After. */
enum outcome factor_account_count_try(struct context *context, struct text user_id);

/* The secret in plain, of `user_id`, in base32. The null text, and it is logged: no secret key opens it. */
struct text factor_account_open(struct context *context, struct text user_id, struct text sealed);

/* Which step a code is of, later than `last_step`; -1: it is wrong. */
int64_t factor_account_step(struct context *context, struct text base32, struct text code, int64_t last_step);

/* Within a transaction: uses up a code of the account. PROBLEM INVALID_CODE. */
enum outcome factor_account_use(struct context *context, struct text user_id, const struct factor_account *account,
                                struct text code, bool is_recovery);

/* Within a transaction: puts new codes for an emergency in place of the old ones. */
enum outcome factor_account_renew_codes(struct context *context, struct text user_id,
                                        struct text codes_r[static FACTOR_CODES]);

/* Within a transaction: how it is from now on. */
enum outcome factor_account_set(struct context *context, struct text user_id, enum factor_state state, int required);

#endif
