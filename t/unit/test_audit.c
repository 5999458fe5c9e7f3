/* Tests of the audit: what a transaction writes, the chain, what is removed, and how few refused sign-ins are written.
 */
#include "store/audit_chain.h"

#include "base/scoreboard.h"
#include "store_fixture.h"

static int set_up(void **state)
{
    (void)state;
    config.audit_host = "here";
    config.audit_refusals = 2;
    config.secret_keys = (struct secret_keys){.items = {TEXT("a secret key of thirty-two bytes")}, .count = 1};
    context.now_seconds = 1800000000;
    return scoreboard_create() && store_set_up("", 0) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

static int clear(void **state)
{
    (void)state;
    execute("DELETE FROM audit");
    execute("DELETE FROM audit_head");
    context.now_seconds = 1800000000;
    config.audit_retention = 0;
    return 0;
}

static int64_t number_of(const char *sql)
{
    int64_t number;
    assert_int_equal(database_get_integer(&context, sql, NO_PARAMETERS, -1, &number), OK);
    return number;
}

static enum outcome note_some(struct context *given, void *argument)
{
    const int *count = argument;
    for (int i = 0; i < *count; i++) {
        audit_store_note(given,
                         &(struct audit_note){.action = AUDIT_role_change,
                                              .subject_id = text_format(given->arena, "u%d", i),
                                              .detail = TEXT("{\"role\":{\"from\":\"user\",\"to\":\"pending\"}}"),
                                              .personal = TEXT("{\"name\":\"\\u00e4 \\\"x\\\" 'y' \\\\\"}")});
    }
    return *count == 3 ? PROBLEM : OK; /* three are rolled back */
}

static void add_rows(int count)
{
    database_concerns_nobody();
    assert_int_equal(database_transaction(&context, note_some, &count), count == 3 ? PROBLEM : OK);
}

static void grow(void)
{
    bool more = true;
    while (more) {
        assert_int_equal(audit_chain_grow(&context, &more), OK);
    }
}

static int faults;

static void count_fault(const struct audit_fault *fault, void *argument)
{
    (void)argument;
    print_message("%.*s %lld %lld: %s\n", (int)fault->host.length, fault->host.data, (long long)fault->id,
                  (long long)fault->number, fault->text);
    faults++;
}

static void no_host(const struct audit_verified *verified, void *argument)
{
    (void)verified;
    (void)argument;
}

static int verify(void)
{
    faults = 0;
    assert_int_equal(audit_chain_verify(&context, count_fault, no_host, NULL), OK);
    return faults;
}

static void test_rows(void **state)
{
    (void)state;
    add_rows(1);
    add_rows(1500); /* more than one statement takes */
    add_rows(3);
    add_rows(0);
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit"), 1501);
    assert_int_equal(number_of("SELECT COUNT(DISTINCT mac) FROM audit"), 1501);
    assert_int_equal(verify(), 0);
    grow();
    assert_int_equal(number_of("SELECT MAX(number) FROM audit"), 1501);
    assert_int_equal(number_of("SELECT number FROM audit_head"), 1501);
    assert_int_equal(verify(), 0);
    execute("UPDATE audit SET personal = '{}' WHERE number = 700");
    assert_int_equal(verify(), 1);
}

static void test_other_key(void **state)
{
    (void)state;
    struct secret_keys keys = config.secret_keys;
    add_rows(2);
    grow();
    config.secret_keys = (struct secret_keys){.items = {TEXT("another secret key of 32 bytes...")}, .count = 1};
    add_rows(1);
    grow(); /* the end was sealed by a key that is not known any more, so it is told that it may be anybody's */
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'audit_broken'"), 1);
    clear(state);
    config.secret_keys = keys;
    add_rows(2);
    grow();
    keys.items[1] = keys.items[0];
    keys.items[0] = TEXT("another secret key of 32 bytes...");
    keys.count = 2;
    config.secret_keys = keys;
    add_rows(1);
    grow();
    assert_int_equal(verify(), 0);
    keys.count = 1; /* the chain vouches for the rows of the key that is gone */
    config.secret_keys = keys;
    assert_int_equal(verify(), 0);
    execute("UPDATE audit SET subject_id = 'x' WHERE number = 1");
    assert_int_not_equal(verify(), 0);
    config.secret_keys.items[0] = TEXT("a secret key of thirty-two bytes");
}

static void test_retention(void **state)
{
    bool more;
    (void)state;
    add_rows(5);
    context.now_seconds += 100;
    add_rows(2);
    grow();
    config.audit_retention = 50;
    assert_int_equal(audit_chain_trim(&context, &more), OK);
    assert_false(more);
    assert_int_equal(number_of("SELECT MIN(number) FROM audit"), 6);
    assert_int_equal(number_of("SELECT base_number FROM audit_head"), 5);
    grow();
    assert_int_equal(verify(), 0);
    assert_int_equal(audit_chain_trim(&context, &more), OK);
    assert_int_equal(number_of("SELECT MIN(number) FROM audit"), 6);
    execute("UPDATE audit_head SET base_number = 6, base_hash = (SELECT hash FROM audit WHERE number = 6)");
    execute("DELETE FROM audit WHERE number = 6");
    assert_int_not_equal(verify(), 0); /* who removes more can't say so */
}

static void refuse(int count)
{
    for (int i = 0; i < count; i++) {
        audit_store_refuse(&context, AUDIT_sign_in_refused, TEXT_NULL, TEXT("somebody@example.org"), "unknown account");
    }
}

static int64_t omitted(void)
{
    return number_of("SELECT CAST(SUM(COALESCE(JSON_VALUE(detail, '$.omitted_before'), 0)) AS SIGNED) FROM audit");
}

static void test_refusals(void **state)
{
    (void)state;
    refuse(10);
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit"), 2);
    audit_store_write_omitted(&context); /* the minute is not over */
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit"), 2);
    context.now_seconds += 60;
    audit_store_write_omitted(&context);
    assert_int_equal(omitted(), 8);
    refuse(3);
    context.now_seconds += 60;
    refuse(1);
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit"), 6);
    assert_int_equal(omitted(), 9);
    audit_store_write_omitted(&context);
    assert_int_equal(number_of("SELECT COUNT(*) FROM audit"), 6);
    struct text one = audit_store_pseudonym(&context, TEXT("Ada@Example.org"));
    assert_true(text_equal(one, audit_store_pseudonym(&context, TEXT("ada@example.ORG"))));
    assert_false(text_equal(one, audit_store_pseudonym(&context, TEXT("bob@example.org"))));
}

static void test_sealed_anew(void **state)
{
    const struct secret_keys keys = config.secret_keys;
    (void)state;
    add_rows(2);
    grow();
    config.secret_keys =
        (struct secret_keys){.items = {TEXT("another secret key of 32 bytes..."), keys.items[0]}, .count = 2};
    assert_int_equal(audit_chain_reseal(&context), OK);
    config.secret_keys.count = 1;
    assert_int_equal(verify(), 0); /* nothing was written meanwhile */
    add_rows(1);
    grow();
    assert_int_equal(verify(), 0);
    config.secret_keys = keys;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows, clear),      cmocka_unit_test_setup(test_other_key, clear),
        cmocka_unit_test_setup(test_retention, clear), cmocka_unit_test_setup(test_sealed_anew, clear),
        cmocka_unit_test_setup(test_refusals, clear),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
