/* database.h: one connection to MariaDB per process, prepared statements that are kept, transactions that retry.
 *
 * Statements are known by their text: the same text is prepared once per connection and kept. So texts must come from a small, fixed set: values
 * are always bound, never printed into the text. */
#ifndef ROSTER_STORE_DATABASE_H
#define ROSTER_STORE_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"

enum parameter_kind { PARAMETER_NULL, PARAMETER_INTEGER, PARAMETER_TEXT };

/* A value that is bound to a `?`. */
struct parameter {
    enum parameter_kind kind;
    int64_t integer;
    struct text text; /* must live until the call returns */
};

#define BIND_NULL ((struct parameter){PARAMETER_NULL, 0, {NULL, 0}})
#define BIND_INTEGER(value) ((struct parameter){PARAMETER_INTEGER, (value), {NULL, 0}})
/* A text; the null text binds NULL. */
#define BIND_TEXT(value) parameter_of_text(value)
static inline struct parameter parameter_of_text(struct text text)
{
    return (struct parameter){text.data != NULL ? PARAMETER_TEXT : PARAMETER_NULL, 0, text};
}

/* A value of a row. Integer columns (BIGINT, INT, TINYINT, and results of COUNT, EXISTS, …) set `integer`; all others `text` (DATE as YYYY-MM-DD). */
struct value {
    struct text text; /* in the request's arena, NUL-terminated behind its length; data NULL for NULL and for integers */
    int64_t integer;
    bool is_null;
};

/* What a statement gave: row_count × column_count values, row by row, in the request's arena. */
struct result {
    struct value *values;
    size_t row_count;
    unsigned column_count;
    uint64_t affected_rows; /* rows found by the WHERE of an UPDATE, whether changed or not (CLIENT_FOUND_ROWS) */
};

static inline const struct value *result_row(const struct result *result, size_t row)
{
    return result->values + row * result->column_count;
}

/* Runs one statement. `result_r` may be NULL.
 *   OK       done
 *   PROBLEM  a unique key is taken, and `on_duplicate` is not ERROR_NONE: that is the problem
 *   FAULT    MariaDB is away (UNAVAILABLE, with Retry-After) or refuses (INTERNAL_ERROR); logged. Inside a transaction a deadlock or lock wait is also a FAULT,
 *            that database_transaction retries.
 * Outside a transaction a SELECT is retried once on a new connection where the old one was gone; a write is retried only where it can't have been executed
 * (error 2006, or 1213 and 1205 and 1020, after which nothing of it stays). Over the arena's ceiling: FAULT, INTERNAL_ERROR, and the log names request_memory_limit. */
enum outcome database_execute(struct context *context, const char *sql, const struct parameter *parameters, size_t parameter_count,
                              struct result *result_r, enum error_code on_duplicate);

/* Runs `body(context, argument)` inside a transaction and commits where it answers OK, else rolls back and answers the same. Retried as a whole, up to 20 times with a
 * short random wait, on 1213, 1205 and 1020 from any statement or from COMMIT. So body must start anew each time (it may leave garbage in the arena), and must
 * not do anything outside MariaDB. Not nested. */
enum outcome database_transaction(struct context *context, enum outcome (*body)(struct context *, void *), void *argument);

/* True while a connection stands (no round trip). */
bool database_is_connected(void);

/* Makes sure of a connection, as a statement does, without asking anything over it: false where MariaDB is away. */
bool database_is_present(struct context *context);

/* A round trip that reads a table: false where MariaDB can't answer real questions (also Galera without quorum). */
bool database_is_ready(struct context *context);

/* A number of the server, such as "max_connections" (SHOW GLOBAL VARIABLES); -1 where unknown. */
int64_t database_server_variable(struct context *context, const char *name);

/* "10.11.6-MariaDB…" of the server, or NULL while there is no connection. */
const char *database_server_version(void);

/* Runs one statement of the text protocol that can't be prepared, or several separated by `;` (migrations, locks). NULL, or the server's error in the arena. */
const char *database_run_script(struct context *context, const char *sql);

/* Connects with the configuration of `context`; done by itself where needed. False with the reason in *error_r (in the arena). */
bool database_connect(struct context *context, const char **error_r);

/* Between requests, after a large one: gives back what the connection holds on to. */
void database_trim(struct context *context);

/* Closes statements and connection (end of process, or a reload with other settings). */
void database_close(void);

#endif
