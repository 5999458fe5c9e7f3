#include "store/migration.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "config/config.h"
#include "store/database.h"

enum {
    MIGRATIONS_MOST = 9999,
    FILE_BYTES_MOST = 16 << 20,
    LOCK_WAIT_SECONDS = 3600,
    STATEMENT_SECONDS = 86400 /* a change of a large table takes its time */
};

/* The one table that no file makes. */
static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS `schema_migration` ("
    " `number` INT NOT NULL,"
    " `name` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,"
    " `checksum` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,"
    " `applied_at` BIGINT NOT NULL,"
    " PRIMARY KEY (`number`)"
    ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin";

/* A lock is the server's, not the database's, so its name holds the database's. */
static const char lock_sql[] = "SELECT GET_LOCK(CONCAT('roster:', MD5(DATABASE())), ?)";

static const char unlock_sql[] = "SELECT RELEASE_LOCK(CONCAT('roster:', MD5(DATABASE())))";

/* The number of NNNN_name.sql; 0 for any other name. */
static int number_of(const char *name)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        if (!isdigit((unsigned char)name[i])) {
            return 0;
        }
        number = number * 10 + (name[i] - '0');
    }
    const size_t length = strlen(name);
    return name[4] == '_' && length > 9 && strcmp(name + length - 4, ".sql") == 0 ? number : 0;
}

/* Names of the files by number, from names[1] on, malloc'ed. *newest_r is the last; *missing_r and *double_r are a
 * number that no file, or more than one, has, else 0. False with errno where the directory can't be read. */
static bool list_files(const char *directory, char *names[MIGRATIONS_MOST + 1], int *newest_r, int *missing_r,
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
        names[number] = strdup(entry->d_name);
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
    for (int number = 1; number <= MIGRATIONS_MOST; number++) {
        free(names[number]);
    }
    free(names);
}

static char **new_names(void)
{
    char **names = calloc(MIGRATIONS_MOST + 1, sizeof *names);
    invariant(names != NULL);
    return names;
}

/* The whole of a file, in the arena; NULL with errno where it can't be read. */
static const char *read_file(struct context *context, const char *path, size_t *length_r)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    struct stat status;
    char *bytes = NULL;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_BYTES_MOST) {
        const size_t length = (size_t)status.st_size;
        bytes = arena_alloc(context->arena, length + 1);
        size_t filled = 0;
        ssize_t got = 1;
        while (filled < length && got > 0) {
            got = read(file, bytes + filled, length - filled);
            filled += got > 0 ? (size_t)got : 0;
        }
        bytes[filled] = '\0';
        *length_r = filled;
        if (got < 0) {
            bytes = NULL;
        }
    } else {
        errno = EFBIG;
    }
    const int saved = errno;
    close(file);
    errno = saved;
    return bytes;
}

static struct text checksum_of(struct context *context, const char *bytes, size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_length = 0;
    int done = EVP_Digest(bytes, length, digest, &digest_length, EVP_sha256(), NULL);
    invariant(done == 1 && digest_length == 32);
    return text_hex(context->arena, digest, digest_length);
}

/* The lock, waited for with a line about it. */
static const char *lock(struct context *context, void (*report)(const char *, void *), void *argument)
{
    struct result result;
    struct parameter seconds = BIND_INTEGER(0);
    for (int attempt = 1; attempt <= 2; attempt++) {
        if (database_execute(context, lock_sql, &seconds, 1, &result, ERROR_NONE) != OK) {
            return "the lock can't be taken; the log says why";
        }
        if (result.row_count == 1 && !result_row(&result, 0)->is_null && result_row(&result, 0)->integer == 1) {
            return NULL;
        }
        if (attempt == 1) {
            report("waiting for another migration", argument);
            seconds = BIND_INTEGER(LOCK_WAIT_SECONDS);
        }
    }
    return "another migration holds the lock";
}

/* Applies one file, and writes that down. NULL, or what went wrong. */
static const char *apply(struct context *context, int number, const char *name, const char *sql, struct text checksum)
{
    const char *error = database_run_script(context, sql);
    if (error != NULL) {
        return text_format(context->arena, "%s: %s", name, error).data;
    }
    const struct parameter parameters[] = {BIND_INTEGER(number), BIND_TEXT(text_of(name)), BIND_TEXT(checksum)};
    if (database_execute(context,
                         "INSERT INTO `schema_migration` (`number`, `name`, `checksum`, `applied_at`) VALUES (?, ?, ?, "
                         "UNIX_TIMESTAMP())",
                         parameters, 3, NULL, ERROR_NONE) != OK) {
        return text_format(context->arena, "%s: it was applied, but could not be recorded; the log says why", name)
            .data;
    }
    return NULL;
}

/* Everything that happens under the lock. */
static const char *run_locked(struct context *context, const char *directory, char **names, int newest,
                              void (*report)(const char *, void *), void *argument)
{
    const char *error = database_run_script(context, table_sql);
    if (error != NULL) {
        return error;
    }
    struct result applied;
    if (database_execute(context, "SELECT `number`, `name`, `checksum` FROM `schema_migration` ORDER BY `number`", NULL,
                         0, &applied, ERROR_NONE) != OK) {
        return "the applied migrations can't be read; the log says why";
    }
    if (applied.row_count > 0 && result_row(&applied, applied.row_count - 1)[0].integer > newest) {
        return text_format(context->arena,
                           "the database has migration %s, the newest file is %04d: these files are too old for it",
                           result_row(&applied, applied.row_count - 1)[1].text.data, newest)
            .data;
    }
    unsigned done = 0;
    size_t row = 0;
    for (int number = 1; number <= newest; number++) {
        const char *path = text_format(context->arena, "%s/%s", directory, names[number]).data;
        size_t length = 0;
        const char *sql = read_file(context, path, &length);
        if (sql == NULL) {
            return text_format(context->arena, "%s: %s", path, strerror(errno)).data;
        }
        const struct text checksum = checksum_of(context, sql, length);
        if (row < applied.row_count && result_row(&applied, row)[0].integer == number) {
            if (!text_equal(result_row(&applied, row)[2].text, checksum)) {
                return text_format(
                           context->arena,
                           "%s has changed since it was applied: restore it, and put the change into a new file",
                           names[number])
                    .data;
            }
            row++;
            continue;
        }
        if (row < applied.row_count) {
            return text_format(context->arena, "the database has %s, but not %s before it",
                               result_row(&applied, row)[1].text.data, names[number])
                .data;
        }
        report(text_format(context->arena, "applying %s", names[number]).data, argument);
        error = apply(context, number, names[number], sql, checksum);
        if (error != NULL) {
            return error;
        }
        done++;
    }
    report(text_format(context->arena, done == 0 ? "nothing to do: the schema is at %04d" : "the schema is at %04d",
                       newest)
               .data,
           argument);
    return NULL;
}

static bool run_with_connection(struct context *context, const char *directory, void (*report)(const char *, void *),
                                void *argument, const char **error_r)
{
    char **names = new_names();
    arena_cleanup(context->arena, free_names, names);
    int newest, missing, twice;
    if (!list_files(directory, names, &newest, &missing, &twice)) {
        *error_r = text_format(context->arena, "%s: %s", directory, strerror(errno)).data;
        return false;
    }
    if (missing > 0 || twice > 0) {
        *error_r = text_format(context->arena,
                               missing > 0 ? "%s: there is no file with number %04d"
                                           : "%s: there are two files with number %04d",
                               directory, missing > 0 ? missing : twice)
                       .data;
        return false;
    }
    if (!database_connect(context, error_r)) {
        return false;
    }
    const char *error = lock(context, report, argument);
    if (error == NULL) {
        error = run_locked(context, directory, names, newest, report, argument);
        database_execute(context, unlock_sql, NULL, 0, NULL, ERROR_NONE);
    }
    *error_r = error;
    return error == NULL;
}

bool migration_run(struct context *context, const char *directory, void (*report)(const char *line, void *argument),
                   void *argument, const char **error_r)
{
    struct config patient = *context->config;
    patient.database_read_timeout = STATEMENT_SECONDS;
    struct context own = *context;
    own.config = &patient;
    database_close();
    bool done = run_with_connection(&own, directory, report, argument, error_r);
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
