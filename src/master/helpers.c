/* helpers.c: see helpers.h. */
#include "master/helpers.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config_print.h"

#define SECOND INT64_C(1000000)

/* How long one that was told to end may take. */
#define END_LIMIT (5 * SECOND)

static struct {
    const struct helper *helpers;
    size_t count;
    struct child_options begin;
    void (*close_listeners)(void);
    const struct config *config;
    struct {
        pid_t pid; /* 0: it does not run */
        int64_t not_before;
        int64_t deadline; /* INT64_MAX: it was not told to end */
        bool was_told;    /* to end, by helpers_quit */
    } state[HELPERS_MAX];
} own;

void helpers_init(const struct helper *helpers, size_t count, const struct child_options *begin,
                  void (*close_listeners)(void))
{
    invariant(count <= HELPERS_MAX);
    own.helpers = helpers;
    own.count = count;
    own.begin = *begin;
    own.close_listeners = close_listeners;
}

static void tell_to_end(size_t number, int signal_number, int64_t now)
{
    if (own.state[number].pid != 0) {
        kill(own.state[number].pid, signal_number);
        if (own.state[number].deadline == INT64_MAX) {
            own.state[number].deadline = now + END_LIMIT;
        }
    }
}

/* True where one that runs can go on with the next configuration. */
static bool may_stay(const struct helper *helper, const struct config *next)
{
    return (helper->is_wanted == NULL || helper->is_wanted(next)) &&
           !config_differs_in(own.config, next, helper->concerned);
}

void helpers_configure(const struct config *config, int64_t now)
{
    for (size_t i = 0; i < own.count; i++) {
        if (own.config != NULL && !may_stay(&own.helpers[i], config)) {
            tell_to_end(i, SIGQUIT, now);
        }
        own.state[i].not_before = 0;
    }
    own.config = config;
}

/* A setgid program, as sendmail(8) often is, may become what it is meant to be. */
static bool executes(const struct helper *helper)
{
    return helper->kind == SANDBOX_MAILER;
}

bool helpers_execute(const struct helper *helpers, size_t count, const struct config *config)
{
    for (size_t i = 0; i < count; i++) {
        if (executes(&helpers[i]) && (helpers[i].is_wanted == NULL || helpers[i].is_wanted(config))) {
            return true;
        }
    }
    return false;
}

static void __attribute__((noreturn)) run(const struct helper *helper, pid_t master)
{
    struct child_options child = own.begin;
    child.name = child.title = helper->name;
    child.master = master;
    child.config = own.config;
    child.kind = helper->kind;
    child.may_gain = executes(helper);
    child_begin(&child);
    own.close_listeners();
    exit(helper->run(own.config));
}

static bool is_missing(size_t number)
{
    const struct helper *helper = &own.helpers[number];
    return own.state[number].pid == 0 && (helper->is_wanted == NULL || helper->is_wanted(own.config));
}

static void start(size_t number, int64_t now)
{
    pid_t master = getpid(), pid = fork();
    if (pid == 0) {
        run(&own.helpers[number], master);
    }
    own.state[number].pid = pid > 0 ? pid : 0;
    own.state[number].not_before = now + SECOND;
    own.state[number].deadline = INT64_MAX;
}

void helpers_fill(int64_t now)
{
    for (size_t i = 0; i < own.count; i++) {
        if (is_missing(i) && now >= own.state[i].not_before) {
            start(i, now);
        }
    }
}

int64_t helpers_next_moment(bool filling)
{
    int64_t moment = INT64_MAX;
    for (size_t i = 0; i < own.count; i++) {
        int64_t own_moment = own.state[i].pid != 0      ? own.state[i].deadline
                             : filling && is_missing(i) ? own.state[i].not_before
                                                        : INT64_MAX;
        moment = own_moment < moment ? own_moment : moment;
    }
    return moment;
}

bool helpers_reap(pid_t pid, int status)
{
    for (size_t i = 0; i < own.count; i++) {
        if (own.state[i].pid != pid) {
            continue;
        }
        own.state[i].pid = 0;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
            log_alert(NULL,
                      "the %s (process %ld) was killed by the kernel: it called %s, which its sandbox does not allow",
                      own.helpers[i].name, (long)pid, sandbox_verdict(pid));
        } else if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
            log_error(NULL, "the %s (process %ld) ended; another one is started", own.helpers[i].name, (long)pid);
        }
        return true;
    }
    return false;
}

void helpers_quit(bool last, int64_t now)
{
    for (size_t i = 0; i < own.count; i++) {
        if (own.helpers[i].ends_last != last) {
            continue;
        }
        if (last && is_missing(i) && !own.state[i].was_told) {
            start(i, now); /* it died a moment ago */
        }
        tell_to_end(i, SIGTERM, now);
        own.state[i].was_told = true;
    }
}

void helpers_check(int64_t now)
{
    for (size_t i = 0; i < own.count; i++) {
        if (own.state[i].pid != 0 && now >= own.state[i].deadline) {
            log_error(NULL, "the %s (process %ld) was killed: it was told to end, and did not", own.helpers[i].name,
                      (long)own.state[i].pid);
            kill(own.state[i].pid, SIGKILL);
            own.state[i].deadline = now + END_LIMIT;
        }
    }
}

size_t helpers_count(bool last)
{
    size_t running = 0;
    for (size_t i = 0; i < own.count; i++) {
        const bool is_due = last && is_missing(i) && !own.state[i].was_told;
        running += (own.state[i].pid != 0 || is_due) && own.helpers[i].ends_last == last;
    }
    return running;
}

void helpers_signal(int number)
{
    for (size_t i = 0; i < own.count; i++) {
        if (own.state[i].pid != 0) {
            kill(own.state[i].pid, number);
        }
    }
}
