/* limit.c: the keys that a request is counted under. auth/ratelimit counts, and compares with the limits. */
#include "worker/limit.h"

#include "auth/device.h"
#include "auth/ratelimit.h"
#include "base/email.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "config/config.h"
#include "config/network.h"
#include "store/audit_store.h"
#include "store/known_store.h"

/* Hashes per second of one core with N 16384, r 8, p 5, measured on slow machines; for other costs in proportion. */
enum { HASHES_PER_SECOND = 4, HASH_COST = 16384 * 8 * 5 };

/* The lowest limit, whatever a hash costs: a household behind one address can sign in. */
enum { ADDRESS_MIN = 60 };

int64_t limit_sign_in_address(const struct config *config)
{
    if (config->rate_limit_sign_in_address > 0) {
        return config->rate_limit_sign_in_address;
    }
    int64_t workers = config->pools[POOL_PASSWORD].workers;
    if (workers > 1 && config->pools[POOL_PASSWORD].listen_second[0] != '\0') {
        workers--; /* one is kept for the second socket */
    }
    int64_t cost = config->password_scrypt_n * config->password_scrypt_r * config->password_scrypt_p;
    int64_t max =
        (int64_t)((double)(workers * config->rate_limit_window * HASHES_PER_SECOND) * HASH_COST / (double)cost / 2);
    return max > ADDRESS_MIN ? max : ADDRESS_MIN;
}

struct text limit_sign_in_email(struct request *request)
{
    bool is_trusted = request->context.config->trusted_email_header[0] != '\0';
    struct text sent = is_trusted ? request->trusted_email : request->input[INPUT_sign_in_email].text;
    return email_fold(request->context.arena, sent);
}

/* ---- keys ---- */

static struct text address_of(struct request *request)
{
    char name[NETWORK_NAME_SIZE];
    network_name(request->context.client_address, name);
    return text_copy(request->context.arena, text_of(name));
}

static struct text email_and_address(struct request *request)
{
    struct text email = limit_sign_in_email(request), address = address_of(request);
    return text_format(request->context.arena, "%.*s:%.*s", (int)email.length, email.data, (int)address.length,
                       address.data);
}

#define LIMIT_KEY_USER request->identity.user_id
#define LIMIT_KEY_ADDRESS address_of(request)
#define LIMIT_KEY_EMAIL limit_sign_in_email(request)
#define LIMIT_KEY_EMAIL_AND_ADDRESS email_and_address(request)

/* Each rule of limits.def by the name of its directive, which is also the prefix of its key. */
enum rule {
#define LIMIT_RULE(limit, max, key, text) RULE_##max,
#include "tables/limits.def"
};

static struct ratelimit_rule make_rule(struct request *request, const char *directive, const char *name, int64_t max,
                                       struct text key)
{
    return (struct ratelimit_rule){
        text_format(request->context.arena, "%s:%.*s", directive, (int)key.length, key.data != NULL ? key.data : ""),
        max, name};
}

static struct ratelimit_rule rule_of(struct request *request, enum rule rule)
{
    const struct config *config = request->context.config;
    switch (rule) {
#define LIMIT_RULE(limit, max, key, text) \
    case RULE_##max:                      \
        return make_rule(request, #max, #limit, config->max, LIMIT_KEY_##key);
#include "tables/limits.def"
    }
    invariant(false);
}

/* ---- judging ---- */

static void keep_state(struct request *request, const struct ratelimit_state *state)
{
    request->rate_policy = state->name;
    request->rate_limit = state->max;
    request->rate_remaining = state->remaining;
    request->rate_reset_seconds = state->reset_seconds;
}

static enum outcome judge(struct request *request, const struct ratelimit_rule *rules, const struct ratelimit_sum *sums,
                          size_t count)
{
    struct ratelimit_state state;
    enum outcome outcome = ratelimit_judge(&request->context, rules, sums, count, &state);
    keep_state(request, &state);
    if (outcome == PROBLEM) {
        atomic_fetch_add_explicit(&scoreboard_get()->rate_limited, 1, memory_order_relaxed);
    }
    return outcome;
}

static enum outcome count_one(struct request *request, const struct ratelimit_rule *rule)
{
    struct ratelimit_sum sum;
    ratelimit_add(&request->context, rule, 1, &sum);
    return judge(request, rule, &sum, 1);
}

/* Counts against all rules of the route's limit. Sign-ins have a function of their own. */
static enum outcome count_rules(struct request *request)
{
    struct ratelimit_rule rules[RATELIMIT_RULES_MAX];
    struct ratelimit_sum sums[RATELIMIT_RULES_MAX];
    size_t count = 0;
    enum limit wanted = request->route->limit;
#define LIMIT_RULE(limit, max, key, text)              \
    if (wanted == LIMIT_##limit) {                     \
        invariant(count < RATELIMIT_RULES_MAX);        \
        rules[count++] = rule_of(request, RULE_##max); \
    }
#include "tables/limits.def"
    ratelimit_add(&request->context, rules, count, sums);
    return judge(request, rules, sums, count);
}

/* ---- sign-ins ---- */

/* A sign-in attempt. It is filled in the same way for each email address, so that the response time does not tell
 * whether the account exists. */
struct attempt {
    struct text user_id; /* null: there is no such account */
    bool knows_network;  /* a recent sign-in to this account came from this network */
    bool knows_device;
    struct text device_key;
};

static enum outcome recognise(struct request *request, struct attempt *attempt_r)
{
    struct context *context = &request->context;

    memset(attempt_r, 0, sizeof *attempt_r);
    enum outcome outcome = known_store_find(context, limit_sign_in_email(request), address_of(request),
                                            &attempt_r->user_id, &attempt_r->knows_network);
    if (outcome == OK) {
        struct device device;
        bool is_ours = device_read(context, request_cookie(request, DEVICE_COOKIE), &device);
        attempt_r->knows_device = device_knows(context, &device, attempt_r->user_id) && is_ours;
        attempt_r->device_key = device_key(context, &device, attempt_r->user_id);
    }
    return outcome;
}

/* A device that the account knows has a counter of its own, which other clients can't use up. False where this counter
 * is over its limit: the device then counts as unknown. */
static bool count_device(struct request *request, const struct attempt *attempt, struct ratelimit_rule *by_address,
                         struct ratelimit_sum *sum_r)
{
    struct context *context = &request->context;
    struct ratelimit_rule rules[] = {
        make_rule(request, "rate_limit_sign_in_device", by_address->name, by_address->max, attempt->device_key),
        *by_address};
    struct ratelimit_sum sums[2];

    ratelimit_add(context, rules, 2, sums);
    *sum_r = sums[1];
    if (sums[0].tries > rules[0].max) {
        return false;
    }
    struct ratelimit_state state;
    ratelimit_judge(context, rules, sums, 1, &state);
    keep_state(request, &state);
    return true;
}

/* An attempt of an unknown client counts as failed until it succeeds. So parallel attempts can't exceed the limit. */
static enum outcome count_email(struct request *request, struct ratelimit_rule *rules, struct ratelimit_sum *sums,
                                size_t count)
{
    struct context *context = &request->context;
    rules[count] = rule_of(request, RULE_rate_limit_sign_in_email);
    ratelimit_add(context, &rules[count], 1, &sums[count]);
    if (sums[count].tries > rules[count].max) {
        ratelimit_take_back(context, &rules[count], context->now_seconds); /* refused before the password is compared */
    } else {
        request->admission.email_counted = true;
        request->admission.counted_at = context->now_seconds;
    }
    return judge(request, rules, sums, count + 1);
}

/* roster-api(7), How sign-ins are counted. */
static enum outcome count_password_sign_in(struct request *request, const struct attempt *attempt)
{
    struct ratelimit_rule rules[3] = {rule_of(request, RULE_rate_limit_sign_in)};
    struct ratelimit_sum sums[3];
    size_t counted = 0;

    if (attempt->knows_device) {
        if (count_device(request, attempt, &rules[0], &sums[0])) {
            return OK;
        }
        counted = 1;
    }
    size_t count = 1;
    if (!attempt->knows_network) {
        rules[count] = rule_of(request, RULE_rate_limit_sign_in_address);
        rules[count++].max = limit_sign_in_address(request->context.config);
    }
    if (counted < count) {
        ratelimit_add(&request->context, rules + counted, count - counted, sums + counted);
    }
    enum outcome outcome = judge(request, rules, sums, count);
    return outcome == OK && !attempt->knows_network ? count_email(request, rules, sums, count) : outcome;
}

/* Users of a trusted proxy are counted by email address: they may all come from the address of the proxy. Without the
 * header the sign-in fails without a hash, so it is not counted. */
static enum outcome count_trusted_sign_in(struct request *request)
{
    struct text email = limit_sign_in_email(request);
    if (email.length == 0) {
        return OK;
    }
    struct ratelimit_rule rule =
        make_rule(request, "rate_limit_sign_in_trusted", "sign_in", request->context.config->rate_limit_sign_in, email);
    return count_one(request, &rule);
}

static const char too_many[] = "too many attempts";

/* The audit, and the line of the access log, name the account that was tried too often. */
static void tell_refused_sign_in(struct request *request, enum outcome outcome, struct text user_id)
{
    if (outcome == PROBLEM) {
        const struct text email = limit_sign_in_email(request);
        request->account = audit_store_pseudonym(&request->context, email);
        audit_store_refuse(&request->context, AUDIT_sign_in_refused, user_id, email, too_many);
    }
}

static enum outcome limit_sign_in(struct request *request)
{
    const struct config *config = request->context.config;

    if (config->trusted_email_header[0] != '\0') {
        enum outcome outcome = config->rate_limits ? count_trusted_sign_in(request) : OK;
        tell_refused_sign_in(request, outcome, TEXT_NULL);
        return outcome;
    }
    if (!config->password_sign_in) {
        return OK; /* the handler refuses each sign-in without a hash */
    }
    struct attempt attempt;
    enum outcome outcome = recognise(request, &attempt);
    if (outcome == OK && config->rate_limits) {
        outcome = count_password_sign_in(request, &attempt);
        tell_refused_sign_in(request, outcome, attempt.user_id);
    }
    /* a device that is over its limit counts as unknown: its cookie may be stolen */
    request->admission.is_known = attempt.knows_network || (attempt.knows_device && !request->admission.email_counted);
    return outcome;
}

enum outcome limit_request(struct request *request)
{
    if (request->admission.is_admitted) {
        return OK;
    }
    request->admission.is_known = request->authenticated;
    if (request->route->limit == LIMIT_sign_in) {
        return limit_sign_in(request);
    }
    enum outcome outcome =
        request->route->limit != LIMIT_NONE && request->context.config->rate_limits ? count_rules(request) : OK;
    if (outcome == PROBLEM && request->route->limit == LIMIT_password) {
        audit_store_refuse(&request->context, AUDIT_password_refused, request->identity.user_id, TEXT_NULL, too_many);
    }
    return outcome;
}

bool limit_link_mail(struct request *request)
{
    _Static_assert((int)INPUT_password_forgot_email == (int)INPUT_sign_in_email, "limit_sign_in_email reads both");
    struct ratelimit_sum sum;
    if (!request->context.config->rate_limits) {
        return true;
    }
    const struct ratelimit_rule rule =
        make_rule(request, "rate_limit_link_mail", "link", request->context.config->rate_limit_link_mail,
                  limit_sign_in_email(request));
    ratelimit_add(&request->context, &rule, 1, &sum);
    return sum.tries <= rule.max;
}

void limit_sign_in_succeeded(struct request *request)
{
    if (request->admission.email_counted) {
        struct ratelimit_rule rule = rule_of(request, RULE_rate_limit_sign_in_email);
        ratelimit_take_back(&request->context, &rule, request->admission.counted_at);
        request->admission.email_counted = false;
    }
}
