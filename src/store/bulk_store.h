/* bulk_store.h: what a change of many users would do to each of them: found with one statement, changed by the
 * functions of account_store and group_store. */
#ifndef ROSTER_STORE_BULK_STORE_H
#define ROSTER_STORE_BULK_STORE_H

#include "store/user_page.h"

enum bulk_action {
    BULK_ROLE,
    BULK_ADD_TO_GROUP,
    BULK_REMOVE_FROM_GROUP,
    BULK_DISABLE,
    BULK_ENABLE,
    BULK_DELETE,
    BULK_ACTIONS
};

struct bulk_change {
    enum bulk_action action;
    struct text value; /* the role, or the id of the group; else null */
};

/* A user, as far as the change is concerned. */
struct bulk_user {
    struct text id;
    struct text role;  /* null: there is no such user */
    bool is_unchanged; /* what is wanted is so already */
};

/* Called with one user after another. The texts are valid until it returns. False: no more of them. */
typedef bool bulk_each(struct context *context, const struct bulk_user *user, void *argument);

/* The users with these ids, each once, those without a row too; in the order of ids, those behind that are too long for
 * one. */
enum outcome bulk_store_of_ids(struct context *context, const struct bulk_change *change, const struct text *ids,
                               size_t count, bulk_each *each, void *argument);

/* The users whom a list without pages has, in the order of their ids, behind `after` (null: from the first on). The
 * directory says who matches the query; where it can't, SQL does. FAULT as database_execute. */
enum outcome bulk_store_of_listing(struct context *context, const struct bulk_change *change,
                                   const struct user_listing *listing, struct text after, bulk_each *each,
                                   void *argument);

#endif
