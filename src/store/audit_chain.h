/* audit_chain.h: the chains of the audit: made by the housekeeper of each host, verified by rosterctl.
 *
 * Whoever inserts a row gives it a MAC, and neither number nor hash: a chain that grew within the transactions of
 * requests would let one wait for the other. A second later the housekeeper numbers what was committed, in the order of
 * ids, and writes the end of the chain into audit_head, with a MAC. So:
 *
 *     a row that is changed, or made up        its mac, its hash, and those behind it do not fit
 *     a row that is removed, or put elsewhere  a number is missing, or the hash behind it does not fit
 *     the last rows are removed                the end in audit_head is not there
 *     a row is removed before it is numbered   within a second of its commit, or while the housekeeper does not run:
 *                                              only audit_log shows it
 *     the database is put back to an old state only audit_log shows it, or an older output of verify
 *
 * Only these functions update or delete rows. */
#ifndef ROSTER_STORE_AUDIT_CHAIN_H
#define ROSTER_STORE_AUDIT_CHAIN_H

#include "store/audit_store.h"

/* Numbers rows of this host that have no number yet, and empties what is personal in those of people who were erased.
 * *more_r: there may be more. Outcomes as database_transaction. */
enum outcome audit_chain_grow(struct context *context, bool *more_r);

/* Seals the ends of all chains with the key that signs now, so that an older one may go. Called once, before the
 * others. */
enum outcome audit_chain_reseal(struct context *context);

/* Removes rows that are older than audit_retention, of all hosts, some at a time. *more_r: there may be more. */
enum outcome audit_chain_trim(struct context *context, bool *more_r);

/* Whether rows of some host were removed because of their age. */
enum outcome audit_chain_is_trimmed(struct context *context, bool *is_trimmed_r);

/* What is wrong with a row, or with the rows between two. */
struct audit_fault {
    struct text host;
    int64_t id;       /* of the row; 0: it is missing */
    int64_t number;   /* 0: none */
    const char *text; /* "its MAC is wrong" */
};

/* What was read of one host. */
struct audit_verified {
    struct text host;
    int64_t first, last;     /* numbers; 0: none */
    struct text hash;        /* of the last */
    int64_t unchained;       /* rows without a number */
    int64_t unchained_since; /* the time of the oldest of them; -1: none */
    int64_t unknown_keys;    /* rows whose MAC is of a key that is gone: the chain alone vouches for them */
    int64_t emptied;         /* rows of people who were erased */
};

/* Verifies all chains, as they are at one moment. `report` is called for each fault, `done` for each host.
 * Outcomes as database_snapshot. */
enum outcome audit_chain_verify(struct context *context,
                                void (*report)(const struct audit_fault *fault, void *argument),
                                void (*done)(const struct audit_verified *verified, void *argument), void *argument);

#endif
