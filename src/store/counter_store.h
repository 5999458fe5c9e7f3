/* counter_store.h: the buckets of the rate limits in Redis (api.md, 'Rate limits'). */
#ifndef ROSTER_STORE_COUNTER_STORE_H
#define ROSTER_STORE_COUNTER_STORE_H

#include "base/context.h"

enum { COUNTER_BUCKET_SECONDS = 60 };

/* Counts one try for each of `count` keys, in one round trip, and gives the sums over the buckets that the window touches (window / bucket + 1). False while Redis is away.
 * Keys are made lower case. */
bool counter_store_add(struct context *context, const struct text *keys, size_t count, int64_t window_seconds, int64_t *sums_r);

#endif
