/* config_value.h: parses and prints the value of a directive. */
#ifndef ROSTER_CONFIG_CONFIG_VALUE_H
#define ROSTER_CONFIG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "config/directive.h"

struct arena;

/* Parses `value`, without quotes and comment, into *slot, whose C type is that of the directive (config.h).
 * Memory for texts and lists comes from the arena.
 * On failure the error has no FILE:LINE yet. */
bool config_value_parse(struct arena *arena, const struct directive *directive, struct text value, void *slot,
                        struct error *error);

/* A value, without quotes, so that config_value_parse reads it back. Returns a string; free it with free. */
char *config_value_to_string(const struct directive *directive, const void *slot);

/* Writes a number with the unit of the directive, for example "4m", "90s", "0", to text_r, and returns it. */
enum { CONFIG_NUMBER_SIZE = 32 };
const char *config_value_number(const struct directive *directive, int64_t number,
                                char text_r[static CONFIG_NUMBER_SIZE]);

/* Prints a value as in a file: in quotes where needed. */
void config_value_quote(FILE *out, const char *value);

#endif
