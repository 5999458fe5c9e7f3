/* context.h: what everything that works for one request may reach. */
#ifndef ROSTER_BASE_CONTEXT_H
#define ROSTER_BASE_CONTEXT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/text.h"

struct config;

struct context {
    struct arena *arena;
    const struct config *config;   /* immutable; the same for the whole request */
    struct problem problem;
    int64_t now_seconds;           /* wall time, read once per request */
    int64_t started_microseconds;  /* monotonic */
    const char *request_id;        /* of nginx, or made by the worker; NULL outside a request */
    const char *client_address;    /* NULL outside a request */
    const char *stage;             /* what runs now, for the log: "authenticate"; a static string */
    unsigned statement_count;      /* statements sent to MariaDB for this request */
    const char *last_statement;    /* the text of the last of them: static or owned by store/database */
};

#endif
