/* config_read.h: reads roster.conf into a struct config. */
#ifndef ROSTER_CONFIG_CONFIG_READ_H
#define ROSTER_CONFIG_CONFIG_READ_H

#include "base/error.h"
#include "config/config.h"

/* Reads and checks the file `path`.
 * Checks the range of values, and values against each other. Resolves `workers = 0`.
 * Does not read secrets: see config_secrets.h.
 * Returns a new object: free it with config_free.
 * NULL on failure; the error is then "FILE:LINE: what is wrong: what to write instead". For an unknown directive it
 * suggests a similar one. */
struct config *config_read(const char *path, struct error *error);

/* Wipes the secrets and frees the object. NULL is allowed. */
void config_free(struct config *config);

#endif
