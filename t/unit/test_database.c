/* test_database.c: statements, transactions, migrations and the schema against a MariaDB of our own, which is also
 * stopped, frozen and killed. */
#include "base/array.h"
#include "base/clock.h"
#include "base/problem.h"
#include "store_fixture.h"
#include "unit.h"

/* Something that the server does from another connection: the client program, as root. */
static void beside(const char *sql)
{
    char command[1024];

    snprintf(command, sizeof command, "mariadb --no-defaults -uroot -S %s roster -e \"%s\" >>%s/log 2>&1",
             mariadb.socket, sql, mariadb.directory);
    assert_int_equal(system(command), 0);
}

static void keep_line(const char *line, void *argument)
{
    char *text = argument;

    snprintf(text + strlen(text), 1000 - strlen(text), "%s;", line);
}

static int set_up(void **state)
{
    (void)state;
    config.request_memory_limit = 8 << 20;
    return store_set_up("CHARACTER SET latin1", 8 << 20) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_tear_down();
    return 0;
}

/* A new request on a connection of its own. */
static int fresh(void **state)
{
    (void)state;
    kill(mariadb.pid, SIGCONT); /* where a test broke off */
    arena_reset(context.arena);
    database_close();
    memset(&context.problem, 0, sizeof context.problem);
    config.database_host = (struct words){NULL, 0};
    config.database_connect_timeout = 5;
    config.database_read_timeout = 15;
    context.statement_count = 0;
    execute("DELETE FROM `user`");
    execute(
        "CREATE TABLE IF NOT EXISTS `t` (`id` VARCHAR(20) NOT NULL PRIMARY KEY, `number` INT NOT NULL) ENGINE=InnoDB");
    execute("DELETE FROM `t`");
    execute("INSERT INTO `t` VALUES ('a', 0), ('b', 0)");
    logged();
    return 0;
}

static enum outcome add_user(const char *id, const char *email, const char *name, enum error_code on_duplicate)
{
    const struct parameter parameters[] = {BIND_TEXT(text_of(id)), BIND_TEXT(text_of(email)), BIND_TEXT(text_of(name))};

    return database_execute(&context,
                            "INSERT INTO `user` (`id`, `email`, `name`, `last_active_at`, `updated_at`, `created_at`)"
                            " VALUES (?, ?, ?, 1, 2, 3)",
                            parameters, 3, NULL, on_duplicate);
}

/* ---- Statements ---- */

static void test_kinds(void **state)
{
    struct result result;
    struct parameter parameters[] = {BIND_NULL, BIND_INTEGER(INT64_MIN), BIND_TEXT(TEXT("")), BIND_TEXT((TEXT_NULL)),
                                     BIND_TEXT(TEXT("a\0b"))};
    const struct value *row;

    (void)state;
    assert_int_equal(
        database_execute(&context,
                         "SELECT ?, CAST(? AS SIGNED), ?, ?, ?, DATE '1999-12-31', COUNT(*), EXISTS (SELECT 1),"
                         " 1.50, 1e3, TRUE, NULL, CAST('x' AS CHAR), 4294967296 FROM `t`",
                         parameters, 5, &result, ERROR_NONE),
        OK);
    assert_int_equal(result.row_count, 1);
    assert_int_equal(result.column_count, 14);
    row = result_row(&result, 0);
    assert_true(row[0].is_null);
    assert_null(row[0].text.data);
    assert_true(row[1].integer == INT64_MIN);
    assert_false(row[2].is_null);
    assert_string_equal(row[2].text.data, "");
    assert_true(row[3].is_null);
    assert_int_equal(row[4].text.length, 3);
    assert_memory_equal(row[4].text.data, "a\0b", 4);
    assert_string_equal(row[5].text.data, "1999-12-31");
    assert_int_equal(row[6].integer, 2);
    assert_null(row[6].text.data);
    assert_int_equal(row[7].integer, 1);
    assert_string_equal(row[8].text.data, "1.50");
    assert_string_equal(row[9].text.data, "1000");
    assert_int_equal(row[10].integer, 1);
    assert_true(row[11].is_null);
    assert_string_equal(row[12].text.data, "x");
    assert_true(row[13].integer == 4294967296);

    assert_int_equal(database_execute(&context, "SELECT `id` FROM `t` WHERE `id` = 'c'", NULL, 0, &result, ERROR_NONE),
                     OK);
    assert_int_equal(result.row_count, 0);
    assert_int_equal(database_execute(&context, "SELECT `id` FROM `t`", NULL, 0, NULL, ERROR_NONE), OK);

    /* What ran is kept for the log, each text once. */
    context.statements_kept = 0;
    context.statement_microseconds = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(database_execute(&context, "SELECT `id` FROM `t`", NULL, 0, NULL, ERROR_NONE), OK);
    }
    assert_int_equal(context.statements_kept, 1);
    assert_string_equal(context.statements[0].sql, "SELECT `id` FROM `t`");
    assert_int_equal(context.statements[0].count, 3);
    assert_true(context.statements[0].microseconds > 0);
    assert_true(context.statement_microseconds == context.statements[0].microseconds);
}

/* Texts of every length around the one up to which they are read in one go; many rows; bytes that are no UTF-8. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 254, 255, 256, 257, 258, 65535, 65536, 1000000};
    struct result result;
    char *bytes = arena_alloc(context.arena, 1000000);

    (void)state;
    execute("CREATE TABLE `large` (`n` INT PRIMARY KEY, `bytes` MEDIUMBLOB) ENGINE=InnoDB");
    for (size_t i = 0; i < 1000000; i++) {
        bytes[i] = (char)(i * 7);
    }
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct parameter parameters[] = {BIND_INTEGER((int64_t)i), BIND_TEXT(((struct text){bytes, lengths[i]}))};

        assert_int_equal(
            database_execute(&context, "INSERT INTO `large` VALUES (?, ?)", parameters, 2, &result, ERROR_NONE), OK);
        assert_int_equal(result.affected_rows, 1);
    }
    assert_int_equal(database_execute(&context, "SELECT `bytes`, `n`, `bytes` FROM `large` ORDER BY `n`", NULL, 0,
                                      &result, ERROR_NONE),
                     OK);
    assert_int_equal(result.row_count, ARRAY_COUNT(lengths));
    for (size_t i = 0; i < result.row_count; i++) {
        for (unsigned column = 0; column < 3; column += 2) {
            struct text text = result_row(&result, i)[column].text;

            assert_int_equal(text.length, lengths[i]);
            assert_memory_equal(text.data, bytes, lengths[i]);
            assert_int_equal(text.data[text.length], '\0');
        }
    }
    execute("DROP TABLE `large`");
}

/* An id of whatever bytes is 'no row', and never another one's. */
static void test_ids(void **state)
{
    static const char *const ids[] = {"é",    "\xff\xfe", "\xf0\x9f\x98\x80", "0", "1", "U1", "u1 ", " u1", "",
                                      "u1\t", "ü1"};
    struct result result;

    (void)state;
    assert_int_equal(add_user("u1", "a@example.org", "Ann", ERROR_NONE), OK);
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        struct parameter parameter = BIND_TEXT(text_of(ids[i]));

        assert_int_equal(
            database_execute(&context, "SELECT `id` FROM `user` WHERE `id` = ?", &parameter, 1, &result, ERROR_NONE),
            OK);
        assert_int_equal(result.row_count, 0);
        assert_int_equal(database_execute(&context,
                                          "SELECT u.`id` FROM `user` u LEFT JOIN `session` s ON s.`jti` = ? AND "
                                          "s.`user_id` = u.`id` WHERE u.`email` = ?",
                                          (struct parameter[]){parameter, parameter}, 2, &result, ERROR_NONE),
                         OK);
        assert_int_equal(result.row_count, 0);
    }
    struct parameter right = BIND_TEXT(TEXT("u1"));
    assert_int_equal(
        database_execute(&context, "SELECT `id` FROM `user` WHERE `id` = ?", &right, 1, &result, ERROR_NONE), OK);
    assert_int_equal(result.row_count, 1);
    assert_string_equal(logged(), "");
}

static void test_duplicates(void **state)
{
    const char *log;

    (void)state;
    assert_int_equal(add_user("u1", "secret@example.org", "Ann", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(add_user("u2", "SECRET@example.org", "Ann", ERROR_EMAIL_TAKEN), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_EMAIL_TAKEN);
    assert_string_equal(logged(), "");
    assert_int_equal(add_user("u2", "secret@example.org", "Ann", ERROR_NONE), FAULT);
    assert_int_equal(context.problem.code, ERROR_INTERNAL_ERROR);
    log = logged();
    assert_non_null(strstr(log, "1062"));
    assert_non_null(strstr(log, "user_email"));
    assert_null(strstr(log, "secret"));
}

/* What MariaDB says of a refused value must not reach the log. */
static void test_values_in_messages(void **state)
{
    static const char *const statements[] = {"UPDATE `user` SET `date_of_birth` = ?",
                                             "UPDATE `user` SET `created_at` = ?", "UPDATE `user` SET `info` = ?",
                                             "SELECT CAST(? AS DATE) + EXTRACTVALUE(?, '//[')"};
    struct parameter value = BIND_TEXT(TEXT("sec'ret \xff for key 'x'"));
    const char *log;

    (void)state;
    assert_int_equal(add_user("u1", "a@example.org", "Ann", ERROR_NONE), OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(database_execute(&context, statements[i], (struct parameter[]){value, value}, i < 3 ? 1 : 2,
                                          NULL, ERROR_NONE),
                         FAULT);
        assert_int_equal(context.problem.code, ERROR_INTERNAL_ERROR);
        log = logged();
        assert_non_null(strstr(log, "MariaDB refused with error "));
        assert_null(strstr(log, "ret "));
    }
}

static void test_affected_rows(void **state)
{
    struct result result;

    (void)state;
    for (int i = 0; i < 2; i++) { /* the second time nothing changes */
        assert_int_equal(
            database_execute(&context, "UPDATE `t` SET `number` = 5 WHERE `id` = 'a'", NULL, 0, &result, ERROR_NONE),
            OK);
        assert_int_equal(result.affected_rows, 1);
        assert_int_equal(result.row_count, 0);
    }
    assert_int_equal(
        database_execute(&context, "UPDATE `t` SET `number` = 5 WHERE `id` = 'c'", NULL, 0, &result, ERROR_NONE), OK);
    assert_int_equal(result.affected_rows, 0);
    assert_int_equal(
        database_execute(&context, "DELETE FROM `t` WHERE `id` = 'a' RETURNING `number`", NULL, 0, &result, ERROR_NONE),
        OK);
    assert_int_equal(result_row(&result, 0)->integer, 5);
}

/* One row, one text, one integer, or whether there is a row; and what stands for none. */
static void test_one_row(void **state)
{
    const struct value *row;
    struct text text;
    int64_t integer;
    bool found;

    (void)state;
    assert_int_equal(database_get_row(&context, "SELECT `number`, `id` FROM `t` WHERE `id` = ?",
                                      PARAMETERS(BIND_TEXT(TEXT("b"))), &row, ERROR_USER_NOT_FOUND),
                     OK);
    assert_string_equal(row[1].text.data, "b");
    assert_int_equal(database_get_row(&context, "SELECT `id` FROM `t` WHERE `id` IN (?, ?)",
                                      PARAMETERS(BIND_TEXT(TEXT("c")), BIND_NULL), &row, ERROR_USER_NOT_FOUND),
                     PROBLEM);
    assert_null(row);
    assert_int_equal(context.problem.code, ERROR_USER_NOT_FOUND);
    row = &(struct value){.integer = 7};
    assert_int_equal(
        database_get_row(&context, "SELECT `id` FROM `t` WHERE `id` = 'c'", NO_PARAMETERS, &row, ERROR_NONE), OK);
    assert_null(row);

    assert_int_equal(
        database_get_text(&context, "SELECT `id` FROM `t` WHERE `id` = 'a'", NO_PARAMETERS, &text, ERROR_NONE), OK);
    assert_string_equal(text.data, "a");
    assert_int_equal(database_get_text(&context, "SELECT NULL", NO_PARAMETERS, &text, ERROR_USER_NOT_FOUND), OK);
    assert_null(text.data);
    assert_int_equal(
        database_get_text(&context, "SELECT `id` FROM `t` WHERE `id` = 'c'", NO_PARAMETERS, &text, ERROR_NOT_FOUND),
        PROBLEM);
    assert_int_equal(context.problem.code, ERROR_NOT_FOUND);
    assert_null(text.data);

    assert_int_equal(database_get_integer(&context, "SELECT COUNT(*) FROM `t`", NO_PARAMETERS, -1, &integer), OK);
    assert_int_equal(integer, 2);
    assert_int_equal(
        database_get_integer(&context, "SELECT MAX(`number`) FROM `t` WHERE `id` = 'c'", NO_PARAMETERS, -1, &integer),
        OK);
    assert_int_equal(integer, -1);
    assert_int_equal(
        database_get_integer(&context, "SELECT `number` FROM `t` WHERE `id` = 'c'", NO_PARAMETERS, -2, &integer), OK);
    assert_int_equal(integer, -2);

    assert_int_equal(database_find_row(&context, "SELECT NULL FROM `t`", NO_PARAMETERS, &found), OK);
    assert_true(found);
    assert_int_equal(database_find_row(&context, "SELECT 1 FROM `t` WHERE `id` = 'c'", NO_PARAMETERS, &found), OK);
    assert_false(found);
    assert_string_equal(logged(), "");

    found = true;
    assert_int_equal(database_find_row(&context, "SELECT `nothing` FROM `t`", NO_PARAMETERS, &found), FAULT);
    assert_false(found);
}

/* A row that is met counts, whether it changes or not. */
static void test_change_row(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(database_change_row(&context, "UPDATE `t` SET `number` = ? WHERE `id` = ?",
                                             PARAMETERS(BIND_INTEGER(5), BIND_TEXT(TEXT("a"))), ERROR_NOT_FOUND),
                         OK);
    }
    assert_int_equal(database_change_row(&context, "UPDATE `t` SET `number` = ? WHERE `id` = ?",
                                         PARAMETERS(BIND_INTEGER(5), BIND_TEXT(TEXT("c"))), ERROR_NOT_FOUND),
                     PROBLEM);
    assert_int_equal(context.problem.code, ERROR_NOT_FOUND);
    for (int i = 0; i < 2; i++) { /* the second time it is gone */
        assert_int_equal(
            database_change_row(&context, "DELETE FROM `t` WHERE `id` = 'a'", NO_PARAMETERS, ERROR_USER_NOT_FOUND),
            i == 0 ? OK : PROBLEM);
    }
    assert_int_equal(context.problem.code, ERROR_USER_NOT_FOUND);
    assert_int_equal(database_change_row(&context, "INSERT INTO `t` SELECT 'd', `number` FROM `t` WHERE `id` = 'a'",
                                         NO_PARAMETERS, ERROR_INVALID_CRED),
                     PROBLEM);
    assert_int_equal(context.problem.code, ERROR_INVALID_CRED);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 1);
}

/* Places of a list that are left over equal nothing; a moment of -1 is NULL. */
static void test_list(void **state)
{
    struct parameter items[DATABASE_LIST_MAX];
    struct result result;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(items); i++) {
        items[i] = BIND_TEXT(TEXT("c"));
    }
    items[DATABASE_LIST_MAX - 1] = BIND_TEXT(TEXT("b"));
    execute("INSERT INTO `t` VALUES ('', 0)");
    assert_int_equal(database_execute_list(&context, "SELECT `id` FROM `t` WHERE `id` IN " DATABASE_LIST, items,
                                           DATABASE_LIST_MAX, &result),
                     OK);
    assert_int_equal(result.row_count, 1);
    assert_string_equal(result_row(&result, 0)->text.data, "b");
    for (size_t count = 0; count < 3; count++) {
        items[0] = BIND_TEXT(TEXT("a"));
        items[1] = BIND_TEXT(TEXT("a"));
        assert_int_equal(
            database_execute_list(&context, "SELECT `id` FROM `t` WHERE `id` IN " DATABASE_LIST, items, count, &result),
            OK);
        assert_int_equal(result.row_count, count > 0 ? 1 : 0);
    }

    const struct value *row;
    assert_int_equal(database_get_row(&context, "SELECT CAST(? AS SIGNED), CAST(? AS SIGNED)",
                                      PARAMETERS(BIND_MOMENT(-1), BIND_MOMENT(0)), &row, ERROR_NONE),
                     OK);
    assert_int_equal(value_integer(&row[0], -7), -7);
    assert_int_equal(value_integer(&row[1], -7), 0);
    assert_false(row[1].is_null);
}

/* More texts than are kept; each still answers right, and the server holds no more than that. */
static void test_eviction(void **state)
{
    static char texts[200][64];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(texts[i], sizeof texts[i], "SELECT %d FROM `t` LIMIT 1", i);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            assert_int_equal(ask_integer(texts[i]), i);
        }
    }
    assert_true(strtol(ask_text("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                                " WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'")
                           .data,
                       NULL, 10) <= 128);
    /* The same pointer, another text. */
    strcpy(texts[0], "SELECT 777 FROM `t` LIMIT 1");
    assert_int_equal(ask_integer(texts[0]), 777);
    /* What counts is that it was executed. */
    context.statement_count = 0;
    ask_integer("SELECT 4242");
    ask_integer("SELECT 4242");
    assert_int_equal(context.statement_count, 2);
}

static void test_too_many_statements(void **state)
{
    static char texts[20][64];

    (void)state;
    beside("SET GLOBAL max_prepared_stmt_count = 8");
    for (int i = 0; i < 20; i++) {
        snprintf(texts[i], sizeof texts[i], "SELECT %d + 10000", i);
        assert_int_equal(ask_integer(texts[i]), i + 10000);
    }
    beside("SET GLOBAL max_prepared_stmt_count = 16382");
    assert_non_null(strstr(logged(), "max_prepared_stmt_count"));
}

/* The tables change under a prepared statement. */
static void test_altered_table(void **state)
{
    struct result result;

    (void)state;
    execute("CREATE TABLE `altered` (`a` INT) ENGINE=InnoDB");
    execute("INSERT INTO `altered` VALUES (1)");
    assert_int_equal(database_execute(&context, "SELECT * FROM `altered`", NULL, 0, &result, ERROR_NONE), OK);
    assert_int_equal(result.column_count, 1);
    beside("ALTER TABLE altered ADD COLUMN b VARCHAR(10) DEFAULT 'x', MODIFY a VARCHAR(10)");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(database_execute(&context, "SELECT * FROM `altered`", NULL, 0, &result, ERROR_NONE), OK);
        assert_int_equal(result.column_count, 2);
        assert_string_equal(result_row(&result, 0)[0].text.data, "1");
        assert_string_equal(result_row(&result, 0)[1].text.data, "x");
    }
    beside("DROP TABLE altered");
    assert_int_equal(outcome_of("SELECT * FROM `altered`"), FAULT);
    assert_int_equal(context.problem.code, ERROR_INTERNAL_ERROR);
    assert_non_null(strstr(logged(), "1146"));
}

static void test_ceiling(void **state)
{
    struct parameter parameter = BIND_TEXT(TEXT("x"));

    (void)state;
    assert_int_equal(database_execute(&context,
                                      "SELECT REPEAT(?, 1000) FROM `information_schema`.`COLUMNS` a,"
                                      " `information_schema`.`COLLATIONS` b LIMIT 100000",
                                      &parameter, 1, NULL, ERROR_NONE),
                     FAULT);
    assert_int_equal(context.problem.code, ERROR_INTERNAL_ERROR);
    assert_non_null(strstr(logged(), "request_memory_limit"));
    arena_reset(context.arena);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2);
    /* Rows of numbers take no texts, but memory all the same. */
    assert_int_equal(outcome_of("SELECT seq, seq, seq, seq FROM seq_1_to_200000"), FAULT);
    assert_non_null(strstr(logged(), "request_memory_limit"));
    arena_reset(context.arena);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2);
}

static void test_packet(void **state)
{
    size_t size = 17 << 20;
    char *bytes = malloc(size);
    struct parameter parameter;

    (void)state;
    memset(bytes, 'x', size);
    parameter = BIND_TEXT(((struct text){bytes, size}));
    assert_int_equal(database_execute(&context, "SELECT LENGTH(?)", &parameter, 1, NULL, ERROR_NONE), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_CONTENT_TOO_LARGE);
    assert_non_null(strstr(context.problem.detail, "16760832")); /* 16 MiB less what is kept for the rest */
    assert_non_null(strstr(logged(), "max_allowed_packet"));
    assert_int_equal(database_value_limit(), 16760832);
    /* Exactly so much fits. */
    parameter = BIND_TEXT(((struct text){bytes, 16760832}));
    assert_int_equal(database_execute(&context, "SELECT LENGTH(?)", &parameter, 1, NULL, ERROR_NONE), OK);
    free(bytes);
}

static void test_session(void **state)
{
    (void)state;
    assert_string_equal(ask_text("SELECT @@time_zone").data, "+00:00");
    assert_non_null(strstr(ask_text("SELECT @@sql_mode").data, "STRICT_ALL_TABLES"));
    assert_string_equal(ask_text("SELECT @@character_set_client").data, "utf8mb4");
    assert_string_equal(ask_text("SELECT @@collation_connection").data, "utf8mb4_nopad_bin");
    assert_string_equal(
        ask_text("SELECT VARIABLE_VALUE FROM information_schema.SESSION_VARIABLES WHERE VARIABLE_NAME IN"
                 " ('TX_ISOLATION', 'TRANSACTION_ISOLATION') LIMIT 1")
            .data,
        "READ-COMMITTED");
    assert_int_equal(ask_integer("SELECT @@innodb_lock_wait_timeout"), 1);
    assert_int_equal(ask_integer("SELECT @@lock_wait_timeout"), 1);
    assert_true(database_is_connected());
    assert_true(database_is_ready(&context));
    assert_int_equal(database_server_variable(&context, "max_prepared_stmt_count"), 16382);
    assert_int_equal(database_server_variable(&context, "nonsense"), -1);
    assert_non_null(strstr(database_server_version(), "MariaDB"));
    database_close();
    assert_false(database_is_connected());
    assert_null(database_server_version());
}

/* ---- Transactions ---- */

struct body {
    int calls;
    int fail_at; /* the call in which something happens */
    enum outcome outcome;
    bool goes_on; /* the body overlooks that a statement failed */
};

static enum outcome body_of_plan(struct context *inner, void *argument)
{
    struct body *body = argument;

    body->calls++;
    if (outcome_of("UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'a'") != OK) {
        return FAULT;
    }
    return body->outcome != OK ? problem_set(inner, ERROR_NOT_FOUND) : OK;
}

static void test_transaction(void **state)
{
    struct body good = {.outcome = OK}, bad = {.outcome = PROBLEM};

    (void)state;
    assert_int_equal(database_transaction(&context, body_of_plan, &good), OK);
    assert_int_equal(ask_integer("SELECT `number` FROM `t` WHERE `id` = 'a'"), 1);
    assert_int_equal(database_transaction(&context, body_of_plan, &bad), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_NOT_FOUND);
    assert_int_equal(ask_integer("SELECT `number` FROM `t` WHERE `id` = 'a'"), 1);
    assert_int_equal(good.calls + bad.calls, 2);
}

static enum outcome body_that_is_killed(struct context *inner, void *argument)
{
    struct body *body = argument;
    char sql[64];

    body->calls++;
    if (outcome_of("UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'a'") != OK) {
        return FAULT;
    }
    if (body->calls <= body->fail_at) {
        snprintf(sql, sizeof sql, "KILL CONNECTION %lld", (long long)ask_integer("SELECT CONNECTION_ID()"));
        beside(sql);
    }
    if (outcome_of("UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'b'") != OK && !body->goes_on) {
        return FAULT;
    }
    (void)inner;
    return OK;
}

static void test_killed_transaction(void **state)
{
    struct body once = {.fail_at = 1}, regardless = {.fail_at = 1, .goes_on = true}, always = {.fail_at = 100};

    (void)state;
    assert_int_equal(database_transaction(&context, body_that_is_killed, &once), OK);
    assert_int_equal(once.calls, 2);
    assert_int_equal(database_transaction(&context, body_that_is_killed, &regardless), OK);
    assert_int_equal(regardless.calls, 2);
    assert_int_equal(ask_integer("SELECT SUM(`number`) DIV 1 FROM `t`"), 4);
    assert_int_equal(context.problem.code, ERROR_NONE);
    logged();
    assert_int_equal(database_transaction(&context, body_that_is_killed, &always), FAULT);
    assert_int_equal(always.calls, 20);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(logged(), "gave up after 20 attempts"));
    assert_int_equal(ask_integer("SELECT SUM(`number`) DIV 1 FROM `t`"), 4);
}

/* Two processes that lock two rows crosswise. */
static bool backwards;

static enum outcome body_crosswise(struct context *inner, void *argument)
{
    const char *first = "UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'a'";
    const char *second = "UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'b'";

    (*(int *)argument)++;
    (void)inner;
    if (outcome_of(backwards ? second : first) != OK) {
        return FAULT;
    }
    private_server_pause(2);
    return outcome_of(backwards ? first : second);
}

static void test_deadlock(void **state)
{
    enum { ROUNDS = 60 };
    int calls = 0, status;
    pid_t child;

    (void)state;
    database_close();
    child = fork();
    if (child == 0) {
        backwards = true;
    }
    for (int i = 0; i < ROUNDS; i++) {
        enum outcome outcome = database_transaction(&context, body_crosswise, &calls);

        if (child == 0 && outcome != OK) {
            _exit(1);
        }
        assert_int_equal(outcome, OK);
    }
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_true(calls >= ROUNDS);
    assert_int_equal(ask_integer("SELECT SUM(`number`) DIV 1 FROM `t`"), 4 * ROUNDS);
    assert_non_null(strstr(logged(), "1213"));
}

/* A lock that another holds: outside and inside a transaction, given up and gone in time. */
static void test_lock_wait(void **state)
{
    struct body body = {.outcome = OK};
    char command[600];
    int64_t started;

    (void)state;
    config.database_read_timeout = 2; /* waits for locks 1 s */
    database_close();
    snprintf(command, sizeof command,
             "mariadb --no-defaults -uroot -S %s roster -e 'BEGIN; UPDATE t SET number = 100; SELECT SLEEP(2.5);"
             " ROLLBACK' >/dev/null 2>&1 &",
             mariadb.socket);
    assert_int_equal(system(command), 0);
    private_server_pause(300);
    started = clock_monotonic_microseconds();
    assert_int_equal(outcome_of("UPDATE `t` SET `number` = 1 WHERE `id` = 'a'"), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(logged(), "1205"));
    assert_int_equal(database_transaction(&context, body_of_plan, &body), FAULT);
    assert_int_equal(context.problem.retry_after_seconds, 1);
    assert_true(clock_monotonic_microseconds() - started < 4000000);
    private_server_pause(600);
    memset(&context.problem, 0, sizeof context.problem);
    assert_int_equal(database_transaction(&context, body_of_plan, &body), OK);
    assert_int_equal(ask_integer("SELECT `number` FROM `t` WHERE `id` = 'a'"), 1);
}

/* A write that may as well not happen waits for no lock, and says nothing. */
static void test_gentle(void **state)
{
    static const char sql[] = DATABASE_NOWAIT "UPDATE `t` SET `number` = ? WHERE `id` = 'a'";
    const struct parameter parameter = BIND_INTEGER(77);
    char command[600];
    int64_t started;

    (void)state;
    execute("UPDATE `t` SET `number` = 1 WHERE `id` = 'a'");
    snprintf(command, sizeof command,
             "mariadb --no-defaults -uroot -S %s roster -e 'BEGIN; UPDATE t SET number = 100; SELECT SLEEP(1.5);"
             " ROLLBACK' >/dev/null 2>&1 &",
             mariadb.socket);
    assert_int_equal(system(command), 0);
    private_server_pause(500);
    logged();
    memset(&context.problem, 0, sizeof context.problem);
    started = clock_monotonic_microseconds();
    for (int i = 0; i < 20; i++) {
        database_try(&context, sql, &parameter, 1);
    }
    assert_true(clock_monotonic_microseconds() - started < 900000);
    assert_int_equal(context.problem.code, ERROR_NONE);
    assert_null(strstr(logged(), "[error]"));
    private_server_pause(1500);
    assert_int_equal(ask_integer("SELECT `number` FROM `t` WHERE `id` = 'a'"), 1);
    database_try(&context, sql, &parameter, 1);
    assert_int_equal(ask_integer("SELECT `number` FROM `t` WHERE `id` = 'a'"), 77);
    assert_int_equal(ask_integer("SELECT @@innodb_lock_wait_timeout"), 1);
}

/* ---- A server that takes no writes ---- */

static enum outcome body_that_is_locked(struct context *inner, void *argument)
{
    struct body *body = argument;

    body->calls++;
    (void)inner;
    if (body->calls == body->fail_at) {
        beside("SET GLOBAL read_only = 1");
    }
    return outcome_of("UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'a'");
}

static void test_read_only(void **state)
{
    struct body body = {.fail_at = 1};
    struct error error;
    struct database_host host;
    int64_t started;

    (void)state;
    beside("CREATE USER IF NOT EXISTS 'plain'@'localhost'; GRANT SELECT, INSERT, UPDATE, DELETE ON roster.* TO "
           "'plain'@'localhost'");
    database_close();
    config.database_user = "plain";
    assert_true(database_is_ready(&context));
    assert_int_equal(database_condition(), DATABASE_PRESENT);
    /* It turns read-only in the middle of a transaction. */
    logged();
    assert_int_equal(database_transaction(&context, body_that_is_locked, &body), FAULT);
    assert_int_equal(body.calls, 1);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_int_equal(context.problem.retry_after_seconds, 1);
    assert_int_equal(database_condition(), DATABASE_READ_ONLY);
    assert_non_null(strstr(logged(), "it is read-only (read_only is ON)"));
    /* Nothing is asked meanwhile, and nobody waits. */
    started = clock_monotonic_microseconds();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(outcome_of("SELECT COUNT(*) FROM `t`"), FAULT);
        assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    }
    assert_true(clock_monotonic_microseconds() - started < 900000);
    assert_false(database_is_ready(&context));
    assert_false(database_is_present(&context));
    database_look_at_host(&context, 0, &host);
    assert_int_equal(host.condition, DATABASE_READ_ONLY);
    assert_non_null(strstr(host.cure, "SET GLOBAL read_only = 0"));
    beside("SET GLOBAL read_only = 0");
    private_server_pause(1050);
    assert_int_equal(database_transaction(&context, body_that_is_locked, &body), OK);
    assert_int_equal(body.calls, 2);
    /* Whoever only reads notices within a second, and the status does, too. */
    beside("SET GLOBAL read_only = 1");
    private_server_pause(1050);
    assert_int_equal(outcome_of("SELECT COUNT(*) FROM `t`"), FAULT);
    beside("SET GLOBAL read_only = 0");
    private_server_pause(1050);
    execute("SELECT COUNT(*) FROM `t`");
    beside("SET GLOBAL read_only = 1");
    private_server_pause(1050);
    assert_false(database_is_present(&context));
    beside("SET GLOBAL read_only = 0");
    private_server_pause(1050);
    assert_true(database_is_ready(&context));
    /* Privileged accounts could write all the same: a replica would differ from its source from then on. */
    database_close();
    config.database_user = "root";
    beside("SET GLOBAL read_only = 1");
    assert_false(database_connect(&context, &error));
    assert_non_null(strstr(error.text, "read_only is ON"));
    beside("SET GLOBAL read_only = 0");
    assert_true(database_connect(&context, &error));
    /* Another option that prevents something is no such thing. */
    logged();
    assert_int_equal(outcome_of("SELECT LOAD_FILE('/etc/hostname') INTO OUTFILE '/tmp/roster-nowhere/x'"), FAULT);
    assert_int_equal(context.problem.code, ERROR_INTERNAL_ERROR);
    assert_true(database_is_connected());
}

/* ---- A connection that goes ---- */

static void test_killed_connection(void **state)
{
    char sql[64];

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(sql, sizeof sql, "KILL CONNECTION %lld", (long long)ask_integer("SELECT CONNECTION_ID()"));
        beside(sql);
        if (i == 0) {
            assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2);
        } else if (i == 1) {
            execute("UPDATE `t` SET `number` = `number` + 1 WHERE `id` = 'b'");
        } else {
            assert_int_equal(database_transaction(&context, body_of_plan, &(struct body){.outcome = OK}), OK);
        }
    }
    assert_int_equal(ask_integer("SELECT SUM(`number`) DIV 1 FROM `t`"), 2);
    /* While a statement runs: a read is repeated, a write is not. */
    snprintf(sql, sizeof sql, "KILL CONNECTION %lld", (long long)ask_integer("SELECT CONNECTION_ID()"));
    if (fork() == 0) {
        private_server_pause(200);
        beside(sql);
        _exit(0);
    }
    execute("SELECT SLEEP(0.5)");
    wait(NULL);
    snprintf(sql, sizeof sql, "KILL CONNECTION %lld", (long long)ask_integer("SELECT CONNECTION_ID()"));
    if (fork() == 0) {
        private_server_pause(200);
        beside(sql);
        _exit(0);
    }
    logged();
    assert_int_equal(outcome_of("UPDATE `t` SET `number` = `number` + SLEEP(0.5) WHERE `id` = 'b'"), FAULT);
    wait(NULL);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(logged(), "whether it was executed is not known"));
}

static void test_restart(void **state)
{
    int64_t started;
    const char *log;

    (void)state;
    ask_integer("SELECT COUNT(*) FROM `t`");
    private_server_stop(&mariadb, SIGTERM);
    started = clock_monotonic_microseconds();
    for (int i = 0; i < 100; i++) {
        memset(&context.problem, 0, sizeof context.problem);
        assert_int_equal(outcome_of("SELECT COUNT(*) FROM `t`"), FAULT);
        assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
        assert_int_equal(context.problem.retry_after_seconds, 1);
        assert_int_equal(database_transaction(&context, body_of_plan, &(struct body){.outcome = OK}), FAULT);
    }
    assert_true(clock_monotonic_microseconds() - started < 500000);
    assert_false(database_is_ready(&context));
    log = logged();
    assert_non_null(strstr(log, "MariaDB is away: "));
    assert_null(strstr(strstr(log, "MariaDB is away: ") + 1, "MariaDB is away: "));
    assert_true(private_mariadb_start(&mariadb));
    private_server_pause(1050);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2);
    assert_non_null(strstr(logged(), "MariaDB is back"));
    /* Gone and back between two statements: nobody notices. */
    private_server_stop(&mariadb, SIGKILL);
    assert_true(private_mariadb_start(&mariadb));
    execute("UPDATE `t` SET `number` = 9 WHERE `id` = 'a'");
    assert_null(strstr(logged(), "[error]"));
}

static void test_frozen(void **state)
{
    int64_t started;

    (void)state;
    config.database_read_timeout = 1;
    config.database_connect_timeout = 1;
    database_close();
    ask_integer("SELECT COUNT(*) FROM `t`");
    private_server_freeze(&mariadb);
    private_server_pause(100); /* it takes effect thread by thread */
    started = clock_monotonic_microseconds();
    assert_int_equal(outcome_of("SELECT COUNT(*) FROM `t`"), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_true(clock_monotonic_microseconds() - started < 2500000);
    kill(mariadb.pid, SIGCONT);
    private_server_pause(1050);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2); /* and not the late answer */
    /* The server gives up on a statement before we give up on the mariadb. */
    config.database_connect_timeout = 2;
    logged();
    assert_int_equal(outcome_of("SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b"), FAULT);
    assert_int_equal(context.problem.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(logged(), "1969"));
    assert_true(database_is_connected());
}

static void test_hosts(void **state)
{
    char dead[64], alive[64];
    const char *hosts[2] = {dead, alive};
    struct error error;
    int held = private_server_bind(0); /* which nobody listens at, nor gets */

    (void)state;
    snprintf(dead, sizeof dead, "127.0.0.1:%d", private_server_port_of(held));
    snprintf(alive, sizeof alive, "127.0.0.1:%d", mariadb.port);
    beside("CREATE USER IF NOT EXISTS 'remote'@'127.0.0.1' IDENTIFIED BY 'the-password'; GRANT ALL ON roster.* TO "
           "'remote'@'127.0.0.1'");
    database_close();
    config.database_user = "remote";
    config.database_password = TEXT("the-password");
    config.database_host = (struct words){hosts, 2};
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `t`"), 2);
    database_close();
    config.database_host = (struct words){hosts, 1};
    assert_false(database_connect(&context, &error));
    assert_non_null(strstr(error.text, dead));
    config.database_host = (struct words){hosts + 1, 1};
    config.database_password = TEXT("wrong-password");
    assert_false(database_connect(&context, &error));
    assert_non_null(strstr(error.text, "1045"));
    assert_null(strstr(error.text, "wrong-password"));
    config.database_host = (struct words){hosts, 2};
    assert_false(database_connect(&context, &error)); /* what is wrong with each, in their order */
    assert_ptr_equal(strstr(error.text, dead), error.text);
    assert_non_null(strstr(error.text, "; 127.0.0.1:"));
    assert_non_null(strstr(error.text, "1045"));
    config.database_host = (struct words){hosts + 1, 1};
    /* A remote server that has no TLS is refused where TLS is asked for. */
    config.database_password = TEXT("the-password");
    config.database_tls_ca = "/etc/ssl/certs/ca-certificates.crt";
    assert_false(database_connect(&context, &error));
    config.database_tls_ca = NULL;
    config.database_user = "root";
    config.database_password = TEXT_NULL;
    config.database_host = (struct words){NULL, 0};
    close(held);
    assert_null(strstr(logged(), "-password"));
}

/* ---- The schema ---- */

static void test_emails(void **state)
{
    (void)state;
    assert_int_equal(add_user("1", "ann@example.org", "Zoé", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(add_user("2", "Ann@Example.org", "x", ERROR_EMAIL_TAKEN), PROBLEM);
    assert_int_equal(add_user("2", "ánn@example.org", "öde", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(add_user("3", "ann@example.org ", "Zz", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(add_user("4", "\xf0\x9f\x98\x80@example.org", "zoe", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(add_user("5", "\xf0\x9f\x98\x81@example.org", "a", ERROR_EMAIL_TAKEN), OK);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `user` WHERE `email_order` LIKE '%ÁNN@EX%'"), 3);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM `user` WHERE `name` LIKE '%ZOE%'"), 2);
    assert_string_equal(ask_text("SELECT GROUP_CONCAT(`id` ORDER BY `name`, `id` SEPARATOR '') FROM `user`").data,
                        "52143");
    assert_string_equal(ask_text("SELECT `profile_image_url` FROM `user` WHERE `id` = '1'").data, "/user.png");
}

/* Documents that nest deeper than the server's own check can follow. */
static void test_json(void **state)
{
    char deep[200];

    (void)state;
    assert_int_equal(add_user("1", "a@example.org", "a", ERROR_NONE), OK);
    for (size_t depth = 1; depth <= 64; depth++) {
        struct parameter parameter;

        snprintf(deep, sizeof deep, "{\"a\":");
        memset(deep + 5, '[', depth - 1);
        memset(deep + 4 + depth, ']', depth - 1);
        strcpy(deep + 3 + 2 * depth, "}");
        if (depth == 1) {
            strcpy(deep, "{}");
        }
        parameter = BIND_TEXT(text_of(deep));
        assert_int_equal(database_execute(&context, "UPDATE `user` SET `info` = ?, `settings` = `info`", &parameter, 1,
                                          NULL, ERROR_NONE),
                         OK);
    }
    assert_string_equal(ask_text("SELECT `settings` FROM `user`").data, deep);
    assert_int_equal(outcome_of("UPDATE `user` SET `info` = '{\"a\":1'"), FAULT);
    assert_non_null(strstr(logged(), "4025"));
}

static void test_cascades(void **state)
{
    static const char *const tables[] = {"auth", "group_member", "api_key", "oauth_session", "chat", "session"};
    char sql[64];

    (void)state;
    assert_int_equal(add_user("1", "a@example.org", "a", ERROR_NONE), OK);
    execute("INSERT INTO `auth` (`id`, `email`, `password`) VALUES ('1', 'a@example.org', 'x')");
    execute("INSERT INTO `group` (`id`, `user_id`, `name`, `created_at`, `updated_at`) VALUES ('g', '1', 'n', 1, 1)");
    execute("INSERT INTO `group_member` (`id`, `group_id`, `user_id`) VALUES ('m', 'g', '1')");
    assert_int_equal(
        outcome_of("INSERT INTO `api_key` (`id`, `user_id`, `key`, `created_at`, `updated_at`) VALUES ('k', "
                   "'1', 'sk-x', 1, 1)"),
        OK);
    execute("INSERT INTO `oauth_session` VALUES ('o', '1', 'p', 't', 1, 1, 1)");
    execute("INSERT INTO `chat` (`id`, `user_id`, `title`, `created_at`, `updated_at`, `share_id`)"
            " VALUES ('c', '1', 't', 1, 1, 's')");
    execute("INSERT INTO `session` (`jti`, `user_id`) VALUES ('j', '1')");
    execute("DELETE FROM `user` WHERE `id` = '1'");
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM `%s`", tables[i]);
        assert_int_equal(ask_integer(sql), 0);
    }
    execute("INSERT INTO `chat` (`id`, `user_id`, `title`, `created_at`, `updated_at`)"
            " VALUES ('s', 'shared-c', 't', 1, 1)"); /* the copy of a shared chat has no owner */
    assert_int_equal(outcome_of("INSERT INTO `chat` (`id`, `user_id`, `title`, `created_at`, `updated_at`)"
                                " VALUES ('d', 'nobody', 't', 1, 1)"),
                     PROBLEM);
    assert_int_equal(context.problem.code, ERROR_USER_NOT_FOUND);
    assert_int_equal(
        outcome_of("INSERT INTO `group_member` (`id`, `group_id`, `user_id`) VALUES ('m', 'nothing', '1')"), PROBLEM);
    assert_int_equal(context.problem.code, ERROR_NOT_FOUND);
    execute("DELETE FROM `chat`");
    execute("DELETE FROM `group`");
}

/* ---- Migrations ---- */

static void write_file(const char *name, const char *text)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof path, "%s/sql/%s", mariadb.directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_migrations(void **state)
{
    char directory[80], path[160], lines[1000] = "";
    struct error error;
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(migration_newest(sql_directory), migration_schema_version(&context));
    assert_true(migration_run(&context, sql_directory, keep_line, lines, &error));
    assert_non_null(strstr(lines, "nothing to do"));
    assert_false(migration_run(&context, "/proc/none", keep_line, lines, &error));
    assert_int_equal(migration_newest("/proc/none"), -1);

    beside("CREATE DATABASE other");
    config.database_name = "other";
    snprintf(directory, sizeof directory, "%s/sql", mariadb.directory);
    mkdir(directory, 0700);
    database_close();
    assert_int_equal(migration_schema_version(&context), 0);
    assert_int_equal(migration_newest(directory), 0);

    /* Two at once: one waits for the other, then has nothing to do. */
    write_file("README", "not SQL");
    write_file("0001_first.sql",
               "-- a; comment\nCREATE TABLE x (a INT) ENGINE=InnoDB;\nDO SLEEP(0.5);\nINSERT INTO x VALUES (1);\n");
    write_file("0002_second.sql", "INSERT INTO x VALUES (2); SELECT * FROM x;\n");
    database_close();
    child = fork();
    lines[0] = '\0';
    if (!migration_run(&context, directory, keep_line, lines, &error)) {
        fprintf(stderr, "%s\n", error.text);
    }
    if (child == 0) {
        _exit(strstr(lines, "applying 0001_first.sql;") != NULL);
    }
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status) + (strstr(lines, "applying 0001_first.sql;") != NULL), 1);
    assert_int_equal(ask_integer("SELECT COUNT(*) FROM x"), 2);
    assert_int_equal(migration_schema_version(&context), 2);

    /* One that fails halfway is not recorded; mended, it is applied. */
    write_file("0003_third.sql", "INSERT INTO x VALUES (3);\nINSERT INTO nowhere VALUES (1);\n");
    lines[0] = '\0';
    assert_false(migration_run(&context, directory, keep_line, lines, &error));
    assert_non_null(strstr(error.text, "0003_third.sql: statement 2: [1146]"));
    assert_int_equal(migration_schema_version(&context), 2);
    write_file("0003_third.sql", "INSERT INTO x VALUES (4);");
    assert_true(migration_run(&context, directory, keep_line, lines, &error));
    assert_int_equal(migration_schema_version(&context), 3);

    write_file("0002_second.sql", "INSERT INTO x VALUES (5);\n");
    assert_false(migration_run(&context, directory, keep_line, lines, &error));
    assert_non_null(strstr(error.text, "0002_second.sql has changed"));
    write_file("0002_second.sql", "INSERT INTO x VALUES (2); SELECT * FROM x;\n");
    write_file("0002_twice.sql", "");
    assert_false(migration_run(&context, directory, keep_line, lines, &error));
    assert_non_null(strstr(error.text, "two files with number 0002"));
    snprintf(path, sizeof path, "%s/0002_twice.sql", directory);
    unlink(path);
    write_file("0005_fifth.sql", "");
    assert_false(migration_run(&context, directory, keep_line, lines, &error));
    assert_non_null(strstr(error.text, "no file with number 0004"));
    assert_int_equal(migration_newest(directory), -1);
    snprintf(path, sizeof path, "%s/0005_fifth.sql", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/0003_third.sql", directory);
    unlink(path);
    assert_false(migration_run(&context, directory, keep_line, lines, &error));
    assert_non_null(strstr(error.text, "made by a newer program than this one, which knows 2"));
    config.database_name = "roster";
    database_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_kinds, fresh),
        cmocka_unit_test_setup(test_lengths, fresh),
        cmocka_unit_test_setup(test_ids, fresh),
        cmocka_unit_test_setup(test_duplicates, fresh),
        cmocka_unit_test_setup(test_values_in_messages, fresh),
        cmocka_unit_test_setup(test_affected_rows, fresh),
        cmocka_unit_test_setup(test_one_row, fresh),
        cmocka_unit_test_setup(test_change_row, fresh),
        cmocka_unit_test_setup(test_list, fresh),
        cmocka_unit_test_setup(test_eviction, fresh),
        cmocka_unit_test_setup(test_too_many_statements, fresh),
        cmocka_unit_test_setup(test_altered_table, fresh),
        cmocka_unit_test_setup(test_ceiling, fresh),
        cmocka_unit_test_setup(test_packet, fresh),
        cmocka_unit_test_setup(test_session, fresh),
        cmocka_unit_test_setup(test_transaction, fresh),
        cmocka_unit_test_setup(test_killed_transaction, fresh),
        cmocka_unit_test_setup(test_deadlock, fresh),
        cmocka_unit_test_setup(test_lock_wait, fresh),
        cmocka_unit_test_setup(test_gentle, fresh),
        cmocka_unit_test_setup(test_read_only, fresh),
        cmocka_unit_test_setup(test_killed_connection, fresh),
        cmocka_unit_test_setup(test_restart, fresh),
        cmocka_unit_test_setup(test_frozen, fresh),
        cmocka_unit_test_setup(test_hosts, fresh),
        cmocka_unit_test_setup(test_emails, fresh),
        cmocka_unit_test_setup(test_json, fresh),
        cmocka_unit_test_setup(test_cascades, fresh),
        cmocka_unit_test_setup(test_migrations, fresh),
    };

    private_server_need("mariadbd");
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("database", tests, set_up, tear_down);
}
