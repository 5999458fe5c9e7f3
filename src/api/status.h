/* status.h: a summary of the scoreboard, and the three formats that it is printed in. */
#ifndef ROSTER_API_STATUS_H
#define ROSTER_API_STATUS_H

#include "api/processes.h"
#include "base/json_writer.h"
#include "base/scoreboard.h"
#include "store/census.h"
#include "store/database.h"
#include "store/directory.h"
#include "store/identity_table.h"
#include "store/touch_table.h"

enum service_state { SERVICE_OFF, SERVICE_PRESENT, SERVICE_AWAY };

struct pool_summary {
    int64_t by_state[WORKER_LEAVING + 1];
    int64_t longest_microseconds;      /* the age of the oldest running request */
    int64_t with_database, with_redis; /* workers that were connected after their last request */
    bool is_paused;
    int64_t waiting, waiting_max;       /* connections in the backlog, and its limit; -1: unknown */
    int64_t second_waiting, second_max; /* the same of the second socket; -1: the pool has no second socket */
    double saturation;                  /* running and waiting requests per worker; -1: unknown */
    int64_t requests, microseconds;
    int64_t histogram[SCOREBOARD_BUCKETS];
};

struct service_summary {
    const struct scoreboard *board;
    struct pool_summary pools[POOL_COUNT];
    struct scoreboard_worker *workers;
    size_t worker_count;
    enum database_condition database;
    enum service_state redis;
    struct directory_figures directory;
    const char *table_state; /* of the identity table: "used", or why it is not */
    struct table_figures table;
    int64_t table_hits, table_misses;
    struct process_figures processes;
    struct census census;
    struct touch_figures touches;
    int64_t now_microseconds, uptime_seconds;
    int64_t requests;
};

void status_print_text(struct buffer *body, const struct service_summary *summary);
void status_print_json(struct json_writer *json, const struct service_summary *summary);

/* The text format of Prometheus, version 0.0.4. */
void status_print_prometheus(struct buffer *body, const struct service_summary *summary);

#endif
