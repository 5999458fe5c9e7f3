/* problem.c: see problem.h. */
#include "base/problem.h"

#include "base/arena.h"
#include "base/context.h"
#include "base/json_writer.h"
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

static const struct {
    const char *name, *msg, *text;
} faults[FAULT_TYPE_COUNT] = {
#define FAULT_TYPE(type, msg, text) [FAULT_##type] = {#type, msg, text},
#include "tables/faults.def"
#undef FAULT_TYPE
};

const char *fault_name(enum fault_type type)
{
    invariant(type > FAULT_NONE && type < FAULT_TYPE_COUNT);
    return faults[type].name;
}

const char *fault_message(enum fault_type type)
{
    invariant(type > FAULT_NONE && type < FAULT_TYPE_COUNT);
    return faults[type].msg;
}

const char *fault_text(enum fault_type type)
{
    invariant(type > FAULT_NONE && type < FAULT_TYPE_COUNT);
    return faults[type].text;
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

enum outcome problem_set_unavailable(struct context *context)
{
    problem_set_fault(context, ERROR_UNAVAILABLE);
    context->problem.retry_after_seconds = 1;
    return FAULT;
}

void problem_add_fault(struct context *context, enum fault_type type, struct text loc, const char *msg)
{
    struct problem *problem = &context->problem;
    struct fault *fault = arena_zero(context->arena, 1, sizeof *fault);

    if (problem->code != ERROR_VALIDATION_ERROR) {
        problem_set(context, ERROR_VALIDATION_ERROR);
    }
    fault->type = type;
    fault->loc = loc;
    fault->msg = msg != NULL ? msg : fault_message(type);
    /* The list's own head is reached through the problem each time: the problem may have been copied since. */
    if (problem->faults == NULL) {
        problem->faults = fault;
    } else {
        *problem->last_fault = fault;
    }
    problem->last_fault = &fault->next;
}

void problem_add_body_fault(struct context *context, enum fault_type type, const char *field, int64_t element,
                            const char *msg)
{
    struct json_writer loc;
    json_start(&loc, context->arena);
    json_begin_array(&loc);
    json_add_string(&loc, "body");
    json_add_string(&loc, field);
    if (element >= 0) {
        json_add_integer(&loc, element);
    }
    json_end_array(&loc);
    problem_add_fault(context, type, json_finish(&loc), msg);
}
