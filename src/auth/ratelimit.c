/* ratelimit.c: judges the sums, and counts by itself while Redis is away. */
#include "auth/ratelimit.h"

#include <inttypes.h>

#include "auth/token.h"
#include "base/log.h"
#include "config/config.h"
#include "store/counter_store.h"

/* The longest key that is counted as it stands. A longer one (an 'email address' of a megabyte) goes by its hash, so that strangers can't fill
 * Redis. */
enum { KEY_LENGTH_MOST = 320 };

/* The counters of this process, for while Redis is away: sets of a few places each, in which the place that was longest unused makes room.
 * Whoever tries the most keys pushes out the keys that are tried least, never their own. */
enum { MEMORY_SETS = 256, MEMORY_PLACES = 4, MEMORY_BUCKETS = 16, MEMORY_ID_LENGTH = 32 };

struct counter {
    char id[MEMORY_ID_LENGTH];        /* the start of the key's SHA-256: nobody chooses in which set a key lands */
    int64_t bucket_seconds;           /* 0: the place is free */
    int64_t newest;                   /* number of the newest bucket that was counted in */
    uint64_t used;                    /* when the place was last used, in tries of this process */
    uint32_t buckets[MEMORY_BUCKETS]; /* by number modulo MEMORY_BUCKETS */
};

static struct counter memory[MEMORY_SETS][MEMORY_PLACES];
static uint64_t memory_tries;

/* 60 s, as in Redis; longer for windows of more than a quarter of an hour, which would touch too many. */
static int64_t memory_bucket_seconds(int64_t window_seconds)
{
    int64_t seconds = (window_seconds + MEMORY_BUCKETS - 2) / (MEMORY_BUCKETS - 1);
    return seconds > COUNTER_BUCKET_SECONDS ? seconds : COUNTER_BUCKET_SECONDS;
}

static struct counter *memory_find(struct text id)
{
    unsigned set = 0;
    for (size_t i = 0; i < 4; i++)
        set = set * 16 + (unsigned)(id.data[i] <= '9' ? id.data[i] - '0' : id.data[i] - 'a' + 10);

    struct counter *places = memory[set % MEMORY_SETS];
    struct counter *oldest = places;
    for (size_t i = 0; i < MEMORY_PLACES; i++) {
        if (memcmp(places[i].id, id.data, MEMORY_ID_LENGTH) == 0)
            return &places[i];
        if (places[i].used < oldest->used)
            oldest = &places[i];
    }
    *oldest = (struct counter){.bucket_seconds = 0};
    memcpy(oldest->id, id.data, MEMORY_ID_LENGTH);
    return oldest;
}

/* Counts one try and gives the sum over the window. */
static int64_t memory_add(struct context *context, struct text key, int64_t window_seconds)
{
    int64_t bucket_seconds = memory_bucket_seconds(window_seconds);
    int64_t now = context->now_seconds / bucket_seconds;
    int64_t older = window_seconds / bucket_seconds;
    struct counter *counter = memory_find(token_sha256(context->arena, key));

    counter->used = ++memory_tries;
    /* Also where the clock was set back: what was counted in the future would never grow old. */
    if (counter->bucket_seconds != bucket_seconds || now < counter->newest || now - counter->newest >= MEMORY_BUCKETS) {
        memset(counter->buckets, 0, sizeof counter->buckets);
        counter->bucket_seconds = bucket_seconds;
        counter->newest = now;
    }
    while (counter->newest < now)
        counter->buckets[++counter->newest % MEMORY_BUCKETS] = 0;
    if (counter->buckets[now % MEMORY_BUCKETS] < UINT32_MAX)
        counter->buckets[now % MEMORY_BUCKETS]++;

    int64_t sum = 0;
    for (int64_t back = 0; back <= older && back <= now; back++)
        sum += counter->buckets[(now - back) % MEMORY_BUCKETS];
    return sum;
}

/* Until everything that counts now has left the window: tries that were made a while ago leave earlier. */
static int64_t reset_seconds(int64_t now_seconds, int64_t window_seconds, int64_t bucket_seconds)
{
    return (window_seconds / bucket_seconds + 1) * bucket_seconds - now_seconds % bucket_seconds;
}

/* The key in lower case, of a bounded length. */
static struct text bounded_key(struct context *context, const struct ratelimit_rule *rule)
{
    struct text key = text_to_lower(context->arena, rule->key);
    if (key.length <= KEY_LENGTH_MOST)
        return key;
    struct text hash = token_sha256(context->arena, key);
    return text_format(context->arena, "%s:sha256:%.*s", rule->name, (int)hash.length, hash.data);
}

/* conf/fail2ban/filter.d/roster.conf reads this line. */
static void log_refusal(const struct context *context, const struct ratelimit_rule *rule)
{
    const char *address = context->client_address;
    if (address != NULL && *address != '\0')
        log_warning(context, "rate limit %s reached for address %s", rule->name, address);
    else
        log_warning(context, "rate limit %s reached", rule->name);
}

enum outcome ratelimit_count(struct context *context, const struct ratelimit_rule *rules, size_t count,
                             struct ratelimit_state *state_r)
{
    int64_t window_seconds = context->config->rate_limit_window;
    int64_t bucket_seconds = COUNTER_BUCKET_SECONDS;
    struct text keys[RATELIMIT_RULES_MOST];
    int64_t sums[RATELIMIT_RULES_MOST];

    invariant(count > 0 && count <= RATELIMIT_RULES_MOST);
    for (size_t i = 0; i < count; i++)
        keys[i] = bounded_key(context, &rules[i]);
    if (!counter_store_add(context, keys, count, window_seconds, sums)) {
        bucket_seconds = memory_bucket_seconds(window_seconds);
        for (size_t i = 0; i < count; i++)
            sums[i] = memory_add(context, keys[i], window_seconds);
    }

    /* The first rule that is reached, else the one with the least left. */
    size_t nearest = 0;
    for (size_t i = 0; i < count; i++) {
        if (rules[i].most - sums[i] < rules[nearest].most - sums[nearest])
            nearest = i;
        if (sums[i] > rules[i].most) {
            nearest = i;
            break;
        }
    }
    int64_t remaining = rules[nearest].most - sums[nearest];
    *state_r = (struct ratelimit_state){
        .name = rules[nearest].name,
        .most = rules[nearest].most,
        .remaining = remaining > 0 ? remaining : 0,
        .reset_seconds = reset_seconds(context->now_seconds, window_seconds, bucket_seconds),
    };
    if (remaining >= 0)
        return OK;

    log_refusal(context, &rules[nearest]);
    problem_set(context, ERROR_RATE_LIMIT_EXCEEDED);
    context->problem.retry_after_seconds = (int)state_r->reset_seconds;
    return PROBLEM;
}
