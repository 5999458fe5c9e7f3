/* database_error.c: what an error means. */
#include "store/database_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void database_fail(struct failure *failure, unsigned code, const char *message)
{
    failure->code = code;
    snprintf(failure->message, sizeof failure->message, "%s", message != NULL ? message : "");
}

/* An error while rows are read stands with the connection alone, not with the statement. */
void database_fail_statement(struct failure *failure, MYSQL_STMT *handle)
{
    if (mysql_stmt_errno(handle) != 0) {
        database_fail(failure, mysql_stmt_errno(handle), mysql_stmt_error(handle));
    } else if (mysql_errno(database.mysql) != 0) {
        database_fail(failure, mysql_errno(database.mysql), mysql_error(database.mysql));
    } else {
        database_fail(failure, CR_UNKNOWN_ERROR, "no error was given");
    }
}

enum outcome database_unavailable(struct context *context)
{
    problem_set_fault(context, ERROR_UNAVAILABLE);
    context->problem.retry_after_seconds = 1;
    return FAULT;
}

/* --- What an error means. --- */

bool database_is_conflict(unsigned code)
{
    return code == SERVER_DEADLOCK || code == SERVER_LOCK_WAIT || code == SERVER_SNAPSHOT_CHANGED;
}

/* The connection can't be used any more. */
bool database_is_lost(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR && code != CR_NEW_STMT_METADATA &&
            code != CR_INVALID_PARAMETER_NO && code != CR_NO_PREPARE_STMT && code != CR_UNSUPPORTED_PARAM_TYPE) ||
           code == SERVER_UNKNOWN_COMMAND || code == SERVER_SHUTDOWN || code == SERVER_KILLED || code == SERVER_IDLE ||
           code == SERVER_ERROR_DURING_COMMIT ||
           (code >= SERVER_DISCONNECTED_FIRST && code <= SERVER_DISCONNECTED_LAST);
}

/* The server has not begun with what was sent. */
bool database_is_undone(unsigned code)
{
    return code == CR_SERVER_GONE_ERROR || code == SERVER_UNKNOWN_COMMAND;
}

/* The statement must be prepared again; it was not executed. */
bool database_is_stale(unsigned code)
{
    return code == SERVER_UNKNOWN_STATEMENT || code == SERVER_REPREPARE || code == CR_NEW_STMT_METADATA ||
           code == CR_NO_PREPARE_STMT || code == SERVER_TOO_MANY_STATEMENTS;
}

bool database_is_duplicate(unsigned code)
{
    return code == SERVER_DUPLICATE || code == SERVER_DUPLICATE_WITH_NAME;
}

/* True for errors whose text names tables, columns and keys only, never a value. */
static bool names_no_values(unsigned code)
{
    static const unsigned short codes[] = {1030, 1040, 1044, 1045, 1046, 1048, 1049, 1054, 1064, 1091,
                                           1109, 1142, 1143, 1146, 1176, 1203, 1205, 1213, 1226, 1227,
                                           1264, 1267, 1290, 1364, 1406, 1451, 1452, 1461, 1665, 4025};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR;
}

/* The message for the log: no values. Of a duplicate key only the key's name stays; of others what stands between
 * quotes goes. */
void database_mask_values(struct failure *failure)
{
    char *message = failure->message;
    if (database_is_duplicate(failure->code)) {
        /* Duplicate entry 'VALUE' for key 'NAME': the value may hold anything, so the last one counts. */
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
        /* A value may hold quotes itself: nothing behind the first is shown. */
        snprintf(first, sizeof failure->message - (size_t)(first - message), "…");
    }
}
