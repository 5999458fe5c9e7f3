/* status_print.c: prints the status as text, as JSON, and for Prometheus. */
#include "api/status.h"
#include "worker/router.h"

static const char *const state_names[] = {"empty", "starting", "idle", "busy", "leaving"};
static const char *const service_names[] = {"off", "present", "away"};

static int64_t load(const _Atomic int64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static const char *directory_state_name(const struct service_summary *summary)
{
    static const char *const names[] = {[DIRECTORY_EMPTY] = "loading",
                                        [DIRECTORY_LOADING] = "loading",
                                        [DIRECTORY_READY] = "ready",
                                        [DIRECTORY_FULL] = "full"};
    return summary->directory.bytes_max > 0 ? names[summary->directory.state] : "off";
}

/* Requests without a route are counted after the last route. */
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

/* The single numbers, for all three formats. */
struct single {
    const char *name, *metric, *type, *help; /* metric NULL: Prometheus is told in another way */
    int64_t value;                           /* -1: unknown */
    bool is_time;                            /* the value is in microseconds, the metric in seconds */
};

enum { SINGLES = 16 };

static void list_singles(const struct service_summary *summary, struct single singles_r[static SINGLES])
{
    const struct scoreboard *board = summary->board;
    const struct directory_figures *directory = &summary->directory;
    const struct single singles[SINGLES] = {
        {"uptime_seconds", NULL, NULL, NULL, summary->uptime_seconds, false},
        {"resident_bytes", "process_resident_memory_bytes", "gauge",
         "Memory of the master and all workers; what they share counts once.", summary->processes.resident_bytes,
         false},
        {"cpu_microseconds", "process_cpu_seconds_total", "counter",
         "Processor time of the master and all workers, also of those that are gone.",
         summary->processes.cpu_microseconds, true},
        {"generation", "roster_generation", "gauge", "The number of the configuration that new workers use.",
         atomic_load_explicit(&board->generation, memory_order_relaxed), false},
        {"reloads", "roster_reloads_total", "counter", "Reloads of the configuration.", load(&board->reloads), false},
        {"reload_failures", "roster_reload_failures_total", "counter",
         "Failed reloads, after which the previous configuration stayed.", load(&board->reload_failures), false},
        {"worker_deaths", "roster_worker_deaths_total", "counter", "Workers that exited unexpectedly.",
         load(&board->worker_deaths), false},
        /* Prometheus sums up roster_requests_total. */
        {"requests", NULL, NULL, NULL, summary->requests, false},
        {"statements", "roster_statements_total", "counter", "Statements sent to MariaDB.", load(&board->statements),
         false},
        {"statement_microseconds", "roster_statement_seconds_total", "counter", "Time that statements took.",
         load(&board->statement_microseconds), true},
        {"rate_limited", "roster_rate_limited_total", "counter", "Requests that a rate limit refused.",
         load(&board->rate_limited), false},
        {"directory_users", "roster_directory_users", "gauge", "Users in the directory.", directory->users, false},
        {"directory_bytes", "roster_directory_bytes", "gauge", "Memory that the directory takes.", directory->bytes,
         false},
        {"directory_loaded_at", "roster_directory_loaded_timestamp_seconds", "gauge",
         "When the directory was read as a whole, in epoch seconds; 0: it was not.", directory->loaded_at, false},
        {"directory_load_microseconds", "roster_directory_load_seconds", "gauge", "How long that took.",
         directory->load_microseconds, true},
        {"directory_losses", "roster_directory_losses_total", "counter",
         "How often a worker died while it changed the directory, so that it was read again.", directory->losses,
         false},
    };
    memcpy(singles_r, singles, sizeof singles);
}

/* The figures of the identity table, for all three formats. */
struct table_figure {
    const char *name, *metric, *type, *help;
    int64_t value;
};

enum { TABLE_FIGURES = 7 };

static void list_table_figures(const struct service_summary *summary,
                               struct table_figure figures_r[static TABLE_FIGURES])
{
    const struct table_figures *table = &summary->table;
    const struct table_figure figures[TABLE_FIGURES] = {
        {"hits", "hits_total", "counter", "Questions that the identity table answered.", summary->table_hits},
        {"misses", "misses_total", "counter", "Questions that went on to MariaDB, while the table was used.",
         summary->table_misses},
        {"entries", "entries", "gauge", "Entries, whether they still count or not.", table->entries},
        {"bytes", "bytes", "gauge", "The bytes that they take.", table->bytes},
        {"size", "size_bytes", "gauge", "The bytes for which there is room.", table->size},
        {"writing", "writing", "gauge", "Processes that are writing what it holds.", table->writing},
        {"orphans", "orphans", "gauge", "Writes of processes that are gone, whose outcome is not known yet.",
         table->orphans},
    };
    memcpy(figures_r, figures, sizeof figures);
}

/* The same of what is noted of last uses. */
enum { TOUCH_FIGURES = 5 };

static void list_touch_figures(const struct service_summary *summary,
                               struct table_figure figures_r[static TOUCH_FIGURES])
{
    const struct touch_figures *touches = &summary->touches;
    const struct table_figure figures[TOUCH_FIGURES] = {
        {"waiting", "waiting", "gauge", "Times of last use that are noted, and not written yet.", touches->waiting},
        {"noted", "noted_total", "counter", "Times of last use that workers noted.", touches->noted},
        {"written", "written_total", "counter", "Times of last use that the housekeeper wrote.", touches->written},
        {"written_statements", "written_statements_total", "counter", "The statements that it took.",
         touches->statements},
        {"direct", "direct_total", "counter", "Times of last use that workers wrote themselves.", touches->direct},
    };
    memcpy(figures_r, figures, sizeof figures);
}

static const char *touch_state(const struct service_summary *summary)
{
    return summary->touches.is_attended ? "gathered" : "unattended";
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
    if (pool->is_paused) {
        buffer_add_literal(body, "  paused: its workers exited at their start; the error log says why\n");
    }
    for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
        print_line(body, "  ", state_names[state], pool->by_state[state]);
    }
    print_line(body, "  ", "waiting", pool->waiting);
    print_line(body, "  ", "waiting_most", pool->waiting_max);
    if (pool->saturation >= 0) {
        buffer_add_format(body, "  saturation: %.2f\n", pool->saturation);
    } else {
        buffer_add_literal(body, "  saturation: unknown\n");
    }
    if (pool->second_max >= 0) {
        print_line(body, "  ", "second_waiting", pool->second_waiting);
        print_line(body, "  ", "second_waiting_most", pool->second_max);
    }
    print_line(body, "  ", "longest_milliseconds", pool->longest_microseconds / 1000);
    print_line(body, "  ", "with_mariadb", pool->with_database);
    print_line(body, "  ", "with_redis", pool->with_redis);
    print_line(body, "  ", "requests", pool->requests);
    buffer_add_literal(body, "  times:");
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        if (bucket < SCOREBOARD_BUCKETS - 1 && pool->histogram[bucket] > 0) {
            buffer_add_format(body, " %lld up to %g ms,", (long long)pool->histogram[bucket],
                              (double)scoreboard_bucket_microseconds[bucket] / 1000);
        }
    }
    buffer_add_format(body, " %lld longer\n", (long long)pool->histogram[SCOREBOARD_BUCKETS - 1]);
}

void status_print_text(struct buffer *body, const struct service_summary *summary)
{
    struct single singles[SINGLES];
    list_singles(summary, singles);
    buffer_add_literal(body, "version: " PACKAGE_VERSION "\n");
    for (size_t i = 0; i < SINGLES; i++) {
        print_line(body, "", singles[i].name, singles[i].value);
    }
    const struct census *census = &summary->census;
    for (int role = 0; role < SCOREBOARD_ROLES; role++) {
        print_line(body, "accounts_", census_roles[role], census->is_counted ? census->accounts[role] : -1);
    }
    print_line(body, "", "active_users", census->is_counted ? census->active : -1);
    print_line(body, "", "sessions", census->is_counted ? census->sessions : -1);
    print_line(body, "", "mails_waiting", census->is_counted ? census->mails_waiting : -1);
    print_line(body, "", "mails_given_up", census->is_counted ? census->mails_given_up : -1);
    print_line(body, "", "oldest_mail_at", census->is_counted ? census->oldest_mail_at : -1);
    print_line(body, "", "schema_version", census->is_counted ? census->schema_version : -1);
    print_line(body, "", "last_backup_at", census->last_backup_at);
    if (summary->board->reload_error[0] != '\0') {
        buffer_add_format(body, "reload_error: %.599s\n", summary->board->reload_error);
    }
    buffer_add_format(body, "mariadb: %s\nredis: %s\ndirectory: %s\n", database_condition_name(summary->database),
                      service_names[summary->redis], directory_state_name(summary));
    struct table_figure figures[TABLE_FIGURES];
    list_table_figures(summary, figures);
    buffer_add_format(body, "identity_table: %s\n", summary->table_state);
    for (size_t i = 0; i < TABLE_FIGURES; i++) {
        print_line(body, "  ", figures[i].name, figures[i].value);
    }
    struct table_figure touches[TOUCH_FIGURES];
    list_touch_figures(summary, touches);
    buffer_add_format(body, "touches: %s\n", touch_state(summary));
    for (size_t i = 0; i < TOUCH_FIGURES; i++) {
        print_line(body, "  ", touches[i].name, touches[i].value);
    }
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        print_text_pool(body, pool_names[pool], &summary->pools[pool]);
    }
    buffer_add_literal(body, "workers:\n");
    for (size_t i = 0; i < summary->worker_count; i++) {
        const struct scoreboard_worker *worker = &summary->workers[i];
        buffer_add_format(body, "  %d %s: %s, %lld requests", (int)worker->pid, pool_names[worker->pool],
                          state_names[worker->state], (long long)worker->requests);
        if (worker->request_started > 0) {
            buffer_add_format(body, "; %lld ms: %s, %s, request %s",
                              (long long)(summary->now_microseconds - worker->request_started) / 1000,
                              router_route_name(worker->route), worker->stage[0] != '\0' ? worker->stage : "-",
                              worker->request_id[0] != '\0' ? worker->request_id : "-");
        }
        buffer_add_byte(body, '\n');
    }
    buffer_add_literal(body, "routes:\n");
    char name[16];
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

/* A member: -1 is null. */
static void print_json_number(struct json_writer *json, struct json_name name, int64_t number)
{
    json_add_name(json, name);
    if (number >= 0) {
        json_add_integer(json, number);
    } else {
        json_add_null(json);
    }
}

/* A member: the empty text is null. */
static void print_json_text(struct json_writer *json, struct json_name name, const char *text, size_t size)
{
    json_add_name(json, name);
    json_add_text(json, text[0] != '\0' ? (struct text){text, strnlen(text, size)} : TEXT_NULL);
}

static void print_json_latency(struct json_writer *json, const int64_t histogram[static SCOREBOARD_BUCKETS])
{
    json_member_array(json, "latency");
    for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
        json_begin_object(json);
        json_name(json, "up_to_microseconds");
        if (bucket < SCOREBOARD_BUCKETS - 1) {
            json_add_integer(json, scoreboard_bucket_microseconds[bucket]);
        } else {
            json_add_null(json);
        }
        json_member_integer(json, "requests", histogram[bucket]);
        json_end_object(json);
    }
    json_end_array(json);
}

static void print_json_pool(struct json_writer *json, const struct pool_summary *pool)
{
    json_begin_object(json);
    json_member_boolean(json, "paused", pool->is_paused);
    for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
        json_add_name_string(json, state_names[state]);
        json_add_integer(json, pool->by_state[state]);
    }
    print_json_number(json, JSON_NAME("waiting"), pool->waiting);
    print_json_number(json, JSON_NAME("waiting_most"), pool->waiting_max);
    print_json_number(json, JSON_NAME("second_waiting"), pool->second_waiting);
    print_json_number(json, JSON_NAME("second_waiting_most"), pool->second_max);
    json_name(json, "saturation");
    if (pool->saturation >= 0) {
        json_add_raw(json, text_format(json->buffer->arena, "%.2f", pool->saturation));
    } else {
        json_add_null(json);
    }
    json_member_integer(json, "longest_microseconds", pool->longest_microseconds);
    json_member_integer(json, "with_database", pool->with_database);
    json_member_integer(json, "with_redis", pool->with_redis);
    json_member_integer(json, "requests", pool->requests);
    json_member_integer(json, "microseconds", pool->microseconds);
    print_json_latency(json, pool->histogram);
    json_end_object(json);
}

/* One worker: what it does now, and for how long. */
static void print_json_worker(struct json_writer *json, const struct service_summary *summary,
                              const struct scoreboard_worker *worker)
{
    bool runs = worker->request_started > 0;
    json_begin_object(json);
    json_member_integer(json, "pid", worker->pid);
    json_member_string(json, "pool", pool_names[worker->pool]);
    json_member_string(json, "state", state_names[worker->state]);
    json_member_integer(json, "generation", worker->generation);
    json_member_integer(json, "requests", worker->requests);
    json_member_string(json, "route", runs ? router_route_name(worker->route) : NULL);
    print_json_text(json, JSON_NAME("stage"), runs ? worker->stage : "", sizeof worker->stage);
    print_json_text(json, JSON_NAME("request"), runs ? worker->request_id : "", sizeof worker->request_id);
    json_member_integer(json, "microseconds", runs ? summary->now_microseconds - worker->request_started : 0);
    json_end_object(json);
}

static void print_json_route(struct json_writer *json, const struct scoreboard_route *counters)
{
    json_begin_object(json);
    json_member_object(json, "statuses");
    char name[16];
    for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
        int64_t count = load(&counters->by_status[place]);
        if (count > 0) {
            json_add_name_string(json, status_name(place, name));
            json_add_integer(json, count);
        }
    }
    json_end_object(json);
    json_member_integer(json, "microseconds", load(&counters->microseconds));
    json_end_object(json);
}

static void print_json_figures(struct json_writer *json, const char *name, const char *state,
                               const struct table_figure *figures, size_t count)
{
    json_add_name_string(json, name);
    json_begin_object(json);
    json_member_string(json, "state", state);
    for (size_t i = 0; i < count; i++) {
        json_add_name_string(json, figures[i].name);
        json_add_integer(json, figures[i].value);
    }
    json_end_object(json);
}

static void print_json_tables(struct json_writer *json, const struct service_summary *summary)
{
    struct table_figure figures[TABLE_FIGURES], touches[TOUCH_FIGURES];
    list_table_figures(summary, figures);
    print_json_figures(json, "identity_table", summary->table_state, figures, TABLE_FIGURES);
    list_touch_figures(summary, touches);
    print_json_figures(json, "touches", touch_state(summary), touches, TOUCH_FIGURES);
}

/* Pools and routes, each by its name, and the list of workers. */
static void print_json_lists(struct json_writer *json, const struct service_summary *summary)
{
    json_member_object(json, "pools");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        json_add_name_string(json, pool_names[pool]);
        print_json_pool(json, &summary->pools[pool]);
    }
    json_end_object(json);
    json_member_array(json, "workers");
    for (size_t i = 0; i < summary->worker_count; i++) {
        print_json_worker(json, summary, &summary->workers[i]);
    }
    json_end_array(json);
    json_member_object(json, "routes");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        const struct scoreboard_route *counters = &summary->board->routes[route];
        if (answers_of(counters) > 0) {
            json_add_name_string(json, name_of_route(route));
            print_json_route(json, counters);
        }
    }
    json_end_object(json);
}

static void print_json_census(struct json_writer *json, const struct census *census)
{
    if (census->is_counted) {
        json_member_object(json, "accounts");
        for (int role = 0; role < SCOREBOARD_ROLES; role++) {
            json_add_name_string(json, census_roles[role]);
            json_add_integer(json, census->accounts[role]);
        }
        json_end_object(json);
    } else {
        json_name(json, "accounts");
        json_add_null(json);
    }
    print_json_number(json, JSON_NAME("active_users"), census->is_counted ? census->active : -1);
    print_json_number(json, JSON_NAME("sessions"), census->is_counted ? census->sessions : -1);
    print_json_number(json, JSON_NAME("mails_waiting"), census->is_counted ? census->mails_waiting : -1);
    print_json_number(json, JSON_NAME("mails_given_up"), census->is_counted ? census->mails_given_up : -1);
    print_json_number(json, JSON_NAME("oldest_mail_at"), census->is_counted ? census->oldest_mail_at : -1);
    print_json_number(json, JSON_NAME("schema_version"), census->is_counted ? census->schema_version : -1);
    print_json_number(json, JSON_NAME("last_backup_at"), census->last_backup_at);
}

void status_print_json(struct json_writer *json, const struct service_summary *summary)
{
    struct single singles[SINGLES];
    list_singles(summary, singles);
    json_begin_object(json);
    json_member_string(json, "version", PACKAGE_VERSION);
    for (size_t i = 0; i < SINGLES; i++) {
        json_add_name_string(json, singles[i].name);
        if (singles[i].value >= 0) {
            json_add_integer(json, singles[i].value);
        } else {
            json_add_null(json);
        }
    }
    print_json_census(json, &summary->census);
    json_member_integer(json, "master", summary->board->master_pid);
    print_json_text(json, JSON_NAME("reload_error"), summary->board->reload_error, sizeof summary->board->reload_error);
    json_member_string(json, "mariadb", database_condition_name(summary->database));
    json_member_string(json, "redis", service_names[summary->redis]);
    json_member_string(json, "directory", directory_state_name(summary));
    print_json_tables(json, summary);
    print_json_lists(json, summary);
    int64_t histogram[SCOREBOARD_BUCKETS] = {0};
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (unsigned bucket = 0; bucket < SCOREBOARD_BUCKETS; bucket++) {
            histogram[bucket] += summary->pools[pool].histogram[bucket];
        }
    }
    print_json_latency(json, histogram);
    json_end_object(json);
}

/* ---- Prometheus ---- */

/* The head of a metric. All its samples must follow. */
static void print_whole_head(struct buffer *body, const char *name, const char *type, const char *help)
{
    buffer_add_format(body, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The same, with our prefix. */
static void print_head(struct buffer *body, const char *name, const char *type, const char *help)
{
    print_whole_head(body, text_format(body->arena, "roster_%s", name).data, type, help);
}

static void print_pool_metric(struct buffer *body, const char *name, const char *help,
                              const int64_t values[static POOL_COUNT])
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
    int64_t waiting[POOL_COUNT], max[POOL_COUNT], with_database[POOL_COUNT], with_redis[POOL_COUNT];
    int64_t second_waiting[POOL_COUNT], second_max[POOL_COUNT];
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        waiting[pool] = pools[pool].waiting;
        max[pool] = pools[pool].waiting_max;
        second_waiting[pool] = pools[pool].second_waiting;
        second_max[pool] = pools[pool].second_max;
        with_database[pool] = pools[pool].with_database;
        with_redis[pool] = pools[pool].with_redis;
    }
    print_pool_metric(body, "waiting_connections", "Connections that wait for a worker.", waiting);
    print_pool_metric(body, "waiting_connections_limit", "The limit of the backlog.", max);
    print_pool_metric(body, "second_waiting_connections", "Connections that wait at the second socket of the pool.",
                      second_waiting);
    print_pool_metric(body, "second_waiting_connections_limit", "The limit of the backlog of the second socket.",
                      second_max);
    print_pool_metric(body, "workers_with_mariadb", "Workers that are connected to MariaDB.", with_database);
    print_pool_metric(body, "workers_with_redis", "Workers that are connected to Redis.", with_redis);
    print_head(body, "pool_saturation", "gauge", "Running and waiting requests per worker: over 1, requests wait.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (pools[pool].saturation >= 0) {
            buffer_add_format(body, "roster_pool_saturation{pool=\"%s\"} %.3f\n", pool_names[pool],
                              pools[pool].saturation);
        }
    }
    print_head(body, "pool_paused", "gauge", "Whether the pool is paused, since its workers exited at their start.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_format(body, "roster_pool_paused{pool=\"%s\"} %d\n", pool_names[pool], pools[pool].is_paused);
    }
    print_head(body, "longest_request_seconds", "gauge", "Age of the oldest running request.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        buffer_add_format(body, "roster_longest_request_seconds{pool=\"%s\"} %.6f\n", pool_names[pool],
                          (double)pools[pool].longest_microseconds / 1e6);
    }
}

static void print_route_metrics(struct buffer *body, const struct scoreboard *board)
{
    char status[16];
    print_head(body, "requests_total", "counter", "Answers by route and status code.");
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        for (unsigned place = 0; place < SCOREBOARD_STATUSES; place++) {
            int64_t count = load(&board->routes[route].by_status[place]);
            if (count > 0) {
                buffer_add_format(body, "roster_requests_total{route=\"%s\",code=\"%s\"} %lld\n", name_of_route(route),
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
        buffer_add_format(body, "roster_request_seconds_bucket{pool=\"%s\",le=\"+Inf\"} %lld\n", name,
                          (long long)pools[pool].requests);
        buffer_add_format(body, "roster_request_seconds_sum{pool=\"%s\"} %.6f\n", name,
                          (double)pools[pool].microseconds / 1e6);
        buffer_add_format(body, "roster_request_seconds_count{pool=\"%s\"} %lld\n", name,
                          (long long)pools[pool].requests);
    }
}

static void print_figure_metrics(struct buffer *body, const char *prefix, const char *up_help, bool is_up,
                                 const struct table_figure *figures, size_t count)
{
    const char *up = text_format(body->arena, "%s_up", prefix).data;
    print_head(body, up, "gauge", up_help);
    buffer_add_format(body, "roster_%s %d\n", up, is_up);
    for (size_t i = 0; i < count; i++) {
        const char *name = text_format(body->arena, "%s_%s", prefix, figures[i].metric).data;
        print_head(body, name, figures[i].type, figures[i].help);
        buffer_add_format(body, "roster_%s %lld\n", name, (long long)figures[i].value);
    }
}

static void print_mail_metrics(struct buffer *body, const struct census *census)
{
    print_head(body, "mails", "gauge", "Mails that wait, and that were given up within a week.");
    buffer_add_format(body, "roster_mails{state=\"waiting\"} %lld\n", (long long)census->mails_waiting);
    buffer_add_format(body, "roster_mails{state=\"given_up\"} %lld\n", (long long)census->mails_given_up);
    print_head(body, "oldest_mail_timestamp_seconds", "gauge",
               "When the oldest mail that waits was written, if one waits.");
    if (census->oldest_mail_at >= 0) {
        buffer_add_format(body, "roster_oldest_mail_timestamp_seconds %lld\n", (long long)census->oldest_mail_at);
    }
}

static void print_census_metrics(struct buffer *body, const struct census *census)
{
    if (census->is_counted) {
        print_head(body, "accounts", "gauge", "Accounts by role, as counted in the last minute.");
        for (int role = 0; role < SCOREBOARD_ROLES; role++) {
            buffer_add_format(body, "roster_accounts{role=\"%s\"} %lld\n", census_roles[role],
                              (long long)census->accounts[role]);
        }
        print_head(body, "active_users", "gauge",
                   "Users who were active within three minutes, as counted in the last minute.");
        buffer_add_format(body, "roster_active_users %lld\n", (long long)census->active);
        print_head(body, "sessions", "gauge", "Valid sessions, as counted in the last minute.");
        buffer_add_format(body, "roster_sessions %lld\n", (long long)census->sessions);
        print_mail_metrics(body, census);
        print_head(body, "schema_version", "gauge", "The number of the newest migration of the tables.");
        buffer_add_format(body, "roster_schema_version %lld\n", (long long)census->schema_version);
    }
    if (census->last_backup_at >= 0) {
        print_head(body, "last_backup_timestamp_seconds", "gauge", "When the last backup was made, in epoch seconds.");
        buffer_add_format(body, "roster_last_backup_timestamp_seconds %lld\n", (long long)census->last_backup_at);
    }
}

static void print_table_metrics(struct buffer *body, const struct service_summary *summary)
{
    struct table_figure figures[TABLE_FIGURES], touches[TOUCH_FIGURES];
    list_table_figures(summary, figures);
    print_figure_metrics(body, "identity_table", "Whether the identity table is used.",
                         strcmp(summary->table_state, "used") == 0, figures, TABLE_FIGURES);
    list_touch_figures(summary, touches);
    print_figure_metrics(body, "touches", "Whether times of last use are gathered.", summary->touches.is_attended,
                         touches, TOUCH_FIGURES);
}

void status_print_prometheus(struct buffer *body, const struct service_summary *summary)
{
    struct single singles[SINGLES];
    list_singles(summary, singles);
    print_head(body, "build_info", "gauge", "The running version.");
    buffer_add_literal(body, "roster_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    print_whole_head(body, "process_start_time_seconds", "gauge", "When the master started, in epoch seconds.");
    buffer_add_format(body, "process_start_time_seconds %lld\n", (long long)summary->board->started_wall_seconds);
    for (size_t i = 0; i < SINGLES; i++) {
        if (singles[i].metric == NULL || singles[i].value < 0) {
            continue;
        }
        print_whole_head(body, singles[i].metric, singles[i].type, singles[i].help);
        if (singles[i].is_time) {
            buffer_add_format(body, "%s %.6f\n", singles[i].metric, (double)singles[i].value / 1e6);
        } else {
            buffer_add_format(body, "%s %lld\n", singles[i].metric, (long long)singles[i].value);
        }
    }
    print_census_metrics(body, &summary->census);
    print_head(body, "mariadb_up", "gauge", "Whether MariaDB answers, takes writes and has room for them.");
    buffer_add_format(body, "roster_mariadb_up %d\n", summary->database == DATABASE_PRESENT);
    if (summary->redis != SERVICE_OFF) {
        print_head(body, "redis_up", "gauge", "Whether Redis answers.");
        buffer_add_format(body, "roster_redis_up %d\n", summary->redis == SERVICE_PRESENT);
    }
    print_head(body, "directory_ready", "gauge", "Whether lists and searches find users in the directory.");
    buffer_add_format(body, "roster_directory_ready %d\n", summary->directory.state == DIRECTORY_READY);
    print_table_metrics(body, summary);
    print_head(body, "workers", "gauge", "Workers by pool and state.");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (int state = WORKER_STARTING; state <= WORKER_LEAVING; state++) {
            buffer_add_format(body, "roster_workers{pool=\"%s\",state=\"%s\"} %lld\n", pool_names[pool],
                              state_names[state], (long long)summary->pools[pool].by_state[state]);
        }
    }
    print_pool_metrics(body, summary->pools);
    print_route_metrics(body, summary->board);
    print_histogram(body, summary->pools);
}
