/* admission.c: passes requests on to the password pool, and remembers devices and addresses. */
#include "worker/admission.h"

#include <poll.h>

#include "auth/device.h"
#include "base/problem.h"
#include "config/network.h"
#include "store/known_store.h"
#include "worker/response.h"

/* known, email counted, when, seconds until the limit is reset, remaining, limit, its name */
#define ADMISSION_FORMAT "%d %d %lld %lld %lld %lld %s"

/* Whether nginx has its end of the connection open. nginx closes it when the client has closed; what it sent before can
 * still be read. */
static bool client_waits(const struct request *request)
{
    struct pollfd connection = {request->fcgi->ipcFd, POLLRDHUP, 0};
    return request->fcgi->ipcFd < 0 || poll(&connection, 1, 0) <= 0;
}

bool admission_ends_here(struct request *request, enum outcome *outcome_r)
{
    const struct admission *admission = &request->admission;

    if (request->pool == POOL_PASSWORD || !admission->may_hand_over) {
        if (client_waits(request)) {
            return false;
        }
        request->client_gone = true;
        *outcome_r = problem_set(&request->context, ERROR_UNAVAILABLE);
        return true;
    }
    response_internal_redirect(request,
                               admission->is_known ? TEXT("@roster_password_first") : TEXT("@roster_password"));
    response_add_header(request, "X-Roster-Admission",
                        text_format(request->context.arena, ADMISSION_FORMAT, admission->is_known,
                                    admission->email_counted, (long long)admission->counted_at,
                                    (long long)request->rate_reset_seconds, (long long)request->rate_remaining,
                                    (long long)request->rate_limit,
                                    request->rate_policy != NULL ? request->rate_policy : "-"));
    request->admission.is_handed_over = true;
    *outcome_r = OK;
    return true;
}

void admission_read(struct request *request)
{
    struct text value = request->admission.sent;
    struct arena *arena = request->context.arena;
    int is_known, email_counted;
    long long counted_at, reset_seconds, remaining, limit;

    if (value.length == 0) {
        return;
    }
    char *policy = arena_alloc(arena, 64);
    if (sscanf(value.data, "%d %d %lld %lld %lld %lld %63[a-z_-]", &is_known, &email_counted, &counted_at,
               &reset_seconds, &remaining, &limit, policy) != 7) {
        return;
    }
    request->admission.is_admitted = true;
    request->admission.is_known = is_known != 0;
    request->admission.email_counted = email_counted != 0;
    request->admission.counted_at = counted_at;
    request->rate_reset_seconds = reset_seconds;
    request->rate_remaining = remaining;
    request->rate_limit = limit;
    request->rate_policy = policy;
}

void admission_remember(struct request *request, struct text user_id)
{
    struct context *context = &request->context;
    struct device device;

    device_read(context, request_cookie(request, DEVICE_COOKIE), &device);
    device_add(context, &device, user_id);
    response_set_device_cookie(request, device_print(context, &device));

    /* Written before the answer, so that the next sign-in finds it. A failure does not fail this sign-in. */
    const struct problem problem = context->problem;
    char network[NETWORK_NAME_SIZE];
    network_name(context->client_address, network);
    if (known_store_add(context, user_id, text_of(network)) != OK) {
        context->problem = problem;
    }
}
