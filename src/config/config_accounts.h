/* config_accounts.h: the accounts at MariaDB: one for all processes, or, with database_accounts, one for each kind of
 * process, as tables/grants.def lists them. */
#ifndef ROSTER_CONFIG_CONFIG_ACCOUNTS_H
#define ROSTER_CONFIG_CONFIG_ACCOUNTS_H

#include "config/config.h"

/* The part of an account's name behind that of database_user and `-', which is also the name of the file with its
 * password: "api". Static. */
const char *config_account_suffix(enum account account);

/* Who uses the account, in words. Static. */
const char *config_account_text(enum account account);

/* Whether each kind of process has an account of its own. */
bool config_has_accounts(const struct config *config);

/* The account that this process connects with: the one chosen, or, without database_accounts, that of database_user. A
 * password whose data is NULL: none. Valid as long as `config`. */
struct database_account config_account(const struct config *config);

/* Says which account this process connects with, until the next call. At first it is ACCOUNT_ROSTERCTL. */
void config_choose_account(enum account account);

/* The same in a process that the master has forked; overwrites the passwords of all other accounts, in all
 * configurations that were loaded. ACCOUNT_COUNT: of all accounts. */
void config_keep_account(enum account account);

/* Called by config_secrets: `config` has passwords of accounts from now on, or has them no longer. */
void config_accounts_loaded(struct config *config);
void config_accounts_wipe(struct config *config);

#endif
