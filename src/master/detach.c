#include "master/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static bool is_done;
static int ready_pipe = -1; /* to the parent; -1: nobody waits */

/* In the parent: waits for "+", or for the text of an error. Never returns. */
static void __attribute__((noreturn)) await(int from)
{
    char text[5000];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(from, text + length, sizeof text - 1 - length);
        if (got == -1 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        if (text[0] == '+') {
            _exit(EXIT_SUCCESS);
        }
        if (length == sizeof text - 1) {
            break;
        }
    }
    text[length] = '\0';
    fprintf(stderr, "roster: %s\n",
            length > 0 ? text : "the master exited before its workers were ready; see the error log");
    _exit(EXIT_FAILURE);
}

void detach_point_at_null(int descriptor, int flags)
{
    int null = open("/dev/null", flags | O_CLOEXEC);
    if (null != -1 && null != descriptor) {
        dup2(null, descriptor);
        close(null);
    }
}

bool detach(struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        return error_set(error, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == -1) {
        int number = errno;
        close(ends[0]);
        close(ends[1]);
        return error_set(error, "fork: %s", strerror(number));
    }
    if (pid > 0) {
        close(ends[1]);
        await(ends[0]);
    }
    close(ends[0]);
    ready_pipe = ends[1];
    is_done = true;
    setsid();
    if (chdir("/") == -1) {
        return error_set(error, "/: %s", strerror(errno));
    }
    detach_point_at_null(STDOUT_FILENO, O_WRONLY);
    detach_point_at_null(STDERR_FILENO, O_WRONLY);
    return true;
}

bool detach_is_done(void)
{
    return is_done;
}

static bool tell(const char *text)
{
    if (ready_pipe == -1) {
        return false;
    }
    if (write(ready_pipe, text, strlen(text)) == -1) {
        log_warning(NULL, "the process that started this one has exited");
    }
    return true;
}

void detach_ready(void)
{
    tell("+");
    detach_close();
}

bool detach_fail(const char *text)
{
    return tell(text);
}

void detach_close(void)
{
    if (ready_pipe != -1) {
        close(ready_pipe);
        ready_pipe = -1;
    }
}
