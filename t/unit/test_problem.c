/* test_problem.c: base/problem.h. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/context.h"
#include "base/problem.h"
#include "unit.h"

static int set_up(void **state)
{
    static struct context context;

    context = (struct context){.arena = arena_new(0)};
    *state = &context;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((struct context *)*state)->arena);
    return 0;
}

static void test_table(void **state)
{
    unsigned code, other;

    (void)state;
    assert_string_equal(error_name(ERROR_USER_NOT_FOUND), "USER_NOT_FOUND");
    assert_int_equal(error_status(ERROR_RATE_LIMIT_EXCEEDED), 429);
    assert_int_equal(error_status(ERROR_NONE), 200);
    for (code = ERROR_NONE + 1; code < ERROR_COUNT; code++) {
        const char *detail = error_detail((enum error_code)code);
        assert_in_range(error_status((enum error_code)code), 400, 599);
        assert_true(strlen(detail) > 10);
        assert_true(detail[strlen(detail) - 1] == '.' ||
                    strcmp(error_name((enum error_code)code), "VALIDATION_ERROR") == 0);
        for (other = ERROR_NONE; other < code; other++) {
            assert_string_not_equal(error_name((enum error_code)code), error_name((enum error_code)other));
        }
    }
}

static void test_set(void **state)
{
    struct context *context = *state;

    assert_int_equal(problem_set(context, ERROR_EMAIL_TAKEN), PROBLEM);
    assert_int_equal(context->problem.code, ERROR_EMAIL_TAKEN);
    assert_int_equal(context->problem.status, 0);
    assert_null(context->problem.detail);
}

static void test_set_detail(void **state)
{
    struct context *context = *state;

    assert_int_equal(problem_set_detail(context, ERROR_INVALID_PASSWORD, 409, "Too common."), PROBLEM);
    assert_int_equal(context->problem.code, ERROR_INVALID_PASSWORD);
    assert_int_equal(context->problem.status, 409);
    assert_string_equal(context->problem.detail, "Too common.");
}

static void test_set_fault(void **state)
{
    struct context *context = *state;

    assert_int_equal(problem_set_fault(context, ERROR_UNAVAILABLE), FAULT);
    assert_int_equal(context->problem.code, ERROR_UNAVAILABLE);
}

static void test_set_replaces_all(void **state)
{
    struct context *context = *state;

    problem_set_detail(context, ERROR_METHOD_NOT_ALLOWED, 418, "No.");
    context->problem.allow = "GET";
    context->problem.retry_after_seconds = 7;
    problem_set(context, ERROR_NOT_FOUND);
    assert_int_equal(context->problem.status, 0);
    assert_null(context->problem.detail);
    assert_null(context->problem.allow);
    assert_int_equal(context->problem.retry_after_seconds, 0);
}

static void test_faults_keep_their_order(void **state)
{
    struct context *context = *state;
    const struct fault *fault;

    problem_add_fault(context, FAULT_missing, TEXT("[\"body\",\"name\"]"), "Field required");
    assert_int_equal(context->problem.code, ERROR_VALIDATION_ERROR);
    problem_add_fault(context, FAULT_string_type, TEXT("[\"body\",\"email\"]"), "Must be text");
    problem_add_fault(context, FAULT_int_type, TEXT("[\"body\",\"age\"]"), "Must be a whole number");
    assert_int_equal(problem_set(context, ERROR_VALIDATION_ERROR), PROBLEM);

    fault = context->problem.faults;
    assert_int_equal(fault->type, FAULT_missing);
    assert_true(text_is(fault->loc, "[\"body\",\"name\"]"));
    assert_string_equal(fault->msg, "Field required");
    fault = fault->next;
    assert_int_equal(fault->type, FAULT_string_type);
    fault = fault->next;
    assert_int_equal(fault->type, FAULT_int_type);
    assert_null(fault->next);
}

static void test_faults_of_the_body(void **state)
{
    struct context *context = *state;

    problem_add_body_fault(context, FAULT_too_long, "routes", -1, NULL);
    problem_add_body_fault(context, FAULT_string_type, "a\"b", 0, "no text");
    const struct fault *fault = context->problem.faults;
    assert_int_equal(fault->type, FAULT_too_long);
    assert_true(text_is(fault->loc, "[\"body\",\"routes\"]"));
    assert_string_equal(fault_name(fault->type), "too_long");
    assert_string_equal(fault->msg, fault_message(FAULT_too_long)); /* the table's, where none is given */
    fault = fault->next;
    assert_string_equal(fault->msg, "no text");
    assert_true(text_is(fault->loc, "[\"body\",\"a\\\"b\",0]"));
    assert_null(fault->next);
}

static void test_faults_go_with_another_problem(void **state)
{
    struct context *context = *state;

    problem_add_fault(context, FAULT_missing, TEXT("[\"body\"]"), "Field required");
    problem_set(context, ERROR_NOT_FOUND);
    assert_null(context->problem.faults);
    problem_add_fault(context, FAULT_int_type, TEXT("[\"query\"]"), "Must be a whole number");
    assert_int_equal(context->problem.faults->type, FAULT_int_type);
    assert_null(context->problem.faults->next);
}

/* A context is set to zero between requests, or its problem copied: neither may leave the list with a stale end. */
static void test_faults_of_a_copy(void **state)
{
    struct context *context = *state, copy;

    problem_set(context, ERROR_VALIDATION_ERROR);
    copy = *context;
    problem_add_fault(&copy, FAULT_missing, TEXT("[1]"), "one");
    problem_add_fault(&copy, FAULT_missing, TEXT("[2]"), "two");
    assert_null(context->problem.faults);
    assert_string_equal(copy.problem.faults->next->msg, "two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test_setup_teardown(test_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_detail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_replaces_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_of_the_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_go_with_another_problem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults_of_a_copy, set_up, tear_down),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
