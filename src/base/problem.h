/* problem.h: how something ends, and the one error value of a request.
 *
 * Three channels, never mixed: the client gets a problem; the operator gets a log line, where the fault was noticed; a bug hits an
 * assertion. Inside a request a function answers `enum outcome`:
 *   OK       it is done
 *   PROBLEM  the client is told what is wrong with the request; nothing is logged
 *   FAULT    something of ours failed: it has been logged, and context->problem says what the client is told */
#ifndef ROSTER_BASE_PROBLEM_H
#define ROSTER_BASE_PROBLEM_H

#include <stdbool.h>

#include "base/text.h"

struct context;

enum outcome { OK, PROBLEM, FAULT };

/* One enumerator per row of errors.def: ERROR_USER_NOT_FOUND, … ERROR_NONE is no error. */
enum error_code {
    ERROR_NONE,
#define ERROR(code, status, detail) ERROR_##code,
#include "tables/errors.def"
#undef ERROR
    ERROR_COUNT
};

/* One fault of validation (api.md, 'Errors'): Pydantic's type and place, our words. */
struct fault {
    const char *type;  /* static */
    struct text loc;   /* a JSON array, ready to send: ["body","role"] */
    const char *msg;   /* static, or in the arena */
    struct fault *next;
};

struct problem {
    enum error_code code;
    int status;              /* HTTP status (RFC 9110); 0: that of errors.def */
    const char *detail;      /* NULL: that of errors.def */
    int retry_after_seconds; /* 0: no Retry-After */
    const char *allow;       /* for 405: the value of Allow, else NULL */
    struct fault *faults;    /* for VALIDATION_ERROR, in order */
    struct fault **last_fault;
};

/* The columns of errors.def. */
const char *error_name(enum error_code code);
int error_status(enum error_code code);
const char *error_detail(enum error_code code);

/* Sets context->problem and answers PROBLEM, so that a function can `return problem_set(context, ERROR_USER_NOT_FOUND);` */
enum outcome problem_set(struct context *context, enum error_code code);

/* The same with another status or other words than the table's; `detail` may be NULL. */
enum outcome problem_set_detail(struct context *context, enum error_code code, int status, const char *detail);

/* The same for a failure of ours that has been logged: answers FAULT. */
enum outcome problem_set_fault(struct context *context, enum error_code code);

/* Adds one fault of validation; `loc` must live as long as the request. */
void problem_add_fault(struct context *context, const char *type, struct text loc, const char *msg);

#endif
