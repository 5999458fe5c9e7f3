/* scalar.h: parses integers, booleans and dates: roster-api(7), How values are read.
 *
 * Each function returns FAULT_NONE, or the type of the fault. */
#ifndef ROSTER_WORKER_SCALAR_H
#define ROSTER_WORKER_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct arena;

/* Accepts white space around it, a sign, single underscores between digits, and zeros as fraction (`.0`).
 * int_parsing, int_parsing_size. */
enum fault_type scalar_read_integer(struct text text, int64_t *integer_r);

/* Accepts true, yes, on, t, y, 1 and their opposites, in any case. bool_parsing. */
enum fault_type scalar_read_boolean(struct text text, bool *boolean_r);

/* Accepts "1999-12-31", the same with a time of midnight, or an epoch number of a whole day.
 * *date_r: as YYYY-MM-DD, in the arena.
 * date_parsing (the year 0), date_from_datetime_parsing, date_from_datetime_inexact. */
enum fault_type scalar_read_date(struct arena *arena, struct text text, struct text *date_r);

/* The date of an epoch number: seconds, or milliseconds where it is beyond 2e10. */
enum fault_type scalar_date_of_seconds(struct arena *arena, double seconds, struct text *date_r);

#endif
