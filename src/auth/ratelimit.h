/* ratelimit.h: a rolling window per key, in Redis, in memory while Redis is away. */
#ifndef ROSTER_AUTH_RATELIMIT_H
#define ROSTER_AUTH_RATELIMIT_H

#include "base/context.h"

enum { RATELIMIT_RULES_MOST = 4 };

struct ratelimit_rule {
    struct text key;        /* what is counted: "sign_in:somebody@example.org:192.0.2.1" */
    int64_t most;
    const char *name;       /* for the log and the header: "sign_in" */
};

struct ratelimit_state {
    const char *name;       /* of the rule that is nearest to its limit */
    int64_t most;
    int64_t remaining;
    int64_t reset_seconds;  /* until a try is free again */
};

/* Counts one try against each rule. OK, or PROBLEM with RATE_LIMIT_EXCEEDED and Retry-After where one is reached; the log gets a line that fail2ban can match. */
enum outcome ratelimit_count(struct context *context, const struct ratelimit_rule *rules, size_t count, struct ratelimit_state *state_r);

#endif
