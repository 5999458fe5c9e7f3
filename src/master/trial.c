/* trial.c: a child process and a pipe. The result, or the end of file, comes through the pipe, whichever code reaps the
 * child. */
#include "master/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/child.h"

static struct {
    pid_t pid; /* 0: no trial runs */
    int descriptor;
    int64_t deadline;
    bool is_collected;
} trial = {0, -1, INT64_MAX, false};

static void __attribute__((noreturn)) run(const struct trial_options *options, int descriptor, pid_t master)
{
    static struct probe_result probe;
    const struct child_options child = {
        .name = "trial",
        .title = "trial of a configuration",
        .user = options->user,
        .master = master,
        .close_master = options->close_all,
        .config = options->config,
        .kind = SANDBOX_TRIAL,
    };
    child_begin(&child);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* SIGTERM ends it */
    options->probe(options->config, options->old, &probe);
    /* At most PIPE_BUF, so that it is written atomically. */
    _Static_assert(sizeof probe <= 4096, "the result fits into PIPE_BUF");
    _exit(write(descriptor, &probe, sizeof probe) == (ssize_t)sizeof probe ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool trial_begin(const struct trial_options *options, struct error *error)
{
    int ends[2];
    pid_t master = getpid();
    if (pipe2(ends, O_CLOEXEC) == -1) {
        return error_set(error, "%s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run(options, ends[1], master);
    }
    int failure = errno;
    close(ends[1]);
    if (pid == -1) {
        close(ends[0]);
        return error_set(error, "%s", strerror(failure));
    }
    trial.pid = pid;
    trial.descriptor = ends[0];
    trial.deadline = options->deadline;
    return true;
}

int trial_descriptor(void)
{
    return trial.descriptor;
}

int64_t trial_deadline(void)
{
    return trial.deadline;
}

void trial_collected(pid_t pid)
{
    trial.is_collected = trial.is_collected || pid == trial.pid;
}

void trial_cancel(void)
{
    if (trial.pid > 0) {
        if (!trial.is_collected) { /* else another process may have its id */
            kill(trial.pid, SIGKILL);
            waitpid(trial.pid, NULL, 0);
        }
        close(trial.descriptor);
    }
    trial.pid = 0;
    trial.is_collected = false;
    trial.descriptor = -1;
    trial.deadline = INT64_MAX;
}

bool trial_is_over(int64_t now, struct probe_result *probe_r)
{
    struct pollfd descriptor = {.fd = trial.descriptor, .events = POLLIN};
    bool is_late = now >= trial.deadline;
    if (trial.pid == 0 || (!is_late && poll(&descriptor, 1, 0) < 1)) {
        return false;
    }
    if (is_late || read(trial.descriptor, probe_r, sizeof *probe_r) != (ssize_t)sizeof *probe_r) {
        *probe_r = (struct probe_result){.is_good = true, .connections = -1};
        log_warning(NULL, "a configuration could not be tried: its trial process %s",
                    is_late ? "took too long" : "died");
    }
    trial_cancel();
    return true;
}

void trial_wait(struct probe_result *probe_r)
{
    while (!trial_is_over(clock_monotonic_microseconds(), probe_r)) {
        struct pollfd descriptor = {.fd = trial.descriptor, .events = POLLIN};
        poll(&descriptor, 1, 100);
    }
}
