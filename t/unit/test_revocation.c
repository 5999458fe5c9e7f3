/* test_revocation.c: how Redis gets to know what is over, against a MariaDB and a Redis of our own: at once, after it
 * was away or took no writes, and after it has lost everything. */
/* with what it keeps to itself: where the work is */
#include "store/revocation_store.c"

#include "base/clock.h"
#include "store/account_store.h"
#include "store/hiredis.h"
#include "store/redis.h"
#include "store/session_store.h"
#include "store_fixture.h"
#include "unit.h"

#define NOW INT64_C(1800000000)
#define TOKEN "open-webui:auth:token:%s:revoked"
#define MOMENT "open-webui:auth:user:%s:revoked_at"

static struct private_server redis;

/* What this process knows of the work is forgotten, as in a new one. `rows` is what one piece takes. */
static void restart(unsigned rows)
{
    upkeep = (struct upkeep){.untold = true, .page_rows = rows};
}

#define NOTE_COUNT ask_integer("SELECT COUNT(*) FROM revocation")

/* A connection beside the one that is tested. */
static redisReply *tell(const char *format, ...)
{
    static redisContext *connection;
    static redisReply *reply;
    va_list arguments;

    if (connection == NULL || connection->err != 0) {
        connection = redisConnectUnix(redis.socket);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    va_start(arguments, format);
    reply = redisvCommand(connection, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", format, reply->str);
    }
    return reply;
}

static bool is_told(const char *jti)
{
    return tell("EXISTS " TOKEN, jti)->integer > 0;
}

static int64_t moment(const char *user_id)
{
    redisReply *reply = tell("GET " MOMENT, user_id);

    return reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
}

static int set_up(void **state)
{
    (void)state;
    config.redis_prefix = "open-webui";
    return store_set_up_with_redis("", &redis) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down_with_redis(&redis);
    return 0;
}

/* Three users, the first of whom is the primary administrator, and a Redis that lacks nothing. */
static int fresh(void **state)
{
    (void)state;
    arena_reset(context.arena);
    redis_close();
    config.redis_socket = redis.socket;
    context.now_seconds = NOW;
    memset(&context.problem, 0, sizeof context.problem);
    tell("ACL SETUSER default allkeys");
    tell("REPLICAOF NO ONE");
    tell("CONFIG SET maxmemory 0");
    tell("FLUSHALL");
    tell("SET open-webui:roster:loaded 1");
    execute("DELETE FROM revocation");
    execute("DELETE FROM session");
    execute("DELETE FROM user");
    execute("DELETE FROM config");
    execute("INSERT INTO user (id, email, name, role, created_at) VALUES ('a1', 'a@example.org', 'A', 'admin', 1), "
            "('u1', 'u1@example.org', 'U1', 'user', 2), ('u2', 'u2@example.org', 'U2', 'user', 3)");
    restart(PAGE_ROWS);
    return 0;
}

static void add_session(const char *jti, const char *user_id, int64_t expires_at)
{
    const struct session_new session = {.jti = text_of(jti), .user_id = text_of(user_id), .expires_at = expires_at};
    assert_int_equal(session_store_add(&context, &session), OK);
}

/* As an idle worker does it. False where it is not done after ten seconds. */
static bool keep_up_until(bool (*done)(void))
{
    int64_t end = clock_monotonic_microseconds() + 20 * INT64_C(1000000);

    while (!done() && clock_monotonic_microseconds() < end) {
        int milliseconds = revocation_store_upkeep(&context);
        if (milliseconds < 0) {
            return done();
        }
        private_server_pause(milliseconds < 100 ? milliseconds : 100);
    }
    return done();
}

static bool no_notes(void)
{
    return NOTE_COUNT == 0;
}

/* ---- Telling ---- */

static void test_at_once(void **state)
{
    (void)state;
    add_session("j1", "u1", NOW + 1000);
    add_session("j2", "u1", -1);
    assert_int_equal(session_store_sign_out(&context, TEXT("j1"), TEXT("u1"), NOW + 1000), OK);
    assert_true(is_told("j1"));
    assert_false(is_told("j2"));
    assert_in_range(tell("TTL " TOKEN, "j1")->integer, 1000 + REVOCATION_SKEW_SECONDS - 60,
                    1000 + REVOCATION_SKEW_SECONDS);
    assert_int_equal(session_store_end_row(&context, TEXT("j2"), TEXT("u1")), OK);
    assert_int_equal(tell("TTL " TOKEN, "j2")->integer, -1);
    assert_int_equal(moment("u1"), -1);
    assert_int_equal(NOTE_COUNT, 0);

    /* A token that looks expired is told as well: whose clock is right? */
    assert_int_equal(session_store_sign_out(&context, TEXT("j3"), TEXT("u1"), NOW - 500000), OK);
    assert_in_range(tell("TTL " TOKEN, "j3")->integer, REVOCATION_SKEW_SECONDS - 60, REVOCATION_SKEW_SECONDS);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM session WHERE jti = 'j3' AND revoked_at = 1800000000"), 1);

    /* A user who is gone has no row. */
    assert_int_equal(session_store_sign_out(&context, TEXT("j4"), TEXT("gone"), NOW + 5), OK);
    assert_true(is_told("j4"));
    assert_int_equal(NOTE_COUNT, 0);
}

static void test_all_of_a_user(void **state)
{
    (void)state;
    add_session("j1", "u1", NOW + 1000);
    add_session("j2", "u1", NOW + 1000);
    add_session("j3", "u2", NOW + 1000);
    assert_int_equal(
        session_store_end_everywhere(&context, TEXT("u1"), (struct kept_session){TEXT("j2"), NOW + 1000}, false), OK);
    assert_true(is_told("j1"));
    assert_false(is_told("j2"));
    assert_false(is_told("j3"));
    assert_int_equal(moment("u1"), NOW);
    assert_int_equal(moment("u2"), -1);
    assert_in_range(tell("TTL " MOMENT, "u1")->integer, 28 * 86400, 29 * 86400); /* four weeks and a day */
    assert_int_equal(NOTE_COUNT, 0);

    /* Our moment does not move back with a clock, and another program's later one stays. */
    context.now_seconds = NOW - 100;
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u1"), KEPT_NONE, false), OK);
    assert_int_equal(ask_integer("SELECT sessions_ended_at FROM user WHERE id = 'u1'"), NOW);
    context.now_seconds = NOW + 5;
    tell("SET " MOMENT " %lld.5", "u1", (long long)NOW + 100);
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u1"), KEPT_NONE, false), OK);
    assert_int_equal(moment("u1"), NOW + 100);
    tell("SET " MOMENT " %lld", "u1", (long long)NOW + 1);
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u1"), KEPT_NONE, false), OK);
    assert_int_equal(moment("u1"), NOW + 5);

    execute("INSERT INTO config (data) VALUES ('{\"auth\":{\"jwt_expiry\":\"-1\"}}')");
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u2"), KEPT_NONE, false), OK);
    assert_int_equal(tell("TTL " MOMENT, "u2")->integer, -1);
}

static void test_a_deleted_user(void **state)
{
    (void)state;
    add_session("j1", "u1", NOW + 1000);
    assert_int_equal(account_store_delete(&context, TEXT("u1")), OK);
    assert_true(is_told("j1"));
    assert_int_equal(moment("u1"), NOW);
    assert_int_equal(NOTE_COUNT, 0);

    /* What fails leaves nothing. */
    add_session("j2", "a1", NOW + 1000);
    assert_int_equal(account_store_delete(&context, TEXT("a1")), PROBLEM);
    assert_int_equal(NOTE_COUNT, 0);
    assert_false(is_told("j2"));
}

/* ---- What could not be told ---- */

static void end_three(void)
{
    add_session("j1", "u1", NOW + 1000);
    add_session("j2", "u2", NOW + 1000);
    assert_int_equal(session_store_sign_out(&context, TEXT("j1"), TEXT("u1"), NOW + 1000), OK);
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u2"), KEPT_NONE, false), OK);
    assert_int_equal(session_store_sign_out(&context, TEXT("other"), TEXT("u1"), NOW + 1000), OK);
    assert_int_equal(context.problem.code, ERROR_NONE);
    assert_int_equal(NOTE_COUNT, 4);
}

static void assert_three_are_told(void)
{
    assert_true(keep_up_until(no_notes));
    assert_true(is_told("j1"));
    assert_true(is_told("j2"));
    assert_true(is_told("other"));
    assert_int_equal(moment("u2"), NOW);
    assert_int_equal(tell("EXISTS open-webui:roster:telling")->integer, 0);
    assert_int_equal(revocation_store_upkeep(&context), -1); /* nothing is left to do */
}

static void test_away(void **state)
{
    (void)state;
    config.redis_socket = "/proc/none/redis.sock";
    end_three();
    assert_in_range(revocation_store_upkeep(&context), 0, 5000);
    assert_int_equal(context.problem.code, ERROR_NONE);
    config.redis_socket = redis.socket;
    redis_close();
    assert_three_are_told();
}

static void test_no_memory(void **state)
{
    (void)state;
    tell("CONFIG SET maxmemory 1");
    end_three();
    assert_false(is_told("j1"));
    tell("CONFIG SET maxmemory 0");
    assert_three_are_told();
}

static void test_read_only(void **state)
{
    (void)state;
    tell("REPLICAOF 127.0.0.1 1");
    end_three();
    tell("REPLICAOF NO ONE");
    assert_three_are_told();
}

/* It takes our locks, but not the rest. */
static void test_no_permission(void **state)
{
    (void)state;
    tell("ACL SETUSER default resetkeys ~open-webui:roster:*");
    end_three();
    for (int i = 0; i < 3; i++) {
        restart(PAGE_ROWS);
        assert_in_range(revocation_store_upkeep(&context), 1, 1000);
        assert_int_equal(NOTE_COUNT, 4);
    }
    tell("ACL SETUSER default allkeys");
    assert_three_are_told();
}

/* What another program has put in its place does not hold up the others for ever. */
static void test_wrong_type(void **state)
{
    (void)state;
    tell("LPUSH " MOMENT " x", "u2");
    add_session("j1", "u1", NOW + 1000);
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u2"), KEPT_NONE, false), OK);
    assert_int_equal(session_store_sign_out(&context, TEXT("j1"), TEXT("u1"), NOW + 1000), OK);
    assert_int_equal(NOTE_COUNT, 0);
    assert_int_equal(moment("u2"), NOW);
    assert_true(is_told("j1"));
}

static void test_hanging(void **state)
{
    (void)state;
    config.redis_timeout = 100;
    kill(redis.pid, SIGSTOP);
    end_three();
    kill(redis.pid, SIGCONT);
    config.redis_timeout = 5000;
    assert_three_are_told();
}

/* Somebody else was to tell it, and died: a new process looks. */
static void test_left_behind(void **state)
{
    (void)state;
    execute("INSERT INTO revocation (user_id, jti, expires_at) VALUES ('u1', 'j1', 1800001000), ('u9', 'j9', NULL)");
    for (int i = 0; i < 120; i++) {
        execute(text_format(context.arena,
                            "INSERT INTO revocation (user_id, jti, expires_at) VALUES ('u1', 'many%d', 1800001000)", i)
                    .data);
    }
    restart(50);
    assert_true(keep_up_until(no_notes));
    assert_true(is_told("j1"));
    assert_true(is_told("j9"));
    assert_true(is_told("many0") && is_told("many48") && is_told("many119"));
}

/* Two do not do it at once. */
static void test_another_tells(void **state)
{
    (void)state;
    execute("INSERT INTO revocation (user_id, jti, expires_at) VALUES ('u1', 'j1', 1800001000)");
    tell("SET open-webui:roster:telling another");
    assert_in_range(revocation_store_upkeep(&context), 1, 1000);
    assert_false(is_told("j1"));
    assert_int_equal(NOTE_COUNT, 1);
    tell("DEL open-webui:roster:telling");
    assert_true(keep_up_until(no_notes));
    assert_true(is_told("j1"));
}

static void test_without_redis(void **state)
{
    (void)state;
    config.redis_socket = "";
    add_session("j1", "u1", NOW + 1000);
    assert_int_equal(session_store_end_everywhere(&context, TEXT("u1"), KEPT_NONE, false), OK);
    assert_int_equal(NOTE_COUNT, 0); /* nobody would ever be told */
    assert_int_equal(revocation_store_upkeep(&context), -1);
}

/* ---- A Redis that came back empty ---- */

static bool is_loaded(void)
{
    return tell("EXISTS open-webui:roster:loaded")->integer > 0;
}

/* 25 revoked sessions, 25 that live, and two users whose tokens are over. */
static void fill(void)
{
    for (int i = 0; i < 25; i++) {
        execute(text_format(context.arena,
                            "INSERT INTO session (jti, user_id, expires_at, revoked_at) VALUES ('r%02d', 'u1', "
                            "1800001000, 1799999999), "
                            "('s%02d', 'u1', 1800001000, NULL)",
                            i, i)
                    .data);
    }
    execute("INSERT INTO session (jti, user_id, revoked_at) VALUES ('0', 'u2', 1)");
    execute("UPDATE user SET sessions_ended_at = 1799999000 WHERE id IN ('a1', 'u2')");
}

static void assert_all_loaded(void)
{
    assert_true(keep_up_until(is_loaded));
    for (int i = 0; i < 25; i++) {
        assert_true(is_told(text_format(context.arena, "r%02d", i).data));
        assert_false(is_told(text_format(context.arena, "s%02d", i).data));
    }
    assert_true(is_told("0"));
    assert_int_equal(moment("a1"), 1799999000);
    assert_int_equal(moment("u2"), 1799999000);
    assert_int_equal(moment("u1"), -1);
    assert_int_equal(tell("EXISTS open-webui:roster:loading")->integer, 0);
}

/* What a request sees of it. */
static void see(void)
{
    struct token_session session;

    assert_int_equal(session_store_find(&context, TEXT("u1"), TEXT_NULL, NOW, NULL, &session), OK);
    assert_true(session.redis_answered);
}

static void test_empty(void **state)
{
    (void)state;
    fill();
    see();
    assert_int_equal(revocation_store_upkeep(&context), -1); /* the marker is there */
    tell("FLUSHALL");
    assert_int_equal(revocation_store_upkeep(&context), -1); /* nobody has seen it yet */
    restart(10);
    see();
    assert_int_equal(revocation_store_upkeep(&context), 0); /* a page, and there are more */
    assert_true(is_told("r08"));
    assert_false(is_told("r20"));
    assert_false(is_loaded());
    assert_all_loaded();
}

/* Halfway it is lost once more: what was loaded before counts for nothing. */
static void test_empty_again(void **state)
{
    (void)state;
    fill();
    tell("FLUSHALL");
    restart(10);
    see();
    assert_int_equal(revocation_store_upkeep(&context), 0);
    assert_int_equal(revocation_store_upkeep(&context), 0);
    assert_true(is_told("r12"));
    tell("FLUSHALL");
    assert_all_loaded();
}

/* Away in the middle: it goes on where it was. */
static void test_interrupted(void **state)
{
    (void)state;
    fill();
    tell("FLUSHALL");
    restart(10);
    see();
    assert_int_equal(revocation_store_upkeep(&context), 0);
    config.redis_socket = "/proc/none/redis.sock";
    redis_close();
    assert_in_range(revocation_store_upkeep(&context), 0, 1000);
    assert_false(is_loaded());
    config.redis_socket = redis.socket;
    redis_close();
    assert_all_loaded();
}

/* One loads, the others do not; where that one has died, another begins anew. */
static void test_another_loads(void **state)
{
    (void)state;
    fill();
    tell("FLUSHALL");
    tell("SET open-webui:roster:loading another");
    see();
    revocation_store_upkeep(&context);
    assert_false(is_told("r00"));
    tell("DEL open-webui:roster:loading");
    private_server_pause(1100);
    see();
    assert_all_loaded();

    /* One that was held up, and has lost the lock, leaves it to the other. */
    tell("FLUSHALL");
    restart(10);
    see();
    assert_int_equal(revocation_store_upkeep(&context), 0);
    tell("SET open-webui:roster:loading another");
    revocation_store_upkeep(&context);
    revocation_store_upkeep(&context);
    assert_true(is_told("r08"));
    assert_false(is_told("r12"));
    assert_string_equal(tell("GET open-webui:roster:loading")->str, "another");
}

/* ---- What follows from both ---- */

static enum session_state judge(const char *jti, const char *user_id, int64_t issued_at)
{
    struct token_session session;

    assert_int_equal(session_store_find(&context, text_of(user_id), text_of(jti), issued_at, NULL, &session), OK);
    return session.state;
}

static void test_judge(void **state)
{
    (void)state;
    add_session("kept", "u1", NOW + 1000);
    add_session("gone", "u1", NOW + 1000);
    assert_int_equal(judge("kept", "u1", NOW - 5), SESSION_VALID);
    assert_int_equal(judge("kept", "u9", NOW - 5), SESSION_WITHOUT_USER);
    assert_int_equal(judge("bare", "u1", -1), SESSION_VALID);
    assert_int_equal(
        session_store_end_everywhere(&context, TEXT("u1"), (struct kept_session){TEXT("kept"), NOW + 1000}, false), OK);
    assert_int_equal(moment("u1"), NOW);
    /* though Redis has the moment: it is ours, and MariaDB's rows say whom it spares */
    assert_int_equal(judge("kept", "u1", NOW - 5), SESSION_VALID);
    assert_int_equal(judge("gone", "u1", NOW - 5), SESSION_ENDED);
    assert_int_equal(judge("bare", "u1", NOW), SESSION_ENDED_WITH_ALL);
    assert_int_equal(judge("bare", "u1", -1), SESSION_ENDED_WITH_ALL);
    assert_int_equal(judge("bare", "u1", NOW + 1), SESSION_VALID);
    add_session("new", "u1", NOW + 1000);
    assert_int_equal(judge("new", "u1", NOW), SESSION_VALID); /* in the same second */

    tell("SET " MOMENT " %lld", "u1", (long long)NOW + 1); /* another program's */
    assert_int_equal(judge("kept", "u1", NOW - 5), SESSION_ENDED_WITH_ALL_IN_REDIS);
    assert_int_equal(judge("new", "u1", NOW + 1), SESSION_ENDED_WITH_ALL_IN_REDIS);
    assert_int_equal(judge("new", "u1", NOW + 2), SESSION_VALID);
    tell("DEL " MOMENT, "u1");
    tell("SET " TOKEN " 1", "kept");
    assert_int_equal(judge("kept", "u1", NOW - 5), SESSION_ENDED_IN_REDIS);

    execute("INSERT INTO auth (id, email, password, active) VALUES ('u2', 'u2@example.org', '', 0)");
    assert_int_equal(judge("any", "u2", NOW - 5), SESSION_OF_DISABLED);
    execute("UPDATE auth SET active = 1");
    assert_int_equal(judge("any", "u2", NOW - 5), SESSION_VALID);
}

/* ---- Forgetting ---- */

static void test_clean(void **state)
{
    static const int64_t skew = REVOCATION_SKEW_SECONDS;
    bool more;

    (void)state;
    execute(text_format(context.arena,
                        "INSERT INTO session (jti, user_id, expires_at, revoked_at) VALUES ('lives', 'u1', %lld, "
                        "NULL), ('endless', 'u1', NULL, 1), "
                        "('just', 'u1', %lld, NULL), ('expired', 'u1', %lld, NULL), ('ended', 'u1', %lld, %lld), "
                        "('ended just now', 'u1', %lld, %lld)",
                        (long long)NOW + 5, (long long)(NOW - skew), (long long)(NOW - skew - 1),
                        (long long)(NOW - skew - 1), (long long)(NOW - skew - 1), (long long)(NOW - skew - 1),
                        (long long)NOW)
                .data);
    execute(text_format(context.arena,
                        "INSERT INTO revocation (user_id, jti, expires_at) VALUES ('u1', 'a', %lld), ('u1', 'b', "
                        "%lld), ('u1', 'c', NULL)",
                        (long long)(NOW - skew - 1), (long long)(NOW - skew))
                .data);
    assert_int_equal(session_store_clean(&context, &more), OK);
    assert_false(more);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM session"), 4);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM session WHERE jti IN ('expired', 'ended')"), 0);
    assert_int_equal(NOTE_COUNT, 2);

    execute("INSERT INTO session (jti, user_id, expires_at) SELECT CONCAT('old', seq), 'u1', 5 FROM seq_1_to_700");
    assert_int_equal(session_store_clean(&context, &more), OK);
    assert_true(more);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM session"), 204);
    assert_int_equal(session_store_clean(&context, &more), OK);
    assert_false(more);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM session"), 4);
}

#define TEST(function) cmocka_unit_test_setup(function, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_at_once),   TEST(test_all_of_a_user), TEST(test_a_deleted_user), TEST(test_away),
        TEST(test_no_memory), TEST(test_no_permission), TEST(test_wrong_type),     TEST(test_read_only),
        TEST(test_hanging),   TEST(test_left_behind),   TEST(test_another_tells),  TEST(test_without_redis),
        TEST(test_empty),     TEST(test_empty_again),   TEST(test_interrupted),    TEST(test_another_loads),
        TEST(test_judge),     TEST(test_clean),
    };

    private_server_need("mariadbd");
    private_server_need("redis-server");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("revocation", tests, set_up, tear_down);
}
