/* ratelimit.c: compares the sums with the limits, and counts in shared memory while Redis is away. */
#include "auth/ratelimit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/shared_mutex.h"
#include "config/config.h"
#include "store/counter_store.h"

/* The longest key that is used as it is. A longer one (an 'email address' of a megabyte) is replaced by its hash, so
 * that clients can't fill Redis. */
enum { KEY_LENGTH_MAX = 320 };

/* The counters of this host while Redis is away: a set-associative table. Where a set is full, the counter that was
 * longest unused is replaced. So a client that tries many keys replaces counters that are rarely used. */
enum { MEMORY_SETS = 256, MEMORY_PLACES = 4, MEMORY_BUCKETS = 16, MEMORY_ID_LENGTH = 32 };

struct counter {
    char id[MEMORY_ID_LENGTH];        /* the start of the key's SHA-256: clients can't choose the set of a key */
    int64_t bucket_seconds;           /* 0: the place is free */
    int64_t newest;                   /* number of the newest bucket that was counted in */
    uint64_t used;                    /* when the place was last used, in tries of all keys */
    uint32_t buckets[MEMORY_BUCKETS]; /* by number modulo MEMORY_BUCKETS */
};

struct memory {
    pthread_mutex_t lock; /* robust: a worker may be killed anywhere */
    uint64_t tries;
    struct counter counters[MEMORY_SETS][MEMORY_PLACES];
};

static struct memory private_memory = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct memory *memory = &private_memory;

bool ratelimit_share(void)
{
    if (memory != &private_memory) {
        return true;
    }
    struct memory *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return false;
    }
    if (!shared_mutex_init(&shared->lock)) {
        munmap(shared, sizeof *shared);
        return false;
    }
    memory = shared;
    return true;
}

static void memory_lock(void)
{
    if (pthread_mutex_lock(&memory->lock) == EOWNERDEAD) {
        /* its owner was killed while it changed a counter: at worst a few tries are miscounted */
        pthread_mutex_consistent(&memory->lock);
    }
}

/* 60 s, as in Redis; longer for windows of more than 15 minutes, which would need too many buckets. */
static int64_t memory_bucket_seconds(int64_t window_seconds)
{
    int64_t seconds = (window_seconds + MEMORY_BUCKETS - 2) / (MEMORY_BUCKETS - 1);
    return seconds > COUNTER_BUCKET_SECONDS ? seconds : COUNTER_BUCKET_SECONDS;
}

static struct counter *memory_find(struct text id)
{
    unsigned set = 0;
    for (size_t i = 0; i < 4; i++) {
        set = set * 16 + (unsigned)(id.data[i] <= '9' ? id.data[i] - '0' : id.data[i] - 'a' + 10);
    }

    struct counter *places = memory->counters[set % MEMORY_SETS];
    struct counter *oldest = places;
    for (size_t i = 0; i < MEMORY_PLACES; i++) {
        if (memcmp(places[i].id, id.data, MEMORY_ID_LENGTH) == 0) {
            return &places[i];
        }
        if (places[i].used < oldest->used) {
            oldest = &places[i];
        }
    }
    *oldest = (struct counter){.bucket_seconds = 0};
    memcpy(oldest->id, id.data, MEMORY_ID_LENGTH);
    return oldest;
}

/* The counter of a key, moved on to the present bucket. */
static struct counter *memory_roll(struct text id, int64_t bucket_seconds, int64_t now)
{
    struct counter *counter = memory_find(id);

    counter->used = ++memory->tries;
    /* Also where the clock was set back: tries counted in the future would not expire. */
    if (counter->bucket_seconds != bucket_seconds || now < counter->newest || now - counter->newest >= MEMORY_BUCKETS) {
        memset(counter->buckets, 0, sizeof counter->buckets);
        counter->bucket_seconds = bucket_seconds;
        counter->newest = now;
    }
    while (counter->newest < now) {
        counter->buckets[++counter->newest % MEMORY_BUCKETS] = 0;
    }
    return counter;
}

/* Counts one try and gives the sum over the window. */
static int64_t memory_add(struct context *context, struct text key, int64_t window_seconds)
{
    int64_t bucket_seconds = memory_bucket_seconds(window_seconds);
    int64_t now = context->now_seconds / bucket_seconds;
    int64_t older = window_seconds / bucket_seconds;
    struct text id = digest_sha256(context->arena, key);

    memory_lock();
    struct counter *counter = memory_roll(id, bucket_seconds, now);
    if (counter->buckets[now % MEMORY_BUCKETS] < UINT32_MAX) {
        counter->buckets[now % MEMORY_BUCKETS]++;
    }

    int64_t sum = 0;
    for (int64_t back = 0; back <= older && back <= now; back++) {
        sum += counter->buckets[(now - back) % MEMORY_BUCKETS];
    }
    pthread_mutex_unlock(&memory->lock);
    return sum;
}

static void memory_take_back(struct context *context, struct text key, int64_t window_seconds, int64_t counted_at)
{
    int64_t bucket_seconds = memory_bucket_seconds(window_seconds);
    int64_t now = context->now_seconds / bucket_seconds;
    int64_t then = counted_at / bucket_seconds;
    struct text id = digest_sha256(context->arena, key);

    memory_lock();
    struct counter *counter = memory_roll(id, bucket_seconds, now);
    if (then <= now && now - then < MEMORY_BUCKETS && counter->buckets[then % MEMORY_BUCKETS] > 0) {
        counter->buckets[then % MEMORY_BUCKETS]--;
    }
    pthread_mutex_unlock(&memory->lock);
}

/* Seconds until all tries that count now have left the window. Older tries leave earlier. */
static int64_t reset_seconds(int64_t now_seconds, int64_t window_seconds, int64_t bucket_seconds)
{
    return (window_seconds / bucket_seconds + 1) * bucket_seconds - now_seconds % bucket_seconds;
}

/* The key in lower case, of a bounded length. */
static struct text bounded_key(struct context *context, const struct ratelimit_rule *rule)
{
    struct text key = text_to_lower(context->arena, rule->key);
    if (key.length <= KEY_LENGTH_MAX) {
        return key;
    }
    struct text hash = digest_sha256(context->arena, key);
    return text_format(context->arena, "%s:sha256:%.*s", rule->name, (int)hash.length, hash.data);
}

/* conf/fail2ban/filter.d/roster.conf reads this line. */
static void log_refusal(const struct context *context, const struct ratelimit_rule *rule)
{
    const char *address = context->client_address;
    if (address != NULL && *address != '\0') {
        log_warning(context, "rate limit %s reached for address %s", rule->name, address);
    } else {
        log_warning(context, "rate limit %s reached", rule->name);
    }
}

void ratelimit_add(struct context *context, const struct ratelimit_rule *rules, size_t count,
                   struct ratelimit_sum *sums_r)
{
    int64_t window_seconds = context->config->rate_limit_window;
    struct text keys[RATELIMIT_RULES_MAX];

    invariant(count > 0 && count <= RATELIMIT_RULES_MAX);
    for (size_t i = 0; i < count; i++) {
        keys[i] = bounded_key(context, &rules[i]);
    }
    int64_t bucket_seconds = COUNTER_BUCKET_SECONDS;
    int64_t sums[RATELIMIT_RULES_MAX];
    if (!counter_store_add(context, keys, count, window_seconds, sums)) {
        bucket_seconds = memory_bucket_seconds(window_seconds);
        for (size_t i = 0; i < count; i++) {
            sums[i] = memory_add(context, keys[i], window_seconds);
        }
    }
    for (size_t i = 0; i < count; i++) {
        sums_r[i] = (struct ratelimit_sum){sums[i], bucket_seconds};
    }
}

enum outcome ratelimit_judge(struct context *context, const struct ratelimit_rule *rules,
                             const struct ratelimit_sum *sums, size_t count, struct ratelimit_state *state_r)
{
    /* The first rule that is reached, else the one with the least left. */
    size_t nearest = 0;
    for (size_t i = 0; i < count; i++) {
        if (rules[i].max - sums[i].tries < rules[nearest].max - sums[nearest].tries) {
            nearest = i;
        }
        if (sums[i].tries > rules[i].max) {
            nearest = i;
            break;
        }
    }
    int64_t remaining = rules[nearest].max - sums[nearest].tries;
    *state_r = (struct ratelimit_state){
        .name = rules[nearest].name,
        .max = rules[nearest].max,
        .remaining = remaining > 0 ? remaining : 0,
        .reset_seconds =
            reset_seconds(context->now_seconds, context->config->rate_limit_window, sums[nearest].bucket_seconds),
    };
    if (remaining >= 0) {
        return OK;
    }

    log_refusal(context, &rules[nearest]);
    problem_set(context, ERROR_RATE_LIMIT_EXCEEDED);
    context->problem.retry_after_seconds = (int)state_r->reset_seconds;
    return PROBLEM;
}

void ratelimit_take_back(struct context *context, const struct ratelimit_rule *rule, int64_t counted_at)
{
    int64_t window_seconds = context->config->rate_limit_window;
    struct text key = bounded_key(context, rule);

    if (!counter_store_take_back(context, key, counted_at, window_seconds)) {
        memory_take_back(context, key, window_seconds, counted_at);
    }
}
