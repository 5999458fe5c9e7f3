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
 * Each line of the file of the keys is one; empty lines do not count.
 * Default files of passwords are optional.
 * False where a file can't be read, where others may access it (mode & 0007), or where a key is shorter than 32 bytes.
 */
bool config_load_secrets(struct config *config, struct error *error);

/* The same for database_password_file alone, or the passwords of database_accounts where that is set: for a process
 * that needs no key. */
bool config_load_database_secret(struct config *config, struct error *error);

/* The same for the password of one account of database_accounts. */
bool config_load_account_secret(struct config *config, enum account account, struct error *error);

/* The same for database_password_file, whatever database_accounts is. */
bool config_load_database_password(struct config *config, struct error *error);

/* The same for migration_password_file, which the service does not need and may not read.
 * Without a file the password is null. */
bool config_load_migration_secret(struct config *config, struct error *error);

/* Whether roster.conf names the file of the keys. Otherwise it may come from systemd, which reads it at a start only.
 */
bool config_names_secret_keys(const struct config *config);

/* The file that config_load_secrets reads the keys from. */
const char *config_secret_key_path(struct config *config);

/* Replaces that file atomically: the new one has the owner, the group and the mode of the old one before it takes its
 * place, and is on the disk. The configuration stays as it is.
 * False: it can't be written; the old one is as it was. */
bool config_write_secret_keys(struct config *config, const struct secret_keys *keys, struct error *error);

/* Overwrites and frees all secrets. */
void config_wipe_secrets(struct config *config);

#endif
