/* test_redis.c: pipelines, answers that nobody reads, and a Redis that restarts, hangs up, hangs, or wants a password.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <hiredis.h>
#pragma GCC diagnostic pop

#include "base/clock.h"
#include "config/config.h"
#include "logged.h"
#include "private_server.h"
#include "store/redis.h"
#include "unit.h"

static struct private_server server;
static struct config config;
static struct context context;

static int set_up(void **state)
{

    (void)state;
    if (!private_redis_new(&server)) {
        return 1;
    }
    config.redis_socket = server.socket;
    context.config = &config;
    context.arena = arena_new(0);
    return logged_open(server.directory) ? 0 : 1;
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
    config.redis_socket = server.socket;
    config.redis_timeout = 5000;
    config.redis_host = NULL;
    config.redis_password = TEXT_NULL;
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

/* What stands for a conversion is a part of a word, or all of it, whatever it is. */
static void test_words(void **state)
{
    (void)state;
    assert_true(redis_append(&context, "SET %s:of:%b:%lld %s", "p%s", "a b\r\n", (size_t)5, (long long)INT64_MIN, ""));
    assert_true(redis_append(&context, "EXISTS %b", "p%s:of:a b\r\n:-9223372036854775808", (size_t)33));
    assert_true(redis_append(&context, "STRLEN %s:of:%b:%lld", "p%s", "a b\r\n", (size_t)5, (long long)INT64_MIN));
    assert_true(redis_append(&context, "ECHO %b%s", "", (size_t)0, "both"));
    assert_string_equal(redis_read(&context)->str, "OK");
    assert_int_equal(redis_read(&context)->integer, 1);
    assert_int_equal(redis_read(&context)->integer, 0);
    assert_string_equal(redis_read(&context)->str, "both");
    assert_works();
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

/* What was on its way to a Redis that hangs up is sent again over another connection, and nobody hears of it. */
static void test_hung_up(void **state)
{
    (void)state;
    assert_works();
    assert_true(redis_append(&context, "ECHO one"));
    assert_true(redis_append(&context, "ECHO two"));
    private_server_stop(&server, SIGTERM);
    assert_true(private_redis_start(&server));
    assert_true(redis_append(&context, "ECHO three"));
    assert_true(redis_flush(&context));
    assert_string_equal(redis_read(&context)->str, "one");
    assert_string_equal(redis_read(&context)->str, "two");

    /* Taken, and not answered; `three` is. */
    private_server_freeze(&server);
    assert_true(redis_append(&context, "ECHO four"));
    assert_true(redis_flush(&context));
    private_server_stop(&server, SIGKILL);
    assert_true(private_redis_start(&server));
    assert_string_equal(redis_read(&context)->str, "three");
    assert_string_equal(redis_read(&context)->str, "four");
    assert_null(redis_read(&context));
    assert_works();
    assert_true(redis_is_present());
    assert_string_equal(logged(), "");
}

/* Where that happens to each connection, that is no way to get an answer. */
static void test_hung_up_always(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    assert_works();
    private_server_stop(&server, SIGTERM);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server.socket);
    unlink(server.socket);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    pid_t child = fork();
    while (child == 0) {
        close(accept(listener, NULL, NULL));
    }
    assert_true(redis_append(&context, "ECHO one"));
    assert_null(redis_read(&context));
    assert_false(redis_is_present());
    assert_non_null(strstr(logged(), "Redis is away: "));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(listener);
    assert_true(private_redis_start(&server));
}

static void test_away(void **state)
{
    int64_t gone;
    const char *log;

    (void)state;
    config.redis_timeout = 1500;
    assert_works();
    assert_true(redis_append(&context, "ECHO one"));
    assert_true(redis_append(&context, "ECHO two"));
    private_server_stop(&server, SIGKILL);
    assert_null(redis_read(&context));
    gone = clock_monotonic_microseconds();
    assert_null(redis_read(&context));
    assert_false(redis_is_present());
    for (int i = 0; i < 10; i++) {
        assert_false(redis_append(&context, "ECHO %d", i));
        assert_false(redis_flush(&context));
        assert_null(redis_read(&context));
    }
    log = logged();
    assert_non_null(strstr(log, "Redis is away: "));
    assert_null(strstr(strstr(log, "Redis is away: ") + 1, "Redis is away: "));

    /* Nobody tries for twice the timeout, though it be back before. */
    assert_true(private_redis_start(&server));
    if (clock_monotonic_microseconds() - gone < 2500000) { /* not on a machine that is so slow */
        assert_false(redis_append(&context, "ECHO early"));
    }
    while (!redis_is_present()) {
        private_server_pause(100);
    }
    assert_true(clock_monotonic_microseconds() - gone >= 2900000);
    assert_works();
    assert_non_null(strstr(logged(), "Redis is back"));
}

static void test_hanging(void **state)
{
    int64_t started;

    (void)state;
    assert_works();
    redis_close();
    config.redis_timeout = 500;
    assert_works();
    private_server_freeze(&server);
    started = clock_monotonic_microseconds();
    assert_true(redis_append(&context, "ECHO late"));
    assert_true(redis_append(&context, "ECHO later"));
    assert_true(redis_flush(&context));
    assert_null(redis_read(&context));
    assert_true(clock_monotonic_microseconds() - started >= 490000);
    started = clock_monotonic_microseconds();
    assert_null(redis_read(&context));
    assert_true(clock_monotonic_microseconds() - started < 400000); /* nobody waits a second time */
    assert_non_null(strstr(logged(), "no answer within redis_timeout"));
    kill(server.pid, SIGCONT);
    while (!redis_is_present()) {
        private_server_pause(100);
    }
    assert_works(); /* and not `late` */
}

static void test_password_and_database(void **state)
{
    struct error error;
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
    assert_non_null(strstr(error.text, "AUTH is answered with"));
    assert_null(strstr(error.text, "wrong-password"));

    config.redis_password = TEXT("the-password");
    config.redis_database = 3;
    assert_true(redis_ping(&context, &error));
    assert_true(redis_append(&context, "EXISTS here"));
    assert_int_equal(redis_read(&context)->integer, 0);

    redis_close();
    config.redis_database = 4711;
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error.text, "SELECT is answered with"));

    redis_close();
    config.redis_database = 0;
    assert_true(redis_append(&context, "EXISTS here"));
    assert_true(redis_append(&context, "CONFIG SET requirepass %s", ""));
    assert_int_equal(redis_read(&context)->integer, 1);
    assert_non_null(redis_read(&context));
    assert_null(strstr(logged(), "password"));
}

/* A port that somebody has and nobody listens at refuses whoever comes, and no other program gets it meanwhile. */
static void test_host_refuses(void **state)
{
    struct error error;
    char host[64];
    int held = private_server_bind(0);

    (void)state;
    snprintf(host, sizeof host, "127.0.0.1:%d", private_server_port_of(held));
    config.redis_host = host;
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error.text, host));
    assert_non_null(strstr(error.text, "refused"));
    close(held);
}

static void test_host(void **state)
{
    char host[64];
    const redisReply *reply = NULL;

    (void)state;
    for (int i = 0; i < 10 && reply == NULL; i++) { /* another program may take the port before Redis does */
        int port = private_server_free_port();

        snprintf(host, sizeof host, "127.0.0.1:%d", port);
        assert_true(redis_append(&context, "CONFIG SET port %lld", (long long)port));
        reply = redis_read(&context);
    }
    assert_non_null(reply);
    redis_close();
    config.redis_host = host;
    config.redis_socket = "/proc/none/redis.sock"; /* the host comes first */
    assert_works();
    assert_true(redis_append(&context, "CONFIG SET port 0"));
    redis_read(&context);
}

static void test_no_address(void **state)
{
    struct error error;
    char socket[128];

    (void)state;
    config.redis_host = "";
    config.redis_socket = "";
    assert_false(redis_ping(&context, &error));
    assert_false(redis_append(&context, "ECHO x"));
    assert_null(redis_read(&context));
    snprintf(socket, sizeof socket, "%s/nothing/redis.sock", server.directory);
    config.redis_socket = socket;
    assert_false(redis_ping(&context, &error));
    assert_non_null(strstr(error.text, socket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pipeline, fresh),
        cmocka_unit_test_setup(test_words, fresh),
        cmocka_unit_test_setup(test_large, fresh),
        cmocka_unit_test_setup(test_error_answer, fresh),
        cmocka_unit_test_setup(test_unread, fresh),
        cmocka_unit_test_setup(test_restart, fresh),
        cmocka_unit_test_setup(test_hung_up, fresh),
        cmocka_unit_test_setup(test_hung_up_always, fresh),
        cmocka_unit_test_setup(test_away, fresh),
        cmocka_unit_test_setup(test_hanging, fresh),
        cmocka_unit_test_setup(test_password_and_database, fresh),
        cmocka_unit_test_setup(test_host_refuses, fresh),
        cmocka_unit_test_setup(test_host, fresh),
        cmocka_unit_test_setup(test_no_address, fresh),
    };

    private_server_need("redis-server");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("redis", tests, set_up, tear_down);
}
