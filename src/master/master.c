/* master.c: one loop: wait for a signal or a time, then do what is due. All signals are blocked and read from a
 * signalfd(2), so no code runs in signal handlers. */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process_user.h"
#include "base/safe_path.h"
#include "config/config_logs.h"
#include "config/config_pools.h"
#include "config/config_print.h"
#include "config/config_read.h"
#include "config/config_secrets.h"
#include "master/children.h"
#include "master/detach.h"
#include "master/listeners.h"
#include "master/log_file.h"
#include "master/notify.h"
#include "master/pid_file.h"
#include "master/refuse.h"
#include "master/sockets.h"
#include "master/title.h"
#include "master/trial.h"

#define SECOND INT64_C(1000000)

/* How often the slots are polled while workers start, and the queues while they are drained. Both take little time. */
#define START_INTERVAL (2 * SECOND / 1000)
#define DRAIN_INTERVAL (10 * SECOND / 1000)

/* How long a fast stop waits for running requests. */
#define FAST_STOP (2 * SECOND)

/* A reload is rolled back this long after the first of its workers should have been ready. */
#define RELOAD_PATIENCE (30 * SECOND)

/* How long the trial of a configuration may take, per host of MariaDB: see probe.c. */
#define START_TRIAL_LIMIT (8 * SECOND)
#define TRIAL_LIMIT (60 * SECOND)

/* How long a master that can't start answers 503 on systemd's sockets before it exits. */
#define REFUSE_TIME (5 * SECOND)

/* The stages of a stop. The queues of sockets created here are drained first, as they are lost with the socket. */
enum stop_stage { STOP_NOT, STOP_DRAINING, STOP_LEAVING };

static struct {
    const struct master_options *options;
    char path[PATH_MAX];         /* of the configuration, absolute */
    struct config *start_config; /* of the start, without secrets: RESTART directives keep these values */
    struct config *config;
    struct config *old_config; /* of a reload that can still be rolled back; else NULL */
    int32_t generation, old_generation, last_generation;
    struct process_user user;
    struct listener listeners[POOL_COUNT][LISTENER_COUNT];
    int signals; /* signalfd; -1: none */
    bool log_is_open;
    bool announced; /* systemd, or the parent of a -d master, knows that the service is ready */
    bool reload_wanted, reloading;
    struct config *tried_config; /* of a reload, while its trial runs; NULL: none runs */
    enum stop_stage stop;
    bool stop_is_fast;
    int64_t stop_deadline;
    int64_t started, reload_started, watchdog_due;
    int status;
    char failure[600]; /* why the start failed; "" if it did not */
} master = {.signals = -1};

/* Messages to the operator. */

/* Reports why the start failed: to the parent of a -d master, else to stderr; and to the log if it is open. */
static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    char text[5000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(master.failure, sizeof master.failure, "%.599s", text);
    master.status = EXIT_FAILURE;
    bool logged = master.log_is_open;
    if (logged) {
        log_alert(NULL, "%s", text);
    }
    if (!detach_fail(text) && (!logged || strcmp(master.config->error_log, "stderr") != 0)) {
        fprintf(stderr, "roster: %s\n", text);
    }
}

enum { WORKERS_SIZE = 48 * POOL_COUNT };

/* "workers: 4 api, 1 password, …" */
static const char *list_workers(char list_r[static WORKERS_SIZE])
{
    size_t length = (size_t)snprintf(list_r, WORKERS_SIZE, "workers:");
    for (int i = 0; i < POOL_COUNT; i++) {
        length += (size_t)snprintf(list_r + length, WORKERS_SIZE - length, "%s %lld %s", i > 0 ? "," : "",
                                   (long long)master.config->pools[i].workers, pool_names[i]);
    }
    return list_r;
}

static void tell_ready(void)
{
    char status[60 * POOL_COUNT], workers[WORKERS_SIZE];
    snprintf(status, sizeof status, "ready; %s", list_workers(workers));
    notify_ready(detach_is_done(), status);
}

/* The configuration. */

/* Where the workers run as another user, only root may be able to change any directory of a path of the master. */
static enum safe_path_depth depth_of(const struct config *config)
{
    return *config->user != '\0' ? SAFE_PATH_WHOLE : SAFE_PATH_DIRECTORY;
}

struct config *master_read_config(const char *path, struct error *error)
{
    struct config *config = config_read(path, error);
    if (config == NULL) {
        return NULL;
    }
    /* A user who can write the configuration of a master of root's controls what root does. */
    if (safe_path_file(path, depth_of(config), error) && config_load_secrets(config, error)) {
        return config;
    }
    config_free(config);
    return NULL;
}

/* Sets master.path. A -d master changes its directory, so a relative path would become invalid. */
static bool make_absolute(const char *path)
{
    char directory[PATH_MAX] = "";
    if (*path != '/' && getcwd(directory, sizeof directory) == NULL) {
        return false;
    }
    int length = snprintf(master.path, sizeof master.path, "%s%s%s", directory, *directory != '\0' ? "/" : "", path);
    return length > 0 && (size_t)length < sizeof master.path;
}

/* Gives the modules a new configuration. False with the error; the modules then have `previous` again. */
static bool start_modules(const struct config *config, const struct config *previous, struct error *error)
{
    const struct module *modules = master.options->modules;
    for (size_t i = 0; i < master.options->module_count; i++) {
        if (modules[i].init_master == NULL || modules[i].init_master(config, error)) {
            continue;
        }
        error_prefix(error, "%s: ", config->path);
        for (size_t j = 0; previous != NULL && j <= i; j++) {
            if (modules[j].init_master != NULL) {
                modules[j].init_master(previous, NULL);
            }
        }
        return false;
    }
    return true;
}

/* Starting. */

static bool block_signals(struct error *error)
{
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGQUIT, SIGTERM, SIGINT, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        sigaddset(&set, numbers[i]);
        signal(numbers[i], SIG_DFL); /* with SIGCHLD ignored, which is inherited, children can't be reaped */
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &set, NULL);
    master.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return master.signals != -1 || error_set(error, "%s", strerror(errno));
}

static void close_master(void)
{
    if (trial_descriptor() != -1) {
        close(trial_descriptor());
    }
    if (master.signals != -1) {
        close(master.signals);
    }
    pid_file_forget();
    detach_close();
}

/* For the process of a trial: it keeps no listening socket either, else clients could wait for it. */
static void close_all(void)
{
    close_master();
    listeners_each(master.listeners, sockets_close);
}

static bool begin_trial(const struct config *config, const struct config *old, struct error *error)
{
    int64_t hosts = config->database_host.count > 0 ? (int64_t)config->database_host.count : 1;
    const struct trial_options trial = {
        .config = config,
        .old = old,
        .user = &master.user,
        .probe = master.options->probe,
        .close_all = close_all,
        .deadline = clock_monotonic_microseconds() + (old != NULL ? TRIAL_LIMIT : START_TRIAL_LIMIT) * hosts,
    };
    return trial_begin(&trial, error);
}

/* Reduces the number of workers to the connections of MariaDB (-1: unknown), and logs it. */
static void fit_workers(struct config *config, int64_t connections)
{
    int64_t wanted = config_worker_count(config);
    if (config_fit_workers(config, connections)) {
        log_notice(
            NULL,
            "MariaDB allows %lld connections%s: %lld workers are started instead of %lld: raise its max_connections "
            "to %lld to start all, or set workers",
            (long long)(connections >= 0 ? connections : 151),
            connections >= 0 ? "" : ", as assumed while it is unavailable", (long long)config_worker_count(config),
            (long long)wanted, (long long)config_connections_wanted(wanted));
    }
}

/* Whoever comes first, wherever from, would own the service. */
static void warn_if_empty(const struct probe_result *probe)
{
    if (probe->is_empty) {
        log_warning(NULL, "there are no accounts, and the first visitor who signs up becomes the administrator: create "
                          "the account yourself, with `rosterctl user add --email EMAIL --name NAME --role admin "
                          "--random-password'");
    }
}

/* systemd knows the master's process without a file, and the user of its service may have no directory for one. */
static bool needs_pid_file(const struct config *config)
{
    return geteuid() == 0 || !notify_is_wanted() || pid_file_may_be_written(config->pid_file);
}

/* Processes that it forks can't get back what it gives up: where one executes a program that may gain privileges, as
 * sendmail(8) may have to, so must the master be able to; without root it can then have no filter. */
static void enter_sandbox(const struct config *config)
{
    const char *shortcoming;
    const bool may_gain = helpers_execute(master.options->helpers, master.options->helper_count, config);
    if (!sandbox_is_possible()) {
        log_notice(NULL, "there is no sandbox: a sanitizer, or valgrind, needs more than it leaves");
    } else if (!config->sandbox) {
        log_notice(NULL, "there is no sandbox: sandbox = no in %s", config->path);
    } else if ((shortcoming = sandbox_shortcoming()) != NULL) {
        log_notice(NULL, "the sandbox is not complete: %s", shortcoming);
    }
    if (!may_gain || geteuid() == 0) {
        config_sandbox_enter(config, SANDBOX_MASTER, 0, may_gain);
    }
}

/* All steps that may fail, in the order that is least harmful: the lock against a second master comes first. */
static bool start(void)
{
    struct error error;
    const struct config *config = master.config;
    if (!process_user_resolve(config->user, config->group, &master.user, &error) ||
        (needs_pid_file(config) && !pid_file_take(config->pid_file, depth_of(config), &error))) {
        fail("%s: %s", config->path, error.text);
        return false;
    }
    log_file_open_as(&master.user);
    if (!start_modules(config, NULL, &error)) {
        fail("%s", error.text);
        return false;
    }
    master.log_is_open = true;
    log_set_process("master");
    struct probe_result probe;
    if (!begin_trial(config, NULL, &error)) {
        fail("the configuration can't be tried: %s", error.text);
        return false;
    }
    trial_wait(&probe);
    if (!probe.is_good) {
        fail("%s", probe.reason);
        return false;
    }
    fit_workers(master.config, probe.connections);
    warn_if_empty(&probe);
    if (!listeners_open(config, &master.user, depth_of(config), master.listeners, &error)) {
        fail("%s: %s", config->path, error.text);
        return false;
    }
    if (!block_signals(&error)) {
        fail("signalfd: %s", error.text);
        return false;
    }
    if (geteuid() == 0 && !master.user.changes) {
        log_warning(NULL, "workers run as root: set user in %s", config->path);
    }
    listeners_warn_of_short_backlog(config);

    const struct children_options options = {
        .modules = master.options->modules,
        .module_count = master.options->module_count,
        .run = master.options->run_worker,
        .route_name = master.options->route_name,
        .process_user = &master.user,
        .listeners = master.listeners,
        .close_master = close_master,
        .other_ended = trial_collected,
        .helpers = master.options->helpers,
        .helper_count = master.options->helper_count,
        .worker_ended = master.options->worker_ended,
    };
    children_init(&options);
    master.generation = master.last_generation = 1;
    children_configure(config, master.generation);
    title_set("roster", "roster: master (%s)", config->path);
    enter_sandbox(config);
    return true;
}

static bool leave_terminal(void)
{
    struct error error;
    if (strcmp(master.config->error_log, "stderr") == 0) {
        fputs("roster: warning: error_log is stderr, which -d closes: name a file, syslog or journal\n", stderr);
    }
    if (!detach(&error)) {
        fail("%s", error.text);
        return false;
    }
    return true;
}

static void announce(int64_t now)
{
    char workers[WORKERS_SIZE];
    master.announced = true;
    log_notice(NULL, "ready after %lld ms; %s; process %ld", (long long)((now - master.started) / 1000),
               list_workers(workers), (long)getpid());
    tell_ready();
    detach_ready();
}

/* Reloading: read the file; try the configuration in a process of its own; start workers with it, one after another;
 * when each pool has one, old ones exit as new ones are ready. Until then the reload can be rolled back. */

static void report_restart(const char *directive, void *argument)
{
    (void)argument;
    log_warning(NULL, "reload: %s was changed, which needs a restart", directive);
}

static void end_reload(const char *status)
{
    master.reloading = false;
    if (status == NULL) {
        tell_ready();
    } else {
        notify_ready(detach_is_done(), status);
    }
}

/* Reports a reload that failed. Frees `config`, which may be NULL. */
static void refuse_reload(struct config *config, const char *why)
{
    struct scoreboard *board = scoreboard_get();
    char status[900];
    log_error(NULL, "reload: %s; the old configuration stays", why);
    snprintf(board->reload_error, sizeof board->reload_error, "%s", why);
    atomic_fetch_add(&board->reload_failures, 1);
    snprintf(status, sizeof status, "the last reload failed, the old configuration stays: %s", why);
    end_reload(status);
    config_free(config);
}

static void begin_reload(int64_t now)
{
    master.reload_wanted = false;
    master.reload_started = now;
    log_notice(NULL, "reload: reading %s", master.path);
    notify_reloading();
    struct error error;
    struct config *config = master_read_config(master.path, &error);
    if (config == NULL || !begin_trial(config, master.config, &error)) {
        refuse_reload(config, error.text);
        return;
    }
    master.tried_config = config;
}

/* Continues a reload after its trial. */
static void use_tried_config(const struct probe_result *probe)
{
    struct error error;
    struct config *config = master.tried_config;
    master.tried_config = NULL;
    if (!probe->is_good) {
        refuse_reload(config, probe->reason);
        return;
    }
    fit_workers(config, probe->connections);
    if (!start_modules(config, master.config, &error)) {
        refuse_reload(config, error.text);
        return;
    }
    config_compare_restart(master.start_config, config, report_restart, NULL);
    master.old_config = master.config;
    master.old_generation = master.generation;
    master.config = config;
    master.generation = ++master.last_generation;
    master.reloading = true;
    children_configure(config, master.generation);
}

static void complete_reload(int64_t now)
{
    children_quit_generation(master.old_generation, now + master.config->shutdown_timeout * SECOND);
    scoreboard_get()->reload_error[0] = '\0';
    atomic_fetch_add(&scoreboard_get()->reloads, 1);
    log_notice(NULL, "reload: done after %lld ms, old workers exit", (long long)((now - master.reload_started) / 1000));
    end_reload(NULL);
}

static void roll_back_reload(int64_t now, const char *why)
{
    struct error error;
    struct scoreboard *board = scoreboard_get();
    log_error(NULL, "reload: %s; the old configuration stays", why);
    snprintf(board->reload_error, sizeof board->reload_error, "%s; see the error log", why);
    atomic_fetch_add(&board->reload_failures, 1);
    if (!start_modules(master.old_config, NULL, &error)) {
        log_error(NULL, "reload: %s", error.text);
    }
    struct config *failed = master.config;
    master.config = master.old_config;
    master.old_config = NULL;
    master.generation = master.old_generation;
    children_configure(master.config, master.generation);
    children_quit_generation(master.last_generation, now + FAST_STOP);
    config_free(failed);
    end_reload("the last reload failed, the old configuration stays: its workers did not start");
}

static bool pools_have_a_worker(void)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        if (children_ready((enum pool)i) == 0) {
            return false;
        }
    }
    return true;
}

/* What is due while a reload's workers start and take over. */
static void advance_reload(int64_t now)
{
    bool is_late = now - master.reload_started >= children_start_limit() + RELOAD_PATIENCE;
    if (master.old_config != NULL && pools_have_a_worker()) {
        config_free(master.old_config);
        master.old_config = NULL;
    }
    if (master.old_config != NULL && is_late) {
        roll_back_reload(now, "its workers do not become ready");
    } else if (master.old_config == NULL &&
               (children_replace(now + master.config->shutdown_timeout * SECOND) || is_late)) {
        complete_reload(now);
    }
}

static bool pools_are_full(void)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        if (children_ready((enum pool)i) < master.config->pools[i].workers) {
            return false;
        }
    }
    return true;
}

/* Stopping. */

static void begin_leaving(int64_t now)
{
    master.stop = STOP_LEAVING;
    children_quit_all(now > master.stop_deadline ? now : master.stop_deadline);
}

static void begin_stop(int64_t now, bool fast, const char *why)
{
    int64_t deadline = now + (fast ? FAST_STOP : master.config->shutdown_timeout * SECOND);
    if (master.stop != STOP_NOT && fast && master.stop_is_fast) {
        deadline = now; /* the second TERM or INT */
    }
    if (master.stop == STOP_NOT || deadline < master.stop_deadline) {
        master.stop_deadline = deadline;
    }
    master.stop_is_fast = master.stop_is_fast || fast;
    log_notice(NULL, "stopping: %s", why);
    notify_stopping(fast ? "stopping" : "stopping when all requests are answered");
    if (master.stop == STOP_NOT) {
        listeners_each(master.listeners, sockets_remove_file);
    }
    if (fast || master.stop == STOP_LEAVING) {
        begin_leaving(now);
    } else {
        master.stop = STOP_DRAINING;
    }
}

/* Clients that connected before the socket file was removed are still served. The queue of a systemd socket is left to
 * the next master. */
static bool queues_are_empty(void)
{
    for (int i = 0; i < POOL_COUNT * LISTENER_COUNT; i++) {
        const struct listener *listener = &master.listeners[i / LISTENER_COUNT][i % LISTENER_COUNT];
        if (!listener->inherited && sockets_has_waiting(listener)) {
            return false;
        }
    }
    return true;
}

/* After a successful start the master never gives up: the cause of the deaths (memory shortage, a replaced library) may
 * be temporary, and without systemd no other process would start the service again. */
static void pause_pool(enum pool pool, int64_t now)
{
    char status[300];
    int64_t interval = master.config->restart_interval;
    snprintf(status, sizeof status,
             "pool %s is paused for %lld s: %lld workers died within %lld s without having answered a request",
             pool_names[pool], (long long)interval, (long long)master.config->restart_limit, (long long)interval);
    log_alert(NULL,
              "%s (restart_limit, restart_interval); the log lines above say why. Clients get 503 meanwhile. To "
              "retry at once, reload: kill -HUP %ld",
              status, (long)getpid());
    notify_send("STATUS=%s", status);
    children_pause(pool, now + interval * SECOND);
}

static void give_up(enum pool pool, int64_t now)
{
    if (master.old_config != NULL) {
        roll_back_reload(now, "workers die at their start");
        return;
    }
    if (master.reloading) {
        complete_reload(now);
    }
    if (master.announced) {
        pause_pool(pool, now);
        return;
    }
    fail("giving up: %lld workers died within %lld s without having answered a request (restart_limit, "
         "restart_interval); "
         "the log lines above say why. The service does not run: fix the cause, then start it again",
         (long long)master.config->restart_limit, (long long)master.config->restart_interval);
    begin_stop(now, false, "workers die at their start");
}

/* The loop. */

static void reopen_logs(void)
{
    const struct config *config = master.config;
    struct error error;
    if (!config_open_logs(config, &error)) {
        log_error(NULL, "the logs can't be reopened: %s", error.text);
    }
    children_signal(SIGUSR1);
    log_notice(NULL, "the logs were reopened");
}

static void take_signal(const struct signalfd_siginfo *info, int64_t now)
{
    char why[80];
    int number = (int)info->ssi_signo;
    if (info->ssi_code == SI_USER) {
        snprintf(why, sizeof why, "SIG%s from process %ld", sigabbrev_np(number), (long)info->ssi_pid);
    } else {
        snprintf(why, sizeof why, "SIG%s", sigabbrev_np(number));
    }
    switch (number) {
    case SIGCHLD:
        children_reap(now);
        break;
    case SIGHUP:
        master.reload_wanted = true;
        break;
    case SIGUSR1:
        reopen_logs();
        break;
    case SIGQUIT:
        begin_stop(now, false, why);
        break;
    default:
        begin_stop(now, true, why);
        break;
    }
}

static void take_signals(void)
{
    struct signalfd_siginfo infos[8];
    ssize_t got;
    while ((got = read(master.signals, infos, sizeof infos)) > 0) {
        for (size_t i = 0; i < (size_t)got / sizeof *infos; i++) {
            take_signal(&infos[i], clock_monotonic_microseconds());
        }
    }
}

/* Does everything that is due at `now`. */
static void advance(int64_t now)
{
    int64_t interval = notify_watchdog_microseconds();
    if (interval > 0 && now >= master.watchdog_due) {
        notify_send("WATCHDOG=1");
        master.watchdog_due = now + interval;
    }
    children_check(now);
    if (master.stop == STOP_DRAINING && (queues_are_empty() || now >= master.stop_deadline)) {
        begin_leaving(now);
    }
    if (master.stop != STOP_NOT) {
        return;
    }
    enum pool pool;
    if (children_gave_up(&pool)) {
        give_up(pool, now);
    }
    struct probe_result probe;
    if (master.tried_config != NULL && trial_is_over(now, &probe)) {
        use_tried_config(&probe);
    }
    if (master.reload_wanted && !master.reloading && master.tried_config == NULL && master.stop == STOP_NOT) {
        begin_reload(now);
    }
    if (master.stop != STOP_NOT) {
        return;
    }
    children_fill(now);
    if (master.reloading) {
        advance_reload(now);
    }
    if (!master.announced && pools_are_full()) {
        announce(now);
    }
}

static int timeout_milliseconds(int64_t now)
{
    int64_t moment = children_next_moment(now, master.stop == STOP_NOT);
    if (notify_watchdog_microseconds() > 0 && master.watchdog_due < moment) {
        moment = master.watchdog_due;
    }
    if (master.stop == STOP_NOT && (!master.announced || master.reloading) && now + START_INTERVAL < moment) {
        moment = now + START_INTERVAL;
    }
    if (master.stop == STOP_DRAINING && now + DRAIN_INTERVAL < moment) {
        moment = now + DRAIN_INTERVAL;
    }
    if (trial_deadline() < moment) {
        moment = trial_deadline();
    }
    if (moment == CHILDREN_NEVER) {
        return -1;
    }
    int64_t wait = moment > now ? (moment - now + 999) / 1000 : 0;
    return (int)(wait < 60000 ? wait : 60000);
}

static void loop(void)
{
    while (master.stop != STOP_LEAVING || children_count() > 0) {
        advance(clock_monotonic_microseconds());
        if (master.stop == STOP_LEAVING && children_count() == 0) {
            break;
        }
        struct pollfd descriptors[] = {{.fd = master.signals, .events = POLLIN},
                                       {.fd = trial_descriptor(), .events = POLLIN}};
        if (poll(descriptors, 2, timeout_milliseconds(clock_monotonic_microseconds())) > 0) {
            take_signals();
        }
    }
}

static void finish(void)
{
    trial_cancel();
    config_free(master.tried_config);
    listeners_each(master.listeners, sockets_remove_file);
    listeners_each(master.listeners, sockets_close);
    children_free();
    pid_file_remove();
    process_user_free(&master.user);
    if (master.log_is_open) {
        log_notice(NULL, "stopped");
    }
    config_free(master.config);
    config_free(master.old_config);
    config_free(master.start_config);
    if (master.signals != -1) {
        close(master.signals);
    }
    detach_close();
}

/* After a failed start. systemd keeps its sockets open, and clients would wait in their queues until the cause is
 * fixed. So this process answers 503 for REFUSE_TIME; systemd then starts the next one. */
static void refuse_clients(const char *why)
{
    int descriptors[64];
    size_t count = sockets_list_inherited(descriptors, ARRAY_COUNT(descriptors));
    if (count == 0 || detach_is_done() || (master.signals == -1 && !block_signals(NULL))) {
        return;
    }
    notify_send("STATUS=can't start, and answers 503: %s", why);
    refuse_run(descriptors, count, clock_monotonic_microseconds() + REFUSE_TIME, master.signals);
}

int master_run(const struct master_options *options)
{
    struct error error;
    master.options = options;
    master.started = clock_monotonic_microseconds();
    for (int i = 0; i < POOL_COUNT * LISTENER_COUNT; i++) {
        master.listeners[i / LISTENER_COUNT][i % LISTENER_COUNT].descriptor = -1;
    }
    if (!make_absolute(options->config_path)) {
        fprintf(stderr, "roster: the path is too long: %s\n", options->config_path);
        return EXIT_FAILURE;
    }
    sockets_take_inherited();
    notify_init();
    master.start_config = config_read(master.path, &error);
    master.config = master.start_config != NULL ? master_read_config(master.path, &error) : NULL;
    if (master.config == NULL) {
        fprintf(stderr, "roster: %s\n", error.text);
        refuse_clients(error.text);
        config_free(master.start_config);
        return EXIT_FAILURE;
    }
    detach_point_at_null(STDIN_FILENO, O_RDONLY);
    if ((!options->detach || leave_terminal()) && start()) {
        loop();
    } else {
        refuse_clients(master.failure);
    }
    finish();
    return master.status;
}
