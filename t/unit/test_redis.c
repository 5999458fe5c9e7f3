/* test_redis.c: pipelines, answers that nobody reads, and a Redis that restarts, hangs, or wants a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <hiredis.h>
#pragma GCC diagnostic pop

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "private_server.h"
#include "store/redis.h"

static struct private_server server;
static struct config config;
static struct context context;
static char log_path[96];

/* What was logged since the last call, at most 16 KB. */
static const char *logged(void)
{
    static char text[16384];
    static long position;
    FILE *file = fopen(log_path, "r");
    size_t length;

    assert_non_null(file);
    fseek(file, position, SEEK_SET);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    position = ftell(file);
    fclose(file);
    return text;
}

static int set_up(void **state)
{
    const char *error;

    (void)state;
    if (!private_redis_new(&server))
        return 1;
    config.redis_socket = server.socket;
    config.redis_timeout = 100;
    context.config = &config;
    context.arena = arena_new(0);
    snprintf(log_path, sizeof log_path, "%s/roster.log", server.directory);
    return log_open(log_path, "off", LOG_SEVERITY_DEBUG, LOG_FORMAT_TEXT, &error) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    redis_close();
    arena_free(context.arena);
    private_server_free(&server);
    return 0;
}

/* A new request, and a Redis that is there and may be tried. */
static int fresh(void **state)
{
    (void)state;
    kill(server.pid, SIGCONT); /* where a test broke off */
    arena_reset(context.arena);
    redis_close();
    config.redis_host = NULL;
    config.redis_password = (struct text){NULL, 0};
    config.redis_database = 0;
    logged();
    return 0;
}

static void assert_works(void)
{
    const redisReply *reply;

    assert_true(redis_append(&context, "ECHO %s", "here"));
    reply = redis_read(&context);
    assert_non_null(reply);
    assert_string_equal(reply->str, "here");
}

static void test_pipeline(void **state)
{
    const char bytes[] = "a\0b %s";
    const redisReply *reply;

    (void)state;
    assert_true(redis_append(&context, "SET %s %b", "key", bytes, sizeof bytes - 1));
    assert_true(redis_append(&context, "GET %s", "key"));
    assert_true(redis_append(&context, "INCRBY %s %lld", "number", (long long)41));
    assert_true(redis_append(&context, "GET %s", "nothing"));
    assert_true(redis_flush(&context));
    assert_string_equal(redis_read(&context)->str, "OK");
    reply = redis_read(&context);
    assert_int_equal(reply->len, sizeof bytes - 1);
    assert_memory_equal(reply->str, bytes, sizeof bytes - 1);
    assert_int_equal(redis_read(&context)->integer, 41);
    assert_int_equal(redis_read(&context)->type, REDIS_REPLY_NIL);
    assert_null(redis_read(&context)); /* one too many */
    assert_works();
    assert_true(redis_is_present());
}

/* A flush without an append, and an answer that takes many packets. */
static void test_large(void **state)
{
    enum { SIZE = 4 << 20 };
    char *bytes = arena_alloc(context.arena, SIZE);

    (void)state;
    assert_false(redis_flush(&context));
    memset(bytes, 'x', SIZE);
    assert_true(redis_append(&context, "SET large %b", bytes, (size_t)SIZE));
    assert_true(redis_append(&context, "GET large"));
    assert_true(redis_append(&context, "DEL large"));
    assert_true(redis_flush(&context));
    assert_non_null(redis_read(&context));
    assert_int_equal(redis_read(&context)->len, SIZE);
    assert_non_null(redis_read(&context));
}

static void test_error_answer(void **state)
{
    const char *log;

    (void)state;
    assert_true(redis_append(&context, "LPUSH list secret-value"));
    assert_true(redis_append(&context, "INCR list"));
    assert_true(redis_append(&context, "NONSENSE secret-value"));
    assert_true(redis_append(&context, "ECHO still"));
    assert_non_null(redis_read(&context));
    assert_null(redis_read(&context)); /* WRONGTYPE */
    assert_null(redis_read(&context));
    assert_string_equal(redis_read(&context)->str, "still");
    log = logged();
    assert_non_null(strstr(log, "WRONGTYPE"));
    assert_null(strstr(log, "secret-value"));
    assert_works();
}

/* Answers that a request left behind are not taken for those of the next. */
static void test_unread(void **state)
{
    (void)state;
    assert_true(redis_append(&context, "ECHO one"));
    assert_true(redis_append(&context, "ECHO two"));
    assert_true(redis_flush(&context));
    assert_string_equal(redis_read(&context)->str, "one");
    arena_reset(context.arena);
    assert_works();
    arena_reset(context.arena);

    assert_true(redis_append(&context, "ECHO appended"));
    arena_reset(context.arena);
    assert_works();

    /* Two contexts in turn. */
    struct context other = context;
    other.arena = arena_new(0);
    assert_true(redis_append(&context, "ECHO behind"));
    assert_true(redis_append(&other, "ECHO other"));
    assert_string_equal(redis_read(&other)->str, "other");
    assert_true(redis_append(&other, "ECHO again"));
    arena_reset(context.arena);
    assert_string_equal(redis_read(&other)->str, "again");
    arena_free(other.arena);
    assert_works();
}

static void test_restart(void **state)
{
    (void)state;
    assert_works();
    private_server_stop(&server, SIGTERM);
    assert_true(private_redis_start(&server));
    assert_works(); /* at once */
    assert_string_equal(logged(), "");
}

static void test_away(void **state)
{
    int64_t started;
    const char *log;

    (void)state;
    assert_works();
    assert_true(redis_append(&context, "ECHO one"));
    assert_true(redis_append(&context, "ECHO two"));
    private_server_stop(&server, SIGKILL);
    assert_null(redis_read(&context));
    assert_null(redis_read(&context));
    assert_false(redis_is_present());
    started = clock_monotonic_microseconds();
    for (int i = 0; i < 1000; i++) {
        assert_false(redis_append(&context, "ECHO %d", i));
        assert_false(redis_flush(&context));
        assert_null(redis_read(&context));
    }
    assert_true(clock_monotonic_microseconds() - started < 100000);
    log = logged();
    assert_non_null(strstr(log, "Redis is away: "));
    assert_null(strstr(strstr(log, "Redis is away: ") + 1, "Redis is away: "));

    /* It is back before a second is over, which is how long nobody tries. */
    assert_true(private_redis_start(&server));
    assert_false(redis_append(&context, "ECHO early"));
    private_server_pause(1100);
    assert_true(redis_is_present());
    assert_works();
    assert_non_null(strstr(logged(), "Redis is back"));
}

static void test_hanging(void **state)
{
    int64_t started;

    (void)state;
    assert_works();
    private_server_freeze(&server);
    private_server_pause(100); /* it takes effect thread by thread */
    started = clock_monotonic_microseconds();
    assert_true(redis_append(&context, "ECHO late"));
    assert_true(redis_append(&context, "ECHO later"));
    assert_true(redis_flush(&context));
    assert_null(redis_read(&context));
    assert_null(redis_read(&context));
    assert_true(clock_monotonic_microseconds() - started < 400000);
    assert_true(clock_monotonic_microseconds() - started > 90000);
    assert_non_null(strstr(logged(), "no answer within redis_timeout"));
    kill(server.pid, SIGCONT);
    private_server_pause(1050);
    assert_works(); /* and not `late` */
}

static void test_password_and_database(void **state)
{
    const char *error = NULL;
    const char *log;

    (void)state;
    assert_true(redis_append(&context, "SET here 0"));
    assert_true(redis_append(&context, "CONFIG SET requirepass %s", "the-password"));
    assert_non_null(redis_read(&context));
    assert_non_null(redis_read(&context));

    redis_close();
    assert_true(redis_append(&context, "ECHO %s", "x"));
    assert_null(redis_read(&context));
    assert_false(redis_is_present());
    log = logged();
    assert_non_null(strstr(log, "NOAUTH"));

    redis_close();
    config.redis_password = TEXT("wrong-password");
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error, "AUTH is answered with"));
    assert_null(strstr(error, "wrong-password"));

    config.redis_password = TEXT("the-password");
    config.redis_database = 3;
    assert_true(redis_ping(&context, &error));
    assert_true(redis_append(&context, "EXISTS here"));
    assert_int_equal(redis_read(&context)->integer, 0);

    redis_close();
    config.redis_database = 4711;
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error, "SELECT is answered with"));

    redis_close();
    config.redis_database = 0;
    assert_true(redis_append(&context, "EXISTS here"));
    assert_true(redis_append(&context, "CONFIG SET requirepass %s", ""));
    assert_int_equal(redis_read(&context)->integer, 1);
    assert_non_null(redis_read(&context));
    assert_null(strstr(logged(), "password"));
}

static void test_address(void **state)
{
    const char *error = NULL;
    char host[64];

    (void)state;
    snprintf(host, sizeof host, "127.0.0.1:%d", private_server_free_port());
    config.redis_host = host;
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error, host));
    assert_non_null(strstr(error, "refused"));

    assert_true((config.redis_host = NULL, redis_append(&context, "CONFIG SET port %d", atoi(host + 10))));
    assert_non_null(redis_read(&context));
    redis_close();
    config.redis_host = host;
    assert_works();
    redis_close();

    config.redis_host = "";
    config.redis_socket = "";
    assert_false(redis_ping(&context, &error));
    assert_false(redis_append(&context, "ECHO x"));
    assert_null(redis_read(&context));
    config.redis_socket = "/nowhere/redis.sock";
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error, "/nowhere/redis.sock"));
    config.redis_socket = server.socket;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pipeline, fresh),     cmocka_unit_test_setup(test_large, fresh),
        cmocka_unit_test_setup(test_error_answer, fresh), cmocka_unit_test_setup(test_unread, fresh),
        cmocka_unit_test_setup(test_restart, fresh),      cmocka_unit_test_setup(test_away, fresh),
        cmocka_unit_test_setup(test_hanging, fresh),      cmocka_unit_test_setup(test_password_and_database, fresh),
        cmocka_unit_test_setup(test_address, fresh),
    };

    private_server_need("redis-server");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("redis", tests, set_up, tear_down);
}
