/* status.c: what the service says about itself: OpenAPI, ping, readiness, status. */
#include "api/backlog.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "master/scoreboard.h"
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

static const char *const state_names[] = {"empty", "starting", "idle", "busy", "leaving"};

/* What the slots of a pool add up to. */
struct pool_summary {
    int64_t by_state[sizeof state_names / sizeof state_names[0]];
    int64_t longest_microseconds; /* of the requests that run */
    int64_t with_database, with_redis;
};

struct service_summary {
    const struct scoreboard *board;
    struct pool_summary pools[POOL_COUNT];
    int64_t waiting[POOL_COUNT]; /* connections in the backlog; -1: unknown */
    int64_t uptime_seconds;
    int64_t requests;
};

static int64_t load(const _Atomic int64_t *counter)
{
    return atomic_load_explicit((_Atomic int64_t *)(uintptr_t)counter, memory_order_relaxed);
}

static void summarise(const struct request *request, struct service_summary *summary)
{
    struct scoreboard *board = scoreboard_get();
    memset(summary, 0, sizeof *summary);
    summary->board = board;
    summary->uptime_seconds = request->context.now_seconds - board->started_wall_seconds;
    int64_t now = clock_monotonic_microseconds();
    for (unsigned i = 0; i < SCOREBOARD_SLOTS; i++) {
        struct scoreboard_slot *slot = &board->slots[i];
        int32_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
        int32_t pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
        if (atomic_load_explicit(&slot->pid, memory_order_relaxed) == 0 || pool < 0 || pool >= POOL_COUNT || state < 0 ||
            state > WORKER_LEAVING) {
            continue;
        }
        struct pool_summary *sum = &summary->pools[pool];
        sum->by_state[state]++;
        sum->with_database += atomic_load_explicit(&slot->database_present, memory_order_relaxed);
        sum->with_redis += atomic_load_explicit(&slot->redis_present, memory_order_relaxed);
        int64_t started = load(&slot->request_started);
        if (started > 0 && now - started > sum->longest_microseconds) {
            sum->longest_microseconds = now - started;
        }
    }
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        for (unsigned class = 0; class < SCOREBOARD_STATUS_CLASSES; class++) {
            summary->requests += load(&board->routes[route].by_status[class]);
        }
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        summary->waiting[pool] = backlog_length(request->context.config->pools[pool].listen);
    }
}

static const char *name_of_route(unsigned route)
{
    return route < ROUTE_COUNT ? routes[route].name : "none";
}

static void print_text(struct buffer *body, const struct service_summary *summary)
{
    buffer_add_format(body, "uptime_seconds: %lld\nreloads: %lld\nworker_deaths: %lld\nrequests: %lld\nstatements: %lld\nrate_limited: %lld\n",
                      (long long)summary->uptime_seconds, (long long)load(&summary->board->reloads),
                      (long long)load(&summary->board->worker_deaths), (long long)summary->requests,
                      (long long)load(&summary->board->statements), (long long)load(&summary->board->rate_limited));
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct pool_summary *sum = &summary->pools[pool];
        buffer_add_format(body, "pool: %s\n", pool_names[pool]);
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            buffer_add_format(body, "  %s: %lld\n", state_names[state], (long long)sum->by_state[state]);
        }
        buffer_add_format(body, "  waiting: %lld\n  longest_milliseconds: %lld\n  with_database: %lld\n  with_redis: %lld\n",
                          (long long)summary->waiting[pool], (long long)(sum->longest_microseconds / 1000), (long long)sum->with_database,
                          (long long)sum->with_redis);
    }
}

/* Each worker by itself: what it does now, and how long already. */
static void print_json_workers(struct buffer *body, const struct service_summary *summary)
{
    bool first = true;
    int64_t now = clock_monotonic_microseconds();
    serialise_key(body, "workers", false);
    buffer_add_byte(body, '[');
    for (unsigned i = 0; i < SCOREBOARD_SLOTS; i++) {
        const struct scoreboard_slot *slot = &summary->board->slots[i];
        int32_t pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
        int32_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
        int32_t pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
        if (pid == 0 || pool < 0 || pool >= POOL_COUNT || state < 0 || state > WORKER_LEAVING) {
            continue;
        }
        const char *stage = atomic_load_explicit(&slot->stage, memory_order_relaxed);
        int64_t started = load(&slot->request_started);
        buffer_add_string(body, first ? "{" : ",{");
        serialise_integer_member(body, "pid", pid, true);
        serialise_text_member(body, "pool", text_of(pool_names[pool]), false);
        serialise_text_member(body, "state", text_of(state_names[state]), false);
        serialise_integer_member(body, "requests", load(&slot->requests), false);
        serialise_text_member(body, "route", text_of(router_route_name(atomic_load_explicit(&slot->route, memory_order_relaxed))), false);
        serialise_text_member(body, "stage", text_of(stage), false);
        serialise_integer_member(body, "microseconds", started > 0 ? now - started : 0, false);
        buffer_add_byte(body, '}');
        first = false;
    }
    buffer_add_byte(body, ']');
}

static void print_json(struct buffer *body, const struct service_summary *summary)
{
    buffer_add_byte(body, '{');
    serialise_integer_member(body, "uptime_seconds", summary->uptime_seconds, true);
    serialise_integer_member(body, "reloads", load(&summary->board->reloads), false);
    serialise_integer_member(body, "worker_deaths", load(&summary->board->worker_deaths), false);
    serialise_integer_member(body, "requests", summary->requests, false);
    serialise_integer_member(body, "statements", load(&summary->board->statements), false);
    serialise_integer_member(body, "rate_limited", load(&summary->board->rate_limited), false);
    serialise_key(body, "pools", false);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct pool_summary *sum = &summary->pools[pool];
        buffer_add_byte(body, pool == 0 ? '{' : ',');
        serialise_key(body, pool_names[pool], true);
        buffer_add_byte(body, '{');
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            serialise_integer_member(body, state_names[state], sum->by_state[state], state == WORKER_STARTING);
        }
        serialise_integer_member(body, "waiting", summary->waiting[pool], false);
        serialise_integer_member(body, "longest_microseconds", sum->longest_microseconds, false);
        serialise_integer_member(body, "with_database", sum->with_database, false);
        serialise_integer_member(body, "with_redis", sum->with_redis, false);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, '}');
    print_json_workers(body, summary);
    serialise_key(body, "routes", false);
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        const struct scoreboard_route *counters = &summary->board->routes[route];
        buffer_add_byte(body, route == 0 ? '{' : ',');
        serialise_key(body, name_of_route(route), true);
        buffer_add_byte(body, '{');
        for (unsigned class = 0; class < SCOREBOARD_STATUS_CLASSES; class++) {
            char name[] = {(char)('1' + class), 'x', 'x', '\0'};
            serialise_integer_member(body, name, load(&counters->by_status[class]), class == 0);
        }
        serialise_integer_member(body, "microseconds", load(&counters->microseconds), false);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, '}');
    serialise_key(body, "latency", false);
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        buffer_add_string(body, bucket == 0 ? "[{" : ",{");
        serialise_key(body, "up_to_microseconds", true);
        if (bucket < SCOREBOARD_BUCKETS - 1) {
            buffer_add_integer(body, scoreboard_bucket_microseconds[bucket]);
        } else {
            buffer_add_literal(body, "null");
        }
        serialise_integer_member(body, "requests", load(&summary->board->histogram[bucket]), false);
        buffer_add_byte(body, '}');
    }
    buffer_add_literal(body, "]}");
}

static void print_metric(struct buffer *body, const char *name, const char *type, const char *help)
{
    buffer_add_format(body, "# HELP roster_%s %s\n# TYPE roster_%s %s\n", name, help, name, type);
}

/* The text format of Prometheus, version 0.0.4. */
static void print_prometheus(struct buffer *body, const struct service_summary *summary)
{
    const struct scoreboard *board = summary->board;
    const struct {
        const char *name, *type, *help;
        int64_t value;
    } singles[] = {
        {"uptime_seconds", "gauge", "Seconds since the master started.", summary->uptime_seconds},
        {"reloads_total", "counter", "Reloads of the configuration.", load(&board->reloads)},
        {"worker_deaths_total", "counter", "Workers that ended unasked.", load(&board->worker_deaths)},
        {"statements_total", "counter", "Statements sent to MariaDB.", load(&board->statements)},
        {"rate_limited_total", "counter", "Requests refused by a rate limit.", load(&board->rate_limited)},
    };
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        print_metric(body, singles[i].name, singles[i].type, singles[i].help);
        buffer_add_format(body, "roster_%s %lld\n", singles[i].name, (long long)singles[i].value);
    }
    print_metric(body, "workers", "gauge", "Workers by pool and state.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            buffer_add_format(body, "roster_workers{pool=\"%s\",state=\"%s\"} %lld\n", pool_names[pool], state_names[state],
                              (long long)summary->pools[pool].by_state[state]);
        }
    }
    print_metric(body, "waiting_connections", "gauge", "Connections that wait for a worker, by pool.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_format(body, "roster_waiting_connections{pool=\"%s\"} %lld\n", pool_names[pool], (long long)summary->waiting[pool]);
    }
    print_metric(body, "workers_with_database", "gauge", "Workers whose connection to MariaDB stands.");
    print_metric(body, "workers_with_redis", "gauge", "Workers whose connection to Redis stands.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_format(body, "roster_workers_with_database{pool=\"%s\"} %lld\nroster_workers_with_redis{pool=\"%s\"} %lld\n",
                          pool_names[pool], (long long)summary->pools[pool].with_database, pool_names[pool],
                          (long long)summary->pools[pool].with_redis);
    }
    print_metric(body, "requests_total", "counter", "Answers by route and class of status.");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        for (unsigned class = 0; class < SCOREBOARD_STATUS_CLASSES; class++) {
            int64_t count = load(&board->routes[route].by_status[class]);
            if (count > 0) {
                buffer_add_format(body, "roster_requests_total{route=\"%s\",status=\"%uxx\"} %lld\n", name_of_route(route), class + 1,
                                  (long long)count);
            }
        }
    }
    print_metric(body, "request_seconds", "histogram", "Time from accepting a request to the end of its answer.");
    int64_t count = 0;
    int64_t microseconds = 0;
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        count += load(&board->histogram[bucket]);
        if (bucket < SCOREBOARD_BUCKETS - 1) {
            buffer_add_format(body, "roster_request_seconds_bucket{le=\"%g\"} %lld\n",
                              (double)scoreboard_bucket_microseconds[bucket] / 1e6, (long long)count);
        }
    }
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        microseconds += load(&board->routes[route].microseconds);
    }
    buffer_add_format(body,
                      "roster_request_seconds_bucket{le=\"+Inf\"} %lld\nroster_request_seconds_sum %.6f\nroster_request_seconds_count %lld\n",
                      (long long)count, (double)microseconds / 1e6, (long long)count);
}

enum outcome handle_status(struct request *request)
{
    struct text format = request->query[INPUT_status_query_format].text;
    struct buffer *body = &request->response.body;
    struct service_summary summary;
    summarise(request, &summary);
    if (text_is(format, "json")) {
        print_json(body, &summary);
    } else if (text_is(format, "prometheus")) {
        request->response.content_type = "text/plain; version=0.0.4";
        print_prometheus(body, &summary);
    } else {
        request->response.content_type = "text/plain";
        print_text(body, &summary);
    }
    return OK;
}
