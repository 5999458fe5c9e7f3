/* link_store.h: one-time links. A link's secret has 256 random bits; the table has only its SHA-256. A user has one
 * link of each purpose at most, so a new one ends the one before. */
#ifndef ROSTER_STORE_LINK_STORE_H
#define ROSTER_STORE_LINK_STORE_H

#include "base/mail_table.h"
#include "store/database.h"

/* Within a transaction: makes a link for a user, sent to `email` (empty: it is not sent). *secret_r: in the arena.
 * PROBLEM USER_NOT_FOUND. */
enum outcome link_store_make(struct context *context, struct text user_id, enum mail_link purpose, struct text email,
                             struct text *secret_r);

/* Whose link a secret is. */
struct link {
    struct text user_id;
    struct text hash;
    struct text email; /* where it was sent to; empty: it was handed over in another way */
    struct text purpose;
};

/* PROBLEM INVALID_LINK: there is no such link, it has expired, or the account is disabled. */
enum outcome link_store_find(struct context *context, struct text secret, struct link *link_r);

/* Whether it is for this purpose. */
bool link_store_is_for(const struct link *link, enum mail_link purpose);

/* Within a transaction: uses a link up. Who has it has read the mail, so the address is verified, if it is still that
 * of the account. PROBLEM INVALID_LINK: it has expired, or somebody else has just used it. */
enum outcome link_store_use(struct context *context, const struct link *link);

/* The same in a transaction of its own, for a link that does nothing else. */
enum outcome link_store_use_alone(struct context *context, const struct link *link);

/* Makes a link in a transaction of its own. */
enum outcome link_store_make_alone(struct context *context, struct text user_id, enum mail_link purpose,
                                   struct text *secret_r);

/* Within a transaction: ends all links of a user, and those that wait to be sent. */
enum outcome link_store_end_all(struct context *context, struct text user_id);

/* Deletes links that have expired; each call a few. */
enum outcome link_store_clean(struct context *context);

#endif
