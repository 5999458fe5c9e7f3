/* caller.h: the account of the caller. session_store and key_store read it with the session or the key. */
#ifndef ROSTER_STORE_CALLER_H
#define ROSTER_STORE_CALLER_H

#include "store/database.h"

/* Whether an account may be used; one without a row in `auth` is CALLER_ACTIVE. */
enum caller_standing {
    CALLER_DISABLED,
    CALLER_ACTIVE,
    CALLER_MUST_CHANGE /* the password, before anything else */
};

struct caller {
    struct text user_id, email, name, role;
    int64_t last_active_at;
    enum caller_standing standing;
    bool has_factor;     /* a second one, which was not reset */
    int factor_required; /* who says that it is needed: bits of factor_store.h */
};

/* The first columns of a SELECT, with the alias of `user`, and of `auth`, which may be missing. */
#define CALLER_COLUMNS_OF(u)                                                                      \
    u ".id, " u ".email, " u ".name, " u ".role, " u ".last_active_at, a.active, a.must_change, " \
      "a.factor_state, a.factor_required"

/* The same for the alias `u`, and the JOIN that they need. */
#define CALLER_COLUMNS CALLER_COLUMNS_OF("u")
#define CALLER_JOIN "LEFT JOIN auth a ON a.id = u.id"

/* Index of the first column after CALLER_COLUMNS. */
enum { CALLER_END = 9 };

static inline struct caller caller_of_row(const struct value *row)
{
    const bool is_active = value_integer(&row[5], 1) != 0, must_change = value_integer(&row[6], 0) != 0;
    return (struct caller){
        .user_id = row[0].text,
        .email = row[1].text,
        .name = row[2].text,
        .role = row[3].text,
        .last_active_at = row[4].integer,
        .standing = !is_active    ? CALLER_DISABLED
                    : must_change ? CALLER_MUST_CHANGE
                                  : CALLER_ACTIVE,
        .has_factor = value_integer(&row[7], 0) == 1,
        .factor_required = (int)value_integer(&row[8], 0),
    };
}

/* The same columns again. */
static inline void caller_to_row(const struct caller *caller, struct value row_r[static CALLER_END])
{
    row_r[0] = (struct value){.text = caller->user_id};
    row_r[1] = (struct value){.text = caller->email};
    row_r[2] = (struct value){.text = caller->name};
    row_r[3] = (struct value){.text = caller->role};
    row_r[4] = (struct value){.integer = caller->last_active_at};
    row_r[5] = (struct value){.integer = caller->standing != CALLER_DISABLED};
    row_r[6] = (struct value){.integer = caller->standing == CALLER_MUST_CHANGE};
    row_r[7] = (struct value){.integer = caller->has_factor};
    row_r[8] = (struct value){.integer = caller->factor_required};
}

#endif
