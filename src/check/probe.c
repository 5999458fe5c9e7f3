/* probe.c: see probe.h. */
#include "check/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/log.h"
#include "config/config_accounts.h"
#include "store/database_accounts.h"
#include "store/migration.h"
#include "store/redis.h"
#include "store/user_store.h"

/* The maximum time for each host of MariaDB. At a start, requests wait during it. */
enum { START_SECONDS = 2, RELOAD_SECONDS = 10 };

struct sight {
    bool has_database, has_schema, has_redis;
    struct error database_error, schema_error, redis_error; /* set where the service is missing */
    int64_t connections;
    bool is_empty;
};

/* Each kind of process has to get in. What an account lacks is logged: most requests may do without. */
static bool connect_accounts(struct context *context, struct error *error)
{
    bool is_good = true;
    for (enum account account = 0; is_good && account < ACCOUNT_COUNT; account++) {
        struct database_account_state state;
        config_choose_account(account);
        is_good = database_connect(context, error) ||
                  error_prefix(error, "the account %s: ", context->config->accounts[account].user);
        if (is_good && database_account_look(context, account, &state) && state.missing != NULL) {
            log_error(context,
                      "an account of MariaDB lacks a privilege: %s; `rosterctl grants --pools | mariadb' grants all",
                      state.missing);
        }
        database_close();
    }
    config_choose_account(ACCOUNT_ROSTERCTL);
    return is_good;
}

static void look(const struct config *given, int64_t seconds, struct sight *sight)
{
    struct config config = *given;
    struct arena *arena = arena_new(0);
    struct context context = {.arena = arena, .config = &config, .stage = "probe", .now_seconds = clock_wall_seconds()};
    if (config.database_connect_timeout > seconds) {
        config.database_connect_timeout = seconds;
    }
    if (config.database_read_timeout > seconds) {
        config.database_read_timeout = seconds;
    }
    sight->has_schema = true;
    sight->connections = -1;
    sight->is_empty = false;
    sight->has_database = (!config_has_accounts(&config) || connect_accounts(&context, &sight->database_error)) &&
                          database_connect(&context, &sight->database_error);
    if (sight->has_database) {
        int version = migration_schema_version(&context);
        /* An unknown version counts as good: the errors of requests will show the cause. */
        sight->has_schema = version < 0 || migration_is_expected(&context, version, &sight->schema_error);
        sight->connections = database_server_variable(&context, "max_connections");
        struct text primary;
        sight->is_empty =
            version > 0 && sight->has_schema && user_store_primary(&context, &primary) == OK && primary.data == NULL;
        database_close();
    }
    sight->has_redis = redis_ping(&context, &sight->redis_error);
    redis_close();
    arena_free(arena);
}

static void __attribute__((format(printf, 2, 3))) refuse(struct probe_result *probe, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(probe->reason, sizeof probe->reason, format, arguments);
    va_end(arguments);
    probe->is_good = false;
}

static void compare(const struct sight *new, const struct config *old_config, bool redis_is_required,
                    struct probe_result *probe)
{
    struct sight old;
    bool misses_redis = redis_is_required && !new->has_redis;
    if (new->has_database &&new->has_schema && !misses_redis) {
        return;
    }
    look(old_config, RELOAD_SECONDS, &old);
    if (!new->has_database && old.has_database) {
        refuse(probe, "MariaDB can't be reached with the new settings, but can with those in use: %s",
               new->database_error.text);
    } else if (!new->has_schema && old.has_database &&old.has_schema) {
        refuse(probe, "%s", new->schema_error.text);
    } else if (misses_redis && old.has_redis) {
        refuse(probe, "Redis can't be reached with the new settings, but can with those in use: %s",
               new->redis_error.text);
    }
}

void probe_services(const struct config *config, const struct config *old, struct probe_result *probe_r)
{
    struct sight sight;
    look(config, old != NULL ? RELOAD_SECONDS : START_SECONDS, &sight);
    memset(probe_r, 0, sizeof *probe_r);
    probe_r->is_good = true;
    probe_r->connections = sight.connections;
    probe_r->is_empty = sight.is_empty;
    if (old != NULL) {
        compare(&sight, old, config->redis_required, probe_r);
    } else if (!sight.has_schema) {
        refuse(probe_r, "%s", sight.schema_error.text);
    }
}
