/* prefetch.h: what a request is going to ask MariaDB for, read by the statement that finds the caller. Each statement
 * costs a round trip and much of a processor's time, whatever it asks for.
 *
 * routes.def tells the parts (ROUTE_READS), session_store reads them, and the other stores take them in place of a
 * statement of their own, where they are there: they are not with an API key, nor while the identity table is used. A
 * part is given once, and none after the request has written something. */
#ifndef ROSTER_STORE_PREFETCH_H
#define ROSTER_STORE_PREFETCH_H

#include "store/database.h"

/* The parts, in the order of their columns: of the user that the path names, of the caller, and of nobody. */
enum prefetch_part {
    PREFETCH_USER,        /* rows_of_one_user */
    PREFETCH_LAST_ACTIVE, /* last_active_at; NULL: there is no such user */
    PREFETCH_PORTRAIT,    /* rows_of_portrait */
    PREFETCH_GROUPS,      /* PREFETCH_GROUP_COLUMNS, a row for each group */
    PREFETCH_CALLER,      /* rows_of_caller */
    PREFETCH_SETTINGS,    /* the column settings */
    PREFETCH_INFO,        /* the column info */
    PREFETCH_PERMISSIONS, /* the document of settings; permissions, id and parent_group_id of a group, a row for each
                           * group */
    PREFETCH_CONFIG,      /* the document of settings */
    PREFETCH_ELDERS,      /* PREFETCH_ELDER_COLUMNS */
    PREFETCH_OWN_GROUPS,  /* PREFETCH_GROUP_COLUMNS of the caller, a row for each group */
    PREFETCH_PARTS
};

/* A set of parts: the bits 1 << PREFETCH_…. It has one part at most that is a row for each group. */
enum { PREFETCH_SETS = 1 << PREFETCH_PARTS };

/* The groups of a user, a row for each: the columns, and what is joined, whose parameter is the user's id. A row whose
 * id is NULL is none: there are no groups. */
#define PREFETCH_GROUP_COLUMNS "g.id, g.name, g.updated_at"
#define PREFETCH_GROUP_JOIN "LEFT JOIN group_member m ON m.user_id = ? LEFT JOIN `group` g ON g.id = m.group_id"

/* All else stands again in each of these rows. So no more are read than this, and if there are as many, there may be
 * further groups. */
enum { PREFETCH_ROWS_MAX = 9 };
#define PREFETCH_LIMIT " LIMIT 9"

enum { PREFETCH_GROUP_COLUMN_COUNT = 3 };

/* Of `user c`: an older account whose address other programs may take for the same, and one whose username; each by two
 * collations. NULL: there is none. */
#define PREFETCH_ELDER(column)                                                                        \
    "(SELECT o.id FROM user o WHERE o." column " = c." column " AND (o.created_at < c.created_at OR " \
    "(o.created_at = c.created_at AND o.id < c.id)) LIMIT 1)"
#define PREFETCH_ELDER_COLUMNS    \
    PREFETCH_ELDER("email_order") \
    ", " PREFETCH_ELDER("email_general") ", " PREFETCH_ELDER("username") ", " PREFETCH_ELDER("username_general")
enum { ELDER_OF_EMAIL, ELDER_OF_USERNAME = 2, PREFETCH_ELDER_COLUMN_COUNT = 4 };

struct prefetch {
    unsigned parts;      /* the set */
    unsigned taken;      /* the set of those that were given */
    struct text user_id; /* the user that the path names */
    struct text caller_id;
    struct result rows;
    unsigned column; /* of the rows: where the parts begin */
    bool is_read;
};

/* The columns of a set of parts, each with a comma before it, and what is joined for them to `user c`, with a space
 * before each. In `arena`. */
const char *prefetch_columns(struct arena *arena, unsigned parts);
const char *prefetch_joins(struct arena *arena, unsigned parts);

/* Whether a set of parts makes a row for each group: the statement needs PREFETCH_LIMIT. */
bool prefetch_has_rows(unsigned parts);

/* The parameters of what is joined, at most PREFETCH_PARAMETERS_MAX. Gives their number. */
enum { PREFETCH_PARAMETERS_MAX = 3 };
size_t prefetch_parameters(const struct prefetch *prefetch, struct parameter *parameters_r);

/* The rows of the statement; the columns of the parts begin with `column`. */
void prefetch_put(struct prefetch *prefetch, const struct result *rows, unsigned column);

/* *rows_r: the rows of a part, with further columns behind those of the part. `user_id`: whom they must be of; the null
 * text for those of nobody. False: it was not read, not of this user, perhaps not whole, or taken already. */
bool prefetch_take(struct context *context, enum prefetch_part part, struct text user_id, struct result *rows_r);

#endif
