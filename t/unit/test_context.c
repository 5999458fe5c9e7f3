/* test_context.c: what is kept of the statements of a request, and how the log shows it. */
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "unit.h"

static struct context context;

static int set_up(void **state)
{
    (void)state;
    memset(&context, 0, sizeof context);
    context.arena = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

static void note(const char *sql, int64_t microseconds)
{
    context.statement_count++;
    context_note_statement(&context, sql, microseconds);
}

static void test_none(void **state)
{
    (void)state;
    assert_string_equal(context_describe_statements(&context, 0).data, "0 statements in 0.0 ms");
}

static void test_one(void **state)
{
    (void)state;
    note("SELECT 1", 1234);
    assert_string_equal(context_describe_statements(&context, 0).data,
                        "1 statement in 1.2 ms: [1 time, 1.2 ms] SELECT 1");
}

static void test_the_costliest_comes_first(void **state)
{
    static const char *const begin = "START TRANSACTION", *const insert = "INSERT INTO t VALUES (?)",
                             *const commit = "COMMIT";

    (void)state;
    note(begin, 100);
    note(insert, 2000);
    note(insert, 3000);
    note(commit, 40000);
    assert_int_equal(context.statements_kept, 3);
    assert_string_equal(
        context_describe_statements(&context, 0).data,
        "4 statements in 45.1 ms: [1 time, 40.0 ms] COMMIT; [2 times, 5.0 ms] INSERT INTO t VALUES (?); "
        "[1 time, 0.1 ms] START TRANSACTION");
    assert_ptr_equal(context.statements[0].sql, begin);

    /* Statements that do not explain the time of the request. */
    assert_string_equal(context_describe_statements(&context, 451001 + 9).data, "4 statements in 45.1 ms");
    assert_non_null(strstr(context_describe_statements(&context, 451000).data, "COMMIT"));
}

static void test_white_space(void **state)
{
    (void)state;
    note("\n  SELECT a,\n\t\tb\r\n  FROM t \n", 0);
    assert_string_equal(context_describe_statements(&context, 0).data,
                        "1 statement in 0.0 ms: [1 time, 0.0 ms] SELECT a, b FROM t");
}

static void test_no_more_than_there_are_places(void **state)
{
    static char texts[CONTEXT_STATEMENTS_MAX + 4][32];
    size_t i;

    (void)state;
    for (i = 0; i < CONTEXT_STATEMENTS_MAX + 4; i++) {
        snprintf(texts[i], sizeof texts[i], "SELECT %zu", i);
        note(texts[i], 1000);
    }
    note(texts[0], 500);
    assert_int_equal(context.statements_kept, CONTEXT_STATEMENTS_MAX);
    assert_int_equal(context.statements_left_out, 4);
    struct text text = context_describe_statements(&context, 0);
    assert_true(text_starts_with(text, "21 statements in 20.5 ms: [2 times, 1.5 ms] SELECT 0; "));
    assert_true(text_ends_with(text, "; 4 further"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_none),
        TEST(test_one),
        TEST(test_the_costliest_comes_first),
        TEST(test_white_space),
        TEST(test_no_more_than_there_are_places),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
