#include "worker/sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config_mail.h"

enum {
    ARGUMENTS_MAX = 64,
    ADDED_MAX = 5, /* -i -t -f ADDRESS, and the NULL behind them */
    POLL_MILLISECONDS = 100,
    END_SECONDS = 3,  /* what it may still take when this process is to end: less than the master waits */
    OUTPUT_MAX = 1000 /* bytes of what it writes */
};

int64_t sendmail_seconds(const struct config *config)
{
    return config->sendmail_timeout + END_SECONDS;
}

/* The words of sendmail_command, and ours. */
static void make_arguments(struct arena *arena, const struct config *config,
                           const char *arguments_r[static ARGUMENTS_MAX + ADDED_MAX])
{
    struct text rest = text_of(config->sendmail_command);
    size_t count = 0;
    while (rest.length > 0 && count < ARGUMENTS_MAX) {
        const struct text word = text_take(&rest, ' ');
        if (word.length > 0) {
            arguments_r[count++] = text_to_string(arena, word);
        }
    }
    arguments_r[count++] = text_to_string(arena, TEXT("-i"));
    arguments_r[count++] = text_to_string(arena, TEXT("-t"));
    arguments_r[count++] = text_to_string(arena, TEXT("-f"));
    arguments_r[count++] = text_to_string(arena, config_mail_from(arena, config));
    arguments_r[count] = NULL;
}

/* The message as a file in memory, which has no name: a pipe could fill up while nobody reads. -1 with errno set. */
static int make_input(struct text message)
{
    const int input = memfd_create("mail", MFD_CLOEXEC);
    size_t written = 0;
    while (input >= 0 && written < message.length) {
        const ssize_t more = write(input, message.data + written, message.length - written);
        if (more <= 0) {
            close(input);
            return -1;
        }
        written += (size_t)more;
    }
    if (input >= 0) {
        lseek(input, 0, SEEK_SET);
    }
    return input;
}

/* In the child. It gets none of our descriptors and signals, and dies with this process. */
static void __attribute__((noreturn)) become(const char *const *arguments, int input, int output, pid_t parent)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                language[] = "LANG=C.UTF-8";
    static char *const environment[] = {path, language, NULL};
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (getppid() == parent && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0) {
        execve(arguments[0], (char *const *)arguments, environment);
    }
    dprintf(STDERR_FILENO, "%s can't be run: %s\n", arguments[0], strerror(errno));
    _exit(EX_OSFILE);
}

/* What it writes: the end of it counts, so that is kept. */
struct output {
    char bytes[OUTPUT_MAX];
    size_t length;
};

static void take_output(int descriptor, struct output *output)
{
    char bytes[OUTPUT_MAX];
    ssize_t count;
    while ((count = read(descriptor, bytes, sizeof bytes)) > 0) {
        const size_t more = (size_t)count;
        const size_t kept = output->length + more > OUTPUT_MAX ? OUTPUT_MAX - more : output->length;
        memmove(output->bytes, output->bytes + output->length - kept, kept);
        memcpy(output->bytes + kept, bytes, more);
        output->length = kept + more;
    }
}

/* Waits until it ends; kills it when its time is over, which is sooner where this process was told to end. */
static int wait_for(struct helper_process *process, pid_t child, int descriptor, struct output *output, bool *is_late_r)
{
    int64_t end = clock_monotonic_microseconds() + process->config->sendmail_timeout * 1000000;
    int status;
    *is_late_r = false;
    for (;;) {
        struct pollfd descriptors[] = {{descriptor, POLLIN, 0}, {process->signals, POLLIN, 0}};
        const bool is_over = waitpid(child, &status, WNOHANG) == child;
        take_output(descriptor, output);
        if (is_over) {
            return status;
        }
        const int64_t now = clock_monotonic_microseconds();
        if (now >= end) {
            *is_late_r = true;
            kill(-child, SIGKILL); /* with all that it has started */
            kill(child, SIGKILL);
        }
        poll(descriptors, 2, POLL_MILLISECONDS);
        if ((descriptors[1].revents & POLLIN) != 0 && helper_process_told(process) != SIGNALS_NOTHING) {
            const int64_t last = now + END_SECONDS * INT64_C(1000000);
            end = end < last ? end : last;
        }
        if ((descriptors[0].revents & POLLHUP) != 0) {
            poll(NULL, 0, 5); /* it has closed its output, and is about to end */
        }
    }
}

/* How it ended, and what it wrote, as one line. */
static void tell(struct output *output, int status, struct error *why_r)
{
    const struct text written = text_trim((struct text){output->bytes, output->length});
    char how[64];
    for (size_t i = 0; i < output->length; i++) {
        output->bytes[i] = output->bytes[i] == '\n' ? ';' : output->bytes[i];
    }
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "it was ended by signal %d", WTERMSIG(status));
    } else {
        snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(status));
    }
    error_set(why_r, written.length > 0 ? "%s: %.*s" : "%s", how, (int)written.length, written.data);
}

static enum sendmail_result judge(int status)
{
    if (!WIFEXITED(status)) {
        return SENDMAIL_LATER;
    }
    switch (WEXITSTATUS(status)) {
    case EX_OK:
        return SENDMAIL_TAKEN;
    case EX_DATAERR:
    case EX_NOUSER:
    case EX_NOHOST:
        return SENDMAIL_REFUSED;
    default:
        return SENDMAIL_LATER;
    }
}

enum sendmail_result sendmail_run(struct helper_process *process, struct text message, struct error *why_r)
{
    const char *arguments[ARGUMENTS_MAX + ADDED_MAX];
    struct output output = {.length = 0};
    int pipes[2] = {-1, -1};
    bool is_late;
    enum sendmail_result result = SENDMAIL_LATER;
    make_arguments(process->arena, process->config, arguments);
    const int input = make_input(message);
    const pid_t parent = getpid();
    const pid_t child = input >= 0 && pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0 ? fork() : -1;
    if (child == 0) {
        fcntl(pipes[1], F_SETFL, 0);
        become(arguments, input, pipes[1], parent);
    }
    if (child < 0) {
        error_set(why_r, "no process can be made: %s", strerror(errno));
    } else {
        close(pipes[1]);
        pipes[1] = -1;
        const int status = wait_for(process, child, pipes[0], &output, &is_late);
        result = judge(status);
        if (result != SENDMAIL_TAKEN && is_late && process->told != SIGNALS_NOTHING) {
            result = SENDMAIL_ENDS;
        } else if (result != SENDMAIL_TAKEN && is_late) {
            error_set(why_r, "it took longer than sendmail_timeout, and was killed");
        } else if (result != SENDMAIL_TAKEN) {
            tell(&output, status, why_r);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (pipes[i] >= 0) {
            close(pipes[i]);
        }
    }
    if (input >= 0) {
        close(input);
    }
    return result;
}
