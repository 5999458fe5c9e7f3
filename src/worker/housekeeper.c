/* housekeeper.c: see housekeeper.h. */
#include "worker/housekeeper.h"

#include <poll.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "store/audit_chain.h"
#include "store/database.h"
#include "store/row_cache.h"
#include "store/session_limit.h"
#include "store/touch_store.h"
#include "worker/helper_process.h"

enum {
    ROUND_MILLISECONDS = 1000,
    PATIENCE_MICROSECONDS = 1500000, /* with what is locked, at the end */
    PATIENCE_MILLISECONDS = 50,      /* between two attempts meanwhile */
    LOOK_SECONDS = 10,
    TRIM_SECONDS = 600,
    PARTS_MAX = 20 /* of the audit, in a round */
};

/* Whether there may be rows without a number: after a worker wrote some, and now and then, as rosterctl tells nobody.
 */
static bool has_audit(int64_t now)
{
    static int64_t seen, look_at;
    const int64_t written = scoreboard_get() != NULL ? atomic_load(&scoreboard_get()->audit_written) : seen;
    if (written == seen && now < look_at) {
        return false;
    }
    seen = written;
    look_at = now + LOOK_SECONDS * INT64_C(1000000);
    return true;
}

/* The audit: numbers its new rows, removes old ones. A failure is logged, and tried again in the next round. */
static void keep_audit(struct context *context)
{
    static int64_t trim_at;
    static bool is_sealed, is_behind;
    const int64_t now = clock_monotonic_microseconds();
    is_sealed = is_sealed || audit_chain_reseal(context) == OK;
    audit_store_write_omitted(context);
    if (has_audit(now) || is_behind) {
        bool more = true, is_done = true;
        for (int i = 0; more && is_done && i < PARTS_MAX; i++) {
            is_done = audit_chain_grow(context, &more) == OK;
        }
        is_behind = more || !is_done;
    }
    bool more = false;
    if (now >= trim_at && audit_chain_trim(context, &more) == OK) {
        trim_at = more ? 0 : now + TRIM_SECONDS * INT64_C(1000000);
    }
}

/* Gives what is left. */
static size_t write_noted(const struct config *config, struct arena *arena)
{
    struct context context = {
        .arena = arena, .config = config, .stage = "housekeeping", .now_seconds = clock_wall_seconds()};
    const size_t left = touch_store_write(&context);
    session_limit_sweep(&context);
    keep_audit(&context);
    database_wipe();
    arena_reset(arena);
    return left;
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

int housekeeper_run(const struct config *given)
{
    enum { CONNECT_SECONDS = 1, READ_SECONDS = 4 };
    struct helper_process process;
    if (!helper_process_begin(given, "housekeeper", CONNECT_SECONDS, READ_SECONDS, &process)) {
        return EXIT_FAILURE;
    }
    touch_table_set_source(row_cache_source(process.config));
    do {
        touch_table_beat();
        write_noted(process.config, process.arena);
    } while (helper_process_wait(&process, ROUND_MILLISECONDS) == SIGNALS_NOTHING);
    touch_table_leave();
    if (process.told == SIGNALS_END) {
        write_last(process.config, process.arena);
    } else {
        write_noted(process.config, process.arena); /* what is left is for the next one */
    }
    helper_process_end(&process);
    return EXIT_SUCCESS;
}
