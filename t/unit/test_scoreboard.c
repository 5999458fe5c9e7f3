/* test_scoreboard.c: slots are taken, shared with a child, and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/scoreboard.h"

static int create(void **state)
{
    (void)state;
    return scoreboard_create() ? 0 : -1;
}

static void test_create_twice_is_one(void **state)
{
    (void)state;
    struct scoreboard *first = scoreboard_get();
    assert_non_null(first);
    assert_true(first->started_wall_seconds > 0);
    assert_true(scoreboard_create());
    assert_ptr_equal(scoreboard_get(), first);
}

static void test_buckets_ascend(void **state)
{
    (void)state;
    for (int i = 1; i < SCOREBOARD_BUCKETS - 1; i++)
        assert_true(scoreboard_bucket_microseconds[i - 1] < scoreboard_bucket_microseconds[i]);
}

static void test_taken_slot_is_starting(void **state)
{
    (void)state;
    struct scoreboard_slot *slot = scoreboard_take(POOL_PASSWORD, 7);
    assert_non_null(slot);
    assert_int_equal(slot->state, WORKER_STARTING);
    assert_int_equal(slot->pool, POOL_PASSWORD);
    assert_int_equal(slot->generation, 7);
    assert_int_equal(slot->route, -1);
    scoreboard_release(slot);
    assert_int_equal(slot->state, WORKER_EMPTY);
    assert_int_equal(slot->pid, 0);
}

/* What the last worker left behind is not the next one's. */
static void test_slot_is_taken_clean(void **state)
{
    (void)state;
    struct scoreboard_slot *slot = scoreboard_take(POOL_API, 1);
    slot->requests = 12;
    slot->request_started = 34;
    slot->stage = "handle";
    slot->route = 5;
    strcpy(slot->request_id, "abc");
    scoreboard_release(slot);
    assert_int_equal(slot->requests, 12); /* kept until then */
    struct scoreboard_slot *again = scoreboard_take(POOL_API, 2);
    assert_ptr_equal(again, slot);
    assert_int_equal(again->requests, 0);
    assert_int_equal(again->request_started, 0);
    assert_null(again->stage);
    assert_int_equal(again->route, -1);
    assert_string_equal(again->request_id, "");
    scoreboard_release(again);
}

static void test_no_more_than_there_are(void **state)
{
    (void)state;
    struct scoreboard_slot *last = NULL;
    for (int i = 0; i < SCOREBOARD_SLOTS; i++) {
        struct scoreboard_slot *slot = scoreboard_take(POOL_API, 1);
        assert_non_null(slot);
        assert_ptr_not_equal(slot, last);
        last = slot;
    }
    assert_null(scoreboard_take(POOL_API, 1));
    scoreboard_release(last);
    assert_ptr_equal(scoreboard_take(POOL_PASSWORD, 1), last);
    for (int i = 0; i < SCOREBOARD_SLOTS; i++)
        scoreboard_release(&scoreboard_get()->slots[i]);
}

static void test_counters_are_shared_with_a_child(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = scoreboard_get();
    struct scoreboard_slot *slot = scoreboard_take(POOL_API, 1);
    int64_t statements = scoreboard->statements;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        atomic_store(&slot->state, WORKER_IDLE);
        for (int i = 0; i < 1000; i++)
            atomic_fetch_add_explicit(&scoreboard->statements, 1, memory_order_relaxed);
        _exit(0);
    }
    for (int i = 0; i < 1000; i++)
        atomic_fetch_add_explicit(&scoreboard->statements, 1, memory_order_relaxed);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(slot->state, WORKER_IDLE);
    assert_int_equal(scoreboard->statements, statements + 2000);
    scoreboard_release(slot);
    assert_int_equal(scoreboard->statements, statements + 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_twice_is_one),    cmocka_unit_test(test_buckets_ascend),
        cmocka_unit_test(test_taken_slot_is_starting), cmocka_unit_test(test_slot_is_taken_clean),
        cmocka_unit_test(test_no_more_than_there_are), cmocka_unit_test(test_counters_are_shared_with_a_child),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scoreboard", tests, create, NULL);
}
