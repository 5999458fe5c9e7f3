/* rule.h: the rules by which nginx lets people into a location: roster-api(7), Rules.
 *
 *     rule   = [ either *( "," either ) ]
 *     either = term *( SPACE term )            all of them
 *     term   = "any" / KIND ":" VALUE          with a part of it, or all of it, between double quotes
 *            / "mfa" [ "<" TIME ]              TIME as 12h, 1h30m
 *
 * Between quotes a backslash stands before a quote or a backslash. */
#ifndef ROSTER_AUTH_RULE_H
#define ROSTER_AUTH_RULE_H

#include <stdbool.h>

#include "auth/identity.h"
#include "base/permission_table.h"
#include "store/database.h"

struct arena;

enum rule_kind {
    RULE_ANY,        /* also people whose role is `pending` */
    RULE_ROLE,       /* `user` or `admin` */
    RULE_GROUP,      /* its name or id */
    RULE_PERMISSION, /* of permissions.def */
    RULE_USER,       /* the email address or id */
    RULE_FACTOR      /* the session was begun with a second factor */
};

struct rule_term {
    enum rule_kind kind;
    struct text value;          /* without quotes */
    enum permission permission; /* of RULE_PERMISSION */
    int64_t age;                /* of RULE_FACTOR: how old the sign-in may be, in seconds; -1: of any age */
    bool starts_either;         /* the terms up to the next one that starts are one alternative */
};

/* Without terms: whoever is signed in, as `user` or `admin`. */
struct rule {
    struct rule_term *terms;
    size_t count;
};

/* The longest rule, and the most terms of one. */
enum { RULE_BYTES = 4096, RULE_TERMS = 64 };

/* Reads a rule; its texts are in the arena.
 * False with the reason, which names the term, where it can't be read. */
bool rule_parse(struct arena *arena, struct text text, struct rule *rule_r, struct error *error);

enum rule_verdict {
    RULE_PASSES,
    RULE_NOBODY, /* the role is neither `user` nor `admin`, and the rule does not say `any` */
    RULE_REFUSES,
    RULE_WANTS_FACTOR /* it is a session, and a new sign-in with a second factor would do */
};

/* Whether a caller may in. `groups`: ids and names of the caller's groups (group_store_names_of_user).
 * *unknown_r: where it refuses, a group of the rule that there is not; else the null text.
 * OK, or FAULT of the store. */
enum outcome rule_judge(struct context *context, const struct rule *rule, const struct identity *identity,
                        const struct result *groups, enum rule_verdict *verdict_r, struct text *unknown_r);

#endif
