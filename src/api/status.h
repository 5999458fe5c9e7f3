/* status.h: the numbers of the service, added up once, and the three forms that they are printed in. */
#ifndef ROSTER_API_STATUS_H
#define ROSTER_API_STATUS_H

#include "base/buffer.h"
#include "master/scoreboard.h"

enum service_state { SERVICE_OFF, SERVICE_PRESENT, SERVICE_AWAY };

struct pool_summary {
    int64_t by_state[WORKER_LEAVING + 1];
    int64_t longest_microseconds;           /* of the requests that run */
    int64_t with_database, with_redis;      /* workers whose connection stood after their last request */
    int64_t waiting, waiting_most;          /* connections in the queue, and how many may be; -1: unknown */
    double saturation;                      /* requests that run or wait, per worker; -1: there is none */
    int64_t requests, microseconds;
    int64_t histogram[SCOREBOARD_BUCKETS];
};

struct service_summary {
    const struct scoreboard *board;
    struct pool_summary pools[POOL_COUNT];
    struct scoreboard_worker *workers;
    size_t worker_count;
    enum service_state database, redis;
    int64_t now_microseconds, uptime_seconds;
    int64_t requests;
};

void status_print_text(struct buffer *body, const struct service_summary *summary);
void status_print_json(struct buffer *body, const struct service_summary *summary);

/* Prometheus' text format, version 0.0.4. */
void status_print_prometheus(struct buffer *body, const struct service_summary *summary);

#endif
