/* test_directory_feed.c: the directory against a MariaDB of our own: it has what is there, whoever changed it, and in
 * whatever order transactions end. */
#include "store/directory_feed.h"

#include "base/clock.h"
#include "store/account_store.h"
#include "store/directory.h"
#include "store_fixture.h"
#include "unit.h"

enum { PEOPLE = 2500, MEGABYTE = 1024 * 1024 };

/* Another connection: what is written to it is executed. */
static FILE *other;

static struct directory_progress *progress(void)
{
    return directory_progress();
}

/* How many the directory finds. -1: it is not ready. */
static int64_t count(const char *query)
{
    struct directory_question question = {.query = text_of(query), .by_creation = true};
    struct directory_answer answer;
    int64_t total = directory_ask(context.arena, &question, &answer) ? answer.total : -1;
    arena_reset(context.arena);
    return total;
}

/* The same after a look at what has changed. */
static int64_t count_now(const char *query)
{
    bool is_done = directory_feed_catch_up(&context);
    assert_int_equal(context.problem.code, ERROR_NONE);
    return is_done ? count(query) : -1;
}

/* Works until nothing is due at once. */
static int work(void)
{
    int milliseconds;
    while ((milliseconds = directory_feed_upkeep(&context)) == 0) {
        arena_reset(context.arena);
    }
    arena_reset(context.arena);
    assert_int_equal(context.problem.code, ERROR_NONE);
    return milliseconds;
}

/* What was changed of late counts as changed long ago. */
static void let_time_pass(void)
{
    execute("UPDATE user SET changed_at = changed_at - INTERVAL 1 HOUR");
    execute("UPDATE deleted_user SET deleted_at = deleted_at - INTERVAL 1 HOUR");
}

static int set_up(void **state)
{
    (void)state;
    return store_set_up("", 0) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

/* Each test begins with so many people, and a directory that is ready. */
static int begin(void **state)
{
    (void)state;
    execute("DELETE FROM user");
    execute("DELETE FROM deleted_user");
    execute(text_format(context.arena,
                        "INSERT INTO user (id, name, email, created_at, changed_at) SELECT CONCAT('id', seq), "
                        "CONCAT('Person ', seq), CONCAT('person', seq, '@example.org'), seq, NULL FROM seq_1_to_%d",
                        PEOPLE)
                .data);
    context.now_seconds = clock_wall_seconds();
    assert_true(directory_create(0));
    assert_true(directory_create(4 * MEGABYTE));
    assert_int_equal(work(), 60000);
    assert_int_equal(count(""), PEOPLE);
    logged();
    return 0;
}

static void open_other(void)
{
    const char *command =
        text_format(context.arena, "mariadb --no-defaults -uroot -S %s --unbuffered roster >/dev/null", mariadb.socket)
            .data;
    other = popen(command, "w");
    assert_non_null(other);
}

/* Executes a statement over the other connection, and waits until it is done. */
static void tell_other(const char *sql)
{
    static int number;
    fprintf(other, "%s; DO GET_LOCK('step%d', 5);\n", sql, ++number);
    fflush(other);
    const char *look = text_format(context.arena, "SELECT IS_USED_LOCK('step%d') IS NOT NULL", number).data;
    while (ask_integer(look) == 0) {
        private_server_pause(5);
    }
    arena_reset(context.arena);
}

static void loaded(void **state)
{
    (void)state;
    struct directory_figures figures;
    directory_figures(&figures);
    assert_int_equal(figures.users, PEOPLE);
    assert_true(figures.loaded_at > 0 && figures.load_microseconds > 0);
    assert_int_equal(count("person 77"), 11); /* 77 and 770 to 779 */
    assert_int_equal(directory_create(0), true);
    assert_int_equal(count_now(""), -1);
}

static void in_steps(void **state)
{
    (void)state;
    int steps = 0;
    assert_true(directory_create(0));
    assert_true(directory_create(4 * MEGABYTE));
    while (directory_state() != DIRECTORY_READY) {
        assert_int_equal(count_now(""), -1);
        assert_int_equal(directory_feed_upkeep(&context), 0);
        steps++;
        if (steps == 2) { /* behind the step, and before it */
            execute("UPDATE user SET name = 'Changed' WHERE id IN ('id1', 'id999')");
            execute("DELETE FROM user WHERE id IN ('id10', 'id998')");
            execute("INSERT INTO deleted_user (id) VALUES ('id10'), ('id998')");
            execute("INSERT INTO user (id, name, email) VALUES ('a', 'Added', 'a@a'), ('z', 'Added', 'z@z')");
        }
        arena_reset(context.arena);
    }
    assert_true(steps >= 5);
    assert_int_equal(count(""), PEOPLE);
    assert_int_equal(count("changed"), 2);
    assert_int_equal(count("added"), 2);
    assert_int_equal(count("person998@"), 0);
    assert_non_null(strstr(logged(), "the directory of 2500 users was read in "));
}

static void changed(void **state)
{
    (void)state;
    execute("INSERT INTO user (id, name, email) VALUES ('n', 'Neu', 'neu@example.org')");
    assert_int_equal(count_now("neu"), 1);
    execute("UPDATE user SET name = 'N\xC3\xB6u' WHERE id = 'n'");
    assert_int_equal(count_now("nou"), 1);
    assert_int_equal(count_now("neu"), 1);
    execute("UPDATE user SET email = 'x@example.org' WHERE id = 'n'");
    assert_int_equal(count_now("neu"), 0);
    execute("UPDATE user SET id = 'm' WHERE id = 'n'"); /* as nobody should */
    assert_int_equal(count_now("nou"), 2);
    assert_int_equal(count_now(""), PEOPLE + 2);
    assert_true(directory_lock(0));
    directory_progress()->next_count = 0;
    directory_unlock();
    work();
    assert_int_equal(count_now("nou"), 1);
    let_time_pass();
    execute("UPDATE user SET last_active_at = 5, changed_at = changed_at WHERE id = 'm'");
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM user WHERE changed_at > NOW() - INTERVAL 1 MINUTE"), 0);
}

static void deleted(void **state)
{
    (void)state;
    execute("INSERT INTO user (id, name, email, created_at) VALUES ('first', 'x', 'x@x', 0)"); /* the primary one */
    assert_int_equal(account_store_delete(&context, TEXT("id5")), OK);
    assert_int_equal(count_now("person5@"), 0);
    assert_int_equal(count_now(""), PEOPLE);
    execute("INSERT INTO user (id, name, email) VALUES ('id5', 'Again', 'again@x')"); /* with an id that was deleted */
    assert_int_equal(count_now("again"), 1);
    assert_int_equal(count_now("again"), 1);
    assert_int_equal(account_store_delete(&context, TEXT("id5")), OK);
    assert_int_equal(count_now("again"), 0);
    execute("UPDATE deleted_user SET deleted_at = deleted_at - INTERVAL 2 DAY");
    assert_int_equal(account_store_clean(&context), OK);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM deleted_user"), 0);
}

static void deleted_by_hand(void **state)
{
    (void)state;
    execute("DELETE FROM user WHERE id IN ('id1', 'id2', 'id2500')");
    assert_int_equal(count_now(""), PEOPLE); /* nothing says so */
    progress()->next_count = 0;
    progress()->next_wide = INT64_MAX;
    work();
    assert_int_equal(count(""), PEOPLE - 3);
    execute("DELETE FROM user WHERE id = 'id3'");
    execute("INSERT INTO user (id, name, email) VALUES ('other', 'Other', 'o@o')"); /* the number is right again */
    assert_int_equal(count_now("person3@"), 1);
    progress()->next_comparison = 0;
    directory_feed_doubt();
    work();
    assert_int_equal(count("person3@"), 0);
    assert_int_equal(count("other"), 1);
    assert_int_equal(count(""), PEOPLE - 3);
}

/* Numbers are compared only where somebody asks, and not all the time. */
static void counted_seldom(void **state)
{
    (void)state;
    progress()->next_wide = INT64_MAX;
    progress()->next_count = 0;
    progress()->is_asked = false;
    assert_int_equal(work(), 60000);
    assert_int_equal(progress()->next_count, 0);
    count_now("");
    work();
    assert_true(progress()->next_count >= clock_monotonic_microseconds() + 500000);
}

static void committed_late(void **state)
{
    (void)state;
    open_other();
    tell_other("START TRANSACTION; UPDATE user SET name = 'Late' WHERE id = 'id7'");
    tell_other("DELETE FROM user WHERE id = 'id8'; INSERT INTO deleted_user (id) VALUES ('id8')");
    execute("UPDATE user SET name = 'Soon' WHERE id = 'id9'");
    assert_int_equal(count_now("soon"), 1);
    assert_int_equal(count_now("late"), 0);
    tell_other("COMMIT");
    assert_int_equal(count_now("late"), 1);
    assert_int_equal(count_now("person8@"), 0);

    tell_other("START TRANSACTION; UPDATE user SET name = 'Very late' WHERE id = 'id10'");
    assert_int_equal(count_now("very late"), 0);
    progress()->window_from += 60 * INT64_C(1000000); /* so much later */
    tell_other("COMMIT");
    assert_int_equal(count_now("very late"), 0);
    progress()->next_wide = 0;
    work();
    assert_int_equal(count("very late"), 1);
    assert_true(progress()->next_wide > clock_monotonic_microseconds());
    pclose(other);
}

/* How many statements a look takes that finds so many. */
static unsigned statements_for(const char *query, int64_t expected)
{
    const unsigned before = context.statement_count;
    assert_int_equal(count_now(query), expected);
    return context.statement_count - before;
}

/* While nobody has changed of late, a look asks for the greatest moments alone. */
static void still(void **state)
{
    (void)state;
    assert_int_equal(statements_for("", PEOPLE), 1);
    assert_int_equal(statements_for("moved", 0), 1);
    execute("UPDATE user SET name = 'Moved' WHERE id = 'id7'");
    assert_int_equal(statements_for("moved", 1), 2);
    assert_int_equal(statements_for("moved", 1), 1);
    let_time_pass();
    assert_int_equal(statements_for("moved", 1), 1); /* this one finds that all is still */
    assert_int_equal(statements_for("moved", 1), 1);
    execute("DELETE FROM user WHERE id = 'id7'");
    assert_int_equal(statements_for("moved", 1), 1);
    execute("INSERT INTO deleted_user (id) VALUES ('id7')");
    assert_int_equal(statements_for("moved", 0), 2);
}

/* A change whose moment is the first one of the window. */
static void at_the_edge(void **state)
{
    (void)state;
    assert_int_equal(count_now(""), PEOPLE);
    execute("UPDATE user SET name = 'At the edge' WHERE id = 'id7'");
    progress()->window_from =
        ask_integer("SELECT CAST(UNIX_TIMESTAMP(changed_at) * 1000000 AS SIGNED) FROM user WHERE id = 'id7'");
    assert_int_equal(count_now("at the edge"), 1);
}

/* Two transactions, of which the second commits first, and is seen before the first one commits. `behind`: how many
 * seconds the second one is behind; NULL: it changes nobody. */
static void commit_behind_a_look(const char *late, const char *seen, const char *behind)
{
    char begin_late[96], change_late[96], change_seen[96];
    execute("UPDATE user SET changed_at = NULL");
    execute("DELETE FROM deleted_user");
    execute("SET @moment = UNIX_TIMESTAMP(NOW(6)) - 3");
    snprintf(begin_late, sizeof begin_late, "SET timestamp = %s; START TRANSACTION",
             ask_text("SELECT CONCAT(@moment)").data);
    snprintf(change_late, sizeof change_late, "UPDATE user SET name = '%s' WHERE id = 'id7'", late);
    snprintf(change_seen, sizeof change_seen, "UPDATE user SET name = '%s' WHERE id = 'id9'", seen);
    assert_int_equal(count_now(late), 0);
    assert_false(progress()->is_moving);
    tell_other(begin_late);
    tell_other(change_late);
    if (behind != NULL) {
        execute(text_format(context.arena, "SET timestamp = @moment + %s", behind).data);
        execute(change_seen);
        execute("SET timestamp = DEFAULT");
        assert_int_equal(count_now(seen), 1);
    }
    assert_int_equal(count_now(late), 0);
    tell_other("COMMIT; SET timestamp = DEFAULT");
    progress()->is_moving = false; /* so that the greatest moments are asked for, whatever was seen before */
    assert_int_equal(count_now(late), 1);
}

static void committed_behind_a_look(void **state)
{
    (void)state;
    open_other();
    commit_behind_a_look("late alone", "", NULL);
    commit_behind_a_look("late at the same moment", "seen with it", "0");
    commit_behind_a_look("late by a microsecond", "seen before it", "0.000001");
    commit_behind_a_look("late by a second", "seen long before it", "1");
    tell_other("START TRANSACTION; DELETE FROM user WHERE id = 'id8'; INSERT INTO deleted_user (id) VALUES ('id8')");
    execute("UPDATE user SET name = 'Seen before the deletion' WHERE id = 'id9'");
    assert_int_equal(count_now("seen before the deletion"), 1);
    assert_int_equal(count_now("person8@"), 1);
    tell_other("COMMIT");
    progress()->is_moving = false;
    assert_int_equal(count_now("person8@"), 0);
    pclose(other);
}

static void far_too_much(void **state)
{
    (void)state;
    execute("UPDATE user SET name = CONCAT('New ', name)");
    assert_int_equal(count_now("new"), -1);
    assert_int_equal(directory_state(), DIRECTORY_LOADING);
    assert_int_equal(count_now("new"), -1);
    assert_non_null(strstr(logged(), "more than 2000 users have changed"));
    assert_in_range(work(), 5000, 10000); /* read, but still among the changes of the last seconds */
    let_time_pass();
    progress()->next_attempt = 0;
    work();
    assert_int_equal(count("new person"), PEOPLE);
    execute("INSERT INTO deleted_user (id) SELECT id FROM user WHERE created_at > 50");
    execute("DELETE FROM user WHERE created_at > 50");
    assert_int_equal(count_now(""), -1);
    work();
    let_time_pass();
    progress()->next_attempt = 0;
    work();
    assert_int_equal(count(""), 50);
}

/* As after a failover to a server whose clock is behind. */
static void a_clock_is_set_back(void **state)
{
    (void)state;
    assert_int_equal(count_now(""), PEOPLE);
    progress()->read_at += 1800 * INT64_C(1000000);
    progress()->window_from += 1800 * INT64_C(1000000);
    execute("UPDATE user SET name = 'Behind' WHERE id = 'id7'");
    assert_int_equal(count_now("behind"), 1);
    execute("UPDATE user SET name = 'Again' WHERE id = 'id7'");
    assert_int_equal(count_now("again"), 1);
}

static void not_looked_for_long(void **state)
{
    (void)state;
    assert_int_equal(count_now(""), PEOPLE);
    progress()->read_at -= 2 * 86400 * INT64_C(1000000);
    progress()->read_monotonic -= 2 * 86400 * INT64_C(1000000);
    assert_int_equal(count_now(""), -1);
    assert_int_equal(directory_state(), DIRECTORY_EMPTY);
    work();
    assert_int_equal(count_now(""), PEOPLE);
}

static void another_worker_has_just_looked(void **state)
{
    (void)state;
    execute("UPDATE user SET name = 'Just now' WHERE id = 'id7'");
    progress()->read_monotonic = INT64_MAX; /* later than the question */
    assert_int_equal(count_now("just now"), 0);
    progress()->read_monotonic = clock_monotonic_microseconds();
    assert_int_equal(count_now("just now"), 1);
}

static void without_mariadb(void **state)
{
    (void)state;
    private_server_stop(&mariadb, SIGTERM);
    assert_false(directory_feed_catch_up(&context));
    assert_int_equal(context.problem.code, ERROR_NONE);
    progress()->read_monotonic -= 120 * INT64_C(1000000);
    assert_int_equal(work(), 1000);
    assert_true(directory_create(0));
    assert_true(directory_create(4 * MEGABYTE));
    assert_int_equal(work(), 1000);
    assert_true(private_mariadb_start(&mariadb));
    assert_int_not_equal(directory_state(), DIRECTORY_READY);
    progress()->next_attempt = 0;
    while (directory_state() != DIRECTORY_READY) {
        work();
        progress()->next_attempt = 0;
    }
    assert_int_equal(count_now(""), PEOPLE);
}

static void too_small(void **state)
{
    (void)state;
    execute("INSERT INTO user (id, name, email, changed_at) SELECT CONCAT('more', seq), REPEAT('n', 200), "
            "CONCAT(seq, '@example.org'), NULL FROM seq_1_to_3000");
    assert_true(directory_create(0));
    assert_true(directory_create(MEGABYTE));
    assert_in_range(work(), 3500000, 3600000);
    assert_int_equal(directory_state(), DIRECTORY_FULL);
    assert_int_equal(count_now(""), -1);
    const char *log = logged();
    assert_non_null(strstr(log, "directory_size (1048576 bytes) has no room for more than "));
    assert_in_range(work(), 3500000, 3600000);
    assert_null(strstr(logged(), "directory_size")); /* said once */
    execute("DELETE FROM user WHERE id LIKE 'more%'");
    progress()->next_attempt = 0;
    work();
    assert_int_equal(count_now(""), PEOPLE);
    execute("UPDATE user SET name = CONCAT(name, REPEAT('n', 230)) WHERE created_at <= 1500");
    assert_int_equal(count_now(""), PEOPLE); /* the old names made room */
}

static void a_worker_dies(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        directory_lock(0);
        directory_remove(TEXT("id7"));
        raise(SIGKILL);
    }
    waitpid(pid, NULL, 0);
    assert_int_equal(count_now(""), -1);
    work();
    assert_int_equal(count_now(""), PEOPLE);
    assert_non_null(strstr(logged(), "a worker died while it changed the directory: all users are read again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(loaded, begin),
        cmocka_unit_test_setup(in_steps, begin),
        cmocka_unit_test_setup(changed, begin),
        cmocka_unit_test_setup(deleted, begin),
        cmocka_unit_test_setup(deleted_by_hand, begin),
        cmocka_unit_test_setup(counted_seldom, begin),
        cmocka_unit_test_setup(committed_late, begin),
        cmocka_unit_test_setup(still, begin),
        cmocka_unit_test_setup(at_the_edge, begin),
        cmocka_unit_test_setup(committed_behind_a_look, begin),
        cmocka_unit_test_setup(far_too_much, begin),
        cmocka_unit_test_setup(a_clock_is_set_back, begin),
        cmocka_unit_test_setup(not_looked_for_long, begin),
        cmocka_unit_test_setup(another_worker_has_just_looked, begin),
        cmocka_unit_test_setup(without_mariadb, begin),
        cmocka_unit_test_setup(too_small, begin),
        cmocka_unit_test_setup(a_worker_dies, begin),
    };
    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("directory_feed", tests, set_up, tear_down);
}
