/* scalar.h: integers, booleans and dates as Pydantic reads them from text (api.md, 'Errors').
 *
 * Each function answers NULL, or the type of the fault. */
#ifndef ROSTER_WORKER_SCALAR_H
#define ROSTER_WORKER_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

/* White space around, a sign, single underscores between digits, `.0` behind. int_parsing, int_parsing_size. */
const char *scalar_read_integer(struct text text, int64_t *integer_r);

/* true, yes, on, t, y, 1 and their opposites, in any case. bool_parsing. */
const char *scalar_read_boolean(struct text text, bool *boolean_r);

/* "1999-12-31", the same with a time of midnight, or epoch numbers of whole days; in the arena as YYYY-MM-DD. date_parsing (the year 0), date_from_datetime_parsing, date_from_datetime_inexact. */
const char *scalar_read_date(struct arena *arena, struct text text, struct text *date_r);

/* The date of an epoch number (seconds; beyond 2e10 milliseconds). */
const char *scalar_date_of_seconds(struct arena *arena, double seconds, struct text *date_r);

#endif
