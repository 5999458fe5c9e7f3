#include "store/census.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "store/mail_store.h"
#include "store/migration.h"
#include "store/overview_store.h"

/* In microseconds. CLAIM: another worker counts where the first one has died. */
enum { SECOND = 1000000, COST_SHARE = 100, REST_MAX = 60 * SECOND, REST_LONG = 600 * SECOND, CLAIM = 10 * SECOND };

const char *const census_roles[SCOREBOARD_ROLES] = {"pending", "user", "admin"};

static void store(_Atomic int64_t *place, int64_t value)
{
    atomic_store_explicit(place, value, memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

static bool count(struct context *context, struct scoreboard_census *shared)
{
    struct result accounts;
    int64_t active, sessions, waiting, oldest, given_up, by_role[SCOREBOARD_ROLES] = {0};
    int version = migration_schema_version(context);
    if (version < 0 || !overview_store_count_accounts(context, &accounts) ||
        !overview_store_count_active(context, &active) || !overview_store_count_sessions(context, &sessions) ||
        !mail_store_count(context, &waiting, &oldest, &given_up)) {
        return false;
    }
    for (size_t row = 0; row < accounts.row_count; row++) {
        for (int role = 0; role < SCOREBOARD_ROLES; role++) {
            if (text_is(result_row(&accounts, row)[0].text, census_roles[role])) {
                by_role[role] = result_row(&accounts, row)[1].integer;
            }
        }
    }
    for (int role = 0; role < SCOREBOARD_ROLES; role++) {
        store(&shared->accounts[role], by_role[role]);
    }
    store(&shared->active, active);
    store(&shared->sessions, sessions);
    store(&shared->mails_waiting, waiting);
    store(&shared->mails_given_up, given_up);
    store(&shared->oldest_mail_at, oldest);
    store(&shared->schema_version, version);
    return true;
}

static void count_if_due(struct context *context, struct scoreboard_census *shared)
{
    const int64_t began = clock_monotonic_microseconds();
    int64_t due = load(&shared->due);
    if (began < due || !atomic_compare_exchange_strong(&shared->due, &due, began + CLAIM)) {
        return;
    }
    /* It is no part of the request, which may succeed without it, and whose log says what itself has asked. */
    struct context own = {
        .arena = context->arena, .config = context->config, .now_seconds = context->now_seconds, .stage = "census"};
    const bool is_counted = count(&own, shared);
    atomic_fetch_add(&scoreboard_get()->statements, own.statement_count);
    atomic_fetch_add(&scoreboard_get()->statement_microseconds, own.statement_microseconds);
    const int64_t ended = clock_monotonic_microseconds();
    int64_t rest = (ended - began) * COST_SHARE;
    if (!is_counted && rest > REST_MAX / 2) {
        rest = REST_LONG; /* it takes too long */
    } else if (!is_counted || rest > REST_MAX) {
        rest = REST_MAX;
    }
    atomic_store(&shared->is_counted, is_counted);
    store(&shared->due, ended + rest);
}

/* When the file was changed; -1: there is none. */
static int64_t changed_at(const char *path)
{
    struct stat status;
    return path[0] != '\0' && stat(path, &status) == 0 ? (int64_t)status.st_mtime : -1;
}

void census_read(struct context *context, bool may_count, struct census *census_r)
{
    struct scoreboard_census *shared = &scoreboard_get()->census;
    if (may_count) {
        count_if_due(context, shared);
    }
    census_r->is_counted = atomic_load(&shared->is_counted);
    for (int role = 0; role < SCOREBOARD_ROLES; role++) {
        census_r->accounts[role] = load(&shared->accounts[role]);
    }
    census_r->active = load(&shared->active);
    census_r->sessions = load(&shared->sessions);
    census_r->mails_waiting = load(&shared->mails_waiting);
    census_r->mails_given_up = load(&shared->mails_given_up);
    census_r->oldest_mail_at = load(&shared->oldest_mail_at);
    census_r->schema_version = load(&shared->schema_version);
    census_r->last_backup_at = changed_at(context->config->backup_stamp);
}

bool census_stamp_backup(const struct config *config, struct error *error)
{
    const char *path = config->backup_stamp;
    if (path[0] == '\0') {
        return true;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
    bool good = file >= 0 && futimens(file, NULL) == 0;
    if (!good) {
        error_set(error, "backup_stamp: %s: %s", path, strerror(errno));
    }
    if (file >= 0) {
        close(file);
    }
    return good;
}
