/* child.h: a process that dies in the middle of something. */
#ifndef ROSTER_T_CHILD_H
#define ROSTER_T_CHILD_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* A child does `body`, and dies as by kill -9. Returns its process id when it is gone. */
static inline pid_t child_killed_after(void (*body)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return pid;
}

#endif
