/* database_error.c: classifies errors. */
#include "base/array.h"
#include "base/problem.h"
#include "store/database_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What an error means ---- */

/* Finds the system's error number in a message of the server: `errno: 28 "No space left on device"`, `error 28`,
 * `Errcode: 28`. */
static bool names_errno(const char *message, const int *numbers, size_t count)
{
    static const char *const words[] = {"errno: ", "error ", "Errcode: "};
    for (size_t word = 0; word < ARRAY_COUNT(words); word++) {
        const char *at = strstr(message, words[word]);
        for (size_t i = 0; at != NULL && i < count; i++) {
            char *end;
            if (strtol(at + strlen(words[word]), &end, 10) == numbers[i] && end != at + strlen(words[word])) {
                return true;
            }
        }
    }
    return false;
}

/* Only for errors whose message contains no value: a client could put the words into a name. */
static bool is_full(unsigned code, const char *message)
{
    static const int full[] = {ENOSPC, EDQUOT};
    switch (code) {
    case SERVER_FILE_DISK_FULL:
    case SERVER_DISK_FULL:
    case SERVER_TABLE_FULL:
        return true;
    case SERVER_INDEX_CORRUPT: /* of a temporary table: the disk was full */
        return strstr(message, "#sql") != NULL;
    case SERVER_FILE_CREATE:
    case SERVER_FILE_WRITE:
    case SERVER_WRITE:
    case SERVER_ENGINE:
    case SERVER_ERROR_DURING_COMMIT:
    case SERVER_NO_BINARY_LOG:
        return names_errno(message, full, ARRAY_COUNT(full));
    default:
        return false;
    }
}

/* 1290 is used for many options of the server; the message names the option. */
static bool is_read_only(unsigned code, const char *message)
{
    static const int read_only[] = {EROFS};
    switch (code) {
    case SERVER_TABLE_READ_ONLY:
    case SERVER_READ_LOCKED:
    case SERVER_READ_ONLY_TRANSACTION:
    case SERVER_READ_ONLY_MODE:
    case SERVER_ENGINE_READ_ONLY:
    case SERVER_FORCED_RECOVERY:
        return true;
    case SERVER_OPTION_PREVENTS:
        return strstr(message, "read-only") != NULL || strstr(message, "read_only") != NULL;
    case SERVER_FILE_CREATE:
    case SERVER_FILE_WRITE:
    case SERVER_WRITE:
    case SERVER_ENGINE:
    case SERVER_ERROR_DURING_COMMIT:
        return names_errno(message, read_only, 1);
    default:
        return false;
    }
}

static bool is_lost(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
           (code >= SERVER_DISCONNECTED_FIRST && code <= SERVER_DISCONNECTED_LAST) || code == SERVER_UNKNOWN_COMMAND ||
           code == SERVER_SHUTDOWN || code == SERVER_KILLED || code == SERVER_IDLE ||
           code == SERVER_ERROR_DURING_COMMIT;
}

static enum failure_kind kind_of(unsigned code, const char *message)
{
    if (is_full(code, message)) {
        return FAILURE_FULL;
    }
    if (is_read_only(code, message)) {
        return FAILURE_READ_ONLY;
    }
    switch (code) {
    case SERVER_DEADLOCK:
    case SERVER_SNAPSHOT_CHANGED:
        return FAILURE_CONFLICT;
    case SERVER_LOCK_WAIT:
        return FAILURE_LOCK_WAIT;
    case SERVER_UNKNOWN_STATEMENT:
    case SERVER_REPREPARE:
    case SERVER_TOO_MANY_STATEMENTS:
    case CR_NEW_STMT_METADATA:
    case CR_NO_PREPARE_STMT:
        return FAILURE_STALE;
    case SERVER_DUPLICATE:
    case SERVER_DUPLICATE_WITH_NAME:
        return FAILURE_DUPLICATE;
    case SERVER_NO_PARENT:
    case SERVER_NO_PARENT_WITH_NAME:
        return FAILURE_ORPHAN;
    case SERVER_PACKET_TOO_LARGE:
        return FAILURE_TOO_LARGE;
    case SERVER_INTERRUPTED:
    case SERVER_TIMED_OUT:
    case SERVER_USER_LIMIT:
    case SERVER_TOO_MANY_CONNECTIONS:
    case SERVER_TOO_MANY_USER_CONNECTIONS:
        return FAILURE_BUSY;
    case CR_INVALID_PARAMETER_NO:
    case CR_UNSUPPORTED_PARAM_TYPE:
        return FAILURE_OTHER;
    default:
        return is_lost(code) ? FAILURE_LOST : FAILURE_OTHER;
    }
}

void database_fail(struct failure *failure, unsigned code, const char *message)
{
    failure->code = code;
    snprintf(failure->message, sizeof failure->message, "%s", message != NULL ? message : "");
    failure->kind = kind_of(code, failure->message);
}

void database_fail_own(struct failure *failure, enum failure_kind kind, const char *message)
{
    failure->code = 0;
    failure->kind = kind;
    snprintf(failure->message, sizeof failure->message, "%s", message != NULL ? message : "");
}

/* An error while rows are read is stored in the connection, not in the statement. */
void database_fail_statement(struct failure *failure, MYSQL_STMT *handle)
{
    if (mysql_stmt_errno(handle) != 0) {
        database_fail(failure, mysql_stmt_errno(handle), mysql_stmt_error(handle));
    } else if (handle->mysql != NULL && mysql_errno(handle->mysql) != 0) {
        database_fail(failure, mysql_errno(handle->mysql), mysql_error(handle->mysql));
    } else {
        database_fail(failure, CR_UNKNOWN_ERROR, "no error was given");
    }
}

enum outcome database_unavailable(struct context *context)
{
    return problem_set_unavailable(context);
}

/* The server closes the connection after a packet that is too large. */
bool database_is_lost(const struct failure *failure)
{
    return failure->kind == FAILURE_LOST || failure->kind == FAILURE_READ_ONLY ||
           failure->code == SERVER_PACKET_TOO_LARGE || failure->code == SERVER_ERROR_DURING_COMMIT;
}

/* A read-only server has not executed the write, and rolls back a transaction that it refuses to commit. */
bool database_is_undone(const struct failure *failure)
{
    return failure->kind == FAILURE_READ_ONLY || failure->code == CR_SERVER_GONE_ERROR ||
           failure->code == SERVER_UNKNOWN_COMMAND;
}

/* Whether the message of an error contains only names of tables, columns and keys, never a value. */
static bool names_no_values(unsigned code)
{
    static const unsigned short codes[] = {1,    3,    20,   1021, 1026, 1030, 1034, 1036, 1040, 1044, 1045, 1046,
                                           1048, 1049, 1054, 1064, 1091, 1109, 1114, 1142, 1143, 1146, 1153, 1176,
                                           1180, 1203, 1205, 1213, 1216, 1223, 1226, 1227, 1264, 1267, 1290, 1364,
                                           1406, 1451, 1452, 1461, 1598, 1665, 1792, 1836, 1874, 1881, 4025};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR;
}

/* The message for the log, without values. For a duplicate key, only the name of the key stays; from others, quoted
 * texts are removed. */
void database_mask_values(struct failure *failure)
{
    char *message = failure->message;
    if (failure->kind == FAILURE_DUPLICATE) {
        /* Duplicate entry 'VALUE' for key 'NAME': the value may contain anything, so take the last quoted text. */
        const char *key = NULL;
        for (const char *at = message; (at = strstr(at, "for key ")) != NULL; at++) {
            key = at;
        }
        char name[160] = "a key";
        if (key != NULL && strlen(key) < 120) {
            snprintf(name, sizeof name, "%s", key + 4);
        }
        snprintf(message, sizeof failure->message, "Duplicate entry for %s", name);
        return;
    }
    if (names_no_values(failure->code)) {
        return;
    }
    char *first = strpbrk(message, "'\"`(");
    if (first != NULL) {
        /* A value may contain quotes: remove everything after the first one. */
        snprintf(first, sizeof failure->message - (size_t)(first - message), "…");
    }
}
