/* user_search.h: finds who is on a page of a list with the directory (directory.h), in a time that hardly depends on
 * how many users there are. */
#ifndef ROSTER_STORE_USER_SEARCH_H
#define ROSTER_STORE_USER_SEARCH_H

#include "store/database.h"
#include "store/user_page.h"

/* Finds a page as it is after all that was committed before. It takes a statement, and another one or two where many
 * match in an order that the directory does not know, or a SELECT for user_listing_rows.
 * *found_r false: SQL has to be asked: there is no directory, it is not ready, or the query has no letters.
 * FAULT as database_execute. */
enum outcome user_search_find(struct context *context, const struct user_listing *listing, struct user_page *page_r,
                              bool *found_r);

/* Who matches a query, as the directory has it. */
struct user_match {
    struct text *ids; /* sorted */
    size_t count;
};

/* Finds all who match a query. *found_r false: SQL has to be asked, as above. FAULT as database_execute. */
enum outcome user_search_match(struct context *context, struct text query, struct user_match *match_r, bool *found_r);

/* Whether a user is among them. */
bool user_match_has(const struct user_match *match, struct text id);

/* A user of a page that was found twice has no row. */
void user_search_doubt(void);

#endif
