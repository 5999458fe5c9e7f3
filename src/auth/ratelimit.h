/* ratelimit.h: counts attempts in a sliding window per key: roster-api(7), How tries are counted. */
#ifndef ROSTER_AUTH_RATELIMIT_H
#define ROSTER_AUTH_RATELIMIT_H

#include "base/context.h"

enum { RATELIMIT_RULES_MAX = 4 };

struct ratelimit_rule {
    struct text key; /* what is counted: "sign_in:user@example.org:192.0.2.1" */
    int64_t max;
    const char *name; /* for the log and the header: "sign_in" */
};

/* The sum over a window. */
struct ratelimit_sum {
    int64_t tries;
    int64_t bucket_seconds; /* the steps in which the window slides, where this was counted */
};

struct ratelimit_state {
    const char *name; /* of the rule that is nearest to its limit */
    int64_t max;
    int64_t remaining;
    int64_t reset_seconds; /* until a try is allowed again */
};

/* Maps the counters that replace Redis while it is away. All processes that are forked later share them.
 * Called by the master, once. Without it each process has counters of its own.
 * False where memory is short. */
bool ratelimit_share(void);

/* Counts one try for the key of each rule, in one round trip.
 * sums_r: one sum per rule, this try included.
 * Does not compare them with the limits. */
void ratelimit_add(struct context *context, const struct ratelimit_rule *rules, size_t count,
                   struct ratelimit_sum *sums_r);

/* Compares the sums with the limits of their rules.
 * OK, or PROBLEM with RATE_LIMIT_EXCEEDED and Retry-After, and a line in the log that fail2ban can match. */
enum outcome ratelimit_judge(struct context *context, const struct ratelimit_rule *rules,
                             const struct ratelimit_sum *sums, size_t count, struct ratelimit_state *state_r);

/* Takes back one try that was counted at `counted_at` (epoch seconds). */
void ratelimit_take_back(struct context *context, const struct ratelimit_rule *rule, int64_t counted_at);

#endif
