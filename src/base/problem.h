/* problem.h: sets the error of a request, and gives the columns of errors.def. */
#ifndef ROSTER_BASE_PROBLEM_H
#define ROSTER_BASE_PROBLEM_H

#include "base/context.h"
#include "base/error.h"
#include "base/text.h"

/* The columns of errors.def. */
const char *error_name(enum error_code code);
int error_status(enum error_code code);
const char *error_detail(enum error_code code);

/* Sets context->problem.
 * Returns PROBLEM, so that a function can `return problem_set(context, ERROR_USER_NOT_FOUND);` */
enum outcome problem_set(struct context *context, enum error_code code);

/* The same with another status or another text than that of errors.def.
 * `detail`: NULL for the text of errors.def. */
enum outcome problem_set_detail(struct context *context, enum error_code code, int status, const char *detail);

/* Sets context->problem for an error of the service that has been logged. Returns FAULT. */
enum outcome problem_set_fault(struct context *context, enum error_code code);

/* Sets UNAVAILABLE, with a Retry-After of one second. Returns FAULT. */
enum outcome problem_set_unavailable(struct context *context);

/* The columns of faults.def. Not for FAULT_NONE. */
const char *fault_name(enum fault_type type);
const char *fault_message(enum fault_type type);
const char *fault_text(enum fault_type type);

/* Adds one fault of validation; `loc` must live as long as the request. `msg` NULL: that of faults.def. */
void problem_add_fault(struct context *context, enum fault_type type, struct text loc, const char *msg);

/* The same for a field of the body. `element`: the index in the list that the field is, or -1 for the field itself. */
void problem_add_body_fault(struct context *context, enum fault_type type, const char *field, int64_t element,
                            const char *msg);

#endif
