/* config_print.h: prints configurations. */
#ifndef ROSTER_CONFIG_CONFIG_PRINT_H
#define ROSTER_CONFIG_CONFIG_PRINT_H

#include <stdio.h>

#include "config/config.h"

/* Prints the commented sample file (conf/roster.conf). */
void config_print_sample(FILE *out);

/* Prints the effective configuration, one `name = value` per line (roster -T). config_read reads it back unchanged. */
void config_dump(const struct config *config, FILE *out);

/* The same, but only what the file sets, and sets to another value than the default. config_read must have made
 * `config`. */
void config_dump_changed(const struct config *config, FILE *out);

/* Calls `report` for each directive that differs and takes effect only at a restart (RESTART).
 * `directive` is its name, or "NAME of [POOL]", valid until `report` returns. */
void config_compare_restart(const struct config *old_config, const struct config *new_config,
                            void (*report)(const char *directive, void *argument), void *argument);

/* True where the two are different in a directive before the sections whose name begins with one of these words, of
 * which the last is NULL, in the keys of secret_key_file, if that is among them, or in a password of MariaDB or Redis.
 */
bool config_differs_in(const struct config *left, const struct config *right, const char *const words[]);

#endif
