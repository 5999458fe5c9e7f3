/* store_fixture.h: a MariaDB of the test's own with Roster's tables, and a request that works with it. */
#ifndef ROSTER_T_STORE_FIXTURE_H
#define ROSTER_T_STORE_FIXTURE_H

#include "config/config.h"
#include "logged.h"
#include "private_server.h"
#include "store/database.h"
#include "store/migration.h"
#include "store/redis.h"
#include "unit.h"

static struct private_server mariadb;
static struct config config;
static struct context context;
static char sql_directory[512];

static inline void store_ignore_line(const char *line, void *argument)
{
    (void)line;
    (void)argument;
}

/* `options` are those of CREATE DATABASE. The arena of the request has a limit of so many bytes; 0: none. False, with
 * the reason on standard error, where it can't be. */
static inline bool store_set_up(const char *options, size_t memory)
{
    struct error error;
    char sql[128];
    if (!private_mariadb_new(&mariadb) || !logged_open(mariadb.directory)) {
        return false;
    }
    config.database_socket = mariadb.socket;
    config.database_name = "mysql";
    config.database_user = "root";
    config.database_connect_timeout = 5;
    config.database_read_timeout = 15;
    context.config = &config;
    context.arena = arena_new(memory);
    private_source(sql_directory, sizeof sql_directory, "sql");
    snprintf(sql, sizeof sql, "CREATE DATABASE roster %s", options);
    bool is_made = database_run_script(&context, sql, &error);
    database_close();
    config.database_name = "roster";
    if (!is_made || !migration_run(&context, sql_directory, store_ignore_line, NULL, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    return true;
}

static inline void store_tear_down(void)
{
    database_close();
    arena_free(context.arena);
    private_server_free(&mariadb);
}

/* With a Redis as well, in `redis`, whose socket the configuration has. */
static inline bool store_set_up_with_redis(const char *options, struct private_server *redis)
{
    config.redis_socket = private_redis_new(redis) ? redis->socket : NULL;
    config.redis_timeout = 5000;
    return config.redis_socket != NULL && store_set_up(options, 0);
}

static inline void store_tear_down_with_redis(struct private_server *redis)
{
    redis_close();
    private_server_free(redis);
    store_tear_down();
}

static inline enum outcome outcome_of(const char *sql)
{
    return database_execute(&context, sql, NULL, 0, NULL, ERROR_NONE);
}

/* What must go well. */
static inline void execute(const char *sql)
{
    assert_int_equal(outcome_of(sql), OK);
}

static inline const struct value *ask(const char *sql)
{
    struct result result;
    assert_int_equal(database_execute(&context, sql, NULL, 0, &result, ERROR_NONE), OK);
    assert_int_equal(result.row_count, 1);
    return result_row(&result, 0);
}

/* The first value of the one row, freed with the request. */
static inline int64_t ask_integer(const char *sql)
{
    return ask(sql)->integer;
}

static inline struct text ask_text(const char *sql)
{
    return ask(sql)->text;
}

#endif
