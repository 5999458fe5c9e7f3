/* password_store.h: password hashes, in the table `auth`. */
#ifndef ROSTER_STORE_PASSWORD_STORE_H
#define ROSTER_STORE_PASSWORD_STORE_H

#include "store/database.h"
#include "store/link_store.h"
#include "store/session_store.h"

/* The password hash of a user. Null: the user has no password. */
enum outcome password_store_hash(struct context *context, struct text user_id, struct text *hash_r);

/* Within a transaction: sets the hash in the user's row of `auth`. If there is no row yet, it is inserted with `email`.
 * `must_change`: the password must be changed before anything else.
 * PROBLEM EMAIL_TAKEN. */
enum outcome password_store_put(struct context *context, struct text user_id, struct text email, struct text hash,
                                bool must_change);

/* Within a transaction: the same for a new account, which has no row yet. */
enum outcome password_store_add(struct context *context, struct text user_id, struct text email, struct text hash,
                                bool must_change);

/* Within a transaction: has the owner told that the password was changed, where that is wanted. */
enum outcome password_store_tell(struct context *context, struct text user_id);

/* A change of the password hash. */
struct password_change {
    struct text user_id;
    struct text hash;
    struct text old_hash; /* that the present password was verified with; null: not checked */
    enum error_code
        on_other;       /* the problem if the stored hash is not `old_hash`: another request changed it meanwhile */
    bool must_change;   /* the new password, before anything else */
    bool ends_sessions; /* all sessions but `kept` */
    struct kept_session kept;
    bool is_rehash;          /* of the same password */
    const struct link *link; /* that it is set by, and that is used up; NULL: by none */
    bool is_first;           /* the account had no password: there is nothing to give notice of */
};

/* Changes the hash and ends sessions, in one transaction. Unless it is a rehash, all one-time links of the user end,
 * and the user gets a notice. PROBLEM USER_NOT_FOUND, on_other, INVALID_LINK. */
enum outcome password_store_change(struct context *context, struct password_change *change);

/* The highest cost of the bcrypt hashes of imported accounts. 0: there are no bcrypt hashes. */
enum outcome password_store_greatest_bcrypt_cost(struct context *context, int64_t *cost_r);

/* Argon2 hashes of imported accounts: one row (`password`) for each set of parameters, up to 100. */
enum outcome password_store_argon2_hashes(struct context *context, struct result *hashes_r);

/* Costs of all scrypt hashes: rows of the six digits NNrrpp, and the number of accounts that have them. */
enum outcome password_store_scrypt_costs(struct context *context, struct result *costs_r);

#endif
