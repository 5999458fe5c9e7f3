/* counter_store.c: INCR, EXPIRE and MGET for all keys are one pipeline. */
#include "store/counter_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "config/config.h"
#include "store/hiredis.h"
#include "store/redis.h"

/* Buckets of one MGET. A window of three minutes, the default, overlaps three besides the present one; a long window
 * needs several commands. The number is fixed, since the command's format is. Unused arguments name the present bucket
 * again; their replies are not counted. */
enum { BUCKETS_PER_COMMAND = 3 };

static struct text bucket_name(struct context *context, struct text key, int64_t bucket)
{
    return text_format(context->arena, "%s:ratelimit:%.*s:%" PRId64, context->config->redis_prefix, (int)key.length,
                       key.data, bucket);
}

static bool append_bucket_reads(struct context *context, struct text key, int64_t bucket, int64_t older)
{
    for (int64_t back = 1; back <= older; back += BUCKETS_PER_COMMAND) {
        struct text names[BUCKETS_PER_COMMAND];
        for (int64_t i = 0; i < BUCKETS_PER_COMMAND; i++) {
            names[i] = bucket_name(context, key, back + i <= older ? bucket - back - i : bucket);
        }
        if (!redis_append(context, "MGET %b %b %b", names[0].data, names[0].length, names[1].data, names[1].length,
                          names[2].data, names[2].length)) {
            return false;
        }
    }
    return true;
}

static bool append_key(struct context *context, struct text key, int64_t bucket, int64_t older, int64_t window_seconds)
{
    struct text name = bucket_name(context, key, bucket);

    return redis_append(context, "INCR %b", name.data, name.length) &&
           redis_append(context, "EXPIRE %b %lld", name.data, name.length,
                        (long long)window_seconds + COUNTER_BUCKET_SECONDS) &&
           append_bucket_reads(context, key, bucket, older);
}

/* The count in a bucket. 0: it is missing, or not a number (a key of another program). */
static int64_t bucket_count(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        return 0;
    }
    char *end;
    errno = 0;
    long long count = strtoll(reply->str, &end, 10);
    return errno == 0 && *end == '\0' && count > 0 ? count : 0;
}

/* Reads all replies for one key, since they must be read before the next append. */
static bool read_key(struct context *context, int64_t older, int64_t *sum_r)
{
    bool is_good = true;
    int64_t sum = 0;

    const redisReply *reply = redis_read(context);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        sum = reply->integer;
    } else {
        is_good = false;
    }
    if (redis_read(context) == NULL) {
        is_good = false;
    }
    for (int64_t back = 1; back <= older; back += BUCKETS_PER_COMMAND) {
        reply = redis_read(context);
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            is_good = false;
            continue;
        }
        for (size_t i = 0; i < reply->elements && back + (int64_t)i <= older; i++) {
            sum += bucket_count(reply->element[i]);
        }
    }
    *sum_r = sum;
    return is_good;
}

bool counter_store_add(struct context *context, const struct text *keys, size_t count, int64_t window_seconds,
                       int64_t *sums_r)
{
    int64_t bucket = context->now_seconds / COUNTER_BUCKET_SECONDS;
    int64_t older = window_seconds / COUNTER_BUCKET_SECONDS;
    bool is_good = true;

    for (size_t i = 0; i < count; i++) {
        struct text key = text_to_lower(context->arena, keys[i]);
        invariant(key.length < INT32_MAX);
        if (!append_key(context, key, bucket, older, window_seconds)) {
            return false;
        }
    }
    if (!redis_flush(context)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_key(context, older, &sums_r[i])) {
            is_good = false;
        }
    }
    return is_good;
}

bool counter_store_take_back(struct context *context, struct text key, int64_t counted_at, int64_t window_seconds)
{
    struct text name = bucket_name(context, text_to_lower(context->arena, key), counted_at / COUNTER_BUCKET_SECONDS);

    /* If the bucket expired meanwhile, DECR creates it as -1. This counts as 0, and EXPIRE removes it. */
    if (!redis_append(context, "DECR %b", name.data, name.length) ||
        !redis_append(context, "EXPIRE %b %lld", name.data, name.length,
                      (long long)window_seconds + COUNTER_BUCKET_SECONDS) ||
        !redis_flush(context)) {
        return false;
    }
    bool is_good = redis_read(context) != NULL;
    return redis_read(context) != NULL && is_good;
}
