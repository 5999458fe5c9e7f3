/* database.c: what is tried again, transactions, and the rest of what database.h promises. */
#include "store/database_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

/* Sleeps for a random time that grows with the attempts: 1 to 4 ms, then up to 64 ms. */
static void wait_a_little(unsigned attempt)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        random = (uint32_t)clock_monotonic_microseconds();
    }
    const uint32_t most_microseconds = 4000u << (attempt < 4 ? attempt : 4);
    const uint32_t microseconds = 1000 + random % most_microseconds;
    const struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Whether there is time left for another attempt at what began at `started`. */
static bool has_time(const struct context *context, int64_t started, unsigned attempt)
{
    const int64_t limit = context->config != NULL ? context->config->database_read_timeout * 1000000 : 15000000;
    return attempt < ATTEMPTS_MOST && clock_monotonic_microseconds() - started < limit / 2;
}

/* Logs a refusal and answers for it. */
static enum outcome refuse(struct context *context, const struct statement *statement, struct failure *failure)
{
    if (failure->code == FAILURE_MEMORY) {
        log_error(context, "a result is larger than request_memory_limit allows; statement: %s", statement->sql);
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
    if (failure->code == FAILURE_TOO_LARGE) {
        log_error(context,
                  "a statement with its values is larger than MariaDB's max_allowed_packet (%zu bytes); statement: %s",
                  database.packet_bytes, statement->sql);
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
    database_mask_values(failure);
    log_error(context, "MariaDB refused with error %u: %s; statement: %s", failure->code, failure->message,
              statement->sql);
    if (failure->code == SERVER_TIMED_OUT || failure->code == SERVER_INTERRUPTED) {
        return database_unavailable(context);
    }
    return problem_set_fault(context, ERROR_INTERNAL_ERROR);
}

/* A failure inside a transaction: what it means for the whole of it. */
static enum outcome fail_transaction(struct context *context, const struct statement *statement,
                                     struct failure *failure)
{
    if (database_is_conflict(failure->code)) {
        log_debug(context, "MariaDB reports a conflict (error %u)", failure->code);
        database.transaction_broken = true;
        database.transaction_retry = true;
        return database_unavailable(context);
    }
    if (database_is_lost(failure->code) || failure->code == FAILURE_AWAY || failure->code == SERVER_UNKNOWN_STATEMENT) {
        /* The server rolls back what was not committed, so it may be done again. */
        if (failure->code != FAILURE_AWAY) {
            database_mask_values(failure);
            log_warning(context, "the connection to MariaDB was lost inside a transaction (error %u: %s)",
                        failure->code, failure->message);
            database_lose_connection(failure->code);
            database.transaction_retry = true;
        }
        database.transaction_broken = true;
        return database_unavailable(context);
    }
    return refuse(context, statement, failure);
}

/* Runs it as often as its errors ask for. */
static enum outcome execute(struct context *context, struct statement *statement, const struct parameter *parameters,
                            size_t parameter_count, struct result *result_r, enum error_code on_duplicate,
                            int64_t started)
{
    const unsigned reconnects_most = context->config != NULL && context->config->database_host.count > 1
                                         ? (unsigned)context->config->database_host.count
                                         : 1;
    unsigned reconnects = 0;
    bool prepared_again = false;
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure;
        failure.code = 0;
        database_run(context, statement, parameters, parameter_count, result_r, &failure);
        if (failure.code == 0) {
            return OK;
        }
        if (database_is_duplicate(failure.code) && on_duplicate != ERROR_NONE) {
            return problem_set(context, on_duplicate);
        }
        if (database_is_stale(failure.code) && !prepared_again &&
            !(database.in_transaction && failure.code == SERVER_UNKNOWN_STATEMENT)) {
            prepared_again = true;
            if (failure.code == SERVER_TOO_MANY_STATEMENTS) {
                log_warning(context, "MariaDB's max_prepared_stmt_count is reached: raise it, or run fewer workers");
                database_close_all_handles();
            } else {
                database_close_handle(statement);
            }
            continue;
        }
        if (database.in_transaction) {
            return fail_transaction(context, statement, &failure);
        }
        if (failure.code == FAILURE_AWAY) {
            return database_unavailable(context);
        }
        if (database_is_conflict(failure.code)) {
            if (has_time(context, started, attempt)) {
                wait_a_little(attempt);
                continue;
            }
            log_error(context, "gave up after %u attempts: MariaDB reports a conflict (error %u); statement: %s",
                      attempt, failure.code, statement->sql);
            return database_unavailable(context);
        }
        if (database_is_lost(failure.code)) {
            database_lose_connection(failure.code);
            if ((statement->is_read || database_is_undone(failure.code)) && reconnects < reconnects_most &&
                has_time(context, started, attempt)) {
                reconnects++;
                continue;
            }
            database_mask_values(&failure);
            log_error(context, "the connection to MariaDB was lost (error %u: %s)%s; statement: %s", failure.code,
                      failure.message,
                      statement->is_read || database_is_undone(failure.code) ? "" : ", and whether it was executed is not known",
                      statement->sql);
            return database_unavailable(context);
        }
        return refuse(context, statement, &failure);
    }
}

enum outcome database_execute(struct context *context, const char *sql, const struct parameter *parameters,
                              size_t parameter_count, struct result *result_r, enum error_code on_duplicate)
{
    if (database.in_transaction && database.transaction_broken) {
        return database_unavailable(context);
    }
    struct statement *statement = database_find_statement(sql);
    const int64_t started = clock_monotonic_microseconds();
    enum outcome outcome =
        execute(context, statement, parameters, parameter_count, result_r, on_duplicate, started);
    context_note_statement(context, statement->sql, clock_monotonic_microseconds() - started);
    return outcome;
}

/* --- Transactions. --- */

/* START TRANSACTION, COMMIT, ROLLBACK. */
static bool command(struct context *context, const char *sql, struct failure *failure)
{
    context->statement_count++;
    const int64_t started = clock_monotonic_microseconds();
    const bool done = mysql_real_query(database.mysql, sql, strlen(sql)) == 0;
    context_note_statement(context, sql, clock_monotonic_microseconds() - started);
    if (!done) {
        database_fail(failure, mysql_errno(database.mysql), mysql_error(database.mysql));
        return false;
    }
    return true;
}

/* Begins on a living connection; a dead one is replaced once. */
static bool begin(struct context *context, struct failure *failure)
{
    for (unsigned attempt = 1;; attempt++) {
        if (!database_ensure_connection(context, failure)) {
            return false;
        }
        if (command(context, "START TRANSACTION", failure)) {
            return true;
        }
        if (!database_is_lost(failure->code) || attempt == 2) {
            return false;
        }
        database_lose_connection(failure->code);
    }
}

/* Commits. Where it fails, transaction_retry says whether nothing of it stands. */
static enum outcome commit(struct context *context)
{
    struct failure failure;
    failure.code = 0;
    if (command(context, "COMMIT", &failure)) {
        return OK;
    }
    database.transaction_broken = true;
    if (database_is_conflict(failure.code)) {
        database.transaction_retry = true;
        return database_unavailable(context);
    }
    database_mask_values(&failure);
    if (database_is_lost(failure.code)) {
        database.transaction_retry = database_is_undone(failure.code);
        database_lose_connection(failure.code);
        log_error(context, "the connection to MariaDB was lost at COMMIT (error %u: %s)%s", failure.code,
                  failure.message, database.transaction_retry ? "" : ": whether it was executed is not known");
        return database_unavailable(context);
    }
    log_error(context, "MariaDB refused to commit with error %u: %s", failure.code, failure.message);
    return problem_set_fault(context, ERROR_INTERNAL_ERROR);
}

static void roll_back(struct context *context)
{
    struct failure failure;
    failure.code = 0;
    /* Whatever goes wrong here, closing the connection rolls back as well. */
    if (database.mysql != NULL && !command(context, "ROLLBACK", &failure)) {
        database_lose_connection(failure.code);
    }
}

enum outcome database_transaction(struct context *context, enum outcome (*body)(struct context *, void *),
                                  void *argument)
{
    invariant(!database.in_transaction);
    const struct problem problem = context->problem;
    const int64_t started = clock_monotonic_microseconds();
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure;
        failure.code = 0;
        if (!begin(context, &failure)) {
            if (failure.code != FAILURE_AWAY) {
                database_mask_values(&failure);
                log_error(context, "MariaDB refused a transaction with error %u: %s", failure.code, failure.message);
                database_lose_connection(failure.code);
            }
            return database_unavailable(context);
        }
        database.in_transaction = true;
        database.transaction_broken = false;
        database.transaction_retry = false;
        enum outcome outcome = body(context, argument);
        if (database.transaction_broken && outcome == OK) {
            outcome = database_unavailable(context); /* the body went on regardless */
        }
        if (outcome == OK) {
            outcome = commit(context);
        }
        if (outcome != OK) {
            roll_back(context);
        }
        database.in_transaction = false;
        const bool retry = database.transaction_broken && database.transaction_retry;
        if (outcome == OK || !retry) {
            return outcome;
        }
        if (!has_time(context, started, attempt)) {
            log_error(context,
                      "gave up after %u attempts: the transaction met a conflict, or lost its connection, each time",
                      attempt);
            return database_unavailable(context);
        }
        context->problem = problem;
        wait_a_little(attempt);
    }
}

/* --- The rest. --- */

bool database_is_connected(void)
{
    return database.mysql != NULL;
}

bool database_is_present(struct context *context)
{
    struct failure failure;
    failure.code = 0;
    return database_ensure_connection(context, &failure);
}

bool database_is_ready(struct context *context)
{
    const struct problem problem = context->problem;
    struct result result;
    bool ready = database_execute(context, "SELECT `id` FROM `user` LIMIT 1", NULL, 0, &result, ERROR_NONE) == OK;
    context->problem = problem;
    return ready;
}

int64_t database_server_variable(struct context *context, const char *name)
{
    const struct problem problem = context->problem;
    const struct parameter parameter = BIND_TEXT(text_of(name));
    struct result result;
    int64_t number = -1;
    enum outcome outcome = database_execute(
        context, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = ?", &parameter,
        1, &result, ERROR_NONE);
    if (outcome != OK || result.row_count == 0 || !text_to_integer(result_row(&result, 0)[0].text, &number)) {
        number = -1;
    }
    context->problem = problem;
    return number;
}

const char *database_server_version(void)
{
    return database.version;
}

const char *database_run_script(struct context *context, const char *sql)
{
    struct failure failure;
    failure.code = 0;
    if (!database_ensure_connection(context, &failure)) {
        return text_format(context->arena, "MariaDB is away: %s", failure.message).data;
    }
    MYSQL *mysql = database.mysql;
    unsigned number = 1;
    int more = 0;
    if (mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0 ||
        mysql_real_query(mysql, sql, strlen(sql)) != 0) {
        more = 1;
    }
    while (more == 0) {
        MYSQL_RES *result = mysql_store_result(mysql);
        if (result != NULL) {
            mysql_free_result(result);
        } else if (mysql_errno(mysql) != 0) {
            more = 1;
            break;
        }
        more = mysql_next_result(mysql); /* -1: that was the last */
        number++;
    }
    context->statement_count += number;
    const char *error = NULL;
    if (more > 0) {
        failure.code = mysql_errno(mysql);
        error = text_format(context->arena, "statement %u: [%u] %s", number, failure.code, mysql_error(mysql)).data;
    }
    if (database_is_lost(failure.code) || mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0) {
        database_close_connection();
    }
    return error;
}

void database_close(void)
{
    database_close_connection();
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        while (database.buckets[bucket] != NULL) {
            database_forget_statement(database.buckets[bucket]);
        }
    }
    free(database.rows);
    memset(&database, 0, sizeof database);
}
