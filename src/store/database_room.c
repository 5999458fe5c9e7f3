/* database_room.c: full disk of the server: recorded for all processes, until one finds free space again. */
#include "store/database_internal.h"

#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

enum {
    FULL_SECONDS = 5,          /* after the last error: earliest check */
    FULL_UNKNOWN_SECONDS = 30, /* after the last error: assume free space if it can't be checked */
    FULL_BYTES = 16 << 20      /* min free space; InnoDB allocates up to 4 MiB at once */
};

/* The topic of the log, which all processes share, is set as long as the disk is full. */
bool database_is_full(void)
{
    return log_topic_age(LOG_TOPIC_MARIADB_FULL) >= 0;
}

void database_note_full(struct context *context, const struct failure *failure)
{
    database.full_at = clock_monotonic_microseconds();
    if (log_topic_due(LOG_TOPIC_MARIADB_FULL, AWAY_LOG_SECONDS)) {
        log_error(context,
                  "MariaDB's disk is full (error %u: %s): free space on the disk of its data directory, or of its "
                  "tmpdir; until then, requests that need space get 503, and so does /ready",
                  failure->code, failure->message);
    }
}

/* Free bytes on the disk of a server on this machine. -1: unknown. A trial write is no alternative: InnoDB may crash
 * when it rolls back on a full disk. */
static int64_t free_bytes(struct context *context)
{
    struct statvfs disk;
    int64_t bytes = -1;
    if (context->config->database_host.count > 0) {
        return -1;
    }
    if (mysql_query(database.mysql, "SELECT @@datadir") == 0) {
        MYSQL_RES *result = mysql_store_result(database.mysql);
        MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
        if (row != NULL && row[0] != NULL && statvfs(row[0], &disk) == 0) {
            bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
        }
        mysql_free_result(result);
    }
    return bytes;
}

/* If the free space is unknown, some time without an error is enough: the next write that needs space shows it. */
bool database_look_for_room(struct context *context)
{
    struct failure failure = {.kind = FAILURE_NONE};
    const int64_t own = (clock_monotonic_microseconds() - database.full_at) / 1000000;
    const int64_t all = log_topic_age(LOG_TOPIC_MARIADB_FULL);
    const int64_t age = database.full_at != 0 && own < all ? own : all;
    if (age < FULL_SECONDS || database.in_transaction || !database_ensure_connection(context, false, &failure)) {
        return false;
    }
    const int64_t bytes = free_bytes(context);
    if (bytes >= 0 ? bytes < FULL_BYTES : age < FULL_UNKNOWN_SECONDS) {
        return false;
    }
    if (log_topic_end(LOG_TOPIC_MARIADB_FULL)) {
        log_notice(context, "MariaDB has free disk space again");
    }
    return true;
}
