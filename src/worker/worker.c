#include "worker/worker.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/factor.h"
#include "auth/password.h"
#include "auth/permission.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/problem.h"
#include "base/random.h"
#include "store/account_store.h"
#include "store/database.h"
#include "store/directory_feed.h"
#include "store/factor_store.h"
#include "store/known_store.h"
#include "store/link_store.h"
#include "store/password_store.h"
#include "store/redis.h"
#include "store/revocation_store.h"
#include "store/row_cache.h"
#include "store/session_store.h"
#include "store/touch_table.h"
#include "store/user_store.h"
#include "worker/admission.h"
#include "worker/arrivals.h"
#include "worker/limit.h"
#include "worker/monitors.h"
#include "worker/niceness.h"
#include "worker/origin.h"
#include "worker/response.h"
#include "worker/signals.h"
#include "worker/validate.h"

/* A worker deletes some expired sessions after its first request, and then after this time. */
enum { CLEAN_SECONDS = 600 };

/* How long after its start an idle worker does the first upkeep. */
enum { UPKEEP_MILLISECONDS = 1000 };

/* After a request that used more memory than this, malloc's free memory is returned to the system. */
enum { LARGE_BYTES = 512 * 1024 };

/* The timeout of the pool status for a connection to MariaDB, and for an answer. */
enum { STATUS_SECONDS = 1 };

static void add(_Atomic int64_t *counter, int64_t number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

/* ---- the stages ---- */

static enum outcome parse(struct request *request)
{
    enum outcome outcome = request_parse(request);
    if (outcome == OK) {
        admission_read(request);
    }
    return outcome;
}

static enum outcome route_request(struct request *request)
{
    struct context *context = &request->context;
    struct match match = router_match(context->arena, request->method, request->path);
    request->route = match.route;
    request->actor.through = match.route != NULL ? text_of(match.route->name) : TEXT_NULL;
    context->actor = &request->actor;
    request->credentials.path = match.bare_path;
    memcpy(request->parameters, match.parameters, sizeof request->parameters);
    if (match.for_monitors && !monitors_may(request)) {
        request->route = NULL;
        return problem_set(context, ERROR_PATH_NOT_FOUND);
    }
    if (request->route != NULL || (request->method == METHOD_OPTIONS && match.allow != NULL)) {
        if (request->route == NULL) {
            response_add_header(request, "Allow", text_of(match.allow));
            request->response.status = 204;
        }
        return OK;
    }
    if (match.allow == NULL) {
        return problem_set(context, ERROR_PATH_NOT_FOUND);
    }
    enum outcome outcome = problem_set(context, ERROR_METHOD_NOT_ALLOWED);
    context->problem.allow = match.allow;
    return outcome;
}

static enum outcome authenticate(struct request *request)
{
    if (request->route->who == WHO_ANYONE) {
        return OK;
    }
    request->prefetch = (struct prefetch){.parts = router_prefetch(request->route), .user_id = request->parameters[0]};
    request->context.prefetch = &request->prefetch;
    if (request->route->who == WHO_RULE) {
        return OK; /* the handler asks who it is, and answers in a form of its own */
    }
    enum outcome outcome = factor_authenticate(&request->context, &request->credentials, &request->identity);
    request->authenticated = outcome == OK;
    request->actor.user_id = request->identity.user_id;
    request->actor.session_jti = request->identity.is_api_key ? TEXT_NULL : request->identity.jti;
    request->actor.key_id = request->identity.key_id;
    /* before the role is checked: a request that another site's page sent is refused for each role */
    return outcome == OK && request->identity.by_cookie ? origin_check(request) : outcome;
}

/* ROUTE_NEEDS. */
static enum outcome check_need(struct request *request, const struct route_need *need)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    bool granted;
    enum outcome outcome =
        permission_check(context, identity->user_id, identity_is_admin(identity), need->permission, &granted);
    return outcome == OK && !granted ? problem_set(context, need->code) : outcome;
}

/* ROUTE_CONFIRM. A key with a list of its own was made for these paths, by somebody who had to confirm that. */
static enum outcome check_confirmation(struct request *request)
{
    struct context *context = &request->context;
    const struct identity *identity = &request->identity;
    if (!context->config->confirm_changes || !router_needs_confirmation(request->route) ||
        !identity_is_admin(identity) || (identity->is_api_key && identity->key_has_list) ||
        identity_is_confirmed(context, identity)) {
        return OK;
    }
    return identity->is_api_key
               ? problem_set_detail(context, ERROR_CONFIRMATION_REQUIRED, 0,
                                    "This API key may not do this: only a session in which the password was given "
                                    "again may, or a key with a list of paths of its own that has this one.")
               : problem_set(context, ERROR_CONFIRMATION_REQUIRED);
}

static enum outcome authorise(struct request *request)
{
    struct context *context = &request->context;
    const struct route *route = request->route;
    if ((route->who == WHO_VERIFIED && !identity_is_verified(&request->identity)) ||
        (route->who == WHO_ADMIN && !identity_is_admin(&request->identity))) {
        return problem_set(context, ERROR_ACCESS_PROHIBITED);
    }
    const bool is_program = request->identity.is_api_key || request->identity.is_automation;
    if (is_program && router_takes_session(route, context->config->compatibility)) {
        return problem_set(context, ERROR_SESSION_REQUIRED);
    }
    enum outcome outcome = check_confirmation(request);
    const struct route_need *need = router_need(route, context->config->compatibility);
    return outcome == OK && need != NULL ? check_need(request, need) : outcome;
}

static const worker_handler *handlers; /* set by the program */

void worker_use_handlers(const worker_handler *given)
{
    handlers = given;
}

static enum outcome handle(struct request *request)
{
    enum outcome outcome = handlers[request->route - routes](request);
    if (outcome == OK && arena_exceeded(request->context.arena)) {
        log_error(&request->context, "the request took more memory than request_memory_limit allows");
        return problem_set_fault(&request->context, ERROR_INTERNAL_ERROR);
    }
    return outcome;
}

/* The stages of each request: roster-api(7), Order of checks. The first stage that does not return OK ends the run;
 * so does one that has set a status without a route (OPTIONS). */
static const struct stage {
    const char *name;
    enum outcome (*run)(struct request *request);
} stages[] = {
    {"parse", parse},         {"route", route_request},       {"authenticate", authenticate},
    {"authorise", authorise}, {"validate", validate_request}, {"limit", limit_request},
    {"handle", handle},
};

enum outcome worker_judge(struct request *request)
{
    enum outcome outcome = OK;
    for (const struct stage *stage = stages + 1; outcome == OK && stage->run != validate_request; stage++) {
        request->context.stage = stage->name;
        outcome = stage->run(request);
    }
    return outcome;
}

static enum outcome run_stages(struct request *request, struct scoreboard_slot *slot)
{
    for (size_t i = 0; i < ARRAY_COUNT(stages); i++) {
        request->context.stage = stages[i].name;
        atomic_store_explicit(&slot->stage, stages[i].name, memory_order_relaxed);
        enum outcome outcome = stages[i].run(request);
        if (outcome != OK) {
            return outcome;
        }
        if (request->route != NULL) {
            atomic_store_explicit(&slot->route, (int32_t)(request->route - routes), memory_order_relaxed);
        } else if (request->response.status != 0) {
            break;
        }
    }
    return OK;
}

/* ---- after the stages ---- */

/* Sends the response. */
static void finish(struct request *request)
{
    request->context.stage = "finish";
    request_drain(request);
    request->client_gone = !response_send(request);
    FCGX_FClose(request->fcgi->err);
    if (FCGX_FClose(request->fcgi->out) != 0 && !request->response.is_broken_off) {
        request->client_gone = true;
    }
    /* With fastcgi_keep_conn off, nginx buffers a short response until the connection ends: so it ends here, before
     * the logs and `after`. libfcgi has nothing to close then. */
    close(request->fcgi->ipcFd);
    request->fcgi->ipcFd = -1;
}

static int logged_status(const struct request *request)
{
    return request->client_gone ? 499 : request->response.status; /* 499: as nginx logs it */
}

static void count(const struct request *request, int64_t microseconds)
{
    struct scoreboard *board = scoreboard_get();
    struct scoreboard_pool *pool = &board->pools[request->pool];
    unsigned bucket = 0;
    while (bucket < SCOREBOARD_BUCKETS - 1 && microseconds > scoreboard_bucket_microseconds[bucket]) {
        bucket++;
    }
    add(&pool->histogram[bucket], 1);
    add(&pool->microseconds, microseconds);
    if (request->context.statement_count > 0) {
        add(&board->statements, request->context.statement_count);
        add(&board->statement_microseconds, request->context.statement_microseconds);
    }
    /* requests without a route are counted after the last route */
    struct scoreboard_route *route = &board->routes[request->route != NULL ? request->route - routes : ROUTE_COUNT];
    add(&route->by_status[scoreboard_status_place(logged_status(request))], 1);
    add(&route->microseconds, microseconds);
}

_Static_assert((int)ROUTE_COUNT < (int)SCOREBOARD_ROUTES,
               "the scoreboard has a slot for each route, and one for requests without a route");

/* `now` is wall time, in microseconds. */
static void write_logs(const struct request *request, int64_t now, int64_t microseconds)
{
    const struct context *context = &request->context;
    struct log_field fields[] = {
        {"request", text_of(context->request_id), 0},
        {"client", text_of(context->client_address != NULL ? context->client_address : "-"), 0},
        {"method", text_of(request->method_text), 0},
        {"path", request->path, 0},
        {"route", text_of(request->route != NULL ? request->route->name : "-"), 0},
        {"status", TEXT_NULL, logged_status(request)},
        {"code", text_of(context->problem.code != ERROR_NONE ? error_name(context->problem.code) : "-"), 0},
        {"caller", request->authenticated ? request->identity.user_id : TEXT("-"), 0},
        {"microseconds", TEXT_NULL, microseconds},
        {"statements", TEXT_NULL, context->statement_count},
        {"bytes", TEXT_NULL, (int64_t)request->response.sent_bytes},
        {"account", request->account, 0}, /* only of a sign-in */
    };
    log_access(now, fields, ARRAY_COUNT(fields) - (request->account.data == NULL));
    if (context->config->slow_request > 0 && microseconds > context->config->slow_request * 1000) {
        log_warning(context, "slow request: %s, %lld ms; %s",
                    request->route != NULL ? request->route->name : "no route", (long long)(microseconds / 1000),
                    context_describe_statements(context, microseconds).data);
    }
}

/* Deletes expired rows, some at a time: every CLEAN_SECONDS, or with each request while there are more. Not
 * in [status]. `now` is
 * monotonic. */
static void clean(struct context *context, enum pool pool, int64_t now)
{
    static int64_t due_microseconds;
    if (pool != POOL_STATUS && now >= due_microseconds) { /* which answers also while tables are slow */
        bool more;
        session_store_clean(context, &more);
        known_store_clean(context);
        link_store_clean(context);
        factor_store_clean(context);
        account_store_clean(context);
        due_microseconds = more ? now : now + CLEAN_SECONDS * INT64_C(1000000);
    }
}

/* Work that no request waits for, a part at a time. Returns the milliseconds after which an idle worker should call it
 * again; -1: not needed. */
static int keep_up(struct context *context, enum pool pool)
{
    int milliseconds = revocation_store_upkeep(context);
    int of_directory = pool == POOL_DIRECTORY ? directory_feed_upkeep(context) : -1;
    return milliseconds < 0 || (of_directory >= 0 && of_directory < milliseconds) ? of_directory : milliseconds;
}

/* The work after the response is sent. Returns the result of keep_up. */
static int after(struct request *request, int64_t now)
{
    request->context.stage = "after";
    if (request->authenticated && !request->admission.is_handed_over) {
        identity_touch(&request->context, &request->identity);
    }
    clean(&request->context, request->pool, now);
    return keep_up(&request->context, request->pool);
}

/* Overwrites what statements have left in the buffers of the connection. */
static void wipe_traces(const struct context *context)
{
    if (context->statement_count > 0) {
        database_wipe();
    }
}

/* Reads the costs of the stored hashes, for a verification that takes equal time for each account: see
 * password_expect_bcrypt, password_expect_argon2, password_expect_scrypt. Once, before the first request or when the
 * worker is idle: the statements read all of `auth`, and at its start MariaDB has other workers to serve. */
static void expect_hashes(const struct config *config, enum pool pool, struct arena *arena)
{
    static bool is_done;
    if (is_done || pool != POOL_PASSWORD || !database_is_connected()) {
        return;
    }
    is_done = true;
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds()};
    int64_t cost;
    if (password_store_greatest_bcrypt_cost(&context, &cost) == OK && cost >= 0) {
        password_expect_bcrypt((unsigned)cost);
    }
    struct result hashes;
    if (password_store_argon2_hashes(&context, &hashes) == OK) {
        for (size_t i = 0; i < hashes.row_count; i++) {
            password_expect_argon2(result_row(&hashes, i)->text);
        }
    }
    struct result costs;
    if (password_store_scrypt_costs(&context, &costs) == OK) {
        for (size_t i = 0; i < costs.row_count; i++) {
            struct scrypt_cost scrypt;
            if (password_read_cost(result_row(&costs, i)->text, &scrypt)) {
                password_expect_scrypt(config, scrypt);
            }
        }
    }
    wipe_traces(&context);
    arena_reset(arena);
}

/* The upkeep of an idle worker. Returns the result of keep_up. */
static int keep_up_idly(const struct config *config, enum pool pool, struct arena *arena)
{
    expect_hashes(config, pool, arena);
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds(), .stage = "upkeep"};
    int milliseconds = keep_up(&context, pool);
    wipe_traces(&context);
    arena_reset(arena);
    return milliseconds;
}

static void mark_busy(struct scoreboard_slot *slot, int64_t now_microseconds)
{
    scoreboard_set_request_id(slot, TEXT("-"));
    atomic_store_explicit(&slot->stage, "accept", memory_order_relaxed);
    atomic_store_explicit(&slot->route, -1, memory_order_relaxed);
    atomic_store_explicit(&slot->request_started, now_microseconds, memory_order_relaxed);
    atomic_store_explicit(&slot->state, WORKER_BUSY, memory_order_relaxed);
}

static void mark_idle(struct scoreboard_slot *slot)
{
    atomic_store_explicit(&slot->request_started, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->stage, NULL, memory_order_relaxed);
    atomic_store_explicit(&slot->state, WORKER_IDLE, memory_order_relaxed);
}

/* The id that nginx sends, and has in its own log, too; otherwise a random one. */
static void name_request(struct request *request)
{
    const char *id = FCGX_GetParam("REQUEST_ID", request->fcgi->envp);
    request->is_named = id != NULL && id[0] != '\0';
    if (!request->is_named) {
        unsigned char bytes[16];
        random_bytes(bytes, sizeof bytes);
        id = hex_encode(request->context.arena, bytes, sizeof bytes).data;
    }
    request->context.request_id = id;
}

/* One request, as a job of niceness_run. */
struct service {
    const struct config *config;
    enum pool pool;
    FCGX_Request *fcgi;
    struct arena *arena;
    struct scoreboard_slot *slot;
    int upkeep_milliseconds; /* the result of keep_up */
    size_t used_bytes;       /* of each of libfcgi's buffers, at most */
};

static void serve(void *argument)
{
    struct service *service = argument;
    struct scoreboard_slot *slot = service->slot;
    const int64_t started = clock_monotonic_microseconds(), wall_started = clock_wall_microseconds();
    struct request request = {
        .context = {.arena = service->arena, .config = service->config, .now_seconds = wall_started / 1000000},
        .fcgi = service->fcgi,
        .pool = service->pool,
        .slot = slot,
    };
    response_start(&request);
    name_request(&request);
    scoreboard_set_request_id(slot, text_of(request.context.request_id));

    if (run_stages(&request, slot) == OK) {
        request.response.status = request.response.status != 0 ? request.response.status : 200;
    } else if (request.response.is_flowing) {
        response_break_off(&request);
    } else {
        response_render_problem(&request);
    }
    finish(&request);
    int64_t ended = clock_monotonic_microseconds();
    int64_t microseconds = ended - started;
    atomic_fetch_add_explicit(&slot->requests, 1, memory_order_relaxed);
    /* a request is counted and logged once, by the worker that answers it */
    if (!request.admission.is_handed_over) {
        count(&request, microseconds);
        write_logs(&request, wall_started + microseconds, microseconds);
    }
    /* the pool status does no upkeep, so that its next response is not delayed */
    service->upkeep_milliseconds = request.pool != POOL_STATUS ? after(&request, ended) : -1;
    const size_t received = request.received_bytes, sent = request.response.put_bytes + REQUEST_RECORDS_BYTES;
    service->used_bytes = received > sent ? received : sent;

    wipe_traces(&request.context);
    atomic_store_explicit(&slot->database_present, database_is_connected(), memory_order_relaxed);
    atomic_store_explicit(&slot->redis_present, redis_is_present(), memory_order_relaxed);
}

/* Frees what libfcgi has of a request. Its two buffers are of eight kilobytes each; most requests need less than one.
 */
static void free_request(const struct service *service)
{
    memory_wipe_at_most(service->used_bytes);
    FCGX_Detach(service->fcgi);
    FCGX_Finish_r(service->fcgi);
    memory_wipe_at_most(SIZE_MAX);
}

/* ---- the loop ---- */

/* Connects to MariaDB and Redis before the first request. A failure is logged; requests connect again. */
static void connect_early(const struct config *config, struct arena *arena, struct scoreboard_slot *slot)
{
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds()};
    struct error error;
    if (database_connect(&context, &error)) {
        if (log_topic_end(LOG_TOPIC_MARIADB)) {
            log_notice(&context, "MariaDB is back: %s", database_server_version());
        }
    } else if (log_topic_due(LOG_TOPIC_MARIADB, 60)) {
        log_warning(&context, "MariaDB is away: %s", error.text);
    }
    if (config->pools[atomic_load(&slot->pool)].workers > 0 && redis_append(&context, "PING")) {
        redis_read(&context);
    }
    atomic_store(&slot->database_present, database_is_connected());
    atomic_store(&slot->redis_present, redis_is_present());
    arena_reset(arena);
}

static void give_back(const struct config *config, struct arena *arena)
{
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds()};
    database_trim(&context);
    arena_reset(arena);
    malloc_trim(0);
}

/* The pool status has shorter timeouts than the configured ones. */
static const struct config *config_of_pool(const struct config *config, enum pool pool)
{
    static struct config of_status;
    if (pool != POOL_STATUS) {
        return config;
    }
    of_status = *config;
    of_status.database_connect_timeout = STATUS_SECONDS;
    of_status.database_read_timeout = STATUS_SECONDS;
    if (of_status.redis_timeout > STATUS_SECONDS * 1000 / 2) {
        of_status.redis_timeout = STATUS_SECONDS * 1000 / 2;
    }
    return &of_status;
}

int worker_run(const struct config *given, enum pool pool, const struct worker_sockets *sockets,
               struct scoreboard_slot *slot)
{
    const struct config *config = config_of_pool(given, pool);
    memory_end_on_failure();
    memory_wipe_freed();
    if (!config->core_dumps) {
        memory_hide(); /* again: the kernel resets this when the user is changed */
    }
    int signals = signals_open();
    int arrivals = signals < 0 ? -1 : arrivals_open(sockets, signals);
    niceness_init(config->pools[pool].nice, pool_names[pool]);
    /* A peer that does not close its end must not block the worker: libfcgi waits two seconds by default. It waits as
     * long for a first byte, and then drops the connection: that stays, since on a busy machine nginx may be held up
     * between connect(2) and write(2). */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "200", 1);
    FCGX_Request fcgi;
    if (arrivals < 0 || FCGX_Init() != 0 ||
        FCGX_InitRequest(&fcgi, sockets->first >= 0 ? sockets->first : sockets->second, FCGI_FAIL_ACCEPT_ON_INTR) !=
            0) {
        log_alert(NULL, "can't start the worker: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    struct arena *arena = arena_new((size_t)config->request_memory_limit);
    router_init();
    row_cache_init(config);
    touch_table_set_source(row_cache_source(config));
    scoreboard_set_own(slot);
    connect_early(config, arena, slot);
    atomic_store(&slot->state, WORKER_IDLE);

    int64_t max = config->pools[pool].max_requests;
    int upkeep_milliseconds = pool == POOL_STATUS ? -1 : pool == POOL_DIRECTORY ? 0 : UPKEEP_MILLISECONDS;
    while (max == 0 || atomic_load(&slot->requests) < max) {
        int settle_milliseconds = niceness_settle();
        bool settles_first =
            settle_milliseconds >= 0 && (upkeep_milliseconds < 0 || settle_milliseconds < upkeep_milliseconds);
        int arrived = arrivals_wait(arrivals, sockets, settles_first ? settle_milliseconds : upkeep_milliseconds);
        if (arrived < 0) {
            log_alert(NULL, "epoll_wait: %s", strerror(errno));
            break;
        }
        if (arrived == 0) {
            upkeep_milliseconds = settles_first ? upkeep_milliseconds : keep_up_idly(config, pool, arena);
            continue;
        }
        if ((arrived & ARRIVED_SIGNAL) != 0 && signals_read(signals, config) != SIGNALS_NOTHING) {
            break;
        }
        int chosen = arrivals_choose(sockets, arrived);
        if (chosen < 0) {
            continue;
        }
        /* request_timeout counts from here: a peer may stall while it sends its parameters */
        mark_busy(slot, clock_monotonic_coarse_microseconds());
        if (!arrivals_accept(&fcgi, chosen, signals)) {
            mark_idle(slot);
            continue;
        }
        expect_hashes(config, pool, arena);
        struct service service = {config, pool, &fcgi, arena, slot, -1, SIZE_MAX};
        niceness_run(serve, &service, config->pools[pool].nice > 0 && arrivals_have_more(sockets, chosen));
        upkeep_milliseconds = service.upkeep_milliseconds;
        free_request(&service);
        bool was_large = arena_used(arena) > LARGE_BYTES || database_holds_much();
        arena_reset(arena);
        if (was_large) {
            give_back(config, arena);
        }
        mark_idle(slot);
    }
    atomic_store(&slot->state, WORKER_LEAVING);
    FCGX_Free(&fcgi, 1);
    database_close();
    redis_close();
    arena_free(arena);
    close(arrivals);
    close(signals);
    return EXIT_SUCCESS;
}
