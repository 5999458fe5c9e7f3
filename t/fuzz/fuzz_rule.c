/* fuzz_rule.c: a rule of a location, and an address to return to: both come from a configuration or a link by hand.
 *
 * The first byte says what the rest is: 'r' an address, 'q' a query that has one, anything else the first byte of a
 * rule. */
#include "auth/rule.h"
#include "base/buffer.h"
#include "base/return_url.h"
#include "fuzz.h"

/* A rule that was read can be written again, each value between quotes, and is the same then. */
static void check_again(struct arena *arena, const struct rule *rule)
{
    static const char *const kinds[] = {"any", "role", "group", "permission", "user", "mfa"};
    struct buffer text;
    buffer_init(&text, arena);
    for (size_t i = 0; i < rule->count; i++) {
        const struct rule_term *term = &rule->terms[i];
        buffer_add_string(&text, !term->starts_either ? " " : i > 0 ? "," : "");
        buffer_add_string(&text, kinds[term->kind]);
        if (term->kind == RULE_FACTOR && term->age >= 0) {
            buffer_add_format(&text, "<%llds", (long long)term->age);
        } else if (term->kind != RULE_ANY && term->kind != RULE_FACTOR) {
            buffer_add_literal(&text, ":\"");
            for (size_t at = 0; at < term->value.length; at++) {
                buffer_add(&text, "\\", term->value.data[at] == '"' || term->value.data[at] == '\\');
                buffer_add_byte(&text, term->value.data[at]);
            }
            buffer_add_literal(&text, "\"");
        }
    }
    struct rule again;
    if (text.length > RULE_BYTES) {
        return;
    }
    require(rule_parse(arena, buffer_text(&text), &again, NULL) && again.count == rule->count);
    for (size_t i = 0; i < rule->count; i++) {
        require(again.terms[i].kind == rule->terms[i].kind && again.terms[i].age == rule->terms[i].age);
        require(again.terms[i].starts_either == rule->terms[i].starts_either);
        require(text_equal(again.terms[i].value, rule->terms[i].value));
    }
}

static void check_rule(struct arena *arena, struct text text)
{
    struct rule rule;
    struct error error;
    if (!rule_parse(arena, text, &rule, &error)) {
        require(error.text[0] != '\0');
        return;
    }
    require(rule.count <= RULE_TERMS && (rule.count == 0 || rule.terms[0].starts_either));
    for (size_t i = 0; i < rule.count; i++) {
        const bool has_value = rule.terms[i].kind != RULE_ANY && rule.terms[i].kind != RULE_FACTOR;
        require(has_value == (rule.terms[i].value.length > 0));
    }
    check_again(arena, &rule);
}

/* What is allowed is a path, or at one of the hosts; it is ASCII, and allowed again. */
static void check_address(struct arena *arena, struct text text)
{
    static const char *const hosts[] = {"app.example.net:8443"};
    static const char *const starts[] = {"https://users.example.org/", "https://app.example.net:8443/"};
    const struct return_rules rules = {TEXT("https://users.example.org"), "", hosts, 1};
    struct text url = return_url_check(arena, &rules, text);
    if (url.data == NULL) {
        return;
    }
    require(url.length > 0 && (url.data[0] != '/' || url.length == 1 || (url.data[1] != '/' && url.data[1] != '\\')));
    require(url.data[0] == '/' || text_starts_with(url, starts[0]) || text_starts_with(url, starts[1]));
    for (size_t i = 0; i < url.length; i++) {
        require(url.data[i] > ' ' && url.data[i] < 0x7F && url.data[i] != '\\');
    }
    if (url.length <= RETURN_URL_BYTES) {
        require(text_equal(return_url_check(arena, &rules, url), url));
    }
}

static void fuzz_input(struct arena *arena, struct text input)
{
    struct text rest = input;
    const char kind = fuzz_take_byte(&rest);
    if (kind == 'r') {
        check_address(arena, rest);
    } else if (kind == 'q') {
        check_address(arena, return_url_find(arena, rest));
    }
    check_rule(arena, input);
}
