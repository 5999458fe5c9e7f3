/* config_secrets.h: reads the secret files that roster.conf names. */
#ifndef ROSTER_CONFIG_CONFIG_SECRETS_H
#define ROSTER_CONFIG_CONFIG_SECRETS_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

/* Reads the secret files, except migration_password_file. config_free wipes the secrets.
 * For a directive that is not set in roster.conf, it reads the systemd credential, if it is not empty: a file in
 * $CREDENTIALS_DIRECTORY, named like the directive without `_file`.
 * Without a credential it reads the default file: /etc/roster/secret.key, database.password or redis.password.
 * Default files of passwords are optional.
 * False where a file can't be read, where others may access it (mode & 0007), or where the key is shorter than 32
 * bytes. */
bool config_load_secrets(struct config *config, struct error *error);

/* The same for migration_password_file, which the service does not need and may not read.
 * Without a file the password is null. */
bool config_load_migration_secret(struct config *config, struct error *error);

/* Overwrites and frees all secrets. */
void config_wipe_secrets(struct config *config);

#endif
