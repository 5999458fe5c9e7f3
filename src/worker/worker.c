#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/permission.h"
#include "auth/ratelimit.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/database.h"
#include "store/redis.h"
#include "store/session_store.h"
#include "store/user_store.h"
#include "worker/response.h"
#include "worker/validate.h"

/* How often, in requests of a worker, a few expired sessions are removed. */
enum { CLEAN_EVERY = 5000 };

/* After a request that took more than this, what malloc holds back goes to the system: it may be long until the next one of that size. */
enum { LARGE_BYTES = 512 * 1024 };

/* Between two tries to lower the session's weight. */
enum { SESSION_MILLISECONDS = 110 };

static void add(_Atomic int64_t *counter, int64_t number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

/* ---- the stages ---- */

static enum outcome route_request(struct request *request)
{
    struct context *context = &request->context;
    struct match match = router_match(context->arena, request->method, request->path);
    request->route = match.route;
    request->credentials.path = match.bare_path;
    memcpy(request->parameters, match.parameters, sizeof request->parameters);
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
    enum outcome outcome = identity_authenticate(&request->context, &request->credentials, &request->identity);
    request->authenticated = outcome == OK;
    return outcome;
}

static enum outcome authorise(struct request *request)
{
    struct context *context = &request->context;
    const struct route *route = request->route;
    if ((route->who == WHO_VERIFIED && !identity_is_verified(&request->identity)) ||
        (route->who == WHO_ADMIN && !identity_is_admin(&request->identity))) {
        return problem_set(context, ERROR_ACCESS_PROHIBITED);
    }
    if (route->permission != NULL) {
        bool granted;
        enum outcome outcome = permission_check(context, request->identity.user_id, identity_is_admin(&request->identity),
                                                route->permission, &granted);
        return outcome == OK && !granted ? problem_set(context, ERROR_ACCESS_PROHIBITED) : outcome;
    }
    return OK;
}

/* What each kind of limit counts. Only routes whose body has an `email` may be limited by it. */
#define LIMIT_KEY_USER request->identity.user_id
#define LIMIT_KEY_ADDRESS text_of(request->context.client_address)
#define LIMIT_KEY_EMAIL_AND_ADDRESS email_and_address(request)

static struct text email_and_address(struct request *request)
{
    struct text email = text_to_lower(request->context.arena, text_trim(request->input[INPUT_sign_in_email].text));
    return text_format(request->context.arena, "%.*s:%s", (int)email.length, email.data,
                       request->context.client_address != NULL ? request->context.client_address : "-");
}

static enum outcome limit(struct request *request)
{
    struct context *context = &request->context;
    if (request->route->limit == LIMIT_NONE || !context->config->rate_limits) {
        return OK;
    }
    struct ratelimit_rule rules[RATELIMIT_RULES_MOST];
    size_t count = 0;
#define LIMIT(name_, most_, key_, text_)                                                                                       \
    if (request->route->limit == LIMIT_##name_) {                                                                             \
        invariant(count < RATELIMIT_RULES_MOST);                                                                              \
        struct text counted = LIMIT_KEY_##key_;                                                                               \
        rules[count++] = (struct ratelimit_rule){                                                                             \
            text_format(context->arena, #most_ ":%.*s", (int)counted.length, counted.data != NULL ? counted.data : ""),        \
            context->config->most_, #name_};                                                                                  \
    }
#include "tables/limits.def"
#undef LIMIT
    struct ratelimit_state state;
    enum outcome outcome = ratelimit_count(context, rules, count, &state);
    request->rate_policy = state.name;
    request->rate_limit = state.most;
    request->rate_remaining = state.remaining;
    request->rate_reset_seconds = state.reset_seconds;
    if (outcome == PROBLEM) {
        add(&scoreboard_get()->rate_limited, 1);
    }
    return outcome;
}

static enum outcome handle(struct request *request)
{
    enum outcome outcome = request->route->handler(request);
    if (outcome == OK && arena_exceeded(request->context.arena)) {
        log_error(&request->context, "the request took more memory than request_memory_limit allows");
        return problem_set_fault(&request->context, ERROR_INTERNAL_ERROR);
    }
    return outcome;
}

/* The way of every request. The first stage that is not OK ends it; so does one that has set a status without a route (OPTIONS). */
static const struct stage {
    const char *name;
    enum outcome (*run)(struct request *request);
} stages[] = {
    {"parse", request_parse},         {"route", route_request}, {"authenticate", authenticate}, {"authorise", authorise},
    {"validate", validate_request},   {"limit", limit},         {"handle", handle},
};

static enum outcome run_stages(struct request *request, struct scoreboard_slot *slot)
{
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
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

/* ---- what is the same for all ---- */

/* Everything that the client gets is on its way when this returns. */
static void finish(struct request *request)
{
    request->context.stage = "finish";
    request_drain(request);
    request->client_gone = !response_send(request);
    FCGX_FClose(request->fcgi->err);
    if (FCGX_FClose(request->fcgi->out) != 0) {
        request->client_gone = true;
    }
    /* nginx holds a short answer back until the connection ends, unless it keeps connections: so ours ends here, before the log and `after` */
    if (!request->fcgi->keepConnection) {
        shutdown(request->fcgi->ipcFd, SHUT_WR);
    }
}

static int logged_status(const struct request *request)
{
    return request->client_gone ? 499 : request->response.status; /* as nginx counts those that did not wait */
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
    add(&board->statements, request->context.statement_count);
    add(&board->statement_microseconds, request->context.statement_microseconds);
    /* what no route was found for is counted behind the last route */
    struct scoreboard_route *route = &board->routes[request->route != NULL ? request->route - routes : ROUTE_COUNT];
    add(&route->by_status[scoreboard_status_place(logged_status(request))], 1);
    add(&route->microseconds, microseconds);
}

_Static_assert((int)ROUTE_COUNT < (int)SCOREBOARD_ROUTES, "the scoreboard has a place for each route, and one for none");

static void write_logs(const struct request *request, int64_t microseconds)
{
    const struct context *context = &request->context;
    const struct log_field fields[] = {
        {"request", text_of(context->request_id), 0},
        {"client", text_of(context->client_address != NULL ? context->client_address : "-"), 0},
        {"method", text_of(request->method_text), 0},
        {"path", request->path, 0},
        {"route", text_of(request->route != NULL ? request->route->name : "-"), 0},
        {"status", {NULL, 0}, logged_status(request)},
        {"code", text_of(context->problem.code != ERROR_NONE ? error_name(context->problem.code) : "-"), 0},
        {"caller", request->authenticated ? request->identity.user_id : TEXT("-"), 0},
        {"microseconds", {NULL, 0}, microseconds},
        {"statements", {NULL, 0}, context->statement_count},
        {"bytes", {NULL, 0}, (int64_t)request->response.body.length},
    };
    log_access(fields, sizeof fields / sizeof fields[0]);
    if (context->config->slow_request > 0 && microseconds > context->config->slow_request * 1000) {
        log_warning(context, "slow request: %s, %lld ms; %s", request->route != NULL ? request->route->name : "no route",
                    (long long)(microseconds / 1000), context_describe_statements(context).data);
    }
}

/* What the client need not wait for. */
static void after(struct request *request, int64_t served)
{
    request->context.stage = "after";
    if (request->authenticated) {
        identity_touch(&request->context, &request->identity);
    }
    session_store_restore(&request->context);
    if (served % CLEAN_EVERY == 0) {
        session_store_clean(&request->context);
    }
}

static void mark_busy(struct scoreboard_slot *slot, int64_t now_microseconds)
{
    strcpy(slot->request_id, "-");
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

/* nginx's, which stands in its log too; another server may send none. */
static const char *request_id(FCGX_Request *fcgi, struct arena *arena)
{
    const char *id = FCGX_GetParam("REQUEST_ID", fcgi->envp);
    if (id != NULL && id[0] != '\0') {
        return id;
    }
    unsigned char bytes[16];
    token_random_bytes(bytes, sizeof bytes);
    return text_hex(arena, bytes, sizeof bytes).data;
}

static void serve(const struct config *config, enum pool pool, FCGX_Request *fcgi, struct arena *arena, struct scoreboard_slot *slot)
{
    int64_t started = clock_monotonic_microseconds();
    struct request request = {
        .context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds(), .started_microseconds = started},
        .fcgi = fcgi,
        .pool = pool,
    };
    buffer_init(&request.response.body, arena);
    buffer_init(&request.response.headers, arena);
    request.context.request_id = request_id(fcgi, arena);
    strncpy(slot->request_id, request.context.request_id, sizeof slot->request_id - 1);

    if (run_stages(&request, slot) == OK) {
        request.response.status = request.response.status != 0 ? request.response.status : 200;
    } else {
        response_render_problem(&request);
    }
    finish(&request);
    int64_t microseconds = clock_monotonic_microseconds() - started;
    int64_t served = atomic_fetch_add_explicit(&slot->requests, 1, memory_order_relaxed) + 1;
    count(&request, microseconds);
    write_logs(&request, microseconds);
    after(&request, served);

    atomic_store_explicit(&slot->database_present, database_is_connected(), memory_order_relaxed);
    atomic_store_explicit(&slot->redis_present, redis_is_present(), memory_order_relaxed);
}

/* ---- the loop ---- */

/* Reads the signals that have come. False where one of them asks to leave. */
static bool read_signals(int signals, const struct config *config)
{
    struct signalfd_siginfo info;
    bool stay = true;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1) {
            const char *error;
            if (!log_open(config->error_log, config->access_log, config->log_level, config->log_format, &error)) {
                log_error(NULL, "%s", error);
            }
        } else {
            stay = false;
        }
    }
    return stay;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What the time of a verification is made equal to: see password_expect_bcrypt. */
static void expect_hashes(const struct config *config, enum pool pool, struct arena *arena)
{
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds()};
    int cost;
    if (pool == POOL_PASSWORD && database_is_connected() && user_store_greatest_bcrypt_cost(&context, &cost) == OK && cost >= 0) {
        password_expect_bcrypt((unsigned)cost);
    }
    arena_reset(arena);
}

/* A first connection, so that the first request need not wait for it; MariaDB may well be away. */
static void connect_early(const struct config *config, struct arena *arena, struct scoreboard_slot *slot)
{
    struct context context = {.arena = arena, .config = config, .now_seconds = clock_wall_seconds()};
    const char *error;
    if (database_connect(&context, &error)) {
        if (log_topic_end(LOG_TOPIC_MARIADB)) {
            log_notice(&context, "MariaDB is back: %s", database_server_version());
        }
    } else if (log_topic_due(LOG_TOPIC_MARIADB, 60)) {
        log_warning(&context, "MariaDB is away: %s", error);
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

/* Linux weighs sessions against each other before it looks at nice(1) within each (sched(7), 'The autogroup feature'): MariaDB and nginx have their own, so for them
 * our niceness is only what our session says. False: to be tried again in a moment, as the kernel takes one such wish in a tenth of a second. */
static bool lower_session(int64_t nice)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)nice);
    int file = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    bool again = file >= 0 && write(file, text, (size_t)length) < 0 && errno == EAGAIN;
    if (file >= 0) {
        close(file);
    }
    return !again;
}

/* The pool's niceness. False: lower_session is to be called again. */
static bool step_back(const struct config *config, enum pool pool)
{
    int64_t nice = config->pools[pool].nice;
    if (nice == 0) {
        return true;
    }
    if (setpriority(PRIO_PROCESS, 0, (int)nice) != 0) {
        log_warning(NULL, "nice of [%s]: %s", pool_names[pool], strerror(errno));
    }
    return setsid() < 0 || lower_session(nice);
}

int worker_run(const struct config *config, enum pool pool, int listener, struct scoreboard_slot *slot)
{
    int signals = open_signals();
    bool stepped_back = step_back(config, pool);
    FCGX_Request fcgi;
    /* a peer that does not close its end must not hold the worker: libfcgi waits two seconds by default */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "200", 1);
    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "200", 1);
    if (signals < 0 || FCGX_Init() != 0 || FCGX_InitRequest(&fcgi, listener, FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
        log_alert(NULL, "the worker can't start: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    struct arena *arena = arena_new((size_t)config->request_memory_limit);
    router_init();
    connect_early(config, arena, slot);
    atomic_store(&slot->state, WORKER_IDLE);
    expect_hashes(config, pool, arena);

    int64_t most = config->pools[pool].max_requests;
    struct pollfd descriptors[] = {{signals, POLLIN, 0}, {listener, POLLIN, 0}};
    while (most == 0 || atomic_load(&slot->requests) < most) {
        if (poll(descriptors, 2, stepped_back ? -1 : SESSION_MILLISECONDS) < 0 && errno != EINTR) {
            log_alert(NULL, "poll: %s", strerror(errno));
            break;
        }
        stepped_back = stepped_back || lower_session(config->pools[pool].nice);
        if ((descriptors[0].revents & POLLIN) != 0 && !read_signals(signals, config)) {
            break;
        }
        if ((descriptors[1].revents & POLLIN) == 0) {
            continue;
        }
        /* from here on the clock of request_timeout runs: a peer may stall in the middle of its parameters */
        mark_busy(slot, clock_monotonic_microseconds());
        if (FCGX_Accept_r(&fcgi) != 0) {
            mark_idle(slot); /* another worker took it */
            continue;
        }
        serve(config, pool, &fcgi, arena, slot);
        FCGX_Detach(&fcgi);
        FCGX_Finish_r(&fcgi);
        bool was_large = arena_used(arena) > LARGE_BYTES;
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
    close(signals);
    return EXIT_SUCCESS;
}
