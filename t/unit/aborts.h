/* aborts.h: what must not be done ends the process: tried in one of its own. */
#ifndef ROSTER_T_ABORTS_H
#define ROSTER_T_ABORTS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* True where `use` aborts, false where it returns. */
static inline bool aborts(void (*use)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        use();
        _exit(EXIT_SUCCESS);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGABRT);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
    return false;
}

#endif
