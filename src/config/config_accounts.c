/* config_accounts.c: see config_accounts.h. */
#include "config/config_accounts.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* A reload has the old configuration and the new one; a trial, and the first one, have theirs. */
enum { HOLDERS_MAX = 8 };

static const struct {
    const char *suffix, *text;
} rows[ACCOUNT_COUNT] = {
#define GRANT_ACCOUNT(name, account_suffix, account_text) [ACCOUNT_##name] = {account_suffix, account_text},
#include "tables/grants.def"
};

static enum account chosen = ACCOUNT_ROSTERCTL;
static struct config *holders[HOLDERS_MAX];

const char *config_account_suffix(enum account account)
{
    return rows[account].suffix;
}

const char *config_account_text(enum account account)
{
    return rows[account].text;
}

bool config_has_accounts(const struct config *config)
{
    return config->database_accounts != NULL && config->database_accounts[0] != '\0';
}

struct database_account config_account(const struct config *config)
{
    return config_has_accounts(config) ? config->accounts[chosen]
                                       : (struct database_account){config->database_user, config->database_password};
}

void config_choose_account(enum account account)
{
    chosen = account;
}

static void wipe(struct text *password)
{
    memory_secret_free((void *)(uintptr_t)password->data);
    *password = TEXT_NULL;
}

void config_keep_account(enum account account)
{
    for (size_t i = 0; i < HOLDERS_MAX; i++) {
        for (enum account other = 0; holders[i] != NULL && other < ACCOUNT_COUNT; other++) {
            if (other != account) {
                wipe(&holders[i]->accounts[other].password);
            }
        }
    }
    if (account != ACCOUNT_COUNT) {
        chosen = account;
    }
}

void config_accounts_loaded(struct config *config)
{
    size_t place = 0;
    while (place < HOLDERS_MAX && holders[place] != NULL && holders[place] != config) {
        place++;
    }
    invariant(place < HOLDERS_MAX);
    holders[place] = config;
}

void config_accounts_wipe(struct config *config)
{
    for (enum account account = 0; account < ACCOUNT_COUNT; account++) {
        wipe(&config->accounts[account].password);
    }
    for (size_t i = 0; i < HOLDERS_MAX; i++) {
        holders[i] = holders[i] == config ? NULL : holders[i];
    }
}
