/* master.c: one loop: wait for a signal or a moment, do what is due. All signals are blocked and read from a
 * signalfd(2), so nothing happens behind the loop's back. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/children.h"
#include "master/notify.h"
#include "master/pid_file.h"
#include "master/process_user.h"
#include "master/sockets.h"
#include "master/title.h"

#define SECOND INT64_C(1000000)

/* How often the slots are looked at while workers come up, and the queue while it is emptied. Both pass in moments. */
#define START_INTERVAL (2 * SECOND / 1000)
#define DRAIN_INTERVAL (10 * SECOND / 1000)

/* What a fast stop leaves to requests. */
#define FAST_STOP (2 * SECOND)

/* A new configuration is taken back this long after the first of its workers should have been ready. */
#define RELOAD_PATIENCE (30 * SECOND)

/* How a stop goes on. A queue of our own is emptied first, as what waits in it is lost with the socket. */
enum stop_stage { STOP_NOT, STOP_DRAINING, STOP_LEAVING };

static struct {
    const struct master_options *options;
    char path[PATH_MAX]; /* of the configuration, absolute */
    struct config *start_config; /* of the start, without secrets: what RESTART directives stay at */
    struct config *config;
    struct config *old_config; /* while a reload is under way: to return to */
    int32_t generation, old_generation, last_generation;
    struct process_user user;
    struct listener listeners[POOL_COUNT];
    int signals;    /* signalfd; -1: none */
    int ready_pipe; /* to the process that was called with -d; -1: none */
    bool detached;
    bool log_is_open;
    bool announced; /* systemd, or the caller of -d, knows that we are ready */
    bool reload_wanted, reloading;
    enum stop_stage stop;
    bool stop_is_fast;
    int64_t stop_deadline;
    int64_t started, reload_started, watchdog_due;
    int status;
} master = {.signals = -1, .ready_pipe = -1};

/* Telling the operator. */

/* Why the start failed: to the caller of -d, or to stderr; and to the log, where it is open and another place. */
static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    char text[5000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    master.status = EXIT_FAILURE;
    bool logged = master.log_is_open;
    if (logged)
        log_alert(NULL, "%s", text);
    if (master.ready_pipe != -1) {
        if (write(master.ready_pipe, text, strlen(text)) == -1)
            log_warning(NULL, "the process that started this one is gone");
    } else if (!logged || strcmp(master.config->error_log, "stderr") != 0) {
        fprintf(stderr, "roster: %s\n", text);
    }
}

static void tell_ready(void)
{
    char status[120];
    snprintf(status, sizeof status, "ready: %lld api workers, %lld password workers",
             (long long)master.config->pools[POOL_API].workers, (long long)master.config->pools[POOL_PASSWORD].workers);
    notify_ready(master.detached, status);
}

/* The configuration. */

struct config *master_read_config(const char *path, const char **error_r)
{
    struct config *config = config_read(path, error_r);
    if (config == NULL)
        return NULL;
    if (!config_load_secrets(config, error_r)) {
        config_free(config);
        return NULL;
    }
    return config;
}

/* A -d master leaves the directory that a relative name belongs to. */
static bool make_absolute(const char *path)
{
    char directory[PATH_MAX] = "";
    if (*path != '/' && getcwd(directory, sizeof directory) == NULL)
        return false;
    int length = snprintf(master.path, sizeof master.path, "%s%s%s", directory, *directory != '\0' ? "/" : "", path);
    return length > 0 && (size_t)length < sizeof master.path;
}

/* Log files that root made must be writable for the workers, which open them themselves at USR1. The directory should
 * be root's; so no link there leads elsewhere, and none is followed anyway. */
static void give_log_file(const char *path)
{
    if (!master.user.changes || *path != '/')
        return;
    int file = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (file == -1)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
        status.st_uid != master.user.uid && fchown(file, master.user.uid, (gid_t)-1) == -1)
        log_warning(NULL, "the owner of %s can't be set: %s", path, strerror(errno));
    close(file);
}

static void give_log_files(void)
{
    give_log_file(master.config->error_log);
    give_log_file(master.config->access_log);
}

/* Sets the modules to a configuration; false with the text, and the modules then are where they were. */
static bool start_modules(const struct config *config, const struct config *previous, const char **error_r)
{
    const struct module *modules = master.options->modules;
    for (size_t i = 0; i < master.options->module_count; i++) {
        if (modules[i].init_master == NULL || modules[i].init_master(config, error_r))
            continue;
        static char text[1024]; /* what follows may overwrite the module's */
        snprintf(text, sizeof text, "%s: %s", config->path, *error_r);
        *error_r = text;
        const char *ignored;
        for (size_t j = 0; previous != NULL && j <= i; j++)
            if (modules[j].init_master != NULL)
                modules[j].init_master(previous, &ignored);
        return false;
    }
    return true;
}

/* Starting. */

static bool resolve_listener(const struct pool_config *pool, struct listener_options *options_r, const char **error_r)
{
    static char text[128];
    uid_t user = (uid_t)-1;
    gid_t group = (gid_t)-1, ignored;
    *error_r = text;
    if (master.user.changes) {
        user = master.user.uid;
        group = master.user.gid;
    }
    if (*pool->listen_owner != '\0' && !process_user_find(pool->listen_owner, &user, &ignored)) {
        snprintf(text, sizeof text, "listen_owner: there is no user '%s'", pool->listen_owner);
        return false;
    }
    if (*pool->listen_group != '\0' && !process_user_find_group(pool->listen_group, &group)) {
        snprintf(text, sizeof text, "listen_group: there is no group '%s'", pool->listen_group);
        return false;
    }
    char *end;
    unsigned long mode = strtoul(pool->listen_mode, &end, 8);
    if (*end != '\0' || end == pool->listen_mode || mode > 0777) {
        snprintf(text, sizeof text, "listen_mode: '%s' is no mode in octal, as 0660", pool->listen_mode);
        return false;
    }
    *options_r = (struct listener_options){pool->listen, user, group, (mode_t)mode, (int)pool->listen_backlog};
    return true;
}

/* The kernel cuts a backlog silently. */
static void warn_of_short_backlog(void)
{
    char content[32];
    int file = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return;
    ssize_t length = read(file, content, sizeof content - 1);
    close(file);
    content[length > 0 ? length : 0] = '\0';
    long most = strtol(content, NULL, 10);
    for (int i = 0; most > 0 && i < POOL_COUNT; i++)
        if (master.config->pools[i].listen_backlog > most)
            log_warning(NULL, "listen_backlog of pool %s is %lld, but the kernel allows %ld: raise net.core.somaxconn",
                        pool_names[i], (long long)master.config->pools[i].listen_backlog, most);
}

static void report_unused_socket(const char *path)
{
    log_warning(NULL,
                "systemd passed the socket %s, which no pool listens on: make listen and ListenStream= the same path",
                path);
}

static bool open_listeners(const char **error_r)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        struct listener_options options;
        if (!resolve_listener(&master.config->pools[i], &options, error_r) ||
            !sockets_open(&options, &master.listeners[i], error_r))
            return false;
        struct stat status;
        if (fstat(master.listeners[i].descriptor, &status) == 0)
            scoreboard_get()->pools[i].listener_inode = (int64_t)status.st_ino;
        log_info(NULL, "pool %s listens on %s%s", pool_names[i], options.path,
                 master.listeners[i].inherited ? ", a socket of systemd's" : "");
    }
    sockets_close_unused(report_unused_socket);
    return true;
}

static bool block_signals(const char **error_r)
{
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGQUIT, SIGTERM, SIGINT, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaddset(&set, numbers[i]);
        signal(numbers[i], SIG_DFL); /* an ignored SIGCHLD, inherited, would hide how workers ended */
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &set, NULL);
    master.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    *error_r = strerror(errno);
    return master.signals != -1;
}

static void close_master(void)
{
    close(master.signals);
    pid_file_forget();
    if (master.ready_pipe != -1)
        close(master.ready_pipe);
}

/* All that may fail, in the order that does the least harm: what keeps a second master out comes first. */
static bool start(void)
{
    const char *error = NULL;
    const struct config *config = master.config;
    if (!process_user_resolve(config->user, config->group, &master.user, &error) ||
        !pid_file_take(config->pid_file, &error)) {
        fail("%s: %s", config->path, error);
        return false;
    }
    if (!start_modules(config, NULL, &error)) {
        fail("%s", error);
        return false;
    }
    master.log_is_open = true;
    log_set_process("master");
    give_log_files();
    if (!open_listeners(&error)) {
        fail("%s: %s", config->path, error);
        return false;
    }
    if (!block_signals(&error)) {
        fail("signalfd: %s", error);
        return false;
    }
    if (geteuid() == 0 && !master.user.changes)
        log_warning(NULL, "workers run as root: set user in %s", config->path);
    warn_of_short_backlog();

    const struct children_options options = {
        .modules = master.options->modules,
        .module_count = master.options->module_count,
        .run = master.options->run_worker,
        .route_name = master.options->route_name,
        .process_user = &master.user,
        .listeners = master.listeners,
        .close_master = close_master,
    };
    children_init(&options);
    master.generation = master.last_generation = 1;
    children_configure(config, master.generation);
    title_set("roster", "roster: master (%s)", config->path);
    return true;
}

/* The parent's part of -d: waits for "+" or for a text. Never returns. */
static void __attribute__((noreturn)) await_detached(int ready_pipe)
{
    char text[5000];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(ready_pipe, text + length, sizeof text - 1 - length);
        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
        if (text[0] == '+')
            _exit(EXIT_SUCCESS);
        if (length == sizeof text - 1)
            break;
    }
    text[length] = '\0';
    fprintf(stderr, "roster: %s\n",
            length > 0 ? text : "the master ended before its workers were ready; the error log says more");
    _exit(EXIT_FAILURE);
}

static void point_at_null(int descriptor, int flags)
{
    int null = open("/dev/null", flags | O_CLOEXEC);
    if (null != -1 && null != descriptor) {
        dup2(null, descriptor);
        close(null);
    }
}

static bool detach(void)
{
    int ends[2];
    if (strcmp(master.config->error_log, "stderr") == 0)
        fputs("roster: warning: error_log is stderr, which -d closes: name a file, syslog or journal\n", stderr);
    if (pipe2(ends, O_CLOEXEC) == -1) {
        fail("pipe: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == -1) {
        fail("fork: %s", strerror(errno));
        return false;
    }
    if (pid > 0) {
        close(ends[1]);
        await_detached(ends[0]);
    }
    close(ends[0]);
    master.ready_pipe = ends[1];
    master.detached = true;
    setsid();
    if (chdir("/") == -1)
        return false;
    point_at_null(STDOUT_FILENO, O_WRONLY);
    point_at_null(STDERR_FILENO, O_WRONLY);
    return true;
}

static void announce(int64_t now)
{
    master.announced = true;
    log_notice(NULL, "ready after %lld ms: %lld api workers, %lld password workers, process %ld",
               (long long)((now - master.started) / 1000), (long long)master.config->pools[POOL_API].workers,
               (long long)master.config->pools[POOL_PASSWORD].workers, (long)getpid());
    tell_ready();
    if (master.ready_pipe != -1) {
        if (write(master.ready_pipe, "+", 1) == -1)
            log_warning(NULL, "the process that started this one is gone");
        close(master.ready_pipe);
        master.ready_pipe = -1;
    }
}

/* Reloading: read the file; start workers with it; when each pool has one, let the old ones go. Until then everything
 * can be taken back. */

static void report_restart(const char *directive, void *argument)
{
    (void)argument;
    log_warning(NULL, "reload: %s was changed, which takes a restart", directive);
}

static void end_reload(const char *status)
{
    master.reloading = false;
    if (status == NULL)
        tell_ready();
    else
        notify_ready(master.detached, status);
}

static void begin_reload(int64_t now)
{
    master.reload_wanted = false;
    log_notice(NULL, "reload: reading %s", master.path);
    notify_reloading();
    const char *error = NULL;
    struct config *config = master_read_config(master.path, &error);
    if (config == NULL || !start_modules(config, master.config, &error)) {
        log_error(NULL, "reload: %s; the old configuration stays", error);
        atomic_fetch_add(&scoreboard_get()->reload_failures, 1);
        char status[400];
        snprintf(status, sizeof status, "the last reload failed, the old configuration stays: %s", error);
        end_reload(status);
        config_free(config);
        return;
    }
    config_compare_restart(master.start_config, config, report_restart, NULL);
    master.old_config = master.config;
    master.old_generation = master.generation;
    master.config = config;
    master.generation = ++master.last_generation;
    master.reloading = true;
    master.reload_started = now;
    give_log_files();
    children_configure(config, master.generation);
}

static void commit_reload(int64_t now)
{
    children_quit_others(master.generation, now + master.config->shutdown_timeout * SECOND);
    config_free(master.old_config);
    master.old_config = NULL;
    atomic_fetch_add(&scoreboard_get()->reloads, 1);
    log_notice(NULL, "reload: done after %lld ms, old workers leave",
               (long long)((now - master.reload_started) / 1000));
    end_reload(NULL);
}

static void take_reload_back(int64_t now, const char *why)
{
    const char *error = NULL;
    log_error(NULL, "reload: %s; the old configuration stays", why);
    atomic_fetch_add(&scoreboard_get()->reload_failures, 1);
    if (!start_modules(master.old_config, NULL, &error))
        log_error(NULL, "reload: %s", error);
    struct config *failed = master.config;
    master.config = master.old_config;
    master.old_config = NULL;
    master.generation = master.old_generation;
    children_configure(master.config, master.generation);
    children_quit_others(master.generation, now + FAST_STOP);
    config_free(failed);
    end_reload("the last reload failed, the old configuration stays: its workers did not start");
}

static bool pools_have_a_worker(void)
{
    for (int i = 0; i < POOL_COUNT; i++)
        if (children_ready((enum pool)i) == 0)
            return false;
    return true;
}

static bool pools_are_full(void)
{
    for (int i = 0; i < POOL_COUNT; i++)
        if (children_ready((enum pool)i) < master.config->pools[i].workers)
            return false;
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
    if (master.stop != STOP_NOT && fast && master.stop_is_fast)
        deadline = now; /* asked twice */
    if (master.stop == STOP_NOT || deadline < master.stop_deadline)
        master.stop_deadline = deadline;
    master.stop_is_fast = master.stop_is_fast || fast;
    log_notice(NULL, "stopping: %s", why);
    notify_stopping(fast ? "stopping" : "stopping when all requests are answered");
    if (master.stop == STOP_NOT)
        for (int i = 0; i < POOL_COUNT; i++)
            sockets_remove_file(&master.listeners[i]);
    if (fast || master.stop == STOP_LEAVING)
        begin_leaving(now);
    else
        master.stop = STOP_DRAINING;
}

/* Whoever connected before the file went away is still served. What waits at a socket of systemd's, the next master
 * serves. */
static bool queues_are_empty(void)
{
    for (int i = 0; i < POOL_COUNT; i++)
        if (!master.listeners[i].inherited && sockets_has_waiting(&master.listeners[i]))
            return false;
    return true;
}

static void give_up(int64_t now)
{
    char text[200];
    snprintf(text, sizeof text,
             "giving up: %lld workers died within %lld s without having answered a request (restart_limit, "
             "restart_interval)",
             (long long)master.config->restart_limit, (long long)master.config->restart_interval);
    if (master.reloading) {
        take_reload_back(now, "workers die at their start");
        return;
    }
    fail("%s", text);
    begin_stop(now, false, "workers die at their start");
}

/* The loop. */

static void reopen_logs(void)
{
    const struct config *config = master.config;
    const char *error = NULL;
    if (!log_open(config->error_log, config->access_log, config->log_level, config->log_format, &error))
        log_error(NULL, "the logs can't be opened anew: %s", error);
    give_log_files();
    children_signal(SIGUSR1);
    log_notice(NULL, "the logs were opened anew");
}

static void take_signal(const struct signalfd_siginfo *info, int64_t now)
{
    char why[80];
    int number = (int)info->ssi_signo;
    if (info->ssi_code == SI_USER)
        snprintf(why, sizeof why, "SIG%s from process %ld", sigabbrev_np(number), (long)info->ssi_pid);
    else
        snprintf(why, sizeof why, "SIG%s", sigabbrev_np(number));
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
    while ((got = read(master.signals, infos, sizeof infos)) > 0)
        for (size_t i = 0; i < (size_t)got / sizeof *infos; i++)
            take_signal(&infos[i], clock_monotonic_microseconds());
}

/* Everything that is due now. */
static void advance(int64_t now)
{
    int64_t interval = notify_watchdog_microseconds();
    if (interval > 0 && now >= master.watchdog_due) {
        notify_send("WATCHDOG=1");
        master.watchdog_due = now + interval;
    }
    children_check(now);
    if (master.stop == STOP_DRAINING && (queues_are_empty() || now >= master.stop_deadline))
        begin_leaving(now);
    if (master.stop != STOP_NOT)
        return;
    if (children_gave_up())
        give_up(now);
    if (master.reload_wanted && !master.reloading && master.stop == STOP_NOT)
        begin_reload(now);
    if (master.stop != STOP_NOT)
        return;
    children_fill(now);
    if (master.reloading && pools_have_a_worker())
        commit_reload(now);
    else if (master.reloading && now - master.reload_started >= children_start_limit() + RELOAD_PATIENCE)
        take_reload_back(now, "its workers do not become ready");
    if (!master.announced && pools_are_full())
        announce(now);
}

static int timeout_milliseconds(int64_t now)
{
    int64_t moment = children_next_moment(now, master.stop == STOP_NOT);
    if (notify_watchdog_microseconds() > 0 && master.watchdog_due < moment)
        moment = master.watchdog_due;
    if (master.stop == STOP_NOT && (!master.announced || master.reloading) && now + START_INTERVAL < moment)
        moment = now + START_INTERVAL;
    if (master.stop == STOP_DRAINING && now + DRAIN_INTERVAL < moment)
        moment = now + DRAIN_INTERVAL;
    if (moment == CHILDREN_NEVER)
        return -1;
    int64_t wait = moment > now ? (moment - now + 999) / 1000 : 0;
    return (int)(wait < 60000 ? wait : 60000);
}

static void loop(void)
{
    while (master.stop != STOP_LEAVING || children_count() > 0) {
        advance(clock_monotonic_microseconds());
        if (master.stop == STOP_LEAVING && children_count() == 0)
            break;
        struct pollfd descriptor = {.fd = master.signals, .events = POLLIN};
        if (poll(&descriptor, 1, timeout_milliseconds(clock_monotonic_microseconds())) > 0)
            take_signals();
    }
}

static void finish(void)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        sockets_remove_file(&master.listeners[i]);
        sockets_close(&master.listeners[i]);
    }
    children_free();
    pid_file_remove();
    process_user_free(&master.user);
    if (master.log_is_open)
        log_notice(NULL, "stopped");
    config_free(master.config);
    config_free(master.old_config);
    config_free(master.start_config);
    if (master.signals != -1)
        close(master.signals);
    if (master.ready_pipe != -1)
        close(master.ready_pipe);
}

int master_run(const struct master_options *options)
{
    const char *error = NULL;
    master.options = options;
    master.started = clock_monotonic_microseconds();
    for (int i = 0; i < POOL_COUNT; i++)
        master.listeners[i].descriptor = -1;
    if (!make_absolute(options->config_path)) {
        fprintf(stderr, "roster: the path is too long: %s\n", options->config_path);
        return EXIT_FAILURE;
    }
    master.start_config = config_read(master.path, &error);
    master.config = master.start_config != NULL ? master_read_config(master.path, &error) : NULL;
    if (master.config == NULL) {
        fprintf(stderr, "roster: %s\n", error);
        config_free(master.start_config);
        return EXIT_FAILURE;
    }
    sockets_take_inherited();
    notify_init();
    point_at_null(STDIN_FILENO, O_RDONLY);
    if ((!options->detach || detach()) && start())
        loop();
    finish();
    return master.status;
}
