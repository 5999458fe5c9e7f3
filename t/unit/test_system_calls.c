/* test_system_calls.c: what a statement and a round of Redis' commands cost in calls of the system. The libraries'
 * calls of these functions come here first, are counted, and go on. */
#include "config/config.h"
#include "private_server.h"
#include "store/hiredis.h"
#include "store/redis.h"
#include "store_fixture.h"
#include "unit.h"

#include <poll.h>
#include <sys/syscall.h>

enum call { CALL_SEND, CALL_RECV, CALL_PEEK, CALL_POLL, CALL_WRITE, CALL_READ, CALL_COUNT };
static unsigned counts[CALL_COUNT];

/* Under other names, since the headers may have these functions as macros or inline. */
ssize_t count_send(int fd, const void *bytes, size_t length, int flags) __asm__("send");
ssize_t count_recv(int fd, void *bytes, size_t length, int flags) __asm__("recv");
int count_poll(struct pollfd *descriptors, nfds_t count, int milliseconds) __asm__("poll");
ssize_t count_write(int fd, const void *bytes, size_t length) __asm__("write");
ssize_t count_read(int fd, void *bytes, size_t length) __asm__("read");

ssize_t count_send(int fd, const void *bytes, size_t length, int flags)
{
    counts[CALL_SEND]++;
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t count_recv(int fd, void *bytes, size_t length, int flags)
{
    counts[(flags & MSG_PEEK) != 0 ? CALL_PEEK : CALL_RECV]++;
    return syscall(SYS_recvfrom, fd, bytes, length, flags, NULL, NULL);
}

int count_poll(struct pollfd *descriptors, nfds_t count, int milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    counts[CALL_POLL]++;
    return (int)syscall(SYS_ppoll, descriptors, count, milliseconds >= 0 ? &time : NULL, NULL, 0);
}

ssize_t count_write(int fd, const void *bytes, size_t length)
{
    counts[CALL_WRITE]++;
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t count_read(int fd, void *bytes, size_t length)
{
    counts[CALL_READ]++;
    return syscall(SYS_read, fd, bytes, length);
}

/* All that were made since the last time are these. */
static void assert_calls(const char *what, unsigned send, unsigned recv, unsigned peek, unsigned write, unsigned read)
{
    const unsigned expected[CALL_COUNT] = {send, recv, peek, 0, write, read};
    for (int i = 0; i < CALL_COUNT; i++) {
        if (counts[i] != expected[i]) {
            fail_msg("%s: %u send, %u recv, %u peek, %u poll, %u write, %u read", what, counts[CALL_SEND],
                     counts[CALL_RECV], counts[CALL_PEEK], counts[CALL_POLL], counts[CALL_WRITE], counts[CALL_READ]);
        }
    }
    memset(counts, 0, sizeof counts);
}

static struct private_server redis;

static int set_up(void **state)
{
    (void)state;
    return store_set_up_with_redis("CHARACTER SET utf8mb4", &redis) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down_with_redis(&redis);
    return 0;
}

/* The connection has just been looked at, and the statements are prepared. */
static void begin(const char *const statements[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        execute(statements[i]);
    }
    assert_true(database_is_ready(&context)); /* looks, so that no look is due for a second */
    memset(counts, 0, sizeof counts);
}

/* A read is what is sent and what comes back. Before a write it is looked whether the connection is still there. */
static void test_statements(void **state)
{
    static const char *const sql[] = {"SELECT COUNT(*) FROM user", "SELECT id FROM user LIMIT 10",
                                      "DELETE FROM known_network WHERE 1 = 0"};
    (void)state;
    begin(sql, 3);
    execute(sql[0]);
    assert_calls(sql[0], 1, 1, 0, 0, 0);
    execute(sql[1]);
    assert_calls(sql[1], 1, 1, 0, 0, 0);
    execute(sql[2]);
    assert_calls(sql[2], 1, 1, 1, 0, 0);
}

static enum outcome body_of_two(struct context *inner, void *argument)
{
    (void)argument;
    enum outcome outcome = database_execute(inner, "SELECT id FROM user FOR UPDATE", NULL, 0, NULL, ERROR_NONE);
    return outcome == OK ? database_execute(inner, "DELETE FROM known_network", NULL, 0, NULL, ERROR_NONE) : outcome;
}

/* BEGIN, two statements, COMMIT; it is looked once. */
static void test_transaction(void **state)
{
    (void)state;
    assert_int_equal(database_transaction(&context, body_of_two, NULL), OK);
    begin(NULL, 0);
    assert_int_equal(database_transaction(&context, body_of_two, NULL), OK);
    assert_calls("a transaction", 4, 4, 1, 0, 0);
}

static void ask_redis(void)
{
    assert_true(redis_append(&context, "GET %s", "nothing"));
    assert_true(redis_append(&context, "EXISTS %s", "nothing"));
    assert_true(redis_flush(&context));
    assert_int_equal(redis_read(&context)->type, REDIS_REPLY_NIL);
    assert_int_equal(redis_read(&context)->type, REDIS_REPLY_INTEGER);
}

/* However many commands. */
static void test_round(void **state)
{
    (void)state;
    ask_redis();
    memset(counts, 0, sizeof counts);
    ask_redis();
    assert_calls("a round", 0, 0, 0, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_transaction),
        cmocka_unit_test(test_round),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    private_server_need("mariadbd");
    private_server_need("redis-server");
    return cmocka_run_group_tests_name("test_system_calls", tests, set_up, tear_down);
}
