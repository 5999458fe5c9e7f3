/* database_accounts.h: the privileges of the accounts of database_accounts, by tables/grants.def: the statements that
 * give them, and what an account lacks or has beyond them. */
#ifndef ROSTER_STORE_DATABASE_ACCOUNTS_H
#define ROSTER_STORE_DATABASE_ACCOUNTS_H

#include "config/config.h"
#include "store/database.h"

/* The statements that create the accounts, set the passwords that were loaded (as what MariaDB stores of them), and
 * grant what is needed. MariaDB's root runs them, once the tables are there; they can be run again, also while the
 * service runs, since they revoke nothing. `from`: as for database_grants. */
struct text database_accounts_grants(struct context *context, const char *from);

/* Grants the accounts what they need of the tables, as the account that is connected: it must have that itself, with
 * GRANT OPTION. False: MariaDB's message. */
bool database_accounts_grant(struct context *context, const char *from, struct error *error);

/* How the privileges of an account differ from what it needs. All texts are in the arena. */
struct database_account_state {
    const char *missing;  /* a GRANT of what it lacks, of one table; NULL: nothing */
    size_t missing_count; /* of how many tables */
    const char *excess;   /* a REVOKE of what it has in addition; NULL: nothing */
    bool reads_hashes;    /* that is SELECT of auth.password */
};

/* Compares what the account has that is connected. False: MariaDB does not tell; logged. */
bool database_account_look(struct context *context, enum account account, struct database_account_state *state_r);

#endif
