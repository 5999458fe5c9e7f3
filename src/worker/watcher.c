/* watcher.c: see watcher.h. */
#include "worker/watcher.h"

#include <poll.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/database.h"
#include "store/identity_table.h"
#include "store/redis.h"
#include "store/row_cache.h"
#include "store/tracking.h"
#include "worker/helper_process.h"

enum {
    BEAT_MILLISECONDS = 100,
    REOPEN_MICROSECONDS = 1000000,     /* between two attempts to reach Redis */
    ORPHANS_MICROSECONDS = 250000,     /* between two looks at what dead processes hold */
    NEIGHBOURS_MICROSECONDS = 5000000, /* between two looks at who else writes to the database */
    PATIENCE_MICROSECONDS = 2000000,   /* with a lock that is taken, after the start */
    ORPHANS_MAX = 64
};

/* ---- Who else writes ---- */

/* Others that write to the same database tell nobody: then the table is not used. */
static enum { NEIGHBOURS_UNKNOWN, NEIGHBOURS_NONE, NEIGHBOURS_WRITE } neighbours;

/* *who_r: the null text: nobody. False: it can't be known now. */
static bool find_neighbour(struct context *context, struct text *who_r)
{
    bool is_alone;
    *who_r = TEXT_NULL;
    if (database_claim_tables(context, &is_alone) != OK) {
        return false;
    }
    if (!is_alone) {
        *who_r = TEXT("another Roster service");
        return true;
    }
    return database_find_neighbour(context, who_r) == OK;
}

static void look_for_neighbours(struct context *context)
{
    static int64_t started;
    struct text who;
    const int64_t now = clock_monotonic_microseconds();
    started = started == 0 ? now : started;
    if (!find_neighbour(context, &who)) {
        return; /* what was known last still holds */
    }
    if (who.data != NULL && neighbours == NEIGHBOURS_UNKNOWN && now - started < PATIENCE_MICROSECONDS) {
        return; /* the watcher before this one may have ended just now, and the server not know it yet */
    }
    if (who.data != NULL) {
        if (neighbours != NEIGHBOURS_WRITE) {
            log_warning(context,
                        "identity_cache is not used: %.*s may write to the same database; set it to 0 on all hosts "
                        "where several run Roster",
                        (int)who.length, who.data);
        }
        neighbours = NEIGHBOURS_WRITE;
        return;
    }
    if (neighbours == NEIGHBOURS_WRITE) {
        log_notice(context, "identity_cache is used again: nobody else writes to the database any more");
    }
    if (neighbours != NEIGHBOURS_NONE) {
        version_words_forget_all();
    }
    neighbours = NEIGHBOURS_NONE;
}

/* Everything that others changed before `moment` is known. */
static void beat(int64_t moment)
{
    if (neighbours == NEIGHBOURS_NONE) {
        identity_table_set_watch(TABLE_WATCHED);
        identity_table_beat(moment);
    } else {
        identity_table_set_watch(neighbours == NEIGHBOURS_WRITE ? TABLE_SHARED : TABLE_WITHOUT_DATABASE);
    }
}

/* ---- Redis ---- */

static void take_messages(struct context *context)
{
    struct error error;
    int64_t seen;
    if (!tracking_take(context, &seen, &error)) {
        log_info(context, "Redis is not followed any more: %s", error.text);
        tracking_close();
    } else if (seen > 0) {
        beat(seen);
    }
}

static void open_redis(struct context *context, int64_t now)
{
    static int64_t next_attempt;
    struct error error;
    if (now < next_attempt) {
        return;
    }
    next_attempt = now + REOPEN_MICROSECONDS;
    if (!tracking_open(context, &error)) {
        identity_table_set_watch(TABLE_WITHOUT_REDIS);
        if (log_topic_due(LOG_TOPIC_TRACKING, 60)) {
            log_warning(context, "Redis can't be followed: %s; identity_cache is not used until it can", error.text);
        }
    } else if (log_topic_end(LOG_TOPIC_TRACKING)) {
        log_notice(context, "Redis can be followed again");
    }
}

/* Follows Redis; opens it again where it was lost. */
static void follow_redis(struct context *context, int64_t now)
{
    struct error error;
    if (!redis_is_configured(context->config)) {
        beat(now);
        return;
    }
    if (tracking_descriptor() < 0) {
        open_redis(context, now);
    }
    if (tracking_descriptor() >= 0) {
        take_messages(context);
    }
    if (tracking_descriptor() >= 0 && !tracking_ask(now, &error)) {
        log_info(context, "Redis is not followed any more: %s", error.text);
        tracking_close();
    }
}

/* ---- Orphans ---- */

/* Lets go what processes held that are gone, where their connections are gone, too. */
static void release_orphans(struct context *context)
{
    struct version_orphan orphans[ORPHANS_MAX];
    size_t count = version_words_orphans(orphans, ORPHANS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool is_gone;
        if (database_connection_is_gone(context, &orphans[i], &is_gone) != OK) {
            return;
        }
        if (is_gone) {
            log_info(context, "connection %llu is gone: what its process held is let go",
                     (unsigned long long)orphans[i].connection);
            version_words_release(&orphans[i]);
        }
    }
}

/* ---- The loop ---- */

/* Until the next beat: takes what Redis tells, and signals. False: it is to end. */
static bool wait_for_beat(struct context *context, struct helper_process *process)
{
    struct pollfd descriptors[2] = {{process->signals, POLLIN, 0}, {-1, POLLIN, 0}};
    const int64_t end = clock_monotonic_microseconds() + BEAT_MILLISECONDS * 1000;
    for (;;) {
        const int64_t left = (end - clock_monotonic_microseconds()) / 1000;
        descriptors[1].fd = tracking_descriptor();
        if (left <= 0 || poll(descriptors, 2, (int)left) == 0) {
            return true;
        }
        if ((descriptors[0].revents & POLLIN) != 0 && helper_process_told(process) != SIGNALS_NOTHING) {
            return false;
        }
        if ((descriptors[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            take_messages(context);
        }
    }
}

int watcher_run(const struct config *given)
{
    /* so that a server that hangs does not keep it from its sign of life for long */
    enum { TIMEOUT_SECONDS = 1 };
    struct helper_process process;
    if (!helper_process_begin(given, "watcher", TIMEOUT_SECONDS, TIMEOUT_SECONDS, &process)) {
        return EXIT_FAILURE;
    }
    int64_t next_orphans = 0, next_neighbours = 0;
    bool goes_on = true;
    row_cache_init(process.config);
    while (goes_on) {
        struct context context = {
            .arena = process.arena, .config = process.config, .stage = "watch", .now_seconds = clock_wall_seconds()};
        const int64_t now = clock_monotonic_microseconds();
        if (now >= next_neighbours || neighbours == NEIGHBOURS_UNKNOWN) {
            next_neighbours = now + NEIGHBOURS_MICROSECONDS;
            look_for_neighbours(&context);
        }
        follow_redis(&context, now);
        if (now >= next_orphans) {
            next_orphans = now + ORPHANS_MICROSECONDS;
            release_orphans(&context);
        }
        arena_reset(process.arena);
        goes_on = wait_for_beat(&context, &process);
        arena_reset(process.arena);
    }
    helper_process_end(&process);
    return EXIT_SUCCESS;
}
