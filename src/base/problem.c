/* problem.c: the table of errors, and setting the one of a request. */
#include "base/problem.h"

#include "base/arena.h"
#include "base/context.h"
#include "base/log.h"

static const struct {
    const char *name;
    int status;
    const char *detail;
} errors[ERROR_COUNT] = {
    [ERROR_NONE] = {"NONE", 200, ""},
#define ERROR(code, status, detail) [ERROR_##code] = {#code, status, detail},
#include "tables/errors.def"
#undef ERROR
};

const char *error_name(enum error_code code)
{
    invariant(code < ERROR_COUNT);
    return errors[code].name;
}

int error_status(enum error_code code)
{
    invariant(code < ERROR_COUNT);
    return errors[code].status;
}

const char *error_detail(enum error_code code)
{
    invariant(code < ERROR_COUNT);
    return errors[code].detail;
}

/* Whatever was set before is replaced, so that no Retry-After or Allow of another problem is left; only faults stay
 * where they are what the problem is about. */
enum outcome problem_set_detail(struct context *context, enum error_code code, int status, const char *detail)
{
    struct problem problem = {.code = code, .status = status, .detail = detail};

    invariant(code > ERROR_NONE && code < ERROR_COUNT);
    if (code == ERROR_VALIDATION_ERROR) {
        problem.faults = context->problem.faults;
        problem.last_fault = context->problem.last_fault;
    }
    context->problem = problem;
    return PROBLEM;
}

enum outcome problem_set(struct context *context, enum error_code code)
{
    return problem_set_detail(context, code, 0, NULL);
}

enum outcome problem_set_fault(struct context *context, enum error_code code)
{
    problem_set_detail(context, code, 0, NULL);
    return FAULT;
}

void problem_add_fault(struct context *context, const char *type, struct text loc, const char *msg)
{
    struct problem *problem = &context->problem;
    struct fault *fault = arena_zero(context->arena, 1, sizeof *fault);

    if (problem->code != ERROR_VALIDATION_ERROR)
        problem_set(context, ERROR_VALIDATION_ERROR);
    fault->type = type;
    fault->loc = loc;
    fault->msg = msg;
    /* The list's own head is reached through the problem each time: the problem may have been copied since. */
    if (problem->faults == NULL)
        problem->faults = fault;
    else
        *problem->last_fault = fault;
    problem->last_fault = &fault->next;
}
