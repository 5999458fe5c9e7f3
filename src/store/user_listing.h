/* user_listing.h: lists of users: pages of thirty (roster-api(7), Lists), all users, and the members of a group.
 * Outcomes as in problem.h; rows are in the request's arena.
 *
 * A page is made in two steps:
 *
 *     user_listing_find   how many users match, and the ids of those who are on the page    from indices alone
 *     user_listing_rows   what is shown of these ids                                         by primary key
 *
 * The second takes nothing of the first but the ids, in their order. So user_search, which knows better than SQL who
 * matches, gives a `struct user_page` of its own. */
#ifndef ROSTER_STORE_USER_LISTING_H
#define ROSTER_STORE_USER_LISTING_H

#include "store/row_cache.h"
#include "store/rows.h"
#include "store/user_page.h"

/* Finds who is on the page.
 * `total`: how many users match, where the caller knows; then the ids are counted off from the nearer end of the list.
 * USER_TOTAL_UNKNOWN: they are counted, which takes longer with each user. One statement; two for a page that is far
 * from the first, or behind the last. */
enum outcome user_listing_find(struct context *context, const struct user_listing *listing, int64_t total,
                               struct user_page *page_r);

/* How far a list was read: behind the last user of a page. Zero: not at all. */
struct user_place {
    bool is_behind;
    struct value key, id; /* of that user: what the list is ordered by, and the id */
};

/* Finds who is on the page that begins at *place, and moves that behind it: for lists that are read from the first page
 * to the last, each of which takes the same time. The page and the total of `listing` are not looked at, and page_r's
 * total is unknown. A page of less than USER_PAGE_ROWS is the last one. Who moves meanwhile may be on two pages or on
 * none. Not for orders by group.
 * One statement. */
enum outcome user_listing_next(struct context *context, const struct user_listing *listing, struct user_place *place,
                               struct user_page *page_r);

/* The rows of the page, in the order of its ids: those of rows_of_user if `whole`, else of rows_of_user_info. A user
 * who was deleted in the meantime is left out.
 * One statement for any number of rows (none for an empty page), and three more for each row that still contains a
 * picture. */
enum outcome user_listing_rows(struct context *context, const struct user_page *page, bool whole,
                               struct result *users_r);

/* Where `whole`: a row has one more column, the ids of the user's groups, last updated first.
 * Gives the next of them and moves *groups behind it. False: there are no more. */
enum { USER_LISTED_groups = USER_COLUMNS };
bool user_listing_next_group(struct text *groups, struct text *id_r);

/* A user on a page. */
struct listed_user {
    struct text id;
    struct text shown;       /* what user_listing_keep was given; the null text: there is a row */
    const struct value *row; /* as of user_listing_rows */
    struct table_key key;    /* for user_listing_keep */
    struct table_stamp stamp;
};

struct listed_page {
    struct listed_user users[USER_PAGE_ROWS];
    size_t count;
    int64_t total;
};

/* A page to show; who is on it, by user_search where that can answer. Of users whose text is in the identity table, and
 * counts, nothing is read. */
enum outcome user_listing_show(struct context *context, const struct user_listing *listing, struct listed_page *page_r);

/* Keeps what a row is shown as. */
void user_listing_keep(const struct listed_user *user, struct text shown);

/* Called with each row of a list that is read row by row: see database_stream. */
typedef enum outcome user_each(struct context *context, const struct value *info, void *argument);

/* UserInfo of all users, newest first, row by row and in chunks (chunks.h). */
enum outcome user_listing_all(struct context *context, user_each *each, void *argument);

/* The same of a group's members, in the order in which they joined. */
enum outcome user_listing_members(struct context *context, struct text group_id, user_each *each, void *argument);

#endif
