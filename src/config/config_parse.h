/* config_parse.h: the parser of roster.conf. */
#ifndef ROSTER_CONFIG_CONFIG_PARSE_H
#define ROSTER_CONFIG_CONFIG_PARSE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config_table.h"

/* Parses `content` into *loaded, which has the defaults before.
 * On failure *line_r is the line (0: the error is about the file as a whole). */
bool config_parse(struct config_loaded *loaded, struct text content, unsigned *line_r, struct error *error);

#endif
