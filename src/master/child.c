/* child.c: see child.h. */
#include "master/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config_accounts.h"
#include "master/title.h"

static void set_signals(void)
{
    /* A terminal sends ^C and hang-up to the whole process group; only the master reacts to them. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGQUIT);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* A trial tries all accounts; what answers 503 has none. */
static void keep_account(enum sandbox_kind kind)
{
    static const enum account accounts[SANDBOX_KIND_COUNT] = {
        [SANDBOX_API] = ACCOUNT_API,
        [SANDBOX_PASSWORD] = ACCOUNT_PASSWORD,
        [SANDBOX_DIRECTORY] = ACCOUNT_DIRECTORY,
        [SANDBOX_STATUS] = ACCOUNT_STATUS,
        [SANDBOX_WATCHER] = ACCOUNT_WATCHER,
        [SANDBOX_HOUSEKEEPER] = ACCOUNT_HOUSEKEEPER,
        [SANDBOX_MAILER] = ACCOUNT_MAILER,
        [SANDBOX_REFUSER] = ACCOUNT_COUNT,
    };
    if (kind != SANDBOX_TRIAL) {
        config_keep_account(accounts[kind]);
    }
}

void child_begin(const struct child_options *options)
{
    struct error error;
    char short_name[16];
    snprintf(short_name, sizeof short_name, "roster-%s", options->name);
    title_set(short_name, "roster: %s", options->title);
    log_set_process(options->name);
    options->close_master();
    set_signals();
    if (!process_user_assume(options->user, &error)) {
        log_error(NULL, "the process \"%s\" can't start: %s", options->title, error.text);
        _exit(EXIT_FAILURE);
    }
    /* After the change of user, which clears it. If the master has died already, the signal would never come. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != options->master) {
        _exit(EXIT_FAILURE);
    }
    keep_account(options->kind);
    config_sandbox_enter(options->config, options->kind, options->niceness, options->may_gain);
}
