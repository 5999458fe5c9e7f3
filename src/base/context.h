/* context.h: what everything that works for one request may reach. */
#ifndef ROSTER_BASE_CONTEXT_H
#define ROSTER_BASE_CONTEXT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/text.h"

struct config;

enum { CONTEXT_STATEMENTS_MOST = 16 };

/* What a request did with one statement. */
struct statement_use {
    const char *sql; /* static or owned by store/database: holds no values */
    unsigned count;
    int64_t microseconds;
};

struct context {
    struct arena *arena;
    const struct config *config;   /* immutable; the same for the whole request */
    struct problem problem;
    int64_t now_seconds;           /* wall time, read once per request */
    int64_t started_microseconds;  /* monotonic */
    const char *request_id;        /* of nginx, or made by the worker; NULL outside a request */
    const char *client_address;    /* NULL outside a request */
    const char *stage;             /* what runs now, for the log: "authenticate"; a static string */

    unsigned statement_count;       /* statements sent to MariaDB for this request */
    int64_t statement_microseconds; /* how long they took together, with what was tried again */
    struct statement_use statements[CONTEXT_STATEMENTS_MOST]; /* the first texts among them, each once */
    unsigned statements_kept, statements_left_out;
};

/* Keeps for the log that a statement ran. `sql` is known by its address. Where all places are taken, only the sums count. */
void context_note_statement(struct context *context, const char *sql, int64_t microseconds);

/* Starts anew, for a context that outlives a request. */
void context_forget_statements(struct context *context);

/* What ran, for the log, in the arena: "3 statements in 25.0 ms: [2 times, 20.1 ms] SELECT …; [1 time, 4.9 ms] UPDATE …". The costliest comes first; white space in
 * the texts becomes single spaces. */
struct text context_describe_statements(const struct context *context);

#endif
