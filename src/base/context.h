/* context.h: the state of one request, which most functions take as their first parameter. */
#ifndef ROSTER_BASE_CONTEXT_H
#define ROSTER_BASE_CONTEXT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

struct audit_actor;
struct audit_pending;
struct config;
struct prefetch;

enum { CONTEXT_STATEMENTS_MAX = 16 };

/* How often and how long a request has run one statement. */
struct statement_use {
    const char *sql; /* static, or owned by store/database; holds no values */
    unsigned count;
    int64_t microseconds;
};

struct context;

/* What a transaction does besides what its body does: set within it, and forgotten when it ends, or begins again. */
struct transaction_end {
    enum outcome (*before_commit)(struct context *context); /* not OK: it is rolled back */
    void (*after_commit)(struct context *context);
};

struct context {
    struct arena *arena;
    const struct config *config; /* immutable; the same for the whole request */
    struct problem problem;
    int64_t now_seconds;        /* wall time, read once per request */
    const char *request_id;     /* from nginx, or made by the worker; NULL outside a request */
    const char *client_address; /* NULL outside a request */
    struct prefetch *prefetch;  /* store/prefetch.h; NULL: nothing is read along with the caller, or it is outdated */
    const struct audit_actor *actor;      /* who acts, for the audit (store/audit_store.h); NULL: the service itself */
    struct audit_pending *audit_pending;  /* what this transaction has to write into the audit; NULL: nothing */
    const struct transaction_end *at_end; /* of this transaction; NULL: nothing */
    const char *stage;                    /* the running stage, for the log: "authenticate"; a static string */

    unsigned statement_count;                                /* statements sent to MariaDB for this request */
    int64_t statement_microseconds;                          /* their total time, with retries */
    struct statement_use statements[CONTEXT_STATEMENTS_MAX]; /* the first different ones */
    unsigned statements_kept, statements_left_out;
};

/* Counts a statement that ran, for the log.
 * Statements are told apart by the address of `sql`.
 * When the array is full, further statements count only in the totals. */
void context_note_statement(struct context *context, const char *sql, int64_t microseconds);

/* The statements of the request, for the log, in the arena: "3 statements in 25.0 ms: [2 times, 20.1 ms] SELECT …;
 * [1 time, 4.9 ms] UPDATE …".
 * The slowest comes first. White space in a statement becomes single spaces.
 * Where all of them took less than a tenth of `microseconds`, the time of the request, they do not explain it: then
 * their number and their time are all. */
struct text context_describe_statements(const struct context *context, int64_t microseconds);

#endif
