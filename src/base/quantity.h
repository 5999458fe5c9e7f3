/* quantity.h: parses numbers with units: "4m", "1h30m", "1.5d". */
#ifndef ROSTER_BASE_QUANTITY_H
#define ROSTER_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct unit {
    const char *name; /* "": a number without a unit; NULL after the last */
    int64_t factor;
};

/* Options of the syntax. */
enum {
    QUANTITY_FRACTIONS = 1, /* 1.5h */
    QUANTITY_ANY_CASE = 2   /* 4M */
};

/* Removes a number and its unit from the start of *rest.
 * *amount_r: their product, rounded down. INT64_MAX where it does not fit into 64 bits.
 * False where there is no digit, or the unit is unknown. */
bool quantity_take(struct text *rest, const struct unit *units, unsigned rules, int64_t *amount_r);

/* Parses a whole text of one or more quantities, and adds them up.
 * False where one of them is invalid, or the text is empty. */
bool quantity_sum(struct text text, const struct unit *units, unsigned rules, int64_t *sum_r);

#endif
