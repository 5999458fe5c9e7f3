/* children.c: the list of workers. It is short and walked often, so it is an array in no order. */
#include "master/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/title.h"

#define SECOND INT64_C(1000000)

/* A worker that has not become ready in this time, and that of trying each host of MariaDB, never will. */
#define START_LIMIT (30 * SECOND)

/* One that ends sooner, and without having answered anything, is not started again at once. */
#define QUICK (1 * SECOND)

/* Waiting times of a pool: none, 0.1 s, 0.2 s, … up to this. */
#define DELAY_LEAST (SECOND / 10)
#define DELAY_MOST (5 * SECOND)

/* A pool whose workers die at once is started anew this often, whatever restart_limit says. */
#define TRIES_LEAST 5

struct child {
    pid_t pid;
    enum pool pool;
    int32_t generation;
    struct scoreboard_slot *slot;
    int64_t started;
    int64_t asked;    /* when it was asked to leave */
    int64_t deadline; /* when it must have left */
    bool leaving;     /* was asked to */
    bool killed;      /* by us, and the log says why */
    bool barren;      /* killed for not having become ready, which counts as a death at its start */
};

struct throttle {
    unsigned failures; /* one after another */
    int64_t not_before;
    int64_t last_failure;
};

static struct children_options options;
static const struct config *config;
static int32_t generation;
static struct child *children;
static size_t count, capacity;
static struct throttle throttles[POOL_COUNT];

/* The moments of the last deaths at the start, restart_limit of them, round and round. */
static int64_t *deaths;
static size_t deaths_limit, deaths_next, deaths_count;
static bool gave_up;

void children_init(const struct children_options *options_given)
{
    options = *options_given;
}

void children_configure(const struct config *config_given, int32_t generation_given)
{
    config = config_given;
    generation = generation_given;
    atomic_store(&scoreboard_get()->generation, generation);
    memset(throttles, 0, sizeof throttles);
    gave_up = false;
    free(deaths);
    deaths = NULL;
    deaths_next = deaths_count = 0;
    deaths_limit = (size_t)config->restart_limit;
    if (deaths_limit > 0) {
        deaths = calloc(deaths_limit, sizeof *deaths);
        invariant(deaths != NULL);
    }
}

/* The worker's process. */

static void set_worker_signals(void)
{
    /* A terminal's ^C and hang-up reach the whole group; the master decides what they mean. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static bool start_modules(enum pool pool)
{
    for (size_t i = 0; i < options.module_count; i++) {
        const char *error = "unknown";
        if (options.modules[i].init_worker != NULL && !options.modules[i].init_worker(config, pool, &error)) {
            log_error(NULL, "a worker of pool %s can't start: %s: %s", pool_names[pool], options.modules[i].name,
                      error);
            return false;
        }
    }
    return true;
}

static void __attribute__((noreturn)) run_worker(enum pool pool, struct scoreboard_slot *slot, pid_t master)
{
    char name[16];
    snprintf(name, sizeof name, "roster-%s", pool_names[pool]);
    title_set(name, "roster: %s worker", pool_names[pool]);
    log_set_process(pool_names[pool]);
    options.close_master();
    for (int i = 0; i < POOL_COUNT; i++)
        if (i != (int)pool)
            close(options.listeners[i].descriptor);
    set_worker_signals();

    const char *error = NULL;
    if (!process_user_assume(options.process_user, &error)) {
        log_error(NULL, "a worker of pool %s can't start: %s", pool_names[pool], error);
        exit(EXIT_FAILURE);
    }
    /* Behind the change of user, which clears it. If the master died before, nobody would send the signal. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != master)
        exit(EXIT_FAILURE);

    atomic_store(&slot->pid, (int32_t)getpid());
    if (!start_modules(pool))
        exit(EXIT_FAILURE);
    int status = options.run(config, pool, options.listeners[pool].descriptor, slot);
    for (size_t i = options.module_count; i-- > 0;)
        if (options.modules[i].exit_worker != NULL)
            options.modules[i].exit_worker();
    exit(status);
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
        if (grown == NULL)
            return NULL;
        children = grown;
        capacity = wanted;
    }
    return &children[count];
}

/* False where it can't be done now; then the pool waits a second. */
static bool start_child(enum pool pool, int64_t now)
{
    static int64_t last_slots_warning, last_fork_warning;
    struct child *child = add_child();
    struct scoreboard_slot *slot = child != NULL ? scoreboard_take(pool, generation) : NULL;
    if (slot == NULL) {
        if (log_due(&last_slots_warning, 60))
            log_warning(NULL, "pool %s lacks a worker: all %d places are taken until others leave", pool_names[pool],
                        SCOREBOARD_SLOTS);
        throttles[pool].not_before = now + SECOND;
        return false;
    }
    pid_t master = getpid();
    pid_t pid = fork();
    if (pid == 0)
        run_worker(pool, slot, master);
    if (pid == -1) {
        int failure = errno;
        scoreboard_release(slot);
        if (log_due(&last_fork_warning, 60))
            log_error(NULL, "a worker of pool %s can't be forked, which is tried again each second: %s",
                      pool_names[pool], strerror(failure));
        throttles[pool].not_before = now + SECOND;
        return false;
    }
    atomic_store(&slot->pid, (int32_t)pid);
    *child = (struct child){
        .pid = pid, .pool = pool, .generation = generation, .slot = slot, .started = now, .deadline = CHILDREN_NEVER};
    count++;
    log_debug(NULL, "worker %ld of pool %s started", (long)pid, pool_names[pool]);
    return true;
}

static int64_t missing(enum pool pool)
{
    int64_t wanted = config->pools[pool].workers;
    for (size_t i = 0; i < count; i++)
        if (children[i].pool == pool && children[i].generation == generation && !children[i].leaving &&
            !children[i].killed)
            wanted--;
    return wanted;
}

void children_fill(int64_t now)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        enum pool pool = (enum pool)i;
        for (int64_t wanted = missing(pool); wanted > 0 && now >= throttles[pool].not_before; wanted--)
            if (!start_child(pool, now))
                break;
    }
}

/* " while STAGE, route: NAME, request: ID", or "" where no request runs. */
static void describe_request(const struct scoreboard_slot *slot, char text_r[static 256])
{
    struct scoreboard_worker worker;
    text_r[0] = '\0';
    if (!scoreboard_read(slot, &worker) || worker.request_started == 0)
        return;
    int32_t route = worker.route;
    const char *name =
        route >= 0 && route < SCOREBOARD_ROUTES && options.route_name != NULL ? options.route_name(route) : NULL;
    snprintf(text_r, 256, " while %s, route: %s, request: %s", *worker.stage != '\0' ? worker.stage : "between stages",
             name != NULL ? name : "none yet", *worker.request_id != '\0' ? worker.request_id : "none yet");
}

/* Reaping. */

/* All workers of a large pool may die in one moment of a shortage; so the pool is tried a few times before that counts
 * as hopeless. */
static void remember_death(enum pool pool, bool quick, int64_t now)
{
    if (deaths_limit == 0)
        return;
    deaths[deaths_next] = now;
    deaths_next = (deaths_next + 1) % deaths_limit;
    if (deaths_count < deaths_limit)
        deaths_count++;
    /* With the array full, the next place holds the oldest. */
    if (deaths_count == deaths_limit && now - deaths[deaths_next] <= config->restart_interval * SECOND &&
        (!quick || throttles[pool].failures >= TRIES_LEAST))
        gave_up = true;
}

/* Workers of a pool often die together; that counts as one failure, not as many. */
static void slow_down(enum pool pool, int64_t now)
{
    struct throttle *throttle = &throttles[pool];
    if (now - throttle->last_failure > 6 * DELAY_MOST)
        throttle->failures = 0;
    throttle->last_failure = now;
    if (now < throttle->not_before)
        return;
    int64_t delay = 0;
    for (unsigned i = 0; i < throttle->failures && delay < DELAY_MOST; i++)
        delay = delay == 0 ? DELAY_LEAST : 2 * delay;
    throttle->failures++;
    throttle->not_before = now + (delay < DELAY_MOST ? delay : DELAY_MOST);
}

static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGILL || number == SIGFPE ||
           number == SIGSYS || number == SIGTRAP;
}

static void log_death(const struct child *child, int status, int64_t requests)
{
    char request[256];
    describe_request(child->slot, request);
    if (WIFSIGNALED(status))
        log_write(NULL, is_crash(WTERMSIG(status)) ? LOG_SEVERITY_ALERT : LOG_SEVERITY_ERROR,
                  "worker %ld of pool %s died of signal %d (%s)%s after %lld requests%s", (long)child->pid,
                  pool_names[child->pool], WTERMSIG(status), strsignal(WTERMSIG(status)),
                  WCOREDUMP(status) ? ", core dumped," : "", (long long)requests, request);
    else
        log_error(NULL, "worker %ld of pool %s exited with status %d after %lld requests%s", (long)child->pid,
                  pool_names[child->pool], WEXITSTATUS(status), (long long)requests, request);
}

/* Somebody killed it while it did nothing, which says nothing about whether the next one will work. */
static bool was_killed_idle(const struct child *child, int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM) &&
           atomic_load(&child->slot->state) == WORKER_IDLE;
}

static void bury(const struct child *child, int status, int64_t now)
{
    int64_t requests = atomic_load(&child->slot->requests);
    bool normal = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool quick = now - child->started < QUICK && requests == 0;
    if (!normal && !child->killed)
        log_death(child, status, requests);
    else
        log_debug(NULL, "worker %ld of pool %s left after %lld requests", (long)child->pid, pool_names[child->pool],
                  (long long)requests);
    if (!normal && (!child->killed || !child->leaving))
        atomic_fetch_add(&scoreboard_get()->worker_deaths, 1);

    if (child->leaving || child->generation != generation)
        return;
    if (quick || child->barren)
        slow_down(child->pool, now);
    else
        throttles[child->pool].failures = 0;
    if (child->barren || (requests == 0 && !child->killed && (!normal || quick) && !was_killed_idle(child, status)))
        remember_death(child->pool, quick || child->barren, now);
}

void children_reap(int64_t now)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid == -1 && errno == EINTR)
            continue;
        if (pid <= 0)
            return;
        for (size_t i = 0; i < count; i++) {
            if (children[i].pid != pid)
                continue;
            bury(&children[i], status, now);
            scoreboard_release(children[i].slot);
            children[i] = children[--count];
            break;
        }
    }
}

bool children_gave_up(void)
{
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
    int64_t started = atomic_load(&child->slot->request_started);
    return started != 0 ? started + config->pools[child->pool].request_timeout * SECOND : CHILDREN_NEVER;
}

static void check_child(struct child *child, int64_t now)
{
    if (child->killed)
        return;
    if (now >= request_deadline(child)) {
        kill_child(child, "a request took longer than request_timeout", config->pools[child->pool].request_timeout);
    } else if (now >= child->deadline) {
        kill_child(child, "it was asked to leave, and is still there", (now - child->asked) / SECOND);
    } else if (atomic_load(&child->slot->state) == WORKER_STARTING && now >= child->started + children_start_limit()) {
        child->barren = true;
        kill_child(child, "it did not become ready", children_start_limit() / SECOND);
    }
}

void children_check(int64_t now)
{
    for (size_t i = 0; i < count; i++)
        check_child(&children[i], now);
}

static void earliest(int64_t *moment, int64_t candidate)
{
    if (candidate < *moment)
        *moment = candidate;
}

/* No request that starts after `now` is over its time before now + request_timeout; so an idle daemon sleeps that
 * long. */
int64_t children_next_moment(int64_t now, bool filling)
{
    int64_t moment = CHILDREN_NEVER;
    for (size_t i = 0; i < count; i++) {
        const struct child *child = &children[i];
        if (child->killed)
            continue;
        earliest(&moment, child->deadline);
        earliest(&moment, request_deadline(child));
        earliest(&moment, now + config->pools[child->pool].request_timeout * SECOND);
        if (atomic_load(&child->slot->state) == WORKER_STARTING)
            earliest(&moment, child->started + children_start_limit());
    }
    for (int i = 0; filling && i < POOL_COUNT; i++)
        if (throttles[i].not_before > now && missing((enum pool)i) > 0)
            earliest(&moment, throttles[i].not_before);
    return moment;
}

int64_t children_ready(enum pool pool)
{
    int64_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t state = atomic_load(&children[i].slot->state);
        if (children[i].pool == pool && children[i].generation == generation && !children[i].leaving &&
            !children[i].killed && (state == WORKER_IDLE || state == WORKER_BUSY))
            ready++;
    }
    return ready;
}

size_t children_count(void)
{
    return count;
}

static void quit_child(struct child *child, int64_t deadline)
{
    if (!child->leaving) {
        kill(child->pid, SIGQUIT);
        child->asked = clock_monotonic_microseconds();
    }
    child->leaving = true;
    if (deadline < child->deadline)
        child->deadline = deadline;
}

void children_quit_all(int64_t deadline)
{
    for (size_t i = 0; i < count; i++)
        quit_child(&children[i], deadline);
}

void children_quit_others(int32_t generation_kept, int64_t deadline)
{
    for (size_t i = 0; i < count; i++)
        if (children[i].generation != generation_kept)
            quit_child(&children[i], deadline);
}

void children_signal(int number)
{
    for (size_t i = 0; i < count; i++)
        kill(children[i].pid, number);
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
