/* signals.c: see signals.h. */
#include "worker/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config_logs.h"

enum signals_told signals_read(int signals, const struct config *config)
{
    struct signalfd_siginfo info;
    enum signals_told told = SIGNALS_NOTHING;
    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1) {
            struct error error;
            if (!config_open_logs(config, &error)) {
                log_error(NULL, "%s", error.text);
            }
        } else if (info.ssi_signo == SIGTERM) {
            told = SIGNALS_END;
        } else if (told == SIGNALS_NOTHING) {
            told = SIGNALS_LEAVE;
        }
    }
    return told;
}

int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
