/* status_print.c: the status as text for people, as JSON for programs, and for Prometheus. */
#include "api/status.h"
#include "worker/router.h"
#include "worker/serialise.h"

static const char *const state_names[] = {"empty", "starting", "idle", "busy", "leaving"};
static const char *const service_names[] = {"off", "present", "away"};

static int64_t load(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What no route was found for is counted behind the last one. */
static const char *name_of_route(unsigned route)
{
    return route < ROUTE_COUNT ? routes[route].name : "none";
}

static int64_t answers_of(const struct scoreboard_route *route)
{
    int64_t sum = 0;
    for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
        sum += load(&route->by_status[place]);
    }
    return sum;
}

static const char *status_name(unsigned place, char name_r[static 16])
{
    if (place == SCOREBOARD_STATUSES - 1) {
        return "other";
    }
    snprintf(name_r, 16, "%d", scoreboard_statuses[place]);
    return name_r;
}

/* All single numbers, for all three forms. */
struct single {
    const char *name, *metric, *type, *help;
    int64_t value;
    bool is_time; /* the value is in microseconds, the metric in seconds */
};

enum { SINGLES = 9 };

static void list_singles(const struct service_summary *summary, struct single singles_r[static SINGLES])
{
    const struct scoreboard *board = summary->board;
    const struct single singles[SINGLES] = {
        {"uptime_seconds", "uptime_seconds", "gauge", "Seconds since the master started.", summary->uptime_seconds, false},
        {"generation", "generation", "gauge", "The number of the configuration that new workers have.",
         atomic_load_explicit(&board->generation, memory_order_relaxed), false},
        {"reloads", "reloads_total", "counter", "Reloads of the configuration.", load(&board->reloads), false},
        {"reload_failures", "reload_failures_total", "counter", "Reloads that failed: the configuration before stayed.",
         load(&board->reload_failures), false},
        {"worker_deaths", "worker_deaths_total", "counter", "Workers that ended unasked.", load(&board->worker_deaths), false},
        {"requests", "answers_total", "counter", "Requests that were answered.", summary->requests, false},
        {"statements", "statements_total", "counter", "Statements sent to MariaDB.", load(&board->statements), false},
        {"statement_microseconds", "statement_seconds_total", "counter", "Time that statements took.",
         load(&board->statement_microseconds), true},
        {"rate_limited", "rate_limited_total", "counter", "Requests that a rate limit refused.", load(&board->rate_limited), false},
    };
    memcpy(singles_r, singles, sizeof singles);
}

/* ---- text ---- */

static void print_line(struct buffer *body, const char *indent, const char *name, int64_t value)
{
    if (value < 0) {
        buffer_add_format(body, "%s%s: unknown\n", indent, name);
    } else {
        buffer_add_format(body, "%s%s: %lld\n", indent, name, (long long)value);
    }
}

static void print_text_pool(struct buffer *body, const char *name, const struct pool_summary *pool)
{
    buffer_add_format(body, "pool %s:\n", name);
    for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
        print_line(body, "  ", state_names[state], pool->by_state[state]);
    }
    print_line(body, "  ", "waiting", pool->waiting);
    print_line(body, "  ", "waiting_most", pool->waiting_most);
    if (pool->saturation >= 0) {
        buffer_add_format(body, "  saturation: %.2f\n", pool->saturation);
    } else {
        buffer_add_literal(body, "  saturation: unknown\n");
    }
    print_line(body, "  ", "longest_milliseconds", pool->longest_microseconds / 1000);
    print_line(body, "  ", "with_mariadb", pool->with_database);
    print_line(body, "  ", "with_redis", pool->with_redis);
    print_line(body, "  ", "requests", pool->requests);
    buffer_add_literal(body, "  times:");
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        if (pool->histogram[bucket] > 0 && bucket < SCOREBOARD_BUCKETS - 1) {
            buffer_add_format(body, " %lld up to %g ms,", (long long)pool->histogram[bucket],
                              (double)scoreboard_bucket_microseconds[bucket] / 1000);
        }
    }
    buffer_add_format(body, " %lld longer\n", (long long)pool->histogram[SCOREBOARD_BUCKETS - 1]);
}

void status_print_text(struct buffer *body, const struct service_summary *summary)
{
    struct single singles[SINGLES];
    char name[16];
    list_singles(summary, singles);
    buffer_add_literal(body, "version: " PACKAGE_VERSION "\n");
    for (size_t i = 0; i < SINGLES; i++) {
        print_line(body, "", singles[i].name, singles[i].value);
    }
    buffer_add_format(body, "mariadb: %s\nredis: %s\n", service_names[summary->database], service_names[summary->redis]);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        print_text_pool(body, pool_names[pool], &summary->pools[pool]);
    }
    buffer_add_literal(body, "workers:\n");
    for (size_t i = 0; i < summary->worker_count; i++) {
        const struct scoreboard_worker *worker = &summary->workers[i];
        buffer_add_format(body, "  %d %s: %s, %lld requests", (int)worker->pid, pool_names[worker->pool], state_names[worker->state],
                          (long long)worker->requests);
        if (worker->request_started > 0) {
            buffer_add_format(body, "; %lld ms: %s, %s, request %s",
                              (long long)(summary->now_microseconds - worker->request_started) / 1000,
                              router_route_name(worker->route), worker->stage[0] != '\0' ? worker->stage : "-",
                              worker->request_id[0] != '\0' ? worker->request_id : "-");
        }
        buffer_add_byte(body, '\n');
    }
    buffer_add_literal(body, "routes:\n");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        const struct scoreboard_route *counters = &summary->board->routes[route];
        int64_t answers = answers_of(counters);
        if (answers == 0) {
            continue;
        }
        buffer_add_format(body, "  %s: %lld, %.2f ms on average:", name_of_route(route), (long long)answers,
                          (double)load(&counters->microseconds) / (double)answers / 1000);
        for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
            int64_t count = load(&counters->by_status[place]);
            if (count > 0) {
                buffer_add_format(body, " %lld × %s", (long long)count, status_name(place, name));
            }
        }
        buffer_add_byte(body, '\n');
    }
}

/* ---- JSON ---- */

/* -1 is null. */
static void print_json_number(struct buffer *body, const char *key, int64_t number)
{
    if (number >= 0) {
        serialise_integer_member(body, key, number, false);
    } else {
        serialise_text_member(body, key, (struct text){NULL, 0}, false);
    }
}

static void print_json_latency(struct buffer *body, const int64_t histogram[static SCOREBOARD_BUCKETS])
{
    serialise_key(body, "latency", false);
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        buffer_add_string(body, bucket == 0 ? "[{" : ",{");
        serialise_key(body, "up_to_microseconds", true);
        if (bucket < SCOREBOARD_BUCKETS - 1) {
            buffer_add_integer(body, scoreboard_bucket_microseconds[bucket]);
        } else {
            buffer_add_literal(body, "null");
        }
        serialise_integer_member(body, "requests", histogram[bucket], false);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, ']');
}

static void print_json_pools(struct buffer *body, const struct service_summary *summary)
{
    serialise_key(body, "pools", false);
    for (int number = 0; number < POOL_COUNT; number++) {
        const struct pool_summary *pool = &summary->pools[number];
        buffer_add_string(body, number == 0 ? "{" : "");
        serialise_key(body, pool_names[number], number == 0);
        buffer_add_byte(body, '{');
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            serialise_integer_member(body, state_names[state], pool->by_state[state], state == WORKER_STARTING);
        }
        print_json_number(body, "waiting", pool->waiting);
        print_json_number(body, "waiting_most", pool->waiting_most);
        serialise_key(body, "saturation", false);
        if (pool->saturation >= 0) {
            buffer_add_format(body, "%.2f", pool->saturation);
        } else {
            buffer_add_literal(body, "null");
        }
        serialise_integer_member(body, "longest_microseconds", pool->longest_microseconds, false);
        serialise_integer_member(body, "with_database", pool->with_database, false);
        serialise_integer_member(body, "with_redis", pool->with_redis, false);
        serialise_integer_member(body, "requests", pool->requests, false);
        serialise_integer_member(body, "microseconds", pool->microseconds, false);
        print_json_latency(body, pool->histogram);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, '}');
}

/* Each worker by itself: what it does now, and how long already. */
static void print_json_workers(struct buffer *body, const struct service_summary *summary)
{
    serialise_key(body, "workers", false);
    buffer_add_byte(body, '[');
    for (size_t i = 0; i < summary->worker_count; i++) {
        const struct scoreboard_worker *worker = &summary->workers[i];
        bool runs = worker->request_started > 0;
        struct text none = {NULL, 0};
        buffer_add_string(body, i == 0 ? "{" : ",{");
        serialise_integer_member(body, "pid", worker->pid, true);
        serialise_text_member(body, "pool", text_of(pool_names[worker->pool]), false);
        serialise_text_member(body, "state", text_of(state_names[worker->state]), false);
        serialise_integer_member(body, "generation", worker->generation, false);
        serialise_integer_member(body, "requests", worker->requests, false);
        serialise_text_member(body, "route", runs ? text_of(router_route_name(worker->route)) : none, false);
        serialise_text_member(body, "stage", runs && worker->stage[0] != '\0' ? text_of(worker->stage) : none, false);
        serialise_text_member(body, "request", runs && worker->request_id[0] != '\0' ? text_of(worker->request_id) : none, false);
        serialise_integer_member(body, "microseconds", runs ? summary->now_microseconds - worker->request_started : 0, false);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, ']');
}

static void print_json_routes(struct buffer *body, const struct service_summary *summary)
{
    char name[16];
    serialise_key(body, "routes", false);
    bool first_route = true;
    buffer_add_byte(body, '{');
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        const struct scoreboard_route *counters = &summary->board->routes[route];
        if (answers_of(counters) == 0) {
            continue;
        }
        bool first = true;
        serialise_key(body, name_of_route(route), first_route);
        first_route = false;
        buffer_add_byte(body, '{');
        serialise_key(body, "statuses", true);
        buffer_add_byte(body, '{');
        for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
            int64_t count = load(&counters->by_status[place]);
            if (count > 0) {
                serialise_integer_member(body, status_name(place, name), count, first);
                first = false;
            }
        }
        buffer_add_byte(body, '}');
        serialise_integer_member(body, "microseconds", load(&counters->microseconds), false);
        buffer_add_byte(body, '}');
    }
    buffer_add_byte(body, '}');
}

void status_print_json(struct buffer *body, const struct service_summary *summary)
{
    int64_t histogram[SCOREBOARD_BUCKETS] = {0};
    struct single singles[SINGLES];
    list_singles(summary, singles);
    buffer_add_byte(body, '{');
    serialise_text_member(body, "version", TEXT(PACKAGE_VERSION), true);
    for (size_t i = 0; i < SINGLES; i++) {
        serialise_integer_member(body, singles[i].name, singles[i].value, false);
    }
    serialise_text_member(body, "mariadb", text_of(service_names[summary->database]), false);
    serialise_text_member(body, "redis", text_of(service_names[summary->redis]), false);
    print_json_pools(body, summary);
    print_json_workers(body, summary);
    print_json_routes(body, summary);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
            histogram[bucket] += summary->pools[pool].histogram[bucket];
        }
    }
    print_json_latency(body, histogram);
    buffer_add_byte(body, '}');
}

/* ---- Prometheus ---- */

/* All samples of a metric must follow its head. */
static void print_head(struct buffer *body, const char *name, const char *type, const char *help)
{
    buffer_add_format(body, "# HELP roster_%s %s\n# TYPE roster_%s %s\n", name, help, name, type);
}

static void print_pool_metric(struct buffer *body, const char *name, const char *help, const int64_t values[static POOL_COUNT])
{
    print_head(body, name, "gauge", help);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (values[pool] >= 0) {
            buffer_add_format(body, "roster_%s{pool=\"%s\"} %lld\n", name, pool_names[pool], (long long)values[pool]);
        }
    }
}

static void print_pool_metrics(struct buffer *body, const struct pool_summary pools[static POOL_COUNT])
{
    int64_t waiting[POOL_COUNT], most[POOL_COUNT], with_database[POOL_COUNT], with_redis[POOL_COUNT];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        waiting[pool] = pools[pool].waiting;
        most[pool] = pools[pool].waiting_most;
        with_database[pool] = pools[pool].with_database;
        with_redis[pool] = pools[pool].with_redis;
    }
    print_pool_metric(body, "waiting_connections", "Connections that wait for a worker.", waiting);
    print_pool_metric(body, "waiting_connections_limit", "Connections that may wait for a worker.", most);
    print_pool_metric(body, "workers_with_mariadb", "Workers whose connection to MariaDB stands.", with_database);
    print_pool_metric(body, "workers_with_redis", "Workers whose connection to Redis stands.", with_redis);
    print_head(body, "pool_saturation", "gauge", "Requests that run or wait, per worker: over 1, requests wait.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (pools[pool].saturation >= 0) {
            buffer_add_format(body, "roster_pool_saturation{pool=\"%s\"} %.3f\n", pool_names[pool], pools[pool].saturation);
        }
    }
    print_head(body, "longest_request_seconds", "gauge", "Age of the oldest request that runs.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_format(body, "roster_longest_request_seconds{pool=\"%s\"} %.6f\n", pool_names[pool],
                          (double)pools[pool].longest_microseconds / 1e6);
    }
}

static void print_route_metrics(struct buffer *body, const struct scoreboard *board)
{
    char status[16];
    print_head(body, "requests_total", "counter", "Answers by route and status.");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
            int64_t count = load(&board->routes[route].by_status[place]);
            if (count > 0) {
                buffer_add_format(body, "roster_requests_total{route=\"%s\",status=\"%s\"} %lld\n", name_of_route(route),
                                  status_name(place, status), (long long)count);
            }
        }
    }
    print_head(body, "route_seconds_total", "counter", "Time that answers took, by route.");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        if (answers_of(&board->routes[route]) > 0) {
            buffer_add_format(body, "roster_route_seconds_total{route=\"%s\"} %.6f\n", name_of_route(route),
                              (double)load(&board->routes[route].microseconds) / 1e6);
        }
    }
}

static void print_histogram(struct buffer *body, const struct pool_summary pools[static POOL_COUNT])
{
    print_head(body, "request_seconds", "histogram", "Time from accepting a request to the end of its answer.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const char *name = pool_names[pool];
        int64_t count = 0;
        for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS - 1; bucket++) {
            count += pools[pool].histogram[bucket];
            buffer_add_format(body, "roster_request_seconds_bucket{pool=\"%s\",le=\"%g\"} %lld\n", name,
                              (double)scoreboard_bucket_microseconds[bucket] / 1e6, (long long)count);
        }
        buffer_add_format(body, "roster_request_seconds_bucket{pool=\"%s\",le=\"+Inf\"} %lld\n", name, (long long)pools[pool].requests);
        buffer_add_format(body, "roster_request_seconds_sum{pool=\"%s\"} %.6f\n", name, (double)pools[pool].microseconds / 1e6);
        buffer_add_format(body, "roster_request_seconds_count{pool=\"%s\"} %lld\n", name, (long long)pools[pool].requests);
    }
}

void status_print_prometheus(struct buffer *body, const struct service_summary *summary)
{
    struct single singles[SINGLES];
    list_singles(summary, singles);
    print_head(body, "info", "gauge", "The version that runs.");
    buffer_add_literal(body, "roster_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    for (size_t i = 0; i < SINGLES; i++) {
        print_head(body, singles[i].metric, singles[i].type, singles[i].help);
        if (singles[i].is_time) {
            buffer_add_format(body, "roster_%s %.6f\n", singles[i].metric, (double)singles[i].value / 1e6);
        } else {
            buffer_add_format(body, "roster_%s %lld\n", singles[i].metric, (long long)singles[i].value);
        }
    }
    print_head(body, "mariadb_up", "gauge", "Whether MariaDB takes connections.");
    buffer_add_format(body, "roster_mariadb_up %d\n", summary->database == SERVICE_PRESENT);
    if (summary->redis != SERVICE_OFF) {
        print_head(body, "redis_up", "gauge", "Whether Redis answers.");
        buffer_add_format(body, "roster_redis_up %d\n", summary->redis == SERVICE_PRESENT);
    }
    print_head(body, "workers", "gauge", "Workers by pool and state.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            buffer_add_format(body, "roster_workers{pool=\"%s\",state=\"%s\"} %lld\n", pool_names[pool], state_names[state],
                              (long long)summary->pools[pool].by_state[state]);
        }
    }
    print_pool_metrics(body, summary->pools);
    print_route_metrics(body, summary->board);
    print_histogram(body, summary->pools);
}
