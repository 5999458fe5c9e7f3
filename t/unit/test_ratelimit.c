/* test_ratelimit.c: the windows in memory, judging sums, and the line that fail2ban reads. Redis is a stub here:
 * 32-rate-limits.t has a real one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/ratelimit.h"
#include "base/log.h"
#include "config/config.h"
#include "store/counter_store.h"
#include "unit.h"

/* A minute's start, so that tests can say where in a bucket they are. */
enum { START = 1800000000 };

static struct config config;
static struct context context;
static char log_path[] = "/tmp/test_ratelimit.XXXXXX";

/* What the stub of Redis answers, and what it was asked. */
static struct {
    bool is_present;
    int64_t sums[RATELIMIT_RULES_MAX];
    struct text keys[RATELIMIT_RULES_MAX];
    size_t count;
    int64_t window_seconds;
    struct text taken_back;
    int64_t taken_back_of;
} redis;

bool counter_store_take_back(struct context *stub_context, struct text key, int64_t counted_at, int64_t window_seconds)
{
    assert_ptr_equal(stub_context, &context);
    assert_int_equal(window_seconds, config.rate_limit_window);
    redis.taken_back = key;
    redis.taken_back_of = counted_at;
    return redis.is_present;
}

bool counter_store_add(struct context *stub_context, const struct text *keys, size_t count, int64_t window_seconds,
                       int64_t *sums_r)
{
    assert_ptr_equal(stub_context, &context);
    redis.count = count;
    redis.window_seconds = window_seconds;
    for (size_t i = 0; i < count; i++) {
        redis.keys[i] = keys[i];
        sums_r[i] = redis.sums[i];
    }
    return redis.is_present;
}

static int set_up(void **state)
{
    (void)state;
    memset(&redis, 0, sizeof redis);
    memset(&context, 0, sizeof context);
    memset(&config, 0, sizeof config);
    config.rate_limit_window = 180;
    context.arena = arena_new(0);
    context.config = &config;
    context.now_seconds = START;
    context.client_address = "192.0.2.1";
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(context.arena);
    return 0;
}

/* As the stage limit does. */
static enum outcome count_try(const struct ratelimit_rule *rules, size_t count, struct ratelimit_state *state_r)
{
    struct ratelimit_sum sums[RATELIMIT_RULES_MAX];
    ratelimit_add(&context, rules, count, sums);
    return ratelimit_judge(&context, rules, sums, count, state_r);
}

static enum outcome try_key(const char *key, int64_t max, struct ratelimit_state *state_r)
{
    struct ratelimit_rule rule = {text_of(key), max, "sign_in"};
    memset(&context.problem, 0, sizeof context.problem);
    return count_try(&rule, 1, state_r);
}

/* Tries until it is refused; how many went through. */
static int count_free(const char *key, int64_t max)
{
    struct ratelimit_state limit;
    int count = 0;
    while (count < 1000 && try_key(key, max, &limit) == OK) {
        count++;
    }
    return count;
}

static void test_memory_counts_to_the_limit(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    for (int i = 1; i <= 15; i++) {
        assert_int_equal(try_key("limit", 15, &limit), OK);
        assert_int_equal(limit.remaining, 15 - i);
        assert_int_equal(limit.max, 15);
        assert_string_equal(limit.name, "sign_in");
    }
    assert_int_equal(try_key("limit", 15, &limit), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_RATE_LIMIT_EXCEEDED);
    assert_int_equal(limit.remaining, 0);
    assert_int_equal(try_key("another", 15, &limit), OK);
}

static void test_memory_ignores_case(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    assert_int_equal(try_key("case:Ärger@Example.org", 1, &limit), OK);
    assert_int_equal(try_key("case:ärger@example.ORG", 1, &limit), PROBLEM);
}

/* The window of 180 s touches four buckets: a try is forgotten with the fourth minute after its own. */
static void test_memory_rolls(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    context.now_seconds = START + 59;
    assert_int_equal(try_key("rolls", 2, &limit), OK);
    context.now_seconds = START + 60;
    assert_int_equal(try_key("rolls", 2, &limit), OK);
    context.now_seconds = START + 239;
    assert_int_equal(try_key("rolls", 2, &limit), PROBLEM);
    context.now_seconds = START + 240; /* the first is forgotten; that of 60 s and the refused one count */
    assert_int_equal(try_key("rolls", 3, &limit), OK);
    assert_int_equal(limit.remaining, 0);
    context.now_seconds = START + 10000;
    assert_int_equal(try_key("rolls", 3, &limit), OK);
    assert_int_equal(limit.remaining, 2);
}

static void test_retry_after_is_enough(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    for (int second = 0; second < 60; second += 7) {
        char key[32];
        snprintf(key, sizeof key, "enough:%d", second);
        context.now_seconds = START + second;
        assert_int_equal(count_free(key, 3), 3);
        int wait = context.problem.retry_after_seconds;
        assert_in_range(wait, 181, 240);
        context.now_seconds += wait - 1;
        struct ratelimit_rule rule = {text_of(key), 4, "sign_in"};
        assert_int_equal(count_try(&rule, 1, &limit), PROBLEM);
        context.now_seconds += limit.reset_seconds;
        assert_int_equal(try_key(key, 1, &limit), OK);
    }
}

static void test_memory_long_window(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    config.rate_limit_window = 86400;
    assert_int_equal(count_free("long", 5), 5);
    assert_in_range(context.problem.retry_after_seconds, 86400, 86400 + 5760);
    context.now_seconds += 86399;
    assert_int_equal(try_key("long", 5, &limit), PROBLEM);
    context.now_seconds += limit.reset_seconds;
    assert_int_equal(try_key("long", 5, &limit), OK);

    config.rate_limit_window = 60;
    context.now_seconds = START;
    assert_int_equal(count_free("short", 5), 5);
    context.now_seconds += 120;
    assert_int_equal(count_free("short", 5), 5);
}

static void test_memory_survives_a_clock_set_back(void **state)
{
    (void)state;

    assert_int_equal(count_free("clock", 4), 4);
    context.now_seconds -= 86400;
    assert_int_equal(count_free("clock", 4), 4);
    context.now_seconds = 30; /* before the window's length is over, counted from 1970 */
    assert_int_equal(count_free("clock", 4), 4);
}

/* Many keys of one who tries make room for each other; a key that is in use all the time stays. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    int refused = 0;

    for (int i = 0; i < 20000; i++) {
        char key[32];
        snprintf(key, sizeof key, "bounded:%d", i);
        struct ratelimit_rule rules[] = {{text_of(key), 15, "sign_in"},
                                         {TEXT("bounded:address"), 1000, "sign_in_address"}};
        memset(&context.problem, 0, sizeof context.problem);
        if (count_try(rules, 2, &limit) == PROBLEM) {
            refused++;
        }
        arena_reset(context.arena);
    }
    assert_int_equal(refused, 19000);
    assert_string_equal(limit.name, "sign_in_address");
}

static void test_redis_decides(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    struct ratelimit_rule rules[] = {{TEXT("sign_in:A@b.c:192.0.2.1"), 15, "sign_in"},
                                     {TEXT("sign_in:192.0.2.1"), 1000, "sign_in_address"}};

    redis.is_present = true;
    redis.sums[0] = 15;
    redis.sums[1] = 990;
    assert_int_equal(count_try(rules, 2, &limit), OK);
    assert_int_equal(redis.count, 2);
    assert_int_equal(redis.window_seconds, 180);
    assert_true(text_is(redis.keys[0], "sign_in:a@b.c:192.0.2.1"));
    assert_string_equal(limit.name, "sign_in");
    assert_int_equal(limit.remaining, 0);

    redis.sums[0] = 3;
    assert_int_equal(count_try(rules, 2, &limit), OK);
    assert_string_equal(limit.name, "sign_in_address");
    assert_int_equal(limit.remaining, 10);

    redis.sums[1] = 1001;
    assert_int_equal(count_try(rules, 2, &limit), PROBLEM);
    assert_string_equal(limit.name, "sign_in_address");
    assert_int_equal(context.problem.retry_after_seconds, 240);

    redis.sums[0] = 16; /* the first of those that are reached */
    redis.sums[1] = 5000;
    context.now_seconds = START + 20;
    assert_int_equal(count_try(rules, 2, &limit), PROBLEM);
    assert_string_equal(limit.name, "sign_in");
    assert_int_equal(context.problem.retry_after_seconds, 220);
}

/* What is judged need not be all that was counted, and the first rules alone may decide. */
static void test_counting_and_judging_apart(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    struct ratelimit_sum sums[2];
    struct ratelimit_rule rules[] = {{TEXT("apart:device"), 15, "sign_in"}, {TEXT("apart:address"), 15, "sign_in"}};

    redis.is_present = true;
    redis.sums[0] = 2;
    redis.sums[1] = 99;
    ratelimit_add(&context, rules, 2, sums);
    assert_int_equal(redis.count, 2);
    assert_int_equal(context.problem.code, ERROR_NONE);
    assert_int_equal(ratelimit_judge(&context, rules, sums, 1, &limit), OK);
    assert_int_equal(limit.remaining, 13);
    assert_int_equal(ratelimit_judge(&context, rules, sums, 2, &limit), PROBLEM);
}

static void test_tries_are_taken_back(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    struct ratelimit_rule rule = {TEXT("Back:A@b.c"), 3, "sign_in"};

    assert_int_equal(count_free("back:a@b.c", 3), 3); /* and one that was refused */
    ratelimit_take_back(&context, &rule, START);
    ratelimit_take_back(&context, &rule, START);
    context.now_seconds = START + 100;
    assert_int_equal(try_key("back:a@b.c", 3, &limit), OK);
    ratelimit_take_back(&context, &rule, START + 100);
    assert_int_equal(try_key("back:a@b.c", 3, &limit), OK);
    assert_int_equal(try_key("back:a@b.c", 3, &limit), PROBLEM);
    for (int i = 0; i < 10; i++) { /* no more than was counted, and nothing of other times */
        ratelimit_take_back(&context, &rule, START + 40);
        ratelimit_take_back(&context, &rule, START - 100000);
        ratelimit_take_back(&context, &rule, START + 100000);
    }
    assert_int_equal(count_free("back:a@b.c", 3), 1);

    redis.is_present = true;
    ratelimit_take_back(&context, &rule, START + 7);
    assert_true(text_is(redis.taken_back, "back:a@b.c"));
    assert_int_equal(redis.taken_back_of, START + 7);
}

/* All processes of a host count together, and one that is killed in the middle of it holds up nobody. Runs last: from
 * here on the counters are shared. */
static void test_memory_is_shared(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    int status;

    assert_true(ratelimit_share());
    assert_true(ratelimit_share());
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(try_key("shared", 7, &limit) == OK && try_key("shared", 7, &limit) == OK ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, i < 3 ? 0 : 1 << 8);
    }
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (;;) {
                try_key("killed", 1000000000, &limit);
                arena_reset(context.arena);
            }
        }
        usleep(5000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(try_key("survives", 1000, &limit), OK);
    }
}

static void test_long_keys_are_hashed(void **state)
{
    (void)state;
    struct ratelimit_state limit;
    size_t length = 1000000;
    char *key = arena_alloc(context.arena, length + 1);

    memset(key, 'A', length);
    key[length] = '\0';
    redis.is_present = true;
    assert_int_equal(try_key(key, 15, &limit), OK);
    assert_int_equal(redis.keys[0].length, strlen("sign_in:sha256:") + 64);
    assert_true(text_starts_with(redis.keys[0], "sign_in:sha256:"));
    struct text upper = redis.keys[0];
    memset(key, 'a', length);
    assert_int_equal(try_key(key, 15, &limit), OK);
    assert_true(text_equal(redis.keys[0], upper));
    key[length - 1] = 'b';
    assert_int_equal(try_key(key, 15, &limit), OK);
    assert_false(text_equal(redis.keys[0], upper));
}

/* What the log got since the last call, in a static block. */
static const char *read_log(void)
{
    static char text[4096];
    FILE *file = fopen(log_path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    assert_int_equal(truncate(log_path, 0), 0);
    return text;
}

static void test_log_line(void **state)
{
    (void)state;
    struct ratelimit_state limit;

    redis.is_present = true;
    redis.sums[0] = 16;
    context.request_id = "0123456789abcdef";
    context.stage = "limit";
    read_log();
    assert_int_equal(try_key("log", 15, &limit), PROBLEM);
    const char *line = read_log();
    assert_non_null(strstr(line, " [warning] "));
    assert_non_null(
        strstr(line, ": rate limit sign_in reached for address 192.0.2.1 while limit, client: 192.0.2.1, request: "
                     "0123456789abcdef\n"));

    context.client_address = NULL;
    assert_int_equal(try_key("log", 15, &limit), PROBLEM);
    assert_non_null(strstr(read_log(), ": rate limit sign_in reached while limit, request: "));

    assert_true(log_open(log_path, "off", LOG_SEVERITY_NOTICE, LOG_FORMAT_JSON, NULL));
    context.client_address = "2001:db8::1";
    assert_int_equal(try_key("log", 15, &limit), PROBLEM);
    assert_non_null(strstr(
        read_log(), "\"client\":\"2001:db8::1\",\"request\":\"0123456789abcdef\",\"message\":\"rate limit sign_in "
                    "reached for address 2001:db8::1\"}\n"));
    assert_true(log_open(log_path, "off", LOG_SEVERITY_NOTICE, LOG_FORMAT_TEXT, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_counts_to_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_ignores_case, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_rolls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retry_after_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_long_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_survives_a_clock_set_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redis_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_keys_are_hashed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counting_and_judging_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tries_are_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_shared, set_up, tear_down),
    };
    struct error error = {"cannot be made"};
    int file = mkstemp(log_path);

    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (file < 0 || !log_open(log_path, "off", LOG_SEVERITY_NOTICE, LOG_FORMAT_TEXT, &error)) {
        printf("Bail out! %s: %s\n", log_path, error.text);
        return 1;
    }
    close(file);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path);
    return failed;
}
