/* config.h: roster.conf, parsed into an immutable object.
 *
 * Everything here comes from tables/directives.def: the fields below, the parser, the ranges, -T, the sample file and the manual. */
#ifndef ROSTER_CONFIG_CONFIG_H
#define ROSTER_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

enum pool { POOL_API, POOL_PASSWORD, POOL_COUNT };

/* "api", "password". */
extern const char *const pool_names[POOL_COUNT];

enum privacy { PRIVACY_STRICT, PRIVACY_COMPATIBLE };
enum cookie_secure { COOKIE_SECURE_AUTO, COOKIE_SECURE_YES, COOKIE_SECURE_NO };
enum same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

/* A network or a single address (IPv4 as mapped IPv6). */
struct network {
    unsigned char address[16];
    unsigned prefix_bits; /* of 128 */
};

struct networks {
    struct network *items;
    size_t count;
};

struct words {
    const char **items;
    size_t count;
};

/* The C type of each directive type. SECRET_PATH is the path; what the file holds is loaded into the `_secret` fields below. */
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_PATH const char *
#define CONFIG_TYPE_SECRET_PATH const char *
#define CONFIG_TYPE_INTEGER int64_t
#define CONFIG_TYPE_SIZE int64_t
#define CONFIG_TYPE_SECONDS int64_t
#define CONFIG_TYPE_MILLISECONDS int64_t
#define CONFIG_TYPE_BOOLEAN bool
#define CONFIG_TYPE_SEVERITY enum severity
#define CONFIG_TYPE_LOG_FORMAT enum log_format
#define CONFIG_TYPE_PRIVACY enum privacy
#define CONFIG_TYPE_COOKIE_SECURE enum cookie_secure
#define CONFIG_TYPE_SAME_SITE enum same_site
#define CONFIG_TYPE_ADDRESSES struct networks
#define CONFIG_TYPE_LIST struct words

struct pool_config {
#define CONFIG_FIELD_GLOBAL(name, type)
#define CONFIG_FIELD_POOL(name, type) CONFIG_TYPE_##type name;
#define DIRECTIVE(name, scope, type, default_text, least, most, applies, text) CONFIG_FIELD_##scope(name, type)
#include "tables/directives.def"
#undef CONFIG_FIELD_GLOBAL
#undef CONFIG_FIELD_POOL
};

struct config {
#define CONFIG_FIELD_GLOBAL(name, type) CONFIG_TYPE_##type name;
#define CONFIG_FIELD_POOL(name, type)
#define DIRECTIVE(name, scope, type, default_text, least, most, applies, text) CONFIG_FIELD_##scope(name, type)
#include "tables/directives.def"
#undef CONFIG_FIELD_GLOBAL
#undef CONFIG_FIELD_POOL
    struct pool_config pools[POOL_COUNT];

    const char *path;                 /* of the file that this came from */
    struct text secret_key;           /* what secret_key_file holds, without a line end; data NULL until config_load_secrets */
    struct text database_password;    /* the same for database_password_file; NULL data where unset */
    struct text redis_password;
    struct arena *arena;              /* owns all of the above */
};

/* Reads and checks `path`. On failure NULL, and *error_r is "FILE:LINE: what is wrong, and what to write instead" (kept until the
 * next call). Unknown directives get 'did you mean'. Values are checked for their range and against each other. `workers = 0` is resolved here.
 * Secrets are not read: see config_load_secrets. */
struct config *config_read(const char *path, const char **error_r);

/* Reads the files with secrets. False with *error_r where one can't be read, may be read by others (mode & 0007), or where the key is shorter than 32 bytes. The texts are
 * wiped by config_free. Relative names are not allowed. Where the directive is not set in the file: a credential of systemd's (a file in $CREDENTIALS_DIRECTORY of the
 * directive's name without `_file`: secret_key, database_password, redis_password) that is not empty; or else the default file (/etc/roster/secret.key, database.password,
 * redis.password), which for the passwords need not be there. */
bool config_load_secrets(struct config *config, const char **error_r);

/* Wipes the secrets and frees all. NULL is allowed. */
void config_free(struct config *config);

/* The effective configuration, one `name = value` a line, which config_read parses back to the same (roster -T). */
void config_dump(const struct config *config, FILE *out);

/* True, and the old value's line kept, where `name` of RESTART kind differs between both: for the log at a reload. Calls `report` for each. */
void config_compare_restart(const struct config *old_config, const struct config *new_config,
                            void (*report)(const char *directive, void *argument), void *argument);

/* One row of directives.def, for --help, manual pages and the sample file. `index` from 0; NULL behind the last. */
struct directive_row {
    const char *name;        /* NULL for a SECTION row, whose title and text are set */
    const char *title;
    bool is_pool;
    const char *type;        /* "TEXT", "SECONDS", … */
    const char *default_text;/* NULL for a pool directive with a default per pool */
    int64_t least, most;
    bool needs_restart;
    const char *text;
};
const struct directive_row *config_directive(size_t index);

/* The default of a pool's directive, from POOL_DEFAULT or the row; NULL where there is no such row. */
const char *config_pool_default(enum pool pool, const char *name);

/* The commented sample file (conf/roster.conf). */
void config_print_sample(FILE *out);

/* True where `address` (text form, IPv4 or IPv6; "unix:" never) lies in one of the networks. */
bool networks_contain(const struct networks *networks, const char *address);

#endif
