/* test_database_error.c: what each of MariaDB's errors means, with the messages that the server sends. */
#include <string.h>

#include "base/array.h"
#include "store/database_internal.h"
#include "unit.h"

struct example {
    unsigned code;
    const char *message;
    enum failure_kind kind;
    bool is_lost, is_undone;
};

static const struct example examples[] = {
    /* It takes no writes. */
    {1290, "The MariaDB server is running with the --read-only option so it cannot execute this statement",
     FAILURE_READ_ONLY, true, true},
    {1290, "The MariaDB server is running with the --super-read-only option so it cannot execute this statement",
     FAILURE_READ_ONLY, true, true},
    {1290, "The MariaDB server is running with the read_only=NO_LOCK option so it cannot execute this statement",
     FAILURE_READ_ONLY, true, true},
    {1792, "Cannot execute statement in a READ ONLY transaction", FAILURE_READ_ONLY, true, true},
    {1836, "Running in read-only mode", FAILURE_READ_ONLY, true, true},
    {1036, "Table 'user' is read only", FAILURE_READ_ONLY, true, true},
    {1223, "Can't execute the query because you have a conflicting read lock", FAILURE_READ_ONLY, true, true},
    {1874, "InnoDB is in read only mode", FAILURE_READ_ONLY, true, true},
    {1881, "Operation not allowed when innodb_force_recovery > 0", FAILURE_READ_ONLY, true, true},
    {1030, "Got error 30 \"Read-only file system\" from storage engine InnoDB", FAILURE_READ_ONLY, true, true},
    /* Other options are named by the same number. */
    {1290, "The MariaDB server is running with the --secure-file-priv option so it cannot execute this statement",
     FAILURE_OTHER, false, false},
    {1290, "The MariaDB server is running with the --skip-grant-tables option so it cannot execute this statement",
     FAILURE_OTHER, false, false},
    /* Galera without quorum. */
    {1047, "WSREP has not yet prepared node for application use", FAILURE_LOST, true, true},
    {1180, "Got error 6 \"No such device or address\" during COMMIT", FAILURE_LOST, true, false},
    /* The disk. */
    {1021,
     "Disk full (/tmp/#sql-temptable-1-2-3.MAI); waiting for someone to free some space... (errno: 28 \"No space "
     "left on device\")",
     FAILURE_FULL, false, false},
    {1114, "The table 'picture' is full", FAILURE_FULL, false, false},
    {1026, "Error writing file './roster/x' (errno: 28 \"No space left on device\")", FAILURE_FULL, false, false},
    {1030, "Got error 28 \"No space left on device\" from storage engine Aria", FAILURE_FULL, false, false},
    {1030, "Got error 122 \"Disk quota exceeded\" from storage engine InnoDB", FAILURE_FULL, false, false},
    {3, "Error writing file '/tmp/MLfd=43' (Errcode: 28 \"No space left on device\")", FAILURE_FULL, false, false},
    {1, "Can't create/write to file '/tmp/#sql-x.MAI' (Errcode: 28 \"No space left on device\")", FAILURE_FULL, false,
     false},
    {20,
     "Disk is full writing '/tmp/x' (Errcode: 28 \"No space left on device\"). Waiting for someone to free space...",
     FAILURE_FULL, false, false},
    {1034, "Index for table '/tmp/#sql-temptable-5-8-2.MAI' is corrupt; try to repair it", FAILURE_FULL, false, false},
    {1180, "Got error 28 \"No space left on device\" during COMMIT", FAILURE_FULL, true, false},
    {1598, "Binary logging not possible. Message: Either disk is full, error 28", FAILURE_FULL, false, false},
    /* Of the same numbers, but something else. */
    {1034, "Index for table 'user' is corrupt; try to repair it", FAILURE_OTHER, false, false},
    {1030, "Got error 127 \"Record file is crashed\" from storage engine Aria", FAILURE_OTHER, false, false},
    {1030, "Got error 280 \"x\" from storage engine InnoDB", FAILURE_OTHER, false, false},
    {3, "Error writing file '/tmp/x' (Errcode: 5 \"Input/output error\")", FAILURE_OTHER, false, false},
    {2, "x", FAILURE_OTHER, false, false},
    /* Anybody may write such words into a name. */
    {1062, "Duplicate entry 'errno: 28 read-only' for key 'PRIMARY'", FAILURE_DUPLICATE, false, false},
    {1644, "errno: 28 --read-only", FAILURE_OTHER, false, false},
    /* Locks. */
    {1205, "Lock wait timeout exceeded; try restarting transaction", FAILURE_LOCK_WAIT, false, false},
    {1213, "Deadlock found when trying to get lock; try restarting transaction", FAILURE_CONFLICT, false, false},
    {1020, "Record has changed since last read in table 'user'", FAILURE_CONFLICT, false, false},
    /* Deleted meanwhile. */
    {1452, "Cannot add or update a child row: a foreign key constraint fails (`roster`.`chat`, …)", FAILURE_ORPHAN,
     false, false},
    {1216, "Cannot add or update a child row: a foreign key constraint fails", FAILURE_ORPHAN, false, false},
    /* The connection. */
    {2006, "Server has gone away", FAILURE_LOST, true, true},
    {2013, "Lost connection to server during query", FAILURE_LOST, true, false},
    {1927, "Connection was killed", FAILURE_LOST, true, false},
    {1053, "Server shutdown in progress", FAILURE_LOST, true, false},
    {4031, "The client was disconnected by the server because of inactivity", FAILURE_LOST, true, false},
    {1153, "Got a packet bigger than 'max_allowed_packet' bytes", FAILURE_TOO_LARGE, true, false},
    {1243, "Unknown prepared statement handler (5) given to EXECUTE", FAILURE_STALE, false, false},
    /* Not now. */
    {1317, "Query execution was interrupted", FAILURE_BUSY, false, false},
    {1969, "Query execution was interrupted (max_statement_time exceeded)", FAILURE_BUSY, false, false},
    {1226, "User 'roster' has exceeded the 'max_updates_per_hour' resource", FAILURE_BUSY, false, false},
    {1146, "Table 'roster.user' doesn't exist", FAILURE_OTHER, false, false},
    {1142, "UPDATE command denied to user 'roster'@'localhost' for table `roster`.`user`", FAILURE_OTHER, false, false},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        const struct example *example = &examples[i];
        struct failure failure;
        database_fail(&failure, example->code, example->message);
        if (failure.kind != example->kind || database_is_lost(&failure) != example->is_lost ||
            database_is_undone(&failure) != example->is_undone) {
            fail_msg("%u %s: kind %d, lost %d, undone %d", example->code, example->message, (int)failure.kind,
                     database_is_lost(&failure), database_is_undone(&failure));
        }
        /* What is kept for the log holds no value; but what helps stays. */
        database_mask_values(&failure);
        assert_null(strstr(failure.message, "Duplicate entry 'errno"));
        if (failure.kind == FAILURE_FULL || failure.kind == FAILURE_READ_ONLY) {
            assert_string_equal(failure.message, example->message);
        }
    }
}

/* Numbers of our own are none of the server's: 1 and 3 are errors of its files. */
static void test_own(void **state)
{
    struct failure failure;
    (void)state;
    database_fail_own(&failure, FAILURE_TOO_LARGE, "");
    assert_int_equal(failure.code, 0);
    assert_int_equal(failure.kind, FAILURE_TOO_LARGE);
    assert_false(database_is_lost(&failure));
    database_fail_own(&failure, FAILURE_AWAY, "x");
    assert_false(database_is_undone(&failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_own)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("database_error", tests, NULL, NULL);
}
