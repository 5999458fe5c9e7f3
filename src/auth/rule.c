#include "auth/rule.h"

#include "auth/permission.h"
#include "base/arena.h"
#include "base/array.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/email.h"
#include "base/quantity.h"
#include "store/group_store.h"

/* ---- reading ---- */

static const struct {
    const char *word;
    enum rule_kind kind;
} kinds[] = {{"role", RULE_ROLE}, {"group", RULE_GROUP}, {"permission", RULE_PERMISSION}, {"user", RULE_USER}};

struct reader {
    struct arena *arena;
    struct text rest;
    struct error *error;
};

/* The word at the start of the rest, up to a space or a comma outside of quotes, without its quotes.
 * *colon_r: the place of its first colon outside of quotes; its length where there is none. */
static bool take_word(struct reader *reader, struct text *word_r, size_t *colon_r)
{
    struct buffer word;
    bool is_quoted = false, has_colon = false;
    size_t at = 0;
    buffer_init(&word, reader->arena);
    for (; at < reader->rest.length; at++) {
        const char byte = reader->rest.data[at];
        if (!is_quoted && (ascii_is_white(byte) || byte == ',')) {
            break;
        }
        if (ascii_is_control(byte)) {
            return error_set(reader->error, "it has a control character");
        }
        if (byte == '"') {
            is_quoted = !is_quoted;
            continue;
        }
        if (byte == ':' && !is_quoted && !has_colon) {
            has_colon = true;
            *colon_r = word.length;
        }
        if (byte == '\\' && is_quoted && at + 1 < reader->rest.length &&
            (reader->rest.data[at + 1] == '"' || reader->rest.data[at + 1] == '\\')) {
            at++;
        }
        buffer_add_byte(&word, reader->rest.data[at]);
    }
    if (is_quoted) {
        return error_set(reader->error, "a double quote is missing");
    }
    *word_r = buffer_text(&word);
    if (!has_colon) {
        *colon_r = word_r->length;
    }
    reader->rest.data += at;
    reader->rest.length -= at;
    return true;
}

static bool read_permission(struct reader *reader, struct text value, enum permission *permission_r)
{
    const struct permission_row *row;
    for (size_t i = 0; (row = permission_row(i)) != NULL; i++) {
        if (text_is(value, text_format(reader->arena, "%s.%s", row->section, row->key).data)) {
            *permission_r = (enum permission)i;
            return true;
        }
    }
    return error_set(reader->error, "there is no permission \"%.*s\"; write it as features.api_keys, for example",
                     (int)value.length, value.data);
}

static bool read_role(struct reader *reader, struct text value)
{
    if (text_is(value, "pending")) {
        return error_set(reader->error, "people whose role is pending count as nobody; \"any\" lets them in");
    }
    return text_is(value, "user") || text_is(value, "admin") ||
           error_set(reader->error, "there is no role \"%.*s\": write user or admin", (int)value.length, value.data);
}

/* `mfa`, or `mfa<TIME`. */
static bool read_factor(struct reader *reader, struct text word, struct rule_term *term_r)
{
    static const struct unit times[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};
    term_r->kind = RULE_FACTOR;
    term_r->age = -1;
    if (text_is(word, "mfa")) {
        return true;
    }
    text_take(&word, '<');
    if (quantity_sum(word, times, 0, &term_r->age)) {
        return true;
    }
    return error_set(reader->error, "\"%.*s\" is no time: write mfa<12h, or mfa<1h30m, with the units d, h, m and s",
                     (int)word.length, word.data);
}

static bool read_term(struct reader *reader, struct rule_term *term_r)
{
    struct text word = TEXT_NULL;
    size_t colon = 0;
    if (!take_word(reader, &word, &colon)) {
        return false;
    }
    if (text_is(word, "any")) {
        term_r->kind = RULE_ANY;
        return true;
    }
    if (text_is(word, "mfa") || text_starts_with(word, "mfa<")) {
        return read_factor(reader, word, term_r);
    }
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (colon < word.length && text_is((struct text){word.data, colon}, kinds[i].word)) {
            term_r->kind = kinds[i].kind;
            term_r->value = (struct text){word.data + colon + 1, word.length - colon - 1};
            if (term_r->value.length == 0) {
                return error_set(reader->error, "nothing follows \"%s:\"", kinds[i].word);
            }
            return term_r->kind == RULE_ROLE         ? read_role(reader, term_r->value)
                   : term_r->kind == RULE_PERMISSION ? read_permission(reader, term_r->value, &term_r->permission)
                                                     : true;
        }
    }
    return error_set(
        reader->error,
        "\"%.*s\" is no term: write any, role:ROLE, group:NAME, permission:SECTION.NAME, user:EMAIL, mfa or "
        "mfa<TIME, with names that have spaces or commas between double quotes",
        (int)word.length, word.data);
}

static void skip_white(struct reader *reader)
{
    while (reader->rest.length > 0 && ascii_is_white(reader->rest.data[0])) {
        reader->rest.data++;
        reader->rest.length--;
    }
}

bool rule_parse(struct arena *arena, struct text text, struct rule *rule_r, struct error *error)
{
    struct reader reader = {arena, text, error};
    *rule_r = (struct rule){NULL, 0};
    if (text.length > RULE_BYTES) {
        return error_set(error, "it is longer than %d bytes", RULE_BYTES);
    }
    if (!text_is_utf8(text)) {
        return error_set(error, "it is not UTF-8");
    }
    skip_white(&reader);
    if (reader.rest.length == 0) {
        return true;
    }
    rule_r->terms = arena_zero(arena, RULE_TERMS, sizeof *rule_r->terms);
    bool starts_either = true;
    while (reader.rest.length > 0 || starts_either) {
        if (reader.rest.length == 0 || reader.rest.data[0] == ',') {
            if (starts_either) {
                return error_set(error, "a term is missing %s a comma", rule_r->count == 0 ? "before" : "behind");
            }
            reader.rest.data++;
            reader.rest.length--;
            starts_either = true;
        } else if (rule_r->count == RULE_TERMS) {
            return error_set(error, "it has more than %d terms", RULE_TERMS);
        } else {
            struct rule_term *term = &rule_r->terms[rule_r->count++];
            term->starts_either = starts_either;
            starts_either = false;
            if (!read_term(&reader, term)) {
                return false;
            }
        }
        skip_white(&reader);
    }
    return true;
}

/* ---- judging ---- */

static bool is_in_group(const struct result *groups, struct text group)
{
    for (size_t i = 0; i < groups->row_count; i++) {
        const struct value *row = result_row(groups, i);
        if (text_equal(row[0].text, group) || text_equal(row[1].text, group)) {
            return true;
        }
    }
    return false;
}

static bool is_session(const struct identity *identity)
{
    return !identity->is_api_key && !identity->is_automation;
}

static bool has_factor(const struct context *context, const struct identity *identity, int64_t age)
{
    const int64_t since = identity->claims.auth_time;
    return is_session(identity) && identity->claims.mfa_verified &&
           (age < 0 || (since >= 0 && context->now_seconds - since <= age));
}

/* `lenient`: as if the caller had signed in with a second factor now. */
static enum outcome holds(struct context *context, const struct rule_term *term, const struct identity *identity,
                          const struct result *groups, bool lenient, bool *holds_r)
{
    switch (term->kind) {
    case RULE_ANY:
        *holds_r = true;
        break;
    case RULE_ROLE:
        *holds_r = text_equal(identity->role, term->value);
        break;
    case RULE_GROUP:
        *holds_r = is_in_group(groups, term->value);
        break;
    case RULE_USER:
        *holds_r =
            text_equal(identity->user_id, term->value) || email_equal(context->arena, identity->email, term->value);
        break;
    case RULE_PERMISSION:
        return permission_check(context, identity->user_id, identity_is_admin(identity), term->permission, holds_r);
    case RULE_FACTOR:
        *holds_r = lenient || has_factor(context, identity, term->age);
        break;
    }
    return OK;
}

/* Whether the alternative that starts with `first` says `any`. *end_r: behind its last term. */
static bool says_any(const struct rule *rule, size_t first, size_t *end_r)
{
    bool any = false;
    size_t at = first;
    do {
        any = any || rule->terms[at].kind == RULE_ANY;
        at++;
    } while (at < rule->count && !rule->terms[at].starts_either);
    *end_r = at;
    return any;
}

static enum outcome judge_terms(struct context *context, const struct rule *rule, const struct identity *identity,
                                const struct result *groups, bool lenient, enum rule_verdict *verdict_r)
{
    const bool is_verified = identity_is_verified(identity);
    *verdict_r = is_verified ? RULE_REFUSES : RULE_NOBODY;
    size_t end;
    for (size_t first = 0; first < rule->count; first = end) {
        const bool any = says_any(rule, first, &end);
        if (!is_verified && !any) {
            continue;
        }
        *verdict_r = RULE_REFUSES;
        bool all = true;
        for (size_t at = first; all && at < end; at++) {
            enum outcome outcome = holds(context, &rule->terms[at], identity, groups, lenient, &all);
            if (outcome != OK) {
                return outcome;
            }
        }
        if (all) {
            *verdict_r = RULE_PASSES;
            return OK;
        }
    }
    return OK;
}

static enum outcome find_unknown(struct context *context, const struct rule *rule, const struct result *groups,
                                 struct text *unknown_r)
{
    for (size_t i = 0; i < rule->count && unknown_r->data == NULL; i++) {
        const struct rule_term *term = &rule->terms[i];
        bool exists = true;
        if (term->kind == RULE_GROUP && !is_in_group(groups, term->value)) {
            enum outcome outcome = group_store_exists(context, term->value, &exists);
            if (outcome != OK) {
                return outcome;
            }
        }
        *unknown_r = exists ? TEXT_NULL : term->value;
    }
    return OK;
}

enum outcome rule_judge(struct context *context, const struct rule *rule, const struct identity *identity,
                        const struct result *groups, enum rule_verdict *verdict_r, struct text *unknown_r)
{
    *unknown_r = TEXT_NULL;
    if (rule->count == 0) {
        *verdict_r = identity_is_verified(identity) ? RULE_PASSES : RULE_NOBODY;
        return OK;
    }
    enum outcome outcome = judge_terms(context, rule, identity, groups, false, verdict_r);
    if (outcome != OK || *verdict_r != RULE_REFUSES) {
        return outcome;
    }
    if (is_session(identity)) {
        enum rule_verdict lenient;
        outcome = judge_terms(context, rule, identity, groups, true, &lenient);
        if (outcome != OK || lenient == RULE_PASSES) {
            *verdict_r = RULE_WANTS_FACTOR;
            return outcome;
        }
    }
    return find_unknown(context, rule, groups, unknown_r);
}
