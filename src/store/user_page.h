/* user_page.h: what a list of users is asked for, and who is on a page of it. */
#ifndef ROSTER_STORE_USER_PAGE_H
#define ROSTER_STORE_USER_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/database.h"

enum { USER_PAGE_ROWS = 30 };

/* Whom a list is narrowed to. Zero: everybody. */
struct user_filter {
    struct text role;     /* null: any */
    struct text group_id; /* members of it; null: any */
    bool by_disabled, is_disabled;
    bool by_activity;
    int64_t active_since; /* in epoch seconds */
};

/* Parameters of a list. */
struct user_listing {
    struct text query; /* substring of name or email; null or empty: all */
    struct user_filter filter;
    struct text order_by; /* as sent; unknown: newest first */
    bool ascending;
    int64_t page; /* from 1 */
    bool whole;   /* rows are User, else UserInfo */
};

/* Who is on a page. */
struct user_page {
    struct text ids[USER_PAGE_ROWS]; /* in the order of the list; in the request's arena */
    size_t count;                    /* 0: the page is behind the last one */
    int64_t total;                   /* how many users match, on all pages */
    /* Where not NULL: a SELECT of `count` ids instead, from `user u`, in the order of `order_by` or the opposite one.
     */
    const char *select;
    const char *order_by;
    bool is_reversed;
    struct parameter parameters[4];
    size_t parameter_count;
};

/* True where a filter leaves somebody out. */
bool user_filter_is_set(const struct user_filter *filter);

/* A condition on `user u`: ` WHERE …`, or an empty text, and its parameters. */
enum { USER_CONDITION_PARAMETERS = 5 };
struct user_condition {
    const char *sql;
    struct parameter parameters[USER_CONDITION_PARAMETERS];
    size_t count;
};

/* `%query%` for LIKE, with `%`, `_` and `\` in the query escaped; the null text for an empty query. */
struct text user_page_pattern(struct arena *arena, struct text query);

/* The condition of a filter. `pattern`: and of a query, as a pattern for LIKE; the null text: no query.
 * Each part of it has an index: see sql/HACKING. */
struct user_condition user_page_condition(struct arena *arena, const struct user_filter *filter, struct text pattern);

/* What makes the order of a list. */
struct user_order {
    struct text group_id; /* members of it first or last, each part by the column, which is the name; null: no group */
    const char *column;
    const char *index; /* of the column and the id */
    bool ascending;
};

/* The order that a list is asked for. */
struct user_order user_page_order(const struct user_listing *listing);

/* How many users come before the page. */
int64_t user_page_first(const struct user_listing *listing);

/* Which rows of a list are on a page, as LIMIT and OFFSET. */
struct user_range {
    bool is_reversed; /* counted from the end of the list, in the opposite order */
    int64_t count, offset;
};

enum { USER_TOTAL_UNKNOWN = -1 };

/* The rows behind `first` others, of `total`, from the nearer end of the list. USER_TOTAL_UNKNOWN: from its start. */
struct user_range user_page_range(int64_t first, int64_t total);

/* Whether a user is in a group. It has one parameter, the group's id. */
#define USER_IS_MEMBER "EXISTS (SELECT 1 FROM group_member m WHERE m.user_id = u.id AND m.group_id = ?)"

/* Whether a user's account is disabled, to be asked of each user by itself. MariaDB would rather look each one up in a
 * list of those who are, which takes several times as long. */
#define USER_IS_DISABLED "EXISTS (SELECT 1 FROM auth a FORCE INDEX (PRIMARY) WHERE a.id = u.id AND a.active = 0)"

/* What stands behind FROM for rows of everybody in an order: `user u`, and the index that has the order. MariaDB is
 * told to use it, and USER_BY_ID for rows of some ids: where its statistics are older than most of the rows it believes
 * that reading and sorting all of them takes no time. */
const char *user_page_from(struct arena *arena, const struct user_order *order);

#define USER_BY_ID "user u FORCE INDEX (PRIMARY)"

/* What ORDER BY says of an order, or of its opposite. `member`, for an order by group: USER_IS_MEMBER, or the name of a
 * column that has it. */
const char *user_page_order_by(struct arena *arena, const struct user_order *order, bool is_reversed,
                               const char *member);

#endif
