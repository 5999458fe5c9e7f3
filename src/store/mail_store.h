/* mail_store.h: mails that wait to be sent, in the table `mail'. A row is written in the transaction of the change that
 * it tells of. worker/mailer.c takes it, on whichever host comes first, and deletes it when it is sent. */
#ifndef ROSTER_STORE_MAIL_STORE_H
#define ROSTER_STORE_MAIL_STORE_H

#include "base/mail_table.h"
#include "store/database.h"

struct mail_new {
    enum mail_kind kind;
    struct text user_id; /* null: whoever has `address' when it is sent; where nobody has, nothing is sent */
    struct text address; /* null: the address of the user when it is sent */
    struct text data;    /* a JSON object of mail_store_data, or null */
};

/* Within a transaction, or alone: has a mail sent, where mails of this kind are sent. */
enum outcome mail_store_add(struct context *context, const struct mail_new *mail);

/* What the text of a mail tells besides, as JSON: from where a request came. In the arena; texts may be null. */
struct text mail_store_data(struct context *context, struct text address, struct text user_agent);

/* A mail to be sent now. */
struct mail_taken {
    int64_t id, attempts;
    enum mail_kind kind;
    int64_t created_at;
    struct text to, email, name; /* where it goes; the address and the name of the account */
    struct text client_address, user_agent;
    struct text secret; /* of its link; null: it has none */
};

enum mail_take {
    MAIL_TAKE_NONE,    /* no mail is due */
    MAIL_TAKE_SEND,    /* *mail_r is to be sent */
    MAIL_TAKE_DROPPED, /* one was due, but nobody is to get it, or it was given up; there may be more */
};

/* Takes the mail that is due for the longest time. No other process takes it within `lease` seconds. Its link is made
 * now, and ends one that was sent before. */
enum outcome mail_store_take(struct context *context, int64_t lease, enum mail_take *take_r, struct mail_taken *mail_r);

/* It was sent: it is deleted. */
enum outcome mail_store_sent(struct context *context, const struct mail_taken *mail);

/* It was not: tried again at `next_at`; -1: it is given up. `error' is shown to administrators. */
enum outcome mail_store_failed(struct context *context, const struct mail_taken *mail, int64_t next_at,
                               struct text error);

/* Deletes mails that were given up a week ago; each call a few. */
enum outcome mail_store_clean(struct context *context);

/* For administrators. */
enum mail_column {
    MAIL_COLUMN_id,
    MAIL_COLUMN_kind,
    MAIL_COLUMN_to, /* the address of the user, or that of the mail */
    MAIL_COLUMN_created_at,
    MAIL_COLUMN_next_at, /* null: given up */
    MAIL_COLUMN_attempts,
    MAIL_COLUMN_error
};
enum outcome mail_store_list(struct context *context, struct result *mails_r);

/* Has a mail tried again at once; -1: all. *count_r: how many. */
enum outcome mail_store_retry(struct context *context, int64_t id, int64_t *count_r);

/* The columns of one mail; *row_r NULL: it is there no more, so it was sent. */
enum outcome mail_store_show(struct context *context, int64_t id, const struct value **row_r);

/* The id of the mail that this process has added last. */
enum outcome mail_store_last_id(struct context *context, int64_t *id_r);

/* How many wait, since when the oldest has been due (-1: none), and how many were given up. False: it takes too long.
 */
bool mail_store_count(struct context *context, int64_t *waiting_r, int64_t *oldest_r, int64_t *given_up_r);

#endif
