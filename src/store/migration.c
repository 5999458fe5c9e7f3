#include "store/migration.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "config/config.h"
#include "store/database.h"

enum {
    MIGRATIONS_MAX = 9999,
    LOCK_WAIT_SECONDS = 3600,
    STATEMENT_SECONDS = 86400 /* changing a large table may take long */
};

/* The only table that no migration creates. */
static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS `schema_migration` ("
    " `number` INT NOT NULL,"
    " `name` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,"
    " `checksum` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,"
    " `applied_at` BIGINT NOT NULL,"
    " PRIMARY KEY (`number`)"
    ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin";

/* Locks belong to the server, so the name of the lock contains the name of the database. */
static const char lock_sql[] = "SELECT GET_LOCK(CONCAT('roster:', MD5(DATABASE())), ?)";

static const char unlock_sql[] = "SELECT RELEASE_LOCK(CONCAT('roster:', MD5(DATABASE())))";

/* The number of NNNN_name.sql; 0 for any other name. */
static int number_of(const char *name)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        if (!ascii_is_digit(name[i])) {
            return 0;
        }
        number = number * 10 + (name[i] - '0');
    }
    const size_t length = strlen(name);
    return name[4] == '_' && length > 9 && strcmp(name + length - 4, ".sql") == 0 ? number : 0;
}

/* Names of the files by number, from names[1] on, malloc'ed. *newest_r: the highest number.
 * *missing_r, *double_r: a number that no file has, or more than one; else 0.
 * False, with errno: the directory can't be read. */
static bool list_files(const char *directory, char *names[MIGRATIONS_MAX + 1], int *newest_r, int *missing_r,
                       int *double_r)
{
    *newest_r = *missing_r = *double_r = 0;
    DIR *dir = opendir(directory);
    if (dir == NULL) {
        return false;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        const int number = number_of(entry->d_name);
        if (number == 0) {
            continue;
        }
        if (names[number] != NULL) {
            *double_r = number;
            continue;
        }
        invariant(asprintf(&names[number], "%s", entry->d_name) >= 0);
        if (number > *newest_r) {
            *newest_r = number;
        }
    }
    closedir(dir);
    for (int number = *newest_r; number > 0; number--) {
        if (names[number] == NULL) {
            *missing_r = number;
        }
    }
    return true;
}

static void free_names(void *argument)
{
    char **names = argument;
    for (int number = 1; number <= MIGRATIONS_MAX; number++) {
        free(names[number]);
    }
    free(names);
}

static char **new_names(void)
{
    char **names = calloc(MIGRATIONS_MAX + 1, sizeof *names);
    invariant(names != NULL);
    return names;
}

/* Takes the lock. If it has to wait, it reports this. */
static bool lock(struct context *context, void (*report)(const char *, void *), void *argument, struct error *error)
{
    struct result result;
    struct parameter seconds = BIND_INTEGER(0);
    for (int attempt = 1; attempt <= 2; attempt++) {
        if (database_execute(context, lock_sql, &seconds, 1, &result, ERROR_NONE) != OK) {
            return error_set(error, "can't take the lock; see the log");
        }
        if (result.row_count == 1 && !result_row(&result, 0)->is_null && result_row(&result, 0)->integer == 1) {
            return true;
        }
        if (attempt == 1) {
            report("waiting for another migration", argument);
            seconds = BIND_INTEGER(LOCK_WAIT_SECONDS);
        }
    }
    return error_set(error, "another migration holds the lock");
}

/* Applies one file, and records it. */
static bool apply(struct context *context, int number, const char *name, const char *sql, struct text checksum,
                  struct error *error)
{
    if (!database_run_script(context, sql, error)) {
        return error_prefix(error, "%s: ", name);
    }
    const struct parameter parameters[] = {BIND_INTEGER(number), BIND_TEXT(text_of(name)), BIND_TEXT(checksum)};
    if (database_execute(context,
                         "INSERT INTO `schema_migration` (`number`, `name`, `checksum`, `applied_at`) VALUES (?, ?, ?, "
                         "UNIX_TIMESTAMP())",
                         parameters, 3, NULL, ERROR_NONE) != OK) {
        return error_set(error, "%s: it was applied, but could not be recorded; see the log", name);
    }
    return true;
}

/* Applies all missing files, under the lock. */
static bool run_locked(struct context *context, const char *directory, char **names, int newest,
                       void (*report)(const char *, void *), void *argument, struct error *error)
{
    const int present = migration_schema_version(context);
    /* If nothing is to be done, an account without the privilege to create tables is sufficient. */
    if (present == 0 && !database_run_script(context, table_sql, error)) {
        return false;
    }
    struct result applied;
    if (database_execute(context, "SELECT `number`, `name`, `checksum` FROM `schema_migration` ORDER BY `number`", NULL,
                         0, &applied, ERROR_NONE) != OK) {
        return error_set(error, "can't read the applied migrations; see the log");
    }
    if (applied.row_count > 0 && result_row(&applied, applied.row_count - 1)[0].integer > newest) {
        return migration_refuse_newer((int)result_row(&applied, applied.row_count - 1)[0].integer, newest, error);
    }
    unsigned done = 0;
    size_t row = 0;
    for (int number = 1; number <= newest; number++) {
        const char *path = text_format(context->arena, "%s/%s", directory, names[number]).data;
        struct text sql;
        if (!file_read(context->arena, path, &sql)) {
            return error_set(error, "%s: %s", path, strerror(errno));
        }
        const struct text checksum = digest_sha256(context->arena, sql);
        if (row < applied.row_count && result_row(&applied, row)[0].integer == number) {
            if (!text_equal(result_row(&applied, row)[2].text, checksum)) {
                return error_set(error,
                                 "%s has changed since it was applied: restore it, and put the change into a new file",
                                 names[number]);
            }
            row++;
            continue;
        }
        if (row < applied.row_count) {
            return error_set(error, "the database has %s, but not %s before it", result_row(&applied, row)[1].text.data,
                             names[number]);
        }
        report(text_format(context->arena, "applying %s", names[number]).data, argument);
        if (!apply(context, number, names[number], sql.data, checksum, error)) {
            return false;
        }
        done++;
    }
    report(text_format(context->arena, done == 0 ? "nothing to do: the schema is at %04d" : "the schema is at %04d",
                       newest)
               .data,
           argument);
    return true;
}

static bool run_with_connection(struct context *context, const char *directory, void (*report)(const char *, void *),
                                void *argument, struct error *error)
{
    char **names = new_names();
    arena_cleanup(context->arena, free_names, names);
    int newest, missing, twice;
    if (!list_files(directory, names, &newest, &missing, &twice)) {
        return error_set(error, "%s: %s", directory, strerror(errno));
    }
    if (missing > 0 || twice > 0) {
        return error_set(
            error, missing > 0 ? "%s: there is no file with number %04d" : "%s: there are two files with number %04d",
            directory, missing > 0 ? missing : twice);
    }
    if (!database_connect(context, error) || !lock(context, report, argument, error)) {
        return false;
    }
    bool done = run_locked(context, directory, names, newest, report, argument, error);
    database_execute(context, unlock_sql, NULL, 0, NULL, ERROR_NONE);
    return done;
}

bool migration_run(struct context *context, const char *directory, void (*report)(const char *line, void *argument),
                   void *argument, struct error *error)
{
    struct config patient = *context->config;
    patient.database_read_timeout = STATEMENT_SECONDS;
    struct context own = *context;
    own.config = &patient;
    database_close();
    bool done = run_with_connection(&own, directory, report, argument, error);
    database_close();
    return done;
}

int migration_schema_version(struct context *context)
{
    const struct problem problem = context->problem;
    struct result result;
    int version = -1;
    if (database_execute(
            context,
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = "
            "'schema_migration'",
            NULL, 0, &result, ERROR_NONE) == OK) {
        version = 0;
        if (result_row(&result, 0)->integer == 1) {
            version = -1;
            if (database_execute(context, "SELECT COALESCE(MAX(`number`), 0) FROM `schema_migration`", NULL, 0, &result,
                                 ERROR_NONE) == OK) {
                version = (int)result_row(&result, 0)->integer;
            }
        }
    }
    context->problem = problem;
    return version;
}

bool migration_refuse_newer(int version, int known, struct error *error)
{
    return error_set(error,
                     "the tables are at version %d, made by a newer program than this one, which knows %d: install the "
                     "newer one again, or restore a backup from before the upgrade into an empty database",
                     version, known);
}

bool migration_is_expected(const struct context *context, int version, struct error *error)
{
    if (version == 0) {
        return error_set(error, "the database %s has no tables of Roster's: call `rosterctl migrate`",
                         context->config->database_name);
    }
    if (version < migration_expected) {
        return error_set(error, "the tables are at version %d, but this program wants %d: call `rosterctl migrate`",
                         version, migration_expected);
    }
    if (version > migration_expected) {
        return migration_refuse_newer(version, migration_expected, error);
    }
    return true;
}

int migration_newest(const char *directory)
{
    char **names = new_names();
    int newest, missing, twice;
    if (!list_files(directory, names, &newest, &missing, &twice) || missing > 0 || twice > 0) {
        newest = -1;
    }
    free_names(names);
    return newest;
}
