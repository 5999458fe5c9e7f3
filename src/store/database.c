/* database.c: retries, transactions, and the other functions of database.h. */
#include "base/problem.h"
#include "store/database_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

/* Sleeps for a random time that increases with the attempts: 1 to 4 ms, then up to 64 ms. */
static void wait_a_little(unsigned attempt)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        random = (uint32_t)clock_monotonic_microseconds();
    }
    const uint32_t max_microseconds = 4000u << (attempt < 4 ? attempt : 4);
    const uint32_t microseconds = 1000 + random % max_microseconds;
    const struct timespec time = {0, (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Whether there is time for another attempt since `started`. */
static bool has_time(const struct context *context, int64_t started, unsigned attempt)
{
    const int64_t timeout = context->config != NULL ? context->config->database_read_timeout : PATIENT_SECONDS;
    const int64_t limit = timeout > PATIENT_SECONDS               ? timeout * 500000
                          : timeout * 500000 < RETRY_MICROSECONDS ? timeout * 500000
                                                                  : RETRY_MICROSECONDS;
    return attempt < ATTEMPTS_MAX && clock_monotonic_microseconds() - started < limit;
}

/* The row that a new one refers to was deleted: the statement had waited for the deletion. */
static enum outcome find_nobody(struct context *context, const struct failure *failure)
{
    const char *references = strstr(failure->message, "REFERENCES `");
    log_info(context, "the row that a new row refers to was deleted meanwhile (error %u)", failure->code);
    return problem_set(context, references != NULL && strncmp(references + 12, "group`", 6) == 0
                                    ? ERROR_NOT_FOUND
                                    : ERROR_USER_NOT_FOUND);
}

static enum outcome refuse_large(struct context *context, const struct statement *statement)
{
    static int64_t last_logged;
    if (log_due(&last_logged, AWAY_LOG_SECONDS)) {
        log_error(context,
                  "a statement with its values is larger than MariaDB's max_allowed_packet (%zu bytes): increase it on "
                  "the server "
                  "to more than request_body_limit and picture_size_limit; statement: %s",
                  database.packet_bytes, statement->sql);
    }
    return problem_set_detail(context, ERROR_CONTENT_TOO_LARGE, 0,
                              text_format(context->arena,
                                          "This is larger than the database takes: all of it may have some %" PRId64
                                          " bytes.",
                                          database_value_limit())
                                  .data);
}

/* Logs an error, and sets the problem. */
static enum outcome refuse(struct context *context, const struct statement *statement, struct failure *failure)
{
    switch (failure->kind) {
    case FAILURE_MEMORY:
        log_error(context, "a result exceeds request_memory_limit; statement: %s", statement->sql);
        return problem_set_fault(context, ERROR_INTERNAL_ERROR);
    case FAILURE_TOO_LARGE:
        return refuse_large(context, statement);
    case FAILURE_ORPHAN:
        return find_nobody(context, failure);
    case FAILURE_FULL:
        database_note_full(context, failure);
        return database_unavailable(context);
    case FAILURE_LOCK_WAIT:
        if (database.is_gentle) {
            database.was_locked = true;
            log_debug(context, "skipped, since another transaction holds a lock: %s", statement->sql);
        } else {
            log_error(context,
                      "gave up waiting for a lock (error %u): another transaction holds it, see "
                      "information_schema.INNODB_TRX; statement: %s",
                      failure->code, statement->sql);
        }
        return database_unavailable(context);
    case FAILURE_BUSY:
        if (database.is_gentle) {
            log_debug(context, "skipped, since it took too long: %s", statement->sql);
            return database_unavailable(context);
        }
        /* fall through */
    default:
        database_mask_values(failure);
        log_error(context, "MariaDB refused with error %u: %s; statement: %s", failure->code, failure->message,
                  statement->sql);
        return failure->kind == FAILURE_BUSY ? database_unavailable(context)
                                             : problem_set_fault(context, ERROR_INTERNAL_ERROR);
    }
}

/* Handles a failure inside a transaction: whether the transaction can go on, or be retried. */
static enum outcome fail_transaction(struct context *context, const struct statement *statement,
                                     struct failure *failure)
{
    if (failure->kind == FAILURE_CONFLICT) {
        log_debug(context, "MariaDB reports a conflict (error %u)", failure->code);
        database.transaction_broken = true;
        database.transaction_retry = true;
        return database_unavailable(context);
    }
    if (failure->kind == FAILURE_AWAY) {
        database.transaction_broken = true;
        return database_unavailable(context);
    }
    if (database_is_lost(failure) || failure->code == SERVER_UNKNOWN_STATEMENT) {
        /* The server rolls back uncommitted changes, so the transaction may be retried. */
        const bool is_refused = failure->kind == FAILURE_TOO_LARGE || failure->kind == FAILURE_FULL;
        const enum outcome outcome = is_refused ? refuse(context, statement, failure) : database_unavailable(context);
        if (!is_refused) {
            database_mask_values(failure);
            log_warning(context, "the connection to MariaDB was closed inside a transaction (error %u: %s)",
                        failure->code, failure->message);
        }
        database_lose_connection(failure);
        database.transaction_retry = !is_refused;
        database.transaction_broken = true;
        return outcome;
    }
    /* The server has rolled back this statement only. The body may go on; but it must not wait for the same lock
     * again. */
    if (failure->kind == FAILURE_LOCK_WAIT || failure->kind == FAILURE_FULL) {
        database.transaction_broken = true;
    }
    return refuse(context, statement, failure);
}

/* Outside a transaction: the connection was lost. True: the statement may be sent over another one. */
static bool may_repeat(const struct statement *statement, const struct failure *failure)
{
    return statement->is_read || database_is_undone(failure);
}

static enum outcome give_up_connection(struct context *context, const struct statement *statement,
                                       struct failure *failure)
{
    database.is_unknown = !may_repeat(statement, failure);
    if (failure->kind == FAILURE_TOO_LARGE || failure->kind == FAILURE_FULL) {
        return refuse(context, statement, failure);
    }
    database_mask_values(failure);
    log_write(context, database.is_unknown && database.tells_unknown ? LOG_SEVERITY_INFO : LOG_SEVERITY_ERROR,
              "the connection to MariaDB was lost (error %u: %s)%s; statement: %s", failure->code, failure->message,
              database.is_unknown ? ", and whether it was executed is not known" : "", statement->sql);
    return database_unavailable(context);
}

/* Runs a statement, with retries. */
static enum outcome execute(struct context *context, struct statement *statement, const struct parameter *parameters,
                            size_t parameter_count, struct result *result_r, enum error_code on_duplicate,
                            int64_t started)
{
    /* one for each host, and one for a connection that was closed while it was idle */
    const unsigned reconnects_max = context->config != NULL ? (unsigned)database_host_count(context->config) + 1 : 2;
    unsigned reconnects = 0;
    bool prepared_again = false;
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure;
        failure.kind = FAILURE_NONE;
        database_run(context, statement, parameters, parameter_count, result_r, &failure);
        if (failure.kind == FAILURE_NONE) {
            return OK;
        }
        if (failure.kind == FAILURE_DUPLICATE && on_duplicate != ERROR_NONE) {
            return problem_set(context, on_duplicate);
        }
        if (failure.kind == FAILURE_STALE && !prepared_again &&
            !(database.in_transaction && failure.code == SERVER_UNKNOWN_STATEMENT)) {
            prepared_again = true;
            if (failure.code == SERVER_TOO_MANY_STATEMENTS) {
                log_warning(context, "MariaDB's max_prepared_stmt_count is reached: increase it, or run fewer workers");
                database_close_all_handles();
            } else {
                database_close_handle(statement);
            }
            continue;
        }
        if (database.in_transaction) {
            return fail_transaction(context, statement, &failure);
        }
        if (failure.kind == FAILURE_AWAY) {
            return database_unavailable(context);
        }
        if (failure.kind == FAILURE_CONFLICT) {
            if (has_time(context, started, attempt)) {
                wait_a_little(attempt);
                continue;
            }
            log_error(context, "gave up after %u attempts: MariaDB reports a conflict (error %u); statement: %s",
                      attempt, failure.code, statement->sql);
            return database_unavailable(context);
        }
        if (database_is_lost(&failure)) {
            database_lose_connection(&failure);
            const bool is_begun = database.sink != NULL && database.sink->rows > 0; /* `each` has already seen rows */
            if (may_repeat(statement, &failure) && !is_begun && reconnects < reconnects_max &&
                has_time(context, started, attempt)) {
                reconnects++;
                continue;
            }
            database.tells_unknown = database.tells_unknown && has_time(context, started, attempt);
            return give_up_connection(context, statement, &failure);
        }
        return refuse(context, statement, &failure);
    }
}

/* After a write, if no client requests /ready: see database_is_ready. */
static void note_write(struct context *context)
{
    if (database_is_full()) {
        database_look_for_room(context);
    }
}

/* ---- Whom a write concerns ---- */

static uint64_t connection_number(void)
{
    return database.mysql != NULL ? mysql_thread_id(database.mysql) : 0;
}

void database_concern_list(const struct text *names, size_t count)
{
    invariant(count <= CONCERNS_MAX);
    if (database.in_transaction) { /* database_transaction_joined */
        for (size_t i = 0; i < count; i++) {
            invariant(names[i].data != NULL);
        }
        version_words_more(names, count, connection_number());
        return;
    }
    database.concern = (struct database_concern){.is_set = true};
    for (size_t i = 0; i < count; i++) {
        if (names[i].data != NULL) {
            database.concern.names[database.concern.count++] = names[i];
        }
    }
    if (database.concern.count == 0) {
        database.concern.is_set = false; /* nobody is named: everybody */
    }
}

void database_concerns_nobody(void)
{
    invariant(!database.in_transaction);
    database.concern = (struct database_concern){.is_set = true};
}

bool database_in_transaction(void)
{
    return database.in_transaction;
}

static void begin_write(struct context *context)
{
    const struct database_concern *concern = &database.concern;
    context->prefetch = NULL; /* it was read before */
    database.is_unknown = false;
    database.is_writing = true;
    if (!concern->is_set || concern->count > 0) {
        version_words_begin(concern->names, concern->count, connection_number());
    }
    database.concern.is_set = false;
}

/* What a statement tells by itself, in a transaction or outside one. */
static void add_concerns(const struct statement *statement)
{
    const struct text names[STATEMENT_CONCERNS] = {[CONCERNS_GROUPS] = VERSION_GROUPS,
                                                   [CONCERNS_SETTINGS] = VERSION_SETTINGS,
                                                   [CONCERNS_ADDRESSES] = VERSION_ADDRESSES};
    for (size_t i = 0; i < STATEMENT_CONCERNS; i++) {
        version_words_more(&names[i], statement->concerns[i] ? 1 : 0, connection_number());
    }
}

static void end_write(void)
{
    version_words_end(!database.is_unknown);
    database.is_writing = false;
}

enum outcome database_execute(struct context *context, const char *sql, const struct parameter *parameters,
                              size_t parameter_count, struct result *result_r, enum error_code on_duplicate)
{
    if (database.in_transaction && database.transaction_broken) {
        return database_unavailable(context);
    }
    invariant(database.sink == NULL || !database.sink->is_busy);
    struct statement *statement = database_find_statement(sql);
    const int64_t started = clock_monotonic_microseconds();
    const bool is_write = !statement->is_read && !database.in_transaction;
    if (is_write) {
        begin_write(context);
    }
    add_concerns(statement);
    enum outcome outcome = execute(context, statement, parameters, parameter_count, result_r, on_duplicate, started);
    if (is_write) {
        end_write();
    }
    database.concern.is_set = false;
    context_note_statement(context, statement->sql, clock_monotonic_microseconds() - started);
    if (outcome == OK && !statement->is_read && !database.in_transaction) {
        note_write(context);
    }
    return outcome;
}

enum outcome database_execute_once(struct context *context, const char *sql, const struct parameter *parameters,
                                   size_t parameter_count, struct result *result_r, bool *is_unknown_r)
{
    const struct problem problem = context->problem;
    invariant(!database.in_transaction);
    database.tells_unknown = true;
    enum outcome outcome = database_execute(context, sql, parameters, parameter_count, result_r, ERROR_NONE);
    *is_unknown_r = outcome != OK && database.is_unknown && database.tells_unknown;
    database.tells_unknown = false;
    if (*is_unknown_r) {
        context->problem = problem;
    }
    return outcome;
}

enum outcome database_get_row(struct context *context, const char *sql, const struct parameter *parameters,
                              size_t parameter_count, const struct value **row_r, enum error_code on_none)
{
    struct result result;
    *row_r = NULL;
    enum outcome outcome = database_execute(context, sql, parameters, parameter_count, &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    if (result.row_count > 0) {
        *row_r = result_row(&result, 0);
        return OK;
    }
    return on_none != ERROR_NONE ? problem_set(context, on_none) : OK;
}

enum outcome database_get_text(struct context *context, const char *sql, const struct parameter *parameters,
                               size_t parameter_count, struct text *text_r, enum error_code on_none)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context, sql, parameters, parameter_count, &row, on_none);
    *text_r = row != NULL ? row[0].text : TEXT_NULL;
    return outcome;
}

enum outcome database_get_integer(struct context *context, const char *sql, const struct parameter *parameters,
                                  size_t parameter_count, int64_t absent, int64_t *integer_r)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context, sql, parameters, parameter_count, &row, ERROR_NONE);
    *integer_r = row != NULL ? value_integer(&row[0], absent) : absent;
    return outcome;
}

enum outcome database_find_row(struct context *context, const char *sql, const struct parameter *parameters,
                               size_t parameter_count, bool *found_r)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context, sql, parameters, parameter_count, &row, ERROR_NONE);
    *found_r = row != NULL;
    return outcome;
}

enum outcome database_change_row(struct context *context, const char *sql, const struct parameter *parameters,
                                 size_t parameter_count, enum error_code on_none)
{
    struct result result;
    enum outcome outcome = database_execute(context, sql, parameters, parameter_count, &result, ERROR_NONE);
    return outcome == OK && result.affected_rows == 0 ? problem_set(context, on_none) : outcome;
}

enum outcome database_execute_list(struct context *context, const char *sql, const struct parameter *items,
                                   size_t item_count, struct result *result_r)
{
    struct parameter parameters[DATABASE_LIST_MAX];
    invariant(item_count <= DATABASE_LIST_MAX);
    for (size_t i = 0; i < DATABASE_LIST_MAX; i++) {
        parameters[i] = i < item_count ? items[i] : BIND_NULL;
    }
    return database_execute(context, sql, parameters, DATABASE_LIST_MAX, result_r, ERROR_NONE);
}

enum outcome database_execute_texts(struct context *context, const char *sql, const struct text *items,
                                    size_t item_count, struct result *result_r)
{
    struct parameter parameters[DATABASE_LIST_MAX];
    invariant(item_count <= DATABASE_LIST_MAX);
    for (size_t i = 0; i < item_count; i++) {
        parameters[i] = BIND_TEXT(items[i]);
    }
    return database_execute_list(context, sql, parameters, item_count, result_r);
}

/* Not in a transaction, which it would leave half done. What it fails of is no problem of the request. */
static bool run_gently(struct context *context, const char *sql, const struct parameter *parameters,
                       size_t parameter_count, struct result *result_r)
{
    const struct problem problem = context->problem;
    invariant(!database.in_transaction);
    database.is_gentle = true;
    database.was_locked = false;
    const bool is_done = database_execute(context, sql, parameters, parameter_count, result_r, ERROR_NONE) == OK;
    database.is_gentle = false;
    context->problem = problem;
    return is_done;
}

enum database_tried database_try(struct context *context, const char *sql, const struct parameter *parameters,
                                 size_t parameter_count)
{
    invariant(text_starts_with(text_of(sql), DATABASE_NOWAIT));
    return run_gently(context, sql, parameters, parameter_count, NULL) ? DATABASE_TRIED_DONE
           : database.was_locked                                       ? DATABASE_TRIED_LOCKED
                                                                       : DATABASE_TRIED_FAILED;
}

bool database_try_read(struct context *context, const char *sql, const struct parameter *parameters,
                       size_t parameter_count, struct result *result_r)
{
    invariant(text_starts_with(text_of(sql), DATABASE_BRIEFLY));
    return run_gently(context, sql, parameters, parameter_count, result_r);
}

enum outcome database_stream(struct context *context, const char *sql, const struct parameter *parameters,
                             size_t parameter_count,
                             enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                             void *argument)
{
    struct database_sink sink = {.each = each, .argument = argument, .arena = arena_new(0), .outcome = OK};
    database.sink = &sink;
    enum outcome outcome = database_execute(context, sql, parameters, parameter_count, NULL, ERROR_NONE);
    database.sink = NULL;
    arena_free(sink.arena);
    return sink.outcome != OK && outcome == OK ? sink.outcome : outcome;
}

/* ---- Transactions ---- */

enum transaction_kind { TRANSACTION_USUAL, TRANSACTION_ALONE, TRANSACTION_SNAPSHOT };

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

/* SET TRANSACTION holds for the next transaction only. */
static bool start(struct context *context, enum transaction_kind kind, struct failure *failure)
{
    return (kind == TRANSACTION_USUAL ||
            command(context, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", failure)) &&
           command(context,
                   kind == TRANSACTION_SNAPSHOT ? "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
                                                : "START TRANSACTION",
                   failure);
}

/* Starts a transaction. A lost connection is replaced once. */
static bool begin(struct context *context, enum transaction_kind kind, struct failure *failure)
{
    for (unsigned attempt = 1;; attempt++) {
        if (!database_ensure_connection(context, kind == TRANSACTION_SNAPSHOT, failure)) {
            return false;
        }
        if (kind != TRANSACTION_SNAPSHOT) {
            database_tell_connection(context);
        }
        if (start(context, kind, failure)) {
            return true;
        }
        if (!database_is_lost(failure) || attempt == 2) {
            return false;
        }
        database_lose_connection(failure);
        failure->kind = FAILURE_NONE;
    }
}

/* Commits. If it fails, transaction_retry says whether everything was rolled back. */
static enum outcome commit(struct context *context)
{
    struct failure failure = {.kind = FAILURE_NONE};
    if (command(context, "COMMIT", &failure)) {
        return OK;
    }
    database.transaction_broken = true;
    if (failure.kind == FAILURE_CONFLICT) {
        database.transaction_retry = true;
        return database_unavailable(context);
    }
    database_mask_values(&failure);
    if (failure.kind == FAILURE_FULL) {
        database_note_full(context, &failure);
    }
    if (database_is_lost(&failure)) {
        database.transaction_retry = database_is_undone(&failure);
        database.is_unknown = !database.transaction_retry;
        database_lose_connection(&failure);
        log_error(context, "the connection to MariaDB was lost at COMMIT (error %u: %s)%s", failure.code,
                  failure.message, database.transaction_retry ? "" : ": whether it was executed is not known");
        return database_unavailable(context);
    }
    log_error(context, "MariaDB refused to commit with error %u: %s", failure.code, failure.message);
    return failure.kind == FAILURE_OTHER ? problem_set_fault(context, ERROR_INTERNAL_ERROR)
                                         : database_unavailable(context);
}

static void roll_back(struct context *context)
{
    struct failure failure = {.kind = FAILURE_NONE};
    /* If this fails, closing the connection rolls back as well. */
    if (database.mysql != NULL && !command(context, "ROLLBACK", &failure)) {
        database_lose_connection(&failure);
    }
}

static enum outcome run_transaction(struct context *context, enum transaction_kind kind,
                                    enum outcome (*body)(struct context *, void *), void *argument)
{
    const struct problem problem = context->problem;
    const int64_t started = clock_monotonic_microseconds();
    for (unsigned attempt = 1;; attempt++) {
        struct failure failure = {.kind = FAILURE_NONE};
        if (!begin(context, kind, &failure)) {
            if (failure.kind != FAILURE_AWAY) {
                database_mask_values(&failure);
                log_error(context, "MariaDB refused a transaction with error %u: %s", failure.code, failure.message);
                database_lose_connection(&failure);
            }
            return database_unavailable(context);
        }
        context->at_end = NULL;
        context->audit_pending = NULL;
        database.in_transaction = true;
        database.transaction_broken = false;
        database.transaction_retry = false;
        enum outcome outcome = body(context, argument);
        if (database.transaction_broken && outcome == OK) {
            outcome = database_unavailable(context); /* the body ignored the failure */
        }
        const struct transaction_end *at_end = context->at_end;
        if (outcome == OK && at_end != NULL) {
            outcome = at_end->before_commit(context);
        }
        if (outcome == OK) {
            outcome = commit(context);
        }
        if (outcome != OK) {
            roll_back(context);
        }
        database.in_transaction = false;
        if (outcome == OK && at_end != NULL) {
            at_end->after_commit(context);
        }
        context->at_end = NULL;
        const bool retry = database.transaction_broken && database.transaction_retry;
        if (outcome == OK && kind != TRANSACTION_SNAPSHOT) {
            note_write(context);
        }
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

enum outcome database_transaction(struct context *context, enum outcome (*body)(struct context *, void *),
                                  void *argument)
{
    invariant(!database.in_transaction);
    begin_write(context);
    enum outcome outcome = run_transaction(context, TRANSACTION_USUAL, body, argument);
    end_write();
    return outcome;
}

enum outcome database_transaction_joined(struct context *context, enum outcome (*body)(struct context *, void *),
                                         void *argument)
{
    return database.in_transaction ? body(context, argument) : database_transaction(context, body, argument);
}

enum outcome database_transaction_alone(struct context *context, enum outcome (*body)(struct context *, void *),
                                        void *argument)
{
    invariant(!database.in_transaction);
    begin_write(context);
    enum outcome outcome = run_transaction(context, TRANSACTION_ALONE, body, argument);
    end_write();
    return outcome;
}

enum outcome database_snapshot(struct context *context, enum outcome (*body)(struct context *, void *), void *argument)
{
    invariant(!database.in_transaction);
    return run_transaction(context, TRANSACTION_SNAPSHOT, body, argument);
}

/* ---- The rest ---- */

bool database_is_connected(void)
{
    return database.mysql != NULL;
}

bool database_is_present(struct context *context)
{
    return database_glance(context);
}

bool database_is_ready(struct context *context)
{
    const struct problem problem = context->problem;
    bool found;
    database.looked_at = 0;
    bool ready = database_find_row(context, "SELECT `id` FROM `user` LIMIT 1", NO_PARAMETERS, &found) == OK;
    if (ready && database_is_full()) {
        ready = database_look_for_room(context);
    }
    context->problem = problem;
    return ready;
}

enum database_condition database_condition(void)
{
    if (database.mysql == NULL) {
        return database.condition == DATABASE_PRESENT ? DATABASE_AWAY : database.condition;
    }
    return database_is_full() ? DATABASE_FULL : DATABASE_PRESENT;
}

static const struct {
    const char *name, *text;
} conditions[] = {
    [DATABASE_AWAY] = {"away", "MariaDB does not answer."},
    [DATABASE_PRESENT] = {"present", "MariaDB answers, and accepts writes."},
    [DATABASE_READ_ONLY] = {"read-only", "MariaDB is read-only."},
    [DATABASE_STRANDED] = {"no-quorum", "MariaDB's node is not part of a cluster with quorum."},
    [DATABASE_FULL] = {"full", "MariaDB's disk is full."},
};

const char *database_condition_name(enum database_condition condition)
{
    return conditions[condition].name;
}

const char *database_condition_text(enum database_condition condition)
{
    return conditions[condition].text;
}

int64_t database_value_limit(void)
{
    return database.packet_bytes > 2 * PACKET_ROOM_BYTES ? (int64_t)database.packet_bytes - PACKET_ROOM_BYTES
           : database.packet_bytes > 0                   ? (int64_t)database.packet_bytes / 2
                                                         : INT64_MAX;
}

int64_t database_server_variable(struct context *context, const char *name)
{
    const struct problem problem = context->problem;
    struct text value;
    int64_t number;
    database_get_text(context, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = ?",
                      PARAMETERS(BIND_TEXT(text_of(name))), &value, ERROR_NONE);
    if (!text_to_integer(value, &number)) {
        number = -1;
    }
    context->problem = problem;
    return number;
}

const char *database_server_version(void)
{
    return database.version;
}

bool database_run_script(struct context *context, const char *sql, struct error *error)
{
    struct failure failure = {.kind = FAILURE_NONE};
    if (!database_ensure_connection(context, false, &failure)) {
        return error_set(error, "MariaDB is away: %s", failure.message);
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
    bool is_done = more <= 0;
    if (!is_done) {
        database_fail(&failure, mysql_errno(mysql), mysql_error(mysql));
        error_set(error, "statement %u: [%u] %s", number, failure.code, failure.message);
    }
    if (database_is_lost(&failure) || mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0) {
        database_close_connection();
    }
    return is_done;
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

/* ---- Other connections ---- */

enum outcome database_connection_is_gone(struct context *context, const struct version_orphan *orphan, bool *is_gone_r)
{
    const struct value *row;
    enum outcome outcome = database_get_row(
        context,
        "SELECT (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ? OR (? AND ID < ? AND ID <> "
        "CONNECTION_ID())), CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME = 'UPTIME'",
        PARAMETERS(BIND_INTEGER((int64_t)orphan->connection), BIND_INTEGER(orphan->ticket != 0),
                   BIND_INTEGER((int64_t)orphan->connection)),
        &row, ERROR_INTERNAL_ERROR);
    if (outcome == OK) {
        invariant(row != NULL);
        int64_t age_seconds = (clock_monotonic_microseconds() - orphan->since) / 1000000;
        *is_gone_r = row[0].integer == 0 || row[1].integer < age_seconds;
    }
    return outcome;
}
