/* factor.c: see factor.h. */
#include "auth/factor.h"

#include "auth/rule.h"
#include "base/log.h"
#include "base/problem.h"
#include "config/config.h"
#include "store/config_store.h"
#include "store/factor_store.h"
#include "store/group_store.h"

/* second_factor_for, whose rules are those of nginx/roster. One that can't be read, which `roster -t' refuses, holds
 * for everybody. */
static enum outcome judge_rule(struct context *context, const struct identity *identity, bool *holds_r)
{
    const struct text text = text_of(context->config->second_factor_for);
    struct rule rule;
    struct error error;
    *holds_r = false;
    if (text.length == 0) {
        return OK;
    }
    if (!rule_parse(context->arena, text, &rule, &error)) {
        log_error(context, "second_factor_for: %s; so everybody needs a second factor", error.text);
        *holds_r = true;
        return OK;
    }
    struct result groups = {.row_count = 0};
    bool names_groups = false;
    for (size_t i = 0; i < rule.count; i++) {
        names_groups = names_groups || rule.terms[i].kind == RULE_GROUP;
    }
    enum rule_verdict verdict = RULE_REFUSES;
    struct text unknown;
    enum outcome outcome = names_groups ? group_store_names_of_user(context, identity->user_id, &groups) : OK;
    if (outcome == OK) {
        outcome = rule_judge(context, &rule, identity, &groups, &verdict, &unknown);
    }
    *holds_r = outcome == OK && rule.count > 0 && verdict == RULE_PASSES;
    return outcome;
}

/* The settings let some ways of signing in off, whose other side may have asked for a second factor itself. */
static enum outcome is_let_off(struct context *context, const struct identity *identity, bool *is_off_r)
{
    const struct text method = identity->claims.auth_method;
    *is_off_r = false;
    if (text_is(method, "trusted_header")) {
        return config_store_read_is_on(context, SETTING_MFA_ALLOW_TRUSTED_HEADER_BYPASS, is_off_r);
    }
    return text_is(method, "oauth") ? config_store_read_is_on(context, SETTING_MFA_ALLOW_OAUTH_BYPASS, is_off_r) : OK;
}

enum outcome factor_is_required(struct context *context, const struct identity *identity, bool *required_r)
{
    bool is_off;
    enum outcome outcome = OK;
    *required_r = identity->site_wants_factor || identity->factor_required != 0;
    if (!*required_r) {
        outcome = judge_rule(context, identity, required_r);
    }
    if (outcome == OK && *required_r) {
        outcome = is_let_off(context, identity, &is_off);
        *required_r = outcome == OK && !is_off;
    }
    return outcome;
}

enum outcome factor_authenticate(struct context *context, const struct credentials *credentials,
                                 struct identity *identity_r)
{
    bool is_required;
    enum outcome outcome = identity_authenticate(context, credentials, identity_r);
    if (outcome != OK || identity_r->is_api_key || identity_r->is_automation ||
        (identity_r->claims.mfa_verified && identity_r->has_factor)) {
        return outcome;
    }
    outcome = factor_is_required(context, identity_r, &is_required);
    if (outcome == OK && is_required) {
        identity_r->drop_cookies = true;
        return problem_set_detail(context, ERROR_INVALID_TOKEN, 0,
                                  "This session was begun without a second factor, which your account needs: sign in "
                                  "again.");
    }
    return outcome;
}

bool factor_is_fresh(const struct context *context, const struct identity *identity)
{
    const int64_t begun = identity->claims.auth_time, confirmed = identity->confirmed_at;
    const int64_t age = context->now_seconds - (confirmed > begun ? confirmed : begun);
    return !identity->is_api_key && !identity->is_automation && (begun > 0 || confirmed > 0) &&
           age <= FACTOR_FRESH_SECONDS && age >= -FACTOR_FRESH_SECONDS;
}
