/* duration.h: the lifetime of a session, in the format of the settings. */
#ifndef ROSTER_BASE_DURATION_H
#define ROSTER_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* Parses a lifetime into seconds.
 * "-1" and "0" mean unlimited: *seconds_r becomes -1.
 * Other lifetimes are one or more numbers with units (ms, s, m, h, d, w), as "4w", "1h30m" or "1.5h".
 * The sum is rounded up.
 * False where the text is invalid, the sum is zero ("0s"), or it exceeds a thousand years. */
bool duration_parse(struct text text, int64_t *seconds_r);

#endif
