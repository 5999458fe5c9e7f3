/* test_rule.c: rules of locations: reading them, and who passes. What asks MariaDB is in t/e2e/39-other-programs.t. */
#include "arena_fixture.h"
#include "auth/rule.h"
#include "base/array.h"
#include "unit.h"

/* A rule in one form: alternatives in brackets, terms as kind=value. */
static const char *print(const struct rule *rule)
{
    static const char *const kinds[] = {"any", "role", "group", "permission", "user", "factor"};
    struct text text = TEXT("");
    for (size_t i = 0; i < rule->count; i++) {
        const struct rule_term *term = &rule->terms[i];
        const char *between = !term->starts_either ? " " : i > 0 ? "][" : "[";
        text =
            text_format(arena, "%s%s%s%s%.*s", text.data, between, kinds[term->kind], term->value.length > 0 ? "=" : "",
                        (int)term->value.length, term->value.data != NULL ? term->value.data : "");
    }
    return text_format(arena, "%s%s", text.data, rule->count > 0 ? "]" : "").data;
}

static void readable(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"  \t ", ""},
        {"any", "[any]"},
        {"role:admin", "[role=admin]"},
        {" role:user ", "[role=user]"},
        {"group:staff", "[group=staff]"},
        {"group:staff,role:admin", "[group=staff][role=admin]"},
        {"group:staff , role:admin", "[group=staff][role=admin]"},
        {"group:a group:b,role:admin user:x@y.z", "[group=a group=b][role=admin user=x@y.z]"},
        {"group:\"Staff of Wien\"", "[group=Staff of Wien]"},
        {"\"group:Staff of Wien\"", ""},
        {"group:a\"b, c\"d", "[group=ab, cd]"},
        {"group:\"a \\\"b\\\" \\\\ \\n\"", "[group=a \"b\" \\ \\n]"},
        {"group:a\\b", "[group=a\\b]"},
        {"group:a\\\\b", "[group=a\\\\b]"},
        {"group:a\\\"b c\"", "[group=a\\b c]"},
        {"group:a:b", "[group=a:b]"},
        {"group:\"a:b\"", "[group=a:b]"},
        {"group:\xC3\x84rzte", "[group=\xC3\x84rzte]"},
        {"group:50%", "[group=50%]"},
        {"any group:a", "[any group=a]"},
        {"group:any", "[group=any]"},
        {"permission:features.api_keys", "[permission=features.api_keys]"},
        {"user:0a1b", "[user=0a1b]"},
        {"mfa", "[factor]"},
        {"group:a mfa<12h,mfa", "[group=a factor][factor]"},
        {"group:mfa", "[group=mfa]"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct rule rule;
        struct error error;
        bool good = rule_parse(arena, text_of(cases[i][0]), &rule, &error);
        bool expected = cases[i][1][0] != '\0' || strchr(cases[i][0], '"') == NULL;
        if (good != expected || (good && strcmp(print(&rule), cases[i][1]) != 0)) {
            fail_msg("%s: %s", cases[i][0], good ? print(&rule) : error.text);
        }
    }
    struct rule rule;
    assert_true(rule_parse(arena, TEXT_NULL, &rule, NULL));
    assert_int_equal(rule.count, 0);
    assert_true(rule_parse(arena, TEXT("permission:features.web_search"), &rule, NULL));
    assert_int_equal(rule.terms[0].permission, PERMISSION_features_web_search);
    assert_true(rule_parse(arena, TEXT("mfa mfa<1h30m mfa<0s"), &rule, NULL));
    assert_int_equal(rule.terms[0].age, -1);
    assert_int_equal(rule.terms[1].age, 5400);
    assert_int_equal(rule.terms[2].age, 0);
}

static void unreadable(void **state)
{
    static const char *const cases[][2] = {
        {",", "a term is missing before a comma"},
        {", any", "a term is missing before a comma"},
        {"any,", "a term is missing behind a comma"},
        {"any, ,any", "a term is missing behind a comma"},
        {"any,,any", "a term is missing behind a comma"},
        {"admin", "\"admin\" is no term"},
        {"Any", "\"Any\" is no term"},
        {"ROLE:admin", "\"ROLE:admin\" is no term"},
        {"groups:staff", "\"groups:staff\" is no term"},
        {":staff", "\":staff\" is no term"},
        {":", "\":\" is no term"},
        {"\"\"", "\"\" is no term"},
        {"not group:staff", "\"not\" is no term"},
        {"group: staff", "nothing follows \"group:\""},
        {"group:", "nothing follows \"group:\""},
        {"group:\"\"", "nothing follows \"group:\""},
        {"group:staff;role:admin", ""},
        {"group:staff|role:admin", ""},
        {"\"group:staff\"", "\"group:staff\" is no term"},
        {"role:root", "there is no role \"root\""},
        {"role:Admin", "there is no role \"Admin\""},
        {"role:pending", "\"any\" lets them in"},
        {"permission:api_keys", "there is no permission \"api_keys\""},
        {"permission:features", "there is no permission"},
        {"permission:features.api_keys.x", "there is no permission"},
        {"permission:Features.api_keys", "there is no permission"},
        {"group:\"staff", "a double quote is missing"},
        {"group:a\"", "a double quote is missing"},
        {"group:\"a\\\"", "a double quote is missing"},
        {"group:a\x01", "it has a control character"},
        {"group:\"a\nb\"", "it has a control character"},
        {"group:\x7F", "it has a control character"},
        {"group:\xFF", "it is not UTF-8"},
        {"$roster_require", "is no term"},
        {"MFA", "\"MFA\" is no term"},
        {"mfa:12h", "\"mfa:12h\" is no term"},
        {"mfa>12h", "\"mfa>12h\" is no term"},
        {"mfa<", "\"\" is no time"},
        {"mfa<12", "\"12\" is no time"},
        {"mfa<h", "\"h\" is no time"},
        {"mfa<12H", "\"12H\" is no time"},
        {"mfa<-1h", "\"-1h\" is no time"},
        {"mfa<1h<2h", "\"1h<2h\" is no time"},
        {"mfa< 12h", "\"\" is no time"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct rule rule;
        struct error error;
        bool good = rule_parse(arena, text_of(cases[i][0]), &rule, &error);
        /* separators of other programs are a part of a group's name, which there is not */
        if (cases[i][1][0] == '\0') {
            assert_true(good);
            assert_int_equal(rule.count, 1);
        } else if (good || strstr(error.text, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], good ? print(&rule) : error.text);
        }
    }
}

static void limits(void **state)
{
    char text[RULE_BYTES + 2] = "";
    struct rule rule;
    struct error error;
    (void)state;
    for (int i = 0; i < RULE_TERMS; i++) {
        strcat(text, "any ");
    }
    assert_true(rule_parse(arena, text_of(text), &rule, &error));
    assert_int_equal(rule.count, RULE_TERMS);
    strcat(text, "any");
    assert_false(rule_parse(arena, text_of(text), &rule, &error));
    assert_string_equal(error.text, "it has more than 64 terms");

    memset(text, 'a', sizeof text);
    memcpy(text, "group:", 6);
    assert_true(rule_parse(arena, (struct text){text, RULE_BYTES}, &rule, &error));
    assert_false(rule_parse(arena, (struct text){text, RULE_BYTES + 1}, &rule, &error));
    assert_string_equal(error.text, "it is longer than 4096 bytes");
}

static void verdicts(void **state)
{
    static const struct {
        const char *rule, *role;
        enum rule_verdict verdict;
    } cases[] = {
        {"", "user", RULE_PASSES},
        {"", "admin", RULE_PASSES},
        {"", "pending", RULE_NOBODY},
        {"", "superadmin", RULE_NOBODY},
        {"any", "pending", RULE_PASSES},
        {"any", "user", RULE_PASSES},
        {"role:admin", "admin", RULE_PASSES},
        {"role:admin", "user", RULE_REFUSES},
        {"role:admin", "pending", RULE_NOBODY},
        {"role:user", "admin", RULE_REFUSES},
        {"role:user,role:admin", "admin", RULE_PASSES},
        {"role:user role:admin", "admin", RULE_REFUSES},
        {"any role:admin", "pending", RULE_REFUSES},
        {"role:admin,any", "pending", RULE_PASSES},
        {"user:ANNE@Example.org", "user", RULE_PASSES},
        {"user:u1", "user", RULE_PASSES},
        {"user:U1", "user", RULE_REFUSES},
        {"user:anne@example.org", "pending", RULE_NOBODY},
        {"any user:anne@example.org", "pending", RULE_PASSES},
        {"any user:ben@example.org", "pending", RULE_REFUSES},
        {"user:anne", "user", RULE_REFUSES},
        {"group:staff", "user", RULE_PASSES},
        {"group:g1", "user", RULE_PASSES},
        {"group:staff group:g2", "user", RULE_PASSES},
        {"group:staff role:admin, user:u2", "user", RULE_REFUSES},
        {"role:admin, user:u2, group:\"Night Shift\"", "user", RULE_PASSES},
    };
    struct value values[] = {
        {.text = TEXT("g1")}, {.text = TEXT("staff")}, {.text = TEXT("g2")}, {.text = TEXT("Night Shift")}};
    const struct result groups = {values, 2, 2, 2};
    struct context context = {.arena = arena};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct identity identity = {
            .user_id = TEXT("u1"), .email = TEXT("anne@example.org"), .role = text_of(cases[i].role)};
        struct rule rule;
        enum rule_verdict verdict;
        struct text unknown;
        assert_true(rule_parse(arena, text_of(cases[i].rule), &rule, NULL));
        assert_int_equal(rule_judge(&context, &rule, &identity, &groups, &verdict, &unknown), OK);
        if (verdict != cases[i].verdict || unknown.data != NULL) {
            fail_msg("%s for %s: %d", cases[i].rule, cases[i].role, verdict);
        }
    }
}

enum { NOW = 1000000 };

static const struct identity anne = {.user_id = TEXT("u1"), .role = TEXT("user"), .claims = {.auth_time = -1}};

/* Who is asked is anne, signed in with a second factor so many seconds ago (-1: it does not say when). */
static enum rule_verdict judge_after(const char *text, int64_t ago, bool is_api_key, bool is_automation)
{
    struct context context = {.arena = arena, .now_seconds = NOW};
    const struct result groups = {NULL, 0, 0, 2};
    struct identity identity = anne;
    struct rule rule;
    enum rule_verdict verdict;
    struct text unknown;
    identity.claims.mfa_verified = true;
    identity.claims.auth_time = ago < 0 ? -1 : NOW - ago;
    identity.is_api_key = is_api_key;
    identity.is_automation = is_automation;
    assert_true(rule_parse(arena, text_of(text), &rule, NULL));
    assert_int_equal(rule_judge(&context, &rule, &identity, &groups, &verdict, &unknown), OK);
    return verdict;
}

static void factors(void **state)
{
    struct context context = {.arena = arena, .now_seconds = NOW};
    const struct result groups = {NULL, 0, 0, 2};
    struct rule rule;
    enum rule_verdict verdict;
    struct text unknown;
    (void)state;
    assert_int_equal(judge_after("mfa", 100000, false, false), RULE_PASSES);
    assert_int_equal(judge_after("mfa", -1, false, false), RULE_PASSES);
    assert_int_equal(judge_after("mfa<1h", 3600, false, false), RULE_PASSES);
    assert_int_equal(judge_after("mfa<1h", 3601, false, false), RULE_WANTS_FACTOR);
    assert_int_equal(judge_after("mfa<1h", -1, false, false), RULE_WANTS_FACTOR);
    assert_int_equal(judge_after("mfa<1h, user:u1", 3601, false, false), RULE_PASSES);
    assert_int_equal(judge_after("mfa<1h role:admin", 3601, false, false), RULE_REFUSES); /* signing in is no help */
    assert_int_equal(judge_after("mfa role:admin, mfa<1h role:user", 3601, false, false), RULE_WANTS_FACTOR);
    assert_int_equal(judge_after("mfa", 0, true, false), RULE_REFUSES);
    assert_int_equal(judge_after("mfa", 0, false, true), RULE_REFUSES);

    assert_true(rule_parse(arena, TEXT("mfa"), &rule, NULL));
    assert_int_equal(rule_judge(&context, &rule, &anne, &groups, &verdict, &unknown), OK);
    assert_int_equal(verdict, RULE_WANTS_FACTOR);
    struct identity pending = anne;
    pending.role = TEXT("pending");
    assert_int_equal(rule_judge(&context, &rule, &pending, &groups, &verdict, &unknown), OK);
    assert_int_equal(verdict, RULE_NOBODY);
    assert_true(rule_parse(arena, TEXT("any mfa"), &rule, NULL));
    assert_int_equal(rule_judge(&context, &rule, &pending, &groups, &verdict, &unknown), OK);
    assert_int_equal(verdict, RULE_WANTS_FACTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable), cmocka_unit_test(unreadable), cmocka_unit_test(limits),
        cmocka_unit_test(verdicts), cmocka_unit_test(factors),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
