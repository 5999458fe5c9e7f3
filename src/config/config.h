/* config.h: roster.conf, parsed into an object that never changes. config_read creates it.
 *
 * The fields are made from tables/directives.def, like the parser, the ranges, -T, the sample file and the manual. */
#ifndef ROSTER_CONFIG_CONFIG_H
#define ROSTER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/enums.h"
#include "base/pool.h"
#include "base/text.h"
#include "config/network.h"

struct words {
    const char **items;
    size_t count;
};

/* The C type of each directive type. SECRET_PATH is the path; the content of the file is in the fields after the
 * pools. */
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_PATH const char *
#define CONFIG_TYPE_SECRET_PATH const char *
#define CONFIG_TYPE_INTEGER int64_t
#define CONFIG_TYPE_SIZE int64_t
#define CONFIG_TYPE_SECONDS int64_t
#define CONFIG_TYPE_MILLISECONDS int64_t
#define CONFIG_TYPE_BOOLEAN bool
#define CONFIG_TYPE_ENUM(name) enum name
#define CONFIG_TYPE_ADDRESSES struct networks
#define CONFIG_TYPE_LIST struct words

struct pool_config {
#define CONFIG_FIELD_GLOBAL(name, type)
#define CONFIG_FIELD_POOL(name, type) CONFIG_TYPE_##type name;
#define DIRECTIVE(name, scope, type, default_text, min, max, applies, text) CONFIG_FIELD_##scope(name, type)
#include "tables/directives.def"
#undef CONFIG_FIELD_GLOBAL
#undef CONFIG_FIELD_POOL
};

/* The keys that sign tokens and device cookies. The first signs; all of them verify. */
enum { SECRET_KEYS_MAX = 8 };
struct secret_keys {
    struct text items[SECRET_KEYS_MAX]; /* data NULL behind the last one */
    size_t count;
};

/* The accounts at MariaDB of database_accounts: a kind of process each. The first ones are those of the pools. */
enum account {
#define GRANT_ACCOUNT(name, suffix, text) ACCOUNT_##name,
#include "tables/grants.def"
    ACCOUNT_COUNT
};

struct database_account {
    const char *user;
    struct text password; /* data NULL: none */
};

struct config {
#define CONFIG_FIELD_GLOBAL(name, type) CONFIG_TYPE_##type name;
#define CONFIG_FIELD_POOL(name, type)
#define DIRECTIVE(name, scope, type, default_text, min, max, applies, text) CONFIG_FIELD_##scope(name, type)
#include "tables/directives.def"
#undef CONFIG_FIELD_GLOBAL
#undef CONFIG_FIELD_POOL
    struct pool_config pools[POOL_COUNT];
    /* true: `workers` of the pool is set in the file; false: it was derived from the machine */
    bool workers_are_chosen[POOL_COUNT];

    bool sends_mail; /* sendmail_command names a program, and public_url is set */

    const char *path;               /* of the file */
    struct secret_keys secret_keys; /* the lines of secret_key_file; none until config_load_secrets */
    /* the content of database_password_file, without a newline at its end; data NULL where unset */
    struct text database_password;
    /* with database_accounts; the passwords until config_keep_account: see config_accounts.h */
    struct database_account accounts[ACCOUNT_COUNT];
    struct text redis_password;
    struct text migration_password; /* data NULL until config_load_migration_secret */
    struct arena *arena;            /* owns all of the above */
};

/* Whether people and sessions are kept in shared memory. With several hosts of MariaDB they never are: a second one may
 * have writes that the first one has not. */
bool config_uses_identity_cache(const struct config *config);

#endif
