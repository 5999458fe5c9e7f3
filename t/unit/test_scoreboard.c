/* test_scoreboard.c: slots are taken, shared with a child, and given back. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoreboard.h"
#include "unit.h"

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
    for (int i = 1; i < SCOREBOARD_BUCKETS - 1; i++) {
        assert_true(scoreboard_bucket_microseconds[i - 1] < scoreboard_bucket_microseconds[i]);
    }
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
    scoreboard_set_request_id(slot, TEXT("abc"));
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

/* Readers walk no further than slots were ever taken: what lies beyond has no memory yet. */
static void test_slots_used(void **state)
{
    (void)state;
    struct scoreboard *scoreboard = scoreboard_get();
    struct scoreboard_slot *first = scoreboard_take(POOL_API, 1), *second = scoreboard_take(POOL_API, 1);
    int32_t used = scoreboard->slots_used;
    assert_in_range(used, 2, 4);
    scoreboard_release(first);
    scoreboard_release(second);
    assert_int_equal(scoreboard->slots_used, used);
    assert_ptr_equal(scoreboard_take(POOL_API, 1), first);
    assert_int_equal(scoreboard->slots_used, used);
    scoreboard_release(first);
}

static void test_read(void **state)
{
    (void)state;
    static const char stage[] = "handle";
    char elsewhere[] = "not a literal of the program";
    struct scoreboard_worker worker;
    struct scoreboard_slot *slot = scoreboard_take(POOL_PASSWORD, 7);
    assert_false(scoreboard_read(slot, &worker)); /* no process yet */
    slot->pid = 123;
    slot->state = WORKER_BUSY;
    slot->request_started = 5;
    slot->requests = 6;
    slot->route = 8;
    slot->stage = stage;
    slot->database_present = 1;
    scoreboard_set_request_id(slot, TEXT("abc"));
    assert_true(scoreboard_read(slot, &worker));
    assert_int_equal(worker.pid, 123);
    assert_int_equal(worker.state, WORKER_BUSY);
    assert_int_equal(worker.pool, POOL_PASSWORD);
    assert_int_equal(worker.generation, 7);
    assert_int_equal(worker.request_started, 5);
    assert_int_equal(worker.requests, 6);
    assert_int_equal(worker.route, 8);
    assert_true(worker.database_present);
    assert_false(worker.redis_present);
    assert_string_equal(worker.stage, "handle");
    assert_string_equal(worker.request_id, "abc");

    /* Whatever a worker may have written there. */
    slot->stage = elsewhere;
    scoreboard_set_request_id(slot, TEXT("xxx\x1bxxx"));
    assert_true(scoreboard_read(slot, &worker));
    assert_string_equal(worker.stage, "");
    assert_string_equal(worker.request_id, "xxx");
    scoreboard_set_request_id(slot, TEXT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    slot->stage = (const char *)(uintptr_t)8;
    assert_true(scoreboard_read(slot, &worker));
    assert_int_equal(strlen(worker.request_id), sizeof slot->request_id);
    slot->pool = 99;
    assert_false(scoreboard_read(slot, &worker));
    slot->pool = POOL_API;
    slot->state = -1;
    assert_false(scoreboard_read(slot, &worker));
    scoreboard_release(slot);
    assert_false(scoreboard_read(slot, &worker));
}

static void test_status_place(void **state)
{
    (void)state;
    assert_int_equal(scoreboard_status_place(200), 0);
    assert_int_equal(scoreboard_statuses[scoreboard_status_place(404)], 404);
    assert_int_equal(scoreboard_statuses[scoreboard_status_place(503)], 503);
    assert_int_equal(scoreboard_status_place(418), SCOREBOARD_STATUSES - 1);
    assert_int_equal(scoreboard_status_place(0), SCOREBOARD_STATUSES - 1);
    for (int i = 1; i < SCOREBOARD_STATUSES - 1; i++) {
        assert_true(scoreboard_statuses[i - 1] < scoreboard_statuses[i]);
    }
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
    for (int i = 0; i < SCOREBOARD_SLOTS; i++) {
        scoreboard_release(&scoreboard_get()->slots[i]);
    }
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
        for (int i = 0; i < 1000; i++) {
            atomic_fetch_add_explicit(&scoreboard->statements, 1, memory_order_relaxed);
        }
        _exit(0);
    }
    for (int i = 0; i < 1000; i++) {
        atomic_fetch_add_explicit(&scoreboard->statements, 1, memory_order_relaxed);
    }
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
        cmocka_unit_test(test_create_twice_is_one),
        cmocka_unit_test(test_buckets_ascend),
        cmocka_unit_test(test_taken_slot_is_starting),
        cmocka_unit_test(test_slot_is_taken_clean),
        cmocka_unit_test(test_slots_used),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_status_place),
        cmocka_unit_test(test_no_more_than_there_are),
        cmocka_unit_test(test_counters_are_shared_with_a_child),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("scoreboard", tests, create, NULL);
}
