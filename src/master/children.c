/* children.c: the list of workers, an unordered array: it is short and often traversed. */
#include "master/children.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/child.h"
#include "master/helpers.h"
#include "master/refuse.h"

#define SECOND INT64_C(1000000)

/* A worker must become ready within this time, plus the time to try each host of MariaDB. */
#define START_LIMIT (30 * SECOND)

/* A worker that exits sooner, without having answered a request, has failed at its start: see throttle_pool. */
#define QUICK (1 * SECOND)

/* Delays before workers of a pool are started again: none, 0.1 s, 0.2 s, … up to DELAY_MAX. */
#define DELAY_MIN (SECOND / 10)
#define DELAY_MAX (5 * SECOND)

/* While older workers serve, the next worker is started when the one before is ready, or after this time: workers that
 * start together would take the processors from those that serve. */
#define START_TURN (SECOND / 20)

/* How often to check whether a worker can take over from a refuser. */
#define REFUSER_INTERVAL (SECOND / 20)

/* A pool whose workers die at once is started at least this often, even if restart_limit is lower. */
#define TRIES_MIN 5

struct child {
    pid_t pid;
    enum pool pool;
    int32_t generation;
    struct scoreboard_slot *slot;
    int64_t started;
    int64_t asked;    /* when it was told to exit */
    int64_t deadline; /* when it is killed */
    bool leaving;     /* was told to exit */
    bool killed;      /* by the master, which has logged why */
    bool never_ready; /* killed as it did not become ready, which counts as a death at its start */
    bool spared;      /* does not accept from the socket that must not occupy every worker: see next_is_spared */
};

struct throttle {
    unsigned failures; /* consecutive */
    int64_t not_before;
    int64_t last_failure;
};

static const enum sandbox_kind worker_kinds[POOL_COUNT] = {
    [POOL_API] = SANDBOX_API,
    [POOL_PASSWORD] = SANDBOX_PASSWORD,
    [POOL_DIRECTORY] = SANDBOX_DIRECTORY,
    [POOL_STATUS] = SANDBOX_STATUS,
};

static struct children_options options;
static const struct config *config;
static int32_t generation;
static struct child *children;
static size_t count, capacity;
static struct throttle throttles[POOL_COUNT];

/* The times of the last deaths at the start: a ring of restart_limit elements. */
static int64_t *deaths;
static size_t deaths_limit, deaths_next, deaths_count;
static bool gave_up;
static enum pool gave_up_pool;

/* The process that answers 503 for a paused pool without workers: see children_pause. 0: there is none. */
static pid_t refusers[POOL_COUNT];

static bool is_ending; /* children_quit_all was called */

static void close_listeners(void);

void children_init(const struct children_options *options_given)
{
    options = *options_given;
    const struct child_options begin = {.user = options.process_user, .close_master = options.close_master};
    helpers_init(options.helpers, options.helper_count, &begin, close_listeners);
}

void children_configure(const struct config *config_given, int32_t generation_given)
{
    config = config_given;
    generation = generation_given;
    atomic_store(&scoreboard_get()->generation, generation);
    memset(throttles, 0, sizeof throttles);
    gave_up = false;
    helpers_configure(config, clock_monotonic_microseconds());
    free(deaths);
    deaths = NULL;
    deaths_next = deaths_count = 0;
    deaths_limit = (size_t)config->restart_limit;
    if (deaths_limit > 0) {
        deaths = calloc(deaths_limit, sizeof *deaths);
        invariant(deaths != NULL);
    }
}

/* In the new process. */

static void begin_child(const char *name, const char *title, pid_t master, enum sandbox_kind kind, int64_t niceness)
{
    const struct child_options child = {
        .name = name,
        .title = title,
        .user = options.process_user,
        .master = master,
        .close_master = options.close_master,
        .config = config,
        .kind = kind,
        .niceness = niceness,
    };
    child_begin(&child);
}

/* Closes all sockets but those that the worker accepts from, and returns those. */
static struct worker_sockets keep_sockets(enum pool pool, bool spared)
{
    const struct listener *own = options.listeners[pool];
    bool prefers_second = pool_second[pool] == SECOND_FIRST;
    struct worker_sockets sockets = {
        .first = spared && prefers_second ? -1 : own[LISTENER_FIRST].descriptor,
        .second = spared && !prefers_second ? -1 : own[LISTENER_SECOND].descriptor,
        .prefers_second = prefers_second,
    };
    for (int i = 0; i < POOL_COUNT; i++) {
        for (int j = 0; j < LISTENER_COUNT; j++) {
            int descriptor = options.listeners[i][j].descriptor;
            if (descriptor != -1 && descriptor != sockets.first && descriptor != sockets.second) {
                close(descriptor);
            }
        }
    }
    return sockets;
}

static void __attribute__((noreturn)) run_worker(const struct child *child, pid_t master)
{
    enum pool pool = child->pool;
    struct scoreboard_slot *slot = child->slot;
    char title[32];
    snprintf(title, sizeof title, "%s worker", pool_names[pool]);
    begin_child(pool_names[pool], title, master, worker_kinds[pool], config->pools[pool].nice);
    struct worker_sockets sockets = keep_sockets(pool, child->spared);
    atomic_store(&slot->pid, (int32_t)getpid());
    int status = options.run(config, pool, &sockets, slot);
    for (size_t i = options.module_count; i-- > 0;) {
        if (options.modules[i].exit_worker != NULL) {
            options.modules[i].exit_worker();
        }
    }
    exit(status);
}

/* Pausing. */

void children_pause(enum pool pool, int64_t until)
{
    throttles[pool].not_before = until;
    scoreboard_get()->pools[pool].is_paused = 1;
    gave_up = false;
    deaths_next = deaths_count = 0;
    if (deaths_limit > 0) {
        memset(deaths, 0, deaths_limit * sizeof *deaths);
    }
}

static void __attribute__((noreturn)) run_refuser(enum pool pool, pid_t master)
{
    char title[32];
    snprintf(title, sizeof title, "%s paused", pool_names[pool]);
    begin_child(pool_names[pool], title, master, SANDBOX_REFUSER, 0);
    struct worker_sockets kept = keep_sockets(pool, false);
    const int sockets[] = {kept.first, kept.second};
    signal(SIGUSR1, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* SIGTERM and SIGQUIT end it */
    refuse_run(sockets, kept.second >= 0 ? 2 : 1, CHILDREN_NEVER, -1);
    exit(EXIT_SUCCESS);
}

static bool serves(const struct child *child)
{
    int32_t state = atomic_load(&child->slot->state);
    return !child->leaving && !child->killed && (state == WORKER_IDLE || state == WORKER_BUSY);
}

/* Workers of older generations that were not told to exit. */
static int64_t count_older(enum pool pool)
{
    int64_t older = 0;
    for (size_t i = 0; i < count; i++) {
        older += children[i].pool == pool && children[i].generation != generation && serves(&children[i]);
    }
    return older;
}

/* Forks a refuser for a paused pool without workers, and ends it when a worker is ready. */
static void check_refuser(enum pool pool, int64_t now)
{
    bool is_paused = scoreboard_get()->pools[pool].is_paused != 0;
    bool is_served = children_ready(pool) > 0 || count_older(pool) > 0;
    if (is_paused && is_served && now >= throttles[pool].not_before) {
        scoreboard_get()->pools[pool].is_paused = 0;
        log_notice(NULL, "pool %s has workers again", pool_names[pool]);
    }
    if (refusers[pool] != 0 && is_served) {
        kill(refusers[pool], SIGTERM);
    } else if (refusers[pool] == 0 && is_paused && !is_served) {
        pid_t master = getpid(), pid = fork();
        if (pid == 0) {
            run_refuser(pool, master);
        }
        refusers[pool] = pid > 0 ? pid : 0;
    }
}

/* ---- Helpers ---- */

static void close_listeners(void)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        for (int j = 0; j < LISTENER_COUNT; j++) {
            if (options.listeners[i][j].descriptor != -1) {
                close(options.listeners[i][j].descriptor);
            }
        }
    }
}

/* Those that end last are told when all others have ended. */
static void end_last_helpers(int64_t now)
{
    if (is_ending && count == 0 && helpers_count(false) == 0) {
        helpers_quit(true, now);
    }
}

/* Starting. */

int64_t children_start_limit(void)
{
    int64_t hosts = config->database_host.count > 0 ? (int64_t)config->database_host.count : 1;
    return START_LIMIT + hosts * config->database_connect_timeout * SECOND;
}

static struct child *add_child(void)
{
    if (count == capacity) {
        size_t wanted = capacity == 0 ? 16 : 2 * capacity;
        struct child *grown = realloc(children, wanted * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        children = grown;
        capacity = wanted;
    }
    return &children[count];
}

/* True where the next worker of the pool does not accept from one of the pool's two sockets: the second one, or the
 * first one where the second has priority. A pool of two or more workers has always one such worker. */
static bool next_is_spared(enum pool pool)
{
    if (options.listeners[pool][LISTENER_SECOND].descriptor == -1 || config->pools[pool].workers < 2) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (children[i].pool == pool && children[i].generation == generation && children[i].spared &&
            !children[i].leaving && !children[i].killed) {
            return false;
        }
    }
    return true;
}

/* False on failure; the pool then retries after a second. */
static bool start_child(enum pool pool, int64_t now)
{
    static int64_t last_slots_warning, last_fork_warning;
    struct child *child = add_child();
    struct scoreboard_slot *slot = child != NULL ? scoreboard_take(pool, generation) : NULL;
    if (slot == NULL) {
        if (log_due(&last_slots_warning, 60)) {
            log_warning(NULL, "pool %s lacks a worker: all %d worker slots are in use until other workers exit",
                        pool_names[pool], SCOREBOARD_SLOTS);
        }
        throttles[pool].not_before = now + SECOND;
        return false;
    }
    pid_t master = getpid();
    *child = (struct child){.pool = pool,
                            .generation = generation,
                            .slot = slot,
                            .started = now,
                            .deadline = CHILDREN_NEVER,
                            .spared = next_is_spared(pool)};
    pid_t pid = fork();
    if (pid == 0) {
        run_worker(child, master);
    }
    if (pid == -1) {
        int failure = errno;
        scoreboard_release(slot);
        if (log_due(&last_fork_warning, 60)) {
            log_error(NULL, "a worker of pool %s can't be forked, retrying each second: %s", pool_names[pool],
                      strerror(failure));
        }
        throttles[pool].not_before = now + SECOND;
        return false;
    }
    atomic_store(&slot->pid, (int32_t)pid);
    child->pid = pid;
    count++;
    log_debug(NULL, "worker %ld of pool %s started", (long)pid, pool_names[pool]);
    return true;
}

static int64_t missing(enum pool pool)
{
    int64_t wanted = config->pools[pool].workers;
    for (size_t i = 0; i < count; i++) {
        if (children[i].pool == pool && children[i].generation == generation && !children[i].leaving &&
            !children[i].killed) {
            wanted--;
        }
    }
    return wanted;
}

static bool older_serve(void)
{
    int64_t older = 0;
    for (int i = 0; i < POOL_COUNT; i++) {
        older += count_older((enum pool)i);
    }
    return older > 0;
}

/* The pool whose worker is started next, of those that lack one: the first, or while older workers serve the one with
 * the fewest. POOL_COUNT: none. */
static enum pool next_pool(int64_t now)
{
    enum pool next = POOL_COUNT;
    int64_t fewest = INT64_MAX;
    bool in_turn = older_serve();
    for (int i = 0; i < POOL_COUNT && (in_turn || next == POOL_COUNT); i++) {
        int64_t lacking = missing((enum pool)i), present = config->pools[i].workers - lacking;
        if (lacking > 0 && now >= throttles[i].not_before && present < fewest) {
            next = (enum pool)i;
            fewest = present;
        }
    }
    return next;
}

/* Whether another worker may be started now: see START_TURN. */
static bool is_turn(int64_t now)
{
    bool is_starting = false;
    for (size_t i = 0; i < count; i++) {
        is_starting = is_starting || (children[i].generation == generation && now - children[i].started < START_TURN &&
                                      atomic_load(&children[i].slot->state) == WORKER_STARTING);
    }
    return !is_starting || !older_serve();
}

void children_fill(int64_t now)
{
    for (enum pool pool; (pool = next_pool(now)) != POOL_COUNT && is_turn(now);) {
        start_child(pool, now); /* on failure it throttles the pool */
    }
    for (int i = 0; i < POOL_COUNT; i++) {
        check_refuser((enum pool)i, now);
    }
    helpers_fill(now);
}

/* " while STAGE, route: NAME, request: ID", or "" where no request runs. */
static void describe_request(const struct scoreboard_slot *slot, char text_r[static 256])
{
    struct scoreboard_worker worker;
    text_r[0] = '\0';
    if (!scoreboard_read(slot, &worker) || worker.request_started == 0) {
        return;
    }
    int32_t route = worker.route;
    const char *name =
        route >= 0 && route < SCOREBOARD_ROUTES && options.route_name != NULL ? options.route_name(route) : NULL;
    snprintf(text_r, 256, " while %s, route: %s, request: %s", *worker.stage != '\0' ? worker.stage : "between stages",
             name != NULL ? name : "none yet", *worker.request_id != '\0' ? worker.request_id : "none yet");
}

/* Reaping. */

/* Counts a death at the start for restart_limit. All workers of a large pool may die in one short shortage, say of
 * memory; so a pool is not given up before TRIES_MIN failures. */
static void count_death(enum pool pool, bool quick, int64_t now)
{
    if (deaths_limit == 0) {
        return;
    }
    deaths[deaths_next] = now;
    deaths_next = (deaths_next + 1) % deaths_limit;
    if (deaths_count < deaths_limit) {
        deaths_count++;
    }
    /* In a full ring, the next element is the oldest. */
    if (deaths_count == deaths_limit && now - deaths[deaths_next] <= config->restart_interval * SECOND &&
        (!quick || throttles[pool].failures >= TRIES_MIN)) {
        gave_up = true;
        gave_up_pool = pool;
    }
}

/* Delays the next start of workers. Workers of a pool often die together: these deaths count as one failure. */
static void throttle_pool(enum pool pool, int64_t now)
{
    struct throttle *throttle = &throttles[pool];
    if (now - throttle->last_failure > 6 * DELAY_MAX) {
        throttle->failures = 0;
    }
    throttle->last_failure = now;
    if (now < throttle->not_before) {
        return;
    }
    int64_t delay = 0;
    for (unsigned i = 0; i < throttle->failures && delay < DELAY_MAX; i++) {
        delay = delay == 0 ? DELAY_MIN : 2 * delay;
    }
    throttle->failures++;
    throttle->not_before = now + (delay < DELAY_MAX ? delay : DELAY_MAX);
}

static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGILL || number == SIGFPE ||
           number == SIGTRAP;
}

static void log_death(const struct child *child, int status, int64_t requests)
{
    char request[256];
    describe_request(child->slot, request);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        log_alert(NULL,
                  "worker %ld of pool %s was killed by the kernel: it called %s, which its sandbox does not allow%s",
                  (long)child->pid, pool_names[child->pool], sandbox_verdict(child->pid), request);
    } else if (WIFSIGNALED(status)) {
        log_write(NULL, is_crash(WTERMSIG(status)) ? LOG_SEVERITY_ALERT : LOG_SEVERITY_ERROR,
                  "worker %ld of pool %s died of signal %d (%s)%s after %lld requests%s", (long)child->pid,
                  pool_names[child->pool], WTERMSIG(status), strsignal(WTERMSIG(status)),
                  WCOREDUMP(status) ? ", core dumped," : "", (long long)requests, request);
    } else {
        log_error(NULL, "worker %ld of pool %s exited with status %d after %lld requests%s", (long)child->pid,
                  pool_names[child->pool], WEXITSTATUS(status), (long long)requests, request);
    }
}

/* True where an idle worker was killed from outside, which does not mean that the next one will fail. */
static bool was_killed_idle(const struct child *child, int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM) &&
           atomic_load(&child->slot->state) == WORKER_IDLE;
}

static void handle_exit(const struct child *child, int status, int64_t now)
{
    int64_t requests = atomic_load(&child->slot->requests);
    bool normal = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool quick = now - child->started < QUICK && requests == 0;
    if (!normal && !child->killed) {
        log_death(child, status, requests);
    } else {
        log_debug(NULL, "worker %ld of pool %s exited after %lld requests", (long)child->pid, pool_names[child->pool],
                  (long long)requests);
    }
    if (!normal && (!child->killed || !child->leaving)) {
        atomic_fetch_add(&scoreboard_get()->worker_deaths, 1);
    }

    if (child->leaving || child->generation != generation) {
        return;
    }
    if (quick || child->never_ready) {
        throttle_pool(child->pool, now);
    } else {
        throttles[child->pool].failures = 0;
    }
    if (child->never_ready ||
        (requests == 0 && !child->killed && (!normal || quick) && !was_killed_idle(child, status))) {
        count_death(child->pool, quick || child->never_ready, now);
    }
}

static void forget_refuser(pid_t pid)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        if (refusers[i] == pid) {
            refusers[i] = 0;
        }
    }
}

void children_reap(int64_t now)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == -1 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            return;
        }
        size_t i = 0;
        while (i < count && children[i].pid != pid) {
            i++;
        }
        if (options.worker_ended != NULL) {
            options.worker_ended(pid);
        }
        if (i == count) {
            if (helpers_reap(pid, status)) {
                continue;
            }
            forget_refuser(pid);
            options.other_ended(pid);
            continue;
        }
        handle_exit(&children[i], status, now);
        scoreboard_release(children[i].slot);
        children[i] = children[--count];
    }
}

bool children_gave_up(enum pool *pool_r)
{
    *pool_r = gave_up_pool;
    return gave_up;
}

/* Ending. */

static void kill_child(struct child *child, const char *why, int64_t seconds)
{
    char request[256];
    describe_request(child->slot, request);
    log_error(NULL, "worker %ld of pool %s was killed: %s (%lld s)%s", (long)child->pid, pool_names[child->pool], why,
              (long long)seconds, request);
    child->killed = true;
    kill(child->pid, SIGKILL);
}

static int64_t request_deadline(const struct child *child)
{
    int64_t from = scoreboard_timed_from(child->slot);
    return from != 0 ? from + config->pools[child->pool].request_timeout * SECOND : CHILDREN_NEVER;
}

static void check_child(struct child *child, int64_t now)
{
    if (child->killed) {
        return;
    }
    if (now >= request_deadline(child)) {
        kill_child(child, "a request took longer than request_timeout", config->pools[child->pool].request_timeout);
    } else if (now >= child->deadline) {
        kill_child(child, "it was told to exit, and did not", (now - child->asked) / SECOND);
    } else if (atomic_load(&child->slot->state) == WORKER_STARTING && now >= child->started + children_start_limit()) {
        child->never_ready = true;
        kill_child(child, "it did not become ready", children_start_limit() / SECOND);
    }
}

void children_check(int64_t now)
{
    for (size_t i = 0; i < count; i++) {
        check_child(&children[i], now);
    }
    helpers_check(now);
    end_last_helpers(now);
}

/* Lowers *moment to `candidate`. */
static void earliest(int64_t *moment, int64_t candidate)
{
    if (candidate < *moment) {
        *moment = candidate;
    }
}

/* A request that starts after `now` can't time out before now + request_timeout; so an idle daemon sleeps that long. */
int64_t children_next_moment(int64_t now, bool filling)
{
    int64_t moment = CHILDREN_NEVER;
    for (size_t i = 0; i < count; i++) {
        const struct child *child = &children[i];
        if (child->killed) {
            continue;
        }
        earliest(&moment, child->deadline);
        earliest(&moment, request_deadline(child));
        earliest(&moment, now + config->pools[child->pool].request_timeout * SECOND);
        if (atomic_load(&child->slot->state) == WORKER_STARTING) {
            earliest(&moment, child->started + children_start_limit());
        }
    }
    for (int i = 0; filling && i < POOL_COUNT; i++) {
        if (throttles[i].not_before > now && missing((enum pool)i) > 0) {
            earliest(&moment, throttles[i].not_before);
        }
        if (refusers[i] != 0) {
            earliest(&moment, now + REFUSER_INTERVAL); /* it is ended when a worker is ready, which has to be polled */
        }
    }
    earliest(&moment, helpers_next_moment(filling));
    return moment;
}

int64_t children_ready(enum pool pool)
{
    int64_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        ready += children[i].pool == pool && children[i].generation == generation && serves(&children[i]);
    }
    return ready;
}

size_t children_count(void)
{
    size_t all = count;
    for (int i = 0; i < POOL_COUNT; i++) {
        all += refusers[i] != 0;
    }
    return all + helpers_count(false) + helpers_count(true);
}

static void quit_child(struct child *child, int64_t deadline)
{
    if (!child->leaving) {
        log_debug(NULL, "worker %ld of pool %s is told to exit", (long)child->pid, pool_names[child->pool]);
        kill(child->pid, SIGQUIT);
        child->asked = clock_monotonic_microseconds();
    }
    child->leaving = true;
    if (deadline < child->deadline) {
        child->deadline = deadline;
    }
}

void children_quit_all(int64_t deadline)
{
    is_ending = true;
    helpers_quit(false, clock_monotonic_microseconds());
    for (int i = 0; i < POOL_COUNT; i++) {
        if (refusers[i] != 0) {
            kill(refusers[i], SIGTERM);
        }
    }
    for (size_t i = 0; i < count; i++) {
        quit_child(&children[i], deadline);
    }
    end_last_helpers(clock_monotonic_microseconds()); /* where there is nobody else, no signal will come */
}

void children_quit_generation(int32_t number, int64_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        if (children[i].generation == number) {
            quit_child(&children[i], deadline);
        }
    }
}

/* The older worker of a pool that exits first: one that spares a socket, as the first new one does. */
static struct child *first_to_leave(enum pool pool)
{
    struct child *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct child *child = &children[i];
        if (child->pool == pool && child->generation != generation && !child->leaving &&
            (first == NULL || (child->spared && !first->spared))) {
            first = child;
        }
    }
    return first;
}

bool children_replace(int64_t deadline)
{
    bool is_over = true;
    for (int i = 0; i < POOL_COUNT; i++) {
        enum pool pool = (enum pool)i;
        int64_t ready = children_ready(pool), wanted = config->pools[pool].workers;
        int64_t kept = ready < wanted ? wanted - ready : 0;
        struct child *child;
        while ((child = first_to_leave(pool)) != NULL && (kept == 0 || count_older(pool) > kept)) {
            quit_child(child, deadline);
        }
        is_over = is_over && child == NULL;
    }
    return is_over;
}

void children_signal(int number)
{
    for (size_t i = 0; i < count; i++) {
        kill(children[i].pid, number);
    }
    helpers_signal(number);
}

void children_free(void)
{
    free(children);
    children = NULL;
    count = capacity = 0;
    free(deaths);
    deaths = NULL;
    deaths_limit = 0;
}
