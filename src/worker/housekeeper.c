/* housekeeper.c: see housekeeper.h. */
#include "worker/housekeeper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/database.h"
#include "store/row_cache.h"
#include "store/touch_store.h"
#include "worker/signals.h"

enum {
    ROUND_MILLISECONDS = 1000,
    PATIENCE_MICROSECONDS = 1500000, /* with what is locked, at the end */
    PATIENCE_MILLISECONDS = 50       /* between two attempts meanwhile */
};

/* Gives what is left. */
static size_t write_noted(const struct config *config, struct arena *arena)
{
    struct context context = {
        .arena = arena, .config = config, .stage = "housekeeping", .now_seconds = clock_wall_seconds()};
    const size_t left = touch_store_write(&context);
    database_wipe();
    arena_reset(arena);
    return left;
}

/* Until the next round, or a signal. */
static enum signals_told wait_for_round(const struct config *config, int signals)
{
    struct pollfd descriptor = {signals, POLLIN, 0};
    const int64_t end = clock_monotonic_microseconds() + ROUND_MILLISECONDS * 1000;
    for (;;) {
        const int64_t left = (end - clock_monotonic_microseconds()) / 1000;
        if (left <= 0 || poll(&descriptor, 1, (int)left) == 0) {
            return SIGNALS_NOTHING;
        }
        const enum signals_told told =
            (descriptor.revents & POLLIN) != 0 ? signals_read(signals, config) : SIGNALS_NOTHING;
        if (told != SIGNALS_NOTHING) {
            return told;
        }
    }
}

/* Nobody else will write it. */
static void write_last(const struct config *config, struct arena *arena)
{
    const int64_t end = clock_monotonic_microseconds() + PATIENCE_MICROSECONDS;
    size_t left = write_noted(config, arena);
    while (left > 0 && clock_monotonic_microseconds() < end) {
        poll(NULL, 0, PATIENCE_MILLISECONDS);
        left = write_noted(config, arena);
    }
    if (left > 0) {
        log_warning(NULL, "%zu times of last use are not written, as MariaDB is away or their rows are locked", left);
    }
}

/* A server that hangs must not hold up the end of the service for long. */
static const struct config *with_short_timeouts(const struct config *config)
{
    enum { CONNECT_SECONDS = 1, READ_SECONDS = 4 };
    static struct config own;
    own = *config;
    own.database_connect_timeout = CONNECT_SECONDS;
    own.database_read_timeout =
        config->database_read_timeout < READ_SECONDS ? config->database_read_timeout : READ_SECONDS;
    return &own;
}

int housekeeper_run(const struct config *given)
{
    const struct config *config = with_short_timeouts(given);
    memory_end_on_failure();
    if (!config->core_dumps) {
        memory_hide();
    }
    int signals = signals_open();
    if (signals < 0) {
        log_alert(NULL, "the housekeeper can't start: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    struct arena *arena = arena_new(0);
    touch_table_set_source(row_cache_source(config));
    enum signals_told told;
    do {
        touch_table_beat();
        write_noted(config, arena);
    } while ((told = wait_for_round(config, signals)) == SIGNALS_NOTHING);
    touch_table_leave();
    if (told == SIGNALS_END) {
        write_last(config, arena);
    } else {
        write_noted(config, arena); /* what is left is for the next one */
    }
    database_close();
    arena_free(arena);
    return EXIT_SUCCESS;
}
