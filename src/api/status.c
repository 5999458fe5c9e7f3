/* status.c: the service about itself: OpenAPI, ping, readiness, status. */
#include "api/status.h"

#include "api/backlog.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/problem.h"
#include "store/database.h"
#include "store/redis.h"
#include "store/version_words.h"
#include "worker/accept.h"
#include "worker/openapi.h"

enum outcome handle_openapi(struct request *request)
{
    json_add_raw(&request->response.json, openapi_document(request->context.arena, request->context.config->public_url,
                                                           request->context.config->compatibility));
    request->response.cache_control = "public, max-age=300";
    return OK;
}

enum outcome handle_ping(struct request *request)
{
    if (request->hold_connection > 0) {
        version_words_hold((uint64_t)request->hold_connection);
    }
    request->response.content_type = "text/plain";
    buffer_add_literal(&request->response.body, "pong\n");
    return OK;
}

enum outcome handle_ready(struct request *request)
{
    struct context *context = &request->context;
    struct error error;
    bool redis = redis_ping(context, &error);
    if (!database_is_ready(context)) {
        enum database_condition condition = database_condition();
        enum outcome outcome = problem_set_detail(
            context, ERROR_UNAVAILABLE, 0,
            condition == DATABASE_PRESENT ? "MariaDB answers, but the tables can't be read; the server's log says why."
                                          : database_condition_text(condition));
        context->problem.retry_after_seconds = 1;
        return outcome;
    }
    if (!redis && context->config->redis_required) {
        enum outcome outcome =
            problem_set_detail(context, ERROR_UNAVAILABLE, 0, "Redis does not answer, and redis_required is yes.");
        context->problem.retry_after_seconds = 1;
        return outcome;
    }
    struct json_writer *json = &request->response.json;
    json_begin_object(json);
    json_member_boolean(json, "ready", true);
    json_member_boolean(json, "redis", redis);
    json_end_object(json);
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
    pool->waiting = backlog_length(counters->listener_inode, &pool->waiting_max);
    pool->is_paused = atomic_load_explicit(&counters->is_paused, memory_order_relaxed) != 0;
    pool->second_waiting = backlog_length(counters->second_inode, &pool->second_max);
    int64_t waiting = (pool->waiting > 0 ? pool->waiting : 0) + (pool->second_waiting > 0 ? pool->second_waiting : 0);
    pool->saturation = serving > 0 ? (double)(pool->by_state[WORKER_BUSY] + waiting) / (double)serving : -1;
    pool->microseconds = load(&counters->microseconds);
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        pool->histogram[bucket] = load(&counters->histogram[bucket]);
        pool->requests += pool->histogram[bucket];
    }
    summary->requests += pool->requests;
}

/* Does not wait for a MariaDB that hangs: the status must be readable then. */
static void add_services(struct service_summary *summary, struct request *request)
{
    struct context *context = &request->context;
    database_is_present(context);
    summary->database = database_condition();
    struct error error;
    summary->redis = context->config->redis_socket[0] == '\0' && context->config->redis_host[0] == '\0' ? SERVICE_OFF
                     : redis_ping(context, &error) ? SERVICE_PRESENT
                                                   : SERVICE_AWAY;
}

/* "used", or why the identity table is not. */
static const char *state_of_table(const struct config *config, int64_t now)
{
    static const char *const states[] = {
        [TABLE_UNWATCHED] = "unwatched",         [TABLE_WATCHED] = "unwatched",      [TABLE_WITHOUT_REDIS] = "no-redis",
        [TABLE_WITHOUT_DATABASE] = "no-mariadb", [TABLE_SHARED] = "shared-database",
    };
    if (config->identity_cache == 0 || !identity_table_exists()) {
        return "off";
    }
    if (!config_uses_identity_cache(config)) {
        return "several-hosts";
    }
    return identity_table_is_watched(now) ? "used" : states[identity_table_watch()];
}

static void add_table(struct service_summary *summary, const struct config *config)
{
    const struct scoreboard *board = summary->board;
    summary->table_state = state_of_table(config, summary->now_microseconds);
    identity_table_figures(&summary->table);
    touch_table_figures(&summary->touches);
    for (int32_t i = 0; i < atomic_load_explicit(&board->slots_used, memory_order_relaxed); i++) {
        summary->table_hits += load(&board->slots[i].table_hits);
        summary->table_misses += load(&board->slots[i].table_misses);
    }
}

static void summarise(struct request *request, struct service_summary *summary)
{
    const struct scoreboard *board = scoreboard_get();
    memset(summary, 0, sizeof *summary);
    add_services(summary, request);
    directory_figures(&summary->directory);
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
    add_table(summary, request->context.config);
    processes_read(board->master_pid, summary->workers, summary->worker_count, &summary->processes);
    census_read(&request->context, database_is_connected() && summary->database != DATABASE_AWAY, &summary->census);
}

/* The formats of the status, by the name in the query and by media type. A client that asks for OpenMetrics also reads
 * Prometheus' older format. */
enum form { FORM_TEXT, FORM_JSON, FORM_PROMETHEUS, FORM_METRICS, FORM_COUNT };

static enum form choose_form(struct request *request)
{
    static const char *const names[FORM_COUNT] = {"text", "json", "prometheus", "openmetrics"};
    static const struct media_offer offers[FORM_COUNT] = {{"text/plain", NULL},
                                                          {"application/json", NULL},
                                                          {"text/plain", "0.0.4"},
                                                          {"application/openmetrics-text", ""}};
    const struct input *format = &request->query[INPUT_status_query_format];
    if (!format->present) {
        response_add_header(request, "Vary", TEXT("Accept"));
        return (enum form)accept_choose(request->accept, offers, FORM_COUNT);
    }
    enum form form = FORM_TEXT;
    while (form < FORM_COUNT && !text_is(format->text, names[form])) {
        form++;
    }
    return form < FORM_COUNT ? form : FORM_TEXT;
}

enum outcome handle_status(struct request *request)
{
    struct buffer *body = &request->response.body;
    struct service_summary summary;
    enum form form = choose_form(request);
    summarise(request, &summary);
    if (form == FORM_JSON) {
        status_print_json(&request->response.json, &summary);
    } else if (form == FORM_PROMETHEUS || form == FORM_METRICS) {
        request->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        status_print_prometheus(body, &summary);
    } else {
        request->response.content_type = "text/plain; charset=utf-8";
        status_print_text(body, &summary);
    }
    return OK;
}

enum outcome handle_admin_status(struct request *request)
{
    struct service_summary summary;
    summarise(request, &summary);
    status_print_json(&request->response.json, &summary);
    return OK;
}
