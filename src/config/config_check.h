/* config_check.h: checks that involve several directives, or more than the type and range of a value. */
#ifndef ROSTER_CONFIG_CONFIG_CHECK_H
#define ROSTER_CONFIG_CONFIG_CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config_table.h"

/* Resolves values that depend on the machine.
 * Checks the syntax of certain texts, and values against each other.
 * On failure *line_r is the line of the faulty directive (0: none). */
bool config_check(struct config_loaded *loaded, unsigned *line_r, struct error *error);

#endif
