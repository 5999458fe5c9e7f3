/* overview_store.h: what administrators want to know of many users at once: accounts, sessions, API keys. */
#ifndef ROSTER_STORE_OVERVIEW_STORE_H
#define ROSTER_STORE_OVERVIEW_STORE_H

#include "store/rows.h"

/* When a user was active last, as an expression for `user u`; NULL: never. The column begins with the time at which the
 * account was created, and a sign-in alone does not change it. */
#define OVERVIEW_LAST_ACTIVE                                                     \
    "NULLIF(GREATEST(IF(u.last_active_at > u.created_at, u.last_active_at, 0), " \
    "COALESCE(u.last_sign_in_at, 0)), 0)"

/* What an account is, beside its row of `user`. */
struct account_overview {
    bool is_disabled, has_password;
    bool must_change;          /* the password, before anything else */
    bool has_factor;           /* a second one */
    int64_t last_sign_in_at;   /* -1: not known */
    int64_t last_active_at;    /* -1: never since the account was created */
    int64_t email_verified_at; /* -1: never */
    struct text last_address;  /* of the last sign-in; null: not known */
    int64_t session_count;     /* valid sessions */
    int64_t key_count;
};

/* The overviews of up to DATABASE_LIST_MAX users, in one statement. overviews_r[i] is that of user_ids[i]; of an
 * unknown user it is as of an account without anything. */
enum outcome overview_store_accounts(struct context *context, const struct text *user_ids, size_t count,
                                     struct account_overview *overviews_r);

/* Pairs of accounts that user_store_elder tells of: the id and the name of the younger, then those of the older. The
 * names are addresses, or with by_username usernames. A pair may stand there twice; of many only some. */
enum outcome overview_store_elders(struct context *context, bool by_username, struct result *pairs_r);

/* Which sessions. */
struct session_filter {
    struct text user_id;   /* null: of all users */
    int64_t created_until; /* INT64_MAX: any */
    int64_t seen_until;    /* INT64_MAX: any */
    int64_t seen_since;    /* 0: any */
};

/* The columns after those of session_columns. */
enum { OVERVIEW_SESSION_user_id = SESSION_COLUMNS, OVERVIEW_SESSION_email, OVERVIEW_SESSION_name };

/* Valid sessions, last seen first. */
enum outcome overview_store_sessions(struct context *context, const struct session_filter *filter,
                                     struct result *sessions_r);

/* A page of what all users have. */
enum { OVERVIEW_PAGE_ROWS = 30 };
struct overview_page {
    struct text query;   /* part of the name or address of their user; null or empty: any */
    struct text user_id; /* null: of all users */
    int64_t page;        /* from 1 */
    bool is_behind;      /* the rows behind one, instead of a page: that takes the same time however far it is */
    int64_t created_at;  /* of that row, and its primary key */
    struct text id;
};

/* What a page ends with. */
struct overview_page_end {
    int64_t total;      /* rows on all pages */
    bool has_more;      /* there is a row behind the last one */
    int64_t created_at; /* of the last one, and its primary key */
    struct text id;
};

/* Valid sessions with the same columns, newest first. */
enum outcome overview_store_session_page(struct context *context, const struct overview_page *page,
                                         struct result *sessions_r, struct overview_page_end *end_r);

/* The valid session of a jti, with the same columns. *session_r is NULL if there is none. */
enum outcome overview_store_session(struct context *context, struct text jti, const struct value **session_r);

/* The columns of the numbers of sessions: the id of the key that signed their tokens, or NULL where it was not noted,
 * and how many are valid. */
enum { OVERVIEW_SIGNED_key_id, OVERVIEW_SIGNED_count };
enum outcome overview_store_sessions_by_key(struct context *context, struct result *counts_r);

/* Which API keys. */
struct key_filter {
    struct text user_id;   /* null: of all users */
    int64_t unused_since;  /* neither made nor used since then; INT64_MAX: any */
    int64_t expired_until; /* expired by then; -1: any */
};

enum overview_key_column {
    OVERVIEW_KEY_id,
    OVERVIEW_KEY_is_primary,
    OVERVIEW_KEY_name,
    OVERVIEW_KEY_suffix,
    OVERVIEW_KEY_expires_at,
    OVERVIEW_KEY_last_used_at,
    OVERVIEW_KEY_routes,
    OVERVIEW_KEY_created_at,
    OVERVIEW_KEY_user_id,
    OVERVIEW_KEY_email
};

/* API keys, by the address of their owners; of each the primary key first, then in the order in which they were made.
 */
enum outcome overview_store_keys(struct context *context, const struct key_filter *filter, struct result *keys_r);

/* A page of them, newest first. */
enum outcome overview_store_key_page(struct context *context, const struct overview_page *page, struct result *keys_r,
                                     struct overview_page_end *end_r);

/* How many accounts have each role: rows of the role and the number. False where counting takes too long. */
bool overview_store_count_accounts(struct context *context, struct result *counts_r);

/* How many users were active within USER_ACTIVE_SECONDS. False where counting takes too long. */
bool overview_store_count_active(struct context *context, int64_t *count_r);

/* How many sessions are valid. False where counting takes too long. */
bool overview_store_count_sessions(struct context *context, int64_t *count_r);

#endif
