/* status.c: what the service says about itself: OpenAPI, ping, readiness, status. */
#include "api/status.h"

#include "api/backlog.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "store/database.h"
#include "store/redis.h"
#include "worker/openapi.h"

enum outcome handle_openapi(struct request *request)
{
    buffer_add_text(&request->response.body, openapi_document(request->context.arena, request->context.config->public_url));
    request->response.cache_control = "public, max-age=300";
    return OK;
}

enum outcome handle_ping(struct request *request)
{
    request->response.content_type = "text/plain";
    buffer_add_literal(&request->response.body, "pong\n");
    return OK;
}

enum outcome handle_ready(struct request *request)
{
    struct context *context = &request->context;
    const char *error;
    bool redis = redis_ping(context, &error);
    if (!database_is_ready(context)) {
        enum outcome outcome = problem_set_detail(context, ERROR_UNAVAILABLE, 0, "MariaDB does not answer.");
        context->problem.retry_after_seconds = 1;
        return outcome;
    }
    if (!redis && context->config->redis_required) {
        enum outcome outcome = problem_set_detail(context, ERROR_UNAVAILABLE, 0, "Redis does not answer, and redis_required is yes.");
        context->problem.retry_after_seconds = 1;
        return outcome;
    }
    buffer_add_string(&request->response.body, redis ? "{\"ready\":true,\"redis\":true}" : "{\"ready\":true,\"redis\":false}");
    return OK;
}

/* ---- the status ---- */

static int64_t load(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_worker(struct service_summary *summary, const struct scoreboard_worker *worker)
{
    struct pool_summary *pool = &summary->pools[worker->pool];
    pool->by_state[worker->state]++;
    pool->with_database += worker->database_present;
    pool->with_redis += worker->redis_present;
    int64_t microseconds = worker->request_started > 0 ? summary->now_microseconds - worker->request_started : 0;
    if (microseconds > pool->longest_microseconds) {
        pool->longest_microseconds = microseconds;
    }
}

static void add_pool(struct service_summary *summary, enum pool number)
{
    struct pool_summary *pool = &summary->pools[number];
    const struct scoreboard_pool *counters = &summary->board->pools[number];
    int64_t serving = pool->by_state[WORKER_IDLE] + pool->by_state[WORKER_BUSY];
    pool->waiting = backlog_length(counters->listener_inode, &pool->waiting_most);
    pool->saturation =
        serving > 0 ? (double)(pool->by_state[WORKER_BUSY] + (pool->waiting > 0 ? pool->waiting : 0)) / (double)serving : -1;
    pool->microseconds = load(&counters->microseconds);
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        pool->histogram[bucket] = load(&counters->histogram[bucket]);
        pool->requests += pool->histogram[bucket];
    }
    summary->requests += pool->requests;
}

/* Nothing here waits for MariaDB where a connection to it stands: the status is for the moment when it hangs. */
static void add_services(struct service_summary *summary, struct request *request)
{
    struct context *context = &request->context;
    const char *error;
    summary->database = database_is_present(context) ? SERVICE_PRESENT : SERVICE_AWAY;
    summary->redis = context->config->redis_socket[0] == '\0' && context->config->redis_host[0] == '\0' ? SERVICE_OFF
                     : redis_ping(context, &error)                                                    ? SERVICE_PRESENT
                                                                                                      : SERVICE_AWAY;
}

static void summarise(struct request *request, struct service_summary *summary)
{
    const struct scoreboard *board = scoreboard_get();
    memset(summary, 0, sizeof *summary);
    add_services(summary, request);
    summary->board = board;
    summary->now_microseconds = clock_monotonic_microseconds();
    summary->uptime_seconds = request->context.now_seconds - board->started_wall_seconds;
    int32_t slots = atomic_load_explicit(&board->slots_used, memory_order_relaxed);
    summary->workers = arena_zero(request->context.arena, (size_t)slots + 1, sizeof *summary->workers);
    for (int32_t i = 0; i < slots; i++) {
        struct scoreboard_worker *worker = &summary->workers[summary->worker_count];
        if (scoreboard_read(&board->slots[i], worker)) {
            add_worker(summary, worker);
            summary->worker_count++;
        }
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        add_pool(summary, (enum pool)pool);
    }
}

enum outcome handle_status(struct request *request)
{
    struct text format = request->query[INPUT_status_query_format].text;
    struct buffer *body = &request->response.body;
    struct service_summary summary;
    summarise(request, &summary);
    if (text_is(format, "json")) {
        status_print_json(body, &summary);
    } else if (text_is(format, "prometheus")) {
        request->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        status_print_prometheus(body, &summary);
    } else {
        request->response.content_type = "text/plain; charset=utf-8";
        status_print_text(body, &summary);
    }
    return OK;
}
