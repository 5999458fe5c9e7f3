#include "worker/helper_process.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/database.h"

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

bool helper_process_begin(const struct config *config, const char *name, int64_t connect_seconds, int64_t read_seconds,
                          struct helper_process *process_r)
{
    static struct config own;
    own = *config;
    own.database_connect_timeout = at_most(config->database_connect_timeout, connect_seconds);
    own.database_read_timeout = at_most(config->database_read_timeout, read_seconds);
    memory_end_on_failure();
    if (!config->core_dumps) {
        memory_hide();
    }
    const int signals = signals_open();
    if (signals < 0) {
        log_alert(NULL, "the %s can't start: %s", name, strerror(errno));
        return false;
    }
    *process_r = (struct helper_process){.config = &own, .arena = arena_new(0), .signals = signals};
    return true;
}

enum signals_told helper_process_told(struct helper_process *process)
{
    const enum signals_told told = signals_read(process->signals, process->config);
    process->told = told > process->told ? told : process->told;
    return process->told;
}

enum signals_told helper_process_wait(struct helper_process *process, int64_t milliseconds)
{
    struct pollfd descriptor = {process->signals, POLLIN, 0};
    const int64_t end = clock_monotonic_microseconds() + milliseconds * 1000;
    while (process->told == SIGNALS_NOTHING) {
        const int64_t left = (end - clock_monotonic_microseconds()) / 1000;
        if (left <= 0 || poll(&descriptor, 1, (int)left) == 0) {
            break;
        }
        if ((descriptor.revents & POLLIN) != 0) {
            helper_process_told(process);
        }
    }
    return process->told;
}

void helper_process_end(struct helper_process *process)
{
    database_close();
    arena_free(process->arena);
}
