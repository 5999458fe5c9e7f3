/* test_touch_store.c: what is noted, written to a MariaDB of our own: in few statements, never backwards, and whatever
 * rows are locked. */
#include "store/touch_store.h"

#include "base/clock.h"
#include "store/identity_table.h"
#include "store/key_store.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "store_fixture.h"
#include "unit.h"

enum { NOW = 1800000000, INTERVAL = 60, PEOPLE = 1200 };

/* Another connection: what is written to it is executed. */
static FILE *other;

static int set_up(void **state)
{
    char command[600];
    (void)state;
    assert_true(store_set_up("", 0));
    assert_true(identity_table_create(1 << 20));
    assert_true(touch_table_create());
    touch_table_beat();
    config.last_active_interval = INTERVAL;
    snprintf(command, sizeof command, "mariadb --no-defaults -uroot -S %s --unbuffered roster >/dev/null",
             mariadb.socket);
    other = popen(command, "w");
    return other != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pclose(other);
    store_tear_down();
    return identity_table_create(0) ? 0 : -1;
}

/* So many people, who were here an hour ago, with a session and a key each. */
static int fresh(void **state)
{
    (void)state;
    arena_reset(context.arena);
    context.now_seconds = NOW;
    touch_table_beat();
    touch_store_write(&context);
    touch_store_write(&context);
    execute("DELETE FROM user");
    execute(
        "INSERT INTO user (id, email, name, last_active_at) SELECT CONCAT('u', seq), CONCAT('u', seq, '@example.org'), "
        "'U', 1799996400 FROM seq_1_to_1200");
    execute(
        "INSERT INTO session (jti, user_id, created_at, last_seen_at) SELECT CONCAT('s', seq), CONCAT('u', seq), 1, "
        "1799996400 FROM seq_1_to_1200");
    execute(
        "INSERT INTO api_key (id, user_id, `key`, suffix, created_at, updated_at, is_primary) SELECT CONCAT('k', seq), "
        "CONCAT('u', seq), CONCAT('sk-', seq), '1234', 1, 1, 0 FROM seq_1_to_1200");
    touch_table_beat();
    return 0;
}

static struct text name(const char *prefix, int number)
{
    return text_format(context.arena, "%s%d", prefix, number);
}

static void touch_user(int number)
{
    user_store_touch(&context, name("u", number));
}

static int64_t statements(void)
{
    struct touch_figures figures;
    touch_table_figures(&figures);
    return figures.statements;
}

static int64_t count(const char *condition)
{
    return ask_integer(text_format(context.arena, "SELECT COUNT(*) FROM %s", condition).data);
}

static void few_statements(void **state)
{
    const int64_t before = statements();
    (void)state;
    for (int i = 1; i <= 400; i++) {
        touch_user(i);
        session_store_touch(&context, name("s", i));
        key_store_touch(&context, name("k", i), name("u", i));
    }
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), 0);
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(statements() - before, 3);
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), 400);
    assert_int_equal(count("session WHERE last_seen_at = 1800000000"), 400);
    assert_int_equal(count("api_key WHERE last_used_at = 1800000000"), 400);
    assert_int_equal(count("api_key WHERE last_used_at IS NULL"), PEOPLE - 400);
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(statements() - before, 3);
    for (int i = 1; i <= PEOPLE; i++) {
        touch_user(i);
    }
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(statements() - before, 6);
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), PEOPLE);
}

static void each_as_it_is(void **state)
{
    (void)state;
    execute("UPDATE user SET last_active_at = 1799999941 WHERE id = 'u1'");
    execute("UPDATE user SET last_active_at = 1799999940 WHERE id = 'u2'");
    execute("UPDATE user SET last_active_at = 1800000500 WHERE id = 'u3'");
    execute("DELETE FROM user WHERE id = 'u4'");
    execute("INSERT INTO user (id, email, name, last_active_at) VALUES ('\"\\\\ \xc3\xa9', 'odd@example.org', 'O', 7), "
            "('U1', 'capital@example.org', 'O', 7), ('u1 ', 'space@example.org', 'O', 7)");
    for (int i = 1; i <= 5; i++) {
        context.now_seconds = NOW + (i == 5 ? 2 : 0);
        touch_user(i);
    }
    context.now_seconds = NOW;
    user_store_touch(&context, TEXT("\"\\ \xc3\xa9"));
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u1'"), 1799999941);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u2'"), NOW);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u3'"), 1800000500);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u5'"), NOW + 2);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE email = 'odd@example.org'"), NOW);
    assert_int_equal(count("user WHERE last_active_at = 7"), 2);
    assert_int_equal(count("user WHERE id = 'u4'"), 0);
}

/* The directory reads those whose changed_at is new. */
static void names_are_kept(void **state)
{
    (void)state;
    execute("UPDATE user SET changed_at = '2020-01-01 00:00:00'");
    touch_user(1);
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(count("user WHERE last_active_at = 1800000000 AND changed_at = '2020-01-01 00:00:00'"), 1);
}

/* What is shown before it is written is what the row says then. */
static void shown_as_it_will_be(void **state)
{
    static const int64_t stored[] = {1799996400, 1799999940, 1799999941, 1800000000, 1800000500};
    (void)state;
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        int64_t shown, after;
        const struct parameter parameters[] = {BIND_INTEGER(stored[i]), BIND_TEXT(name("u", (int)i + 1))};
        assert_int_equal(database_execute(&context, "UPDATE user SET last_active_at = ? WHERE id = ?", parameters, 2,
                                          NULL, ERROR_NONE),
                         OK);
        touch_user((int)i + 1);
        assert_int_equal(user_store_last_active(&context, parameters[1].text, &shown), OK);
        assert_int_equal(touch_store_write(&context), 0);
        assert_int_equal(touch_store_write(&context), 0);
        assert_int_equal(touch_table_look(TOUCH_USER, parameters[1].text), -1);
        assert_int_equal(user_store_last_active(&context, parameters[1].text, &after), OK);
        assert_int_equal(shown, after);
        assert_int_equal(shown, i < 2 ? NOW : stored[i]);
    }
    struct result sessions, keys;
    session_store_touch(&context, TEXT("s1"));
    assert_int_equal(session_store_list(&context, TEXT("u1"), &sessions), OK);
    assert_int_equal(result_row(&sessions, 0)[SESSION_last_seen_at].integer, NOW);
    assert_int_equal(ask_integer("SELECT last_seen_at FROM session WHERE jti = 's1'"), 1799996400);
    assert_int_equal(key_store_list(&context, TEXT("u1"), &keys), OK);
    assert_true(result_row(&keys, 0)[KEY_last_used_at].is_null);
    key_store_touch(&context, TEXT("k1"), TEXT("u1"));
    assert_int_equal(key_store_list(&context, TEXT("u1"), &keys), OK);
    assert_false(result_row(&keys, 0)[KEY_last_used_at].is_null);
    assert_int_equal(result_row(&keys, 0)[KEY_last_used_at].integer, NOW);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM api_key WHERE last_used_at IS NOT NULL"), 0);
}

/* Rows that somebody else locks wait; all others are written, and nobody waits for a lock. */
static void locked_rows(void **state)
{
    (void)state;
    const int64_t before = statements();
    fprintf(other, "BEGIN; SELECT id FROM user WHERE id IN ('u7', 'u300') FOR UPDATE; INSERT INTO config (data) VALUES "
                   "('{\"is\":\"locked\"}');\n");
    fflush(other);
    execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
    for (int i = 0; i < 1000 && ask_integer("SELECT COUNT(*) FROM config") == 0; i++) {
        private_server_pause(20);
    }
    execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    for (int i = 1; i <= 400; i++) {
        touch_user(i);
    }
    logged();
    assert_int_equal(touch_store_write(&context), 2);
    assert_in_range(statements() - before, 3, 40);
    assert_null(strstr(logged(), "[error]"));
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), 398);
    assert_int_equal(touch_store_write(&context), 2);
    fprintf(other, "ROLLBACK; SET @done = 1; INSERT INTO config (data) VALUES ('{}');\n");
    fflush(other);
    for (int i = 0; i < 1000 && ask_integer("SELECT COUNT(*) FROM config") == 0; i++) {
        private_server_pause(20);
    }
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), 400);
    execute("DELETE FROM config");
}

static struct table_key key_of(const char *who)
{
    return (struct table_key){text_of(who), {text_of(who)}};
}

static void keep(const char *who)
{
    const struct table_key key = key_of(who);
    const struct table_stamp stamp = identity_table_stamp(&key);
    assert_true(stamp.may_store);
    identity_table_put(&key, &stamp, TEXT("kept"));
}

static bool is_kept(const char *who)
{
    const struct table_key key = key_of(who);
    return identity_table_get(&key, 0, context.arena).data != NULL;
}

/* What the identity table has of whoever was written counts no more; all else does. */
static void the_identity_table(void **state)
{
    static const char *const names[] = {"u1", "s2", "u3", "u4", "s4"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        keep(names[i]);
    }
    touch_user(1);
    session_store_touch(&context, TEXT("s2"));
    key_store_touch(&context, TEXT("k3"), TEXT("u3"));
    for (size_t i = 0; i < 5; i++) {
        assert_true(is_kept(names[i]));
    }
    assert_int_equal(touch_store_write(&context), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(is_kept(names[i]), i >= 3);
    }
}

static void mariadb_away(void **state)
{
    (void)state;
    touch_user(1);
    session_store_touch(&context, TEXT("s1"));
    const char *socket = config.database_socket;
    database_close();
    config.database_socket = "/nonexistent.sock";
    assert_int_equal(touch_store_write(&context), 2);
    assert_int_equal(touch_store_write(&context), 2);
    config.database_socket = socket;
    database_close(); /* it would be tried again only after a while */
    assert_int_equal(touch_store_write(&context), 0);
    assert_int_equal(ask_integer("SELECT last_active_at FROM user WHERE id = 'u1'"), NOW);
    assert_int_equal(ask_integer("SELECT last_seen_at FROM session WHERE jti = 's1'"), NOW);
}

/* Without a housekeeper each is written at once. */
static void directly(void **state)
{
    (void)state;
    touch_table_leave();
    touch_user(1);
    session_store_touch(&context, TEXT("s1"));
    key_store_touch(&context, TEXT("k1"), TEXT("u1"));
    assert_int_equal(count("user WHERE last_active_at = 1800000000"), 1);
    assert_int_equal(count("session WHERE last_seen_at = 1800000000"), 1);
    assert_int_equal(count("api_key WHERE last_used_at = 1800000000"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(few_statements, fresh), cmocka_unit_test_setup(each_as_it_is, fresh),
        cmocka_unit_test_setup(names_are_kept, fresh), cmocka_unit_test_setup(shown_as_it_will_be, fresh),
        cmocka_unit_test_setup(locked_rows, fresh),    cmocka_unit_test_setup(the_identity_table, fresh),
        cmocka_unit_test_setup(mariadb_away, fresh),   cmocka_unit_test_setup(directly, fresh),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
