/* database.h: one connection to MariaDB per process, cached prepared statements, and transactions with retry.
 *
 * The cache of prepared statements is indexed by SQL text: a text is prepared once per connection. So texts must come
 * from a small, fixed set. Values are always bound, never formatted into the text. */
#ifndef ROSTER_STORE_DATABASE_H
#define ROSTER_STORE_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"
#include "store/version_words.h"

enum parameter_kind { PARAMETER_NULL, PARAMETER_INTEGER, PARAMETER_TEXT };

/* A value that is bound to a `?`. */
struct parameter {
    enum parameter_kind kind;
    int64_t integer;
    struct text text; /* must stay valid until the call returns */
};

#define BIND_NULL ((struct parameter){PARAMETER_NULL, 0, TEXT_NULL})
#define BIND_INTEGER(value) ((struct parameter){PARAMETER_INTEGER, (value), TEXT_NULL})
/* A text; the null text binds NULL. */
#define BIND_TEXT(value) parameter_of_text(value)
static inline struct parameter parameter_of_text(struct text text)
{
    return (struct parameter){text.data != NULL ? PARAMETER_TEXT : PARAMETER_NULL, 0, text};
}
/* A moment in epoch seconds; -1 binds NULL. */
#define BIND_MOMENT(value) parameter_of_moment(value)
static inline struct parameter parameter_of_moment(int64_t seconds)
{
    return (struct parameter){seconds < 0 ? PARAMETER_NULL : PARAMETER_INTEGER, seconds, TEXT_NULL};
}

/* The values of a statement, one for each `?`: two arguments of the functions below, an array and its length.
 * The array is valid until the end of the enclosing block. (clang does not accept ARRAY_COUNT here.) */
#define PARAMETERS(...) \
    (const struct parameter[]){__VA_ARGS__}, sizeof((const struct parameter[]){__VA_ARGS__}) / sizeof(struct parameter)
#define NO_PARAMETERS NULL, 0

/* A value of a row. Integer columns (BIGINT, INT, TINYINT, and results of COUNT, EXISTS, …) set `integer`; all others
 * `text` (DATE as YYYY-MM-DD). */
struct value {
    /* in the request's arena, NUL-terminated; data is NULL for NULL and for integers */
    struct text text;
    int64_t integer;
    bool is_null;
};

/* The result of a statement: row_count × column_count values, row by row, in the request's arena. */
struct result {
    struct value *values;
    size_t row_count;
    unsigned column_count;
    uint64_t affected_rows; /* rows found by the WHERE of an UPDATE, whether changed or not (CLIENT_FOUND_ROWS) */
};

/* The integer of a value; `absent` for NULL. */
static inline int64_t value_integer(const struct value *value, int64_t absent)
{
    return value->is_null ? absent : value->integer;
}

static inline const struct value *result_row(const struct result *result, size_t row)
{
    return result->values + row * result->column_count;
}

/* Says whom the next write concerns (a statement, or a transaction): users by their id, tokens by their jti, at most
 * four; the null text is passed over. What the identity table has stored of them does not count any more from its
 * beginning on. A write before which nobody says so concerns everybody, and so does one with another statement between.
 * What is said must be true: whoever is left out is served old rows. That a statement changes groups, memberships or
 * settings follows from its text, and has not to be said. */
#define database_concerns(...)                                \
    database_concern_list((const struct text[]){__VA_ARGS__}, \
                          sizeof((const struct text[]){__VA_ARGS__}) / sizeof(struct text))
void database_concern_list(const struct text *names, size_t count);

/* The next write changes no row of a user, a session or an API key that is in use. */
void database_concerns_nobody(void);

/* Has `announce` called before the first write over each connection, with the connection's number: for a process that
 * has no part in the identity table. */
void database_announce_writes(void (*announce)(struct context *context, uint64_t connection));

/* True between the beginning of a transaction and its end. */
bool database_in_transaction(void);

/* Runs one statement. `result_r` may be NULL.
 * - OK: it was executed
 * - PROBLEM `on_duplicate`: a unique key is taken (unless `on_duplicate` is ERROR_NONE)
 * - PROBLEM USER_NOT_FOUND or NOT_FOUND: the user or the group that a new row refers to was deleted in the meantime
 * - PROBLEM CONTENT_TOO_LARGE: the values exceed MariaDB's max_allowed_packet; logged, since it is a setting of the
 *   server
 * - FAULT UNAVAILABLE, with Retry-After: MariaDB is unavailable or read-only, or its disk is full; logged
 * - FAULT UNAVAILABLE: another transaction held a lock for longer than a second; logged, without retry
 * - FAULT INTERNAL_ERROR: MariaDB returned another error; logged
 * - FAULT INTERNAL_ERROR: the result exceeds request_memory_limit; logged
 * - FAULT, inside a transaction: also a deadlock, after which database_transaction retries
 * Outside a transaction, a SELECT is retried over a new connection if the old one was lost. A write is retried only if
 * it was not executed: after error 2006, on a read-only server, and after 1213 and 1020, which roll it back. */
enum outcome database_execute(struct context *context, const char *sql, const struct parameter *parameters,
                              size_t parameter_count, struct result *result_r, enum error_code on_duplicate);

/* Runs a write outside a transaction whose caller can go on where it is not known whether it was executed, since the
 * connection was lost behind it, and where there is time for that: *is_unknown_r. It is no error then, and leaves
 * context->problem as it is. Otherwise as database_execute. */
enum outcome database_execute_once(struct context *context, const char *sql, const struct parameter *parameters,
                                   size_t parameter_count, struct result *result_r, bool *is_unknown_r);

/* Runs a SELECT that returns one row at most. *row_r: the row, in the request's arena.
 * - PROBLEM `on_none`: there is no row, and `on_none` is not ERROR_NONE
 * - OK with *row_r NULL: there is no row, and `on_none` is ERROR_NONE
 * Otherwise as database_execute. *row_r is NULL unless the outcome is OK. */
enum outcome database_get_row(struct context *context, const char *sql, const struct parameter *parameters,
                              size_t parameter_count, const struct value **row_r, enum error_code on_none);

/* The same for a SELECT of one text. NULL gives the null text. */
enum outcome database_get_text(struct context *context, const char *sql, const struct parameter *parameters,
                               size_t parameter_count, struct text *text_r, enum error_code on_none);

/* The same for a SELECT of one integer. *integer_r is `absent` for NULL, if there is no row, and unless the outcome is
 * OK. */
enum outcome database_get_integer(struct context *context, const char *sql, const struct parameter *parameters,
                                  size_t parameter_count, int64_t absent, int64_t *integer_r);

/* Whether a SELECT returns a row. *found_r is false unless the outcome is OK. */
enum outcome database_find_row(struct context *context, const char *sql, const struct parameter *parameters,
                               size_t parameter_count, bool *found_r);

/* Runs a write that must affect a row.
 * - PROBLEM `on_none`: no row matches its WHERE, or it inserts no row. A matching row counts even if it does not
 * change. Otherwise as database_execute without `on_duplicate`. */
enum outcome database_change_row(struct context *context, const char *sql, const struct parameter *parameters,
                                 size_t parameter_count, enum error_code on_none);

/* How the statement begins that is carried out where an address changes: see CONCERNS_ADDRESSES. */
#define ADDRESS_UPDATE "UPDATE auth SET email = ?"

/* A list for `IN`. It always has the same number of placeholders, so that one statement serves lists of all lengths. */
#define DATABASE_LIST                                                              \
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " \
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
enum { DATABASE_LIST_MAX = 50 };

/* Runs a statement whose only parameters are those of a DATABASE_LIST, with at most DATABASE_LIST_MAX `items`.
 * Unused placeholders are NULL, which equals no value. Otherwise as database_execute. */
enum outcome database_execute_list(struct context *context, const char *sql, const struct parameter *items,
                                   size_t item_count, struct result *result_r);

/* The same for texts. */
enum outcome database_execute_texts(struct context *context, const char *sql, const struct text *items,
                                    size_t item_count, struct result *result_r);

/* Runs a SELECT and calls `each` with one row after another, in constant memory.
 * The row, and what `each` allocates in context->arena, are freed when `each` returns.
 * `each` must not run statements. If it does not return OK, no more rows are read, and its outcome is returned.
 * FAULT as database_execute. There is no retry after the first row. */
enum outcome database_stream(struct context *context, const char *sql, const struct parameter *parameters,
                             size_t parameter_count,
                             enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                             void *argument);

/* Prefix of a write that does not wait for locks: see database_try. */
#define DATABASE_NOWAIT "SET STATEMENT innodb_lock_wait_timeout = 0, lock_wait_timeout = 0 FOR "

/* What became of a write that was tried. */
enum database_tried {
    DATABASE_TRIED_DONE,
    DATABASE_TRIED_LOCKED, /* nothing was written: another transaction locks a row, or the table */
    DATABASE_TRIED_FAILED
};

/* Runs a write that may be skipped, such as a time of last use. `sql` starts with DATABASE_NOWAIT.
 * If another transaction locks the row, nothing is written or logged. context->problem does not change.
 * Otherwise as database_execute. */
enum database_tried database_try(struct context *context, const char *sql, const struct parameter *parameters,
                                 size_t parameter_count);

/* Prefix of a read that must not take long: see database_try_read. */
#define DATABASE_BRIEFLY "SET STATEMENT max_statement_time = 0.2, lock_wait_timeout = 0 FOR "

/* Runs a read that may be skipped, such as a count. `sql` starts with DATABASE_BRIEFLY.
 * If it takes longer, or the table is locked, it is false, nothing is logged, and context->problem does not change.
 * Otherwise as database_execute. */
bool database_try_read(struct context *context, const char *sql, const struct parameter *parameters,
                       size_t parameter_count, struct result *result_r);

/* Runs `body(context, argument)` inside a transaction. Commits if it returns OK, else rolls back.
 * Returns the outcome of body, or of COMMIT.
 * On 1213 and 1020, from a statement or from COMMIT, the whole transaction is retried, with short random pauses, for up
 * to three seconds. So body must be repeatable (it may leave unused memory in the arena), and must not change anything
 * outside MariaDB.
 * Transactions can't be nested: see database_transaction_joined. */
enum outcome database_transaction(struct context *context, enum outcome (*body)(struct context *, void *),
                                  void *argument);

/* The same; but where a transaction has begun already, `body` is a part of that one, whose body must hand on each
 * outcome that is not OK. For what is done by itself as well as together with something else. */
enum outcome database_transaction_joined(struct context *context, enum outcome (*body)(struct context *, void *),
                                         void *argument);

/* The same at the isolation level REPEATABLE READ: nobody adds a row, until it ends, to a table of which it has deleted
 * all rows. For what replaces whole tables. */
enum outcome database_transaction_alone(struct context *context, enum outcome (*body)(struct context *, void *),
                                        void *argument);

/* Runs `body(context, argument)` inside a transaction that only reads: all its statements see the database as it was at
 * one moment. It blocks nobody, and concerns nobody.
 * If the connection is lost, it is retried from the beginning, as database_transaction. */
enum outcome database_snapshot(struct context *context, enum outcome (*body)(struct context *, void *), void *argument);

/* State of MariaDB. */
enum database_condition {
    DATABASE_AWAY,      /* no host accepts connections */
    DATABASE_PRESENT,   /* connected to a server that accepts writes */
    DATABASE_READ_ONLY, /* all reachable servers are read-only: they are not used, since their data may be outdated */
    DATABASE_STRANDED,  /* all reachable servers are nodes of a cluster without quorum */
    /* connected, but the server's disk was full at the last write that needed space */
    DATABASE_FULL
};

/* The state that this process knows, without a round trip. DATABASE_FULL is shared by all processes. */
enum database_condition database_condition(void);

/* The name of a state: "away", "present", "read-only", "no-quorum", "full". */
const char *database_condition_name(enum database_condition condition);

/* A sentence about a state, with a full stop. */
const char *database_condition_text(enum database_condition condition);

/* Whether there is a connection, without a round trip. */
bool database_is_connected(void);

/* Whether MariaDB has closed the connection of an orphan, or with a ticket all connections up to its number: there is
 * no such connection, or the server was started later. FAULT as database_execute. */
enum outcome database_connection_is_gone(struct context *context, const struct version_orphan *orphan, bool *is_gone_r);

/* Who else may write to the tables: *who_r is "the host 192.0.2.1", where that host has connections of the same account
 * to the same database, or "the other nodes of a cluster of 3". The null text: nobody that the server tells of. FAULT
 * as database_execute. */
enum outcome database_find_neighbour(struct context *context, struct text *who_r);

/* Says over this connection that a service keeps rows of the tables; called again and again. *is_alone_r: no other one
 * says so, and this one is known to all that will.
 * FAULT as database_execute. */
enum outcome database_claim_tables(struct context *context, bool *is_alone_r);

/* Connects if needed, and checks that the server answers at once and accepts writes.
 * For /status, which must not wait for a server that hangs. */
bool database_is_present(struct context *context);

/* Checks, in several round trips, that the server accepts writes, that a table can be read, and, after a full disk,
 * that there is free space again. False: MariaDB can't be used; database_condition says why. */
bool database_is_ready(struct context *context);

/* The largest text, in bytes, that fits into a statement together with short values (max_allowed_packet).
 * INT64_MAX: there was no connection yet. */
int64_t database_value_limit(void);

/* State of one host of database_host, from a separate connection. */
struct database_host {
    const char *where; /* as in roster.conf; without database_host, the socket */
    const char *error; /* why it can't be used; NULL: it can */
    enum database_condition condition;
    const char *version;
    int64_t packet_bytes; /* max_allowed_packet; 0: unknown */
    bool is_cluster;      /* a Galera node: more than one host may accept writes */
    const char *cure;     /* how to fix `error`; NULL: unknown */
    bool is_refused;      /* it answers, but refuses the account, or has no such database */
};

/* Number of hosts of database_host; 1 if a socket is used. */
size_t database_host_count(const struct config *config);

/* Checks one host, for `roster -t`. All texts are in the arena. */
void database_look_at_host(struct context *context, size_t host, struct database_host *host_r);

/* Whether the account has all privileges that requests need. Changes nothing.
 * On false, the error is MariaDB's message about the missing privilege. */
bool database_has_privileges(struct context *context, struct error *error);

/* Whether the account has more privileges than requests need.
 * *account_r: the account. *excess_r: the first such privilege. Both are in the arena. */
bool database_excess_privileges(struct context *context, const char **account_r, const char **excess_r);

/* The statements that create the database and both accounts, with exactly the privileges that they need.
 * MariaDB's root runs them; they can be run again. They contain no password.
 * `from`: where the service connects from: localhost, a host, or %. */
struct text database_grants(struct context *context, const char *from);

/* A numeric global variable of the server, such as "max_connections". -1: unknown. */
int64_t database_server_variable(struct context *context, const char *name);

/* Version of the server: "10.11.6-MariaDB…". NULL: there is no connection. */
const char *database_server_version(void);

/* Runs one statement that can't be prepared, or several separated by `;`, with the text protocol (migrations, locks).
 * On false, the error has the server's message and the number of the statement. */
bool database_run_script(struct context *context, const char *sql, struct error *error);

/* Loads what the client library needs, with OpenSSL: more work than to connect.
 * The master calls it, so that workers have it from their fork on. Not needed otherwise.
 * False where there is no memory. */
bool database_load_library(struct error *error);

/* Connects with the configuration of `context`. Other functions do it themselves if needed.
 * On false, the error says for each host of database_host why it can't be used. */
bool database_connect(struct context *context, struct error *error);

/* Whether an error of database_connect says that the server refused the account. */
bool database_refuses_account(const struct error *error);

/* Between requests: overwrites the connection's buffer, which may contain secrets of a request. */
void database_wipe(void);

/* Whether database_trim can release memory. */
bool database_holds_much(void);

/* Between requests, after a large one: releases the memory that the connection keeps. */
void database_trim(struct context *context);

/* Closes the statements and the connection: at exit, or at a reload with other settings. */
void database_close(void);

#endif
