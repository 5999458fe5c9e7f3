/* error.h: results and errors of functions, inside a request and outside one.
 *
 * There are three channels, which are never mixed:
 * - the client gets a problem
 * - the operator gets a line in the log, written where the error is noticed
 * - a bug fails an assertion
 *
 * Inside a request a function returns `enum outcome`. context->problem, set by problem.h, has the details.
 * - OK: success
 * - PROBLEM: the request is wrong; the client gets the problem, and nothing is logged
 * - FAULT: the service failed; the error has been logged, and the client gets the problem
 *
 * Outside a request a function returns true or false. Its last parameter is a `struct error` of the caller, with the
 * error in words. */
#ifndef ROSTER_BASE_ERROR_H
#define ROSTER_BASE_ERROR_H

#include <stdbool.h>

#include "base/text.h"

enum outcome { OK, PROBLEM, FAULT };

/* One enumerator per row of errors.def: ERROR_USER_NOT_FOUND, … ERROR_NONE: success. */
enum error_code {
    ERROR_NONE,
#define ERROR(code, status, detail) ERROR_##code,
#include "tables/errors.def"
#undef ERROR
    ERROR_COUNT
};

/* One enumerator per row of faults.def: FAULT_string_type, … FAULT_NONE is no fault. */
enum fault_type {
    FAULT_NONE,
#define FAULT_TYPE(type, msg, text) FAULT_##type,
#include "tables/faults.def"
#undef FAULT_TYPE
    FAULT_TYPE_COUNT
};

/* One validation error: roster-api(7), Faults of validation. */
struct fault {
    enum fault_type type;
    struct text loc; /* a JSON array, ready to send: ["body","role"] */
    const char *msg; /* static, or in the arena */
    struct fault *next;
};

struct problem {
    enum error_code code;
    int status;              /* HTTP status (RFC 9110); 0: the one of errors.def */
    const char *detail;      /* NULL: the one of errors.def */
    int retry_after_seconds; /* 0: no Retry-After */
    const char *allow;       /* for 405: the value of Allow, else NULL */
    struct fault *faults;    /* for VALIDATION_ERROR, in order */
    struct fault **last_fault;
};

/* The size of a line in the log. */
enum { ERROR_TEXT_SIZE = 8192 };

/* The reason of a failure, for the operator.
 * The caller owns it, usually on its stack, and need not initialise it.
 * It holds a text only after a function that takes it has returned false.
 * Every function that takes one accepts NULL: the caller does not need the reason. */
struct error {
    char text[ERROR_TEXT_SIZE]; /* one line, NUL-terminated */
};

/* Formats the text as printf(3) does.
 * A text that is too long is truncated at a UTF-8 character and ends with "...".
 * error->text may be one of the arguments.
 * errno stays unchanged.
 * Returns false, so that a function can `return error_set(error, "there is no group '%s'", name);` */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Inserts a formatted text before the text that is set, for example the path of a file.
 * Otherwise like error_set. */
bool error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
