/* duration.c: see duration.h. */
#include "base/duration.h"

#include "base/quantity.h"

static const struct unit units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000}, {"h", 3600000},
                                    {"d", 86400000}, {"w", 604800000}, {NULL, 0}};

/* A longer lifetime is a mistake, and could end after the year 9999, which dates in header fields and in SQL can't
 * express. */
static const int64_t LIFETIME_MILLISECONDS_MAX = INT64_C(1000) * 366 * 86400 * 1000;

bool duration_parse(struct text text, int64_t *seconds_r)
{
    if (text_is(text, "-1") || text_is(text, "0")) {
        *seconds_r = -1;
        return true;
    }
    int64_t total;
    if (!quantity_sum(text, units, QUANTITY_FRACTIONS, &total) || total > LIFETIME_MILLISECONDS_MAX) {
        return false;
    }
    /* Rounded up: a lifetime below a second must not become 0, which means unlimited. "0s" is refused: every session
     * would be expired. */
    *seconds_r = (total + 999) / 1000;
    return total > 0;
}
