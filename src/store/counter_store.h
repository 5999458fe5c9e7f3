/* counter_store.h: the buckets of the rate limits in Redis: roster-api(7), How tries are counted. */
#ifndef ROSTER_STORE_COUNTER_STORE_H
#define ROSTER_STORE_COUNTER_STORE_H

#include "base/context.h"

enum { COUNTER_BUCKET_SECONDS = 60 };

/* Counts one try for each of `count` keys, in one round trip. Keys are converted to lower case.
 * sums_r[i]: the sum over the buckets that the window overlaps (window / bucket + 1).
 * False: Redis is unavailable. */
bool counter_store_add(struct context *context, const struct text *keys, size_t count, int64_t window_seconds,
                       int64_t *sums_r);

/* Subtracts one try from the bucket of `counted_at` (epoch seconds). False: Redis is unavailable. */
bool counter_store_take_back(struct context *context, struct text key, int64_t counted_at, int64_t window_seconds);

#endif
