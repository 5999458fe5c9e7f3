#include "store/import_source.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/log.h"

enum { BUSY_MILLISECONDS = 20000 };

const char *const import_table_names[IMPORT_TABLE_COUNT] = {
#define IMPORT_TABLE(table) #table,
#include "tables/imports.def"
};

const char *const import_column_names[IMPORT_COLUMN_COUNT] = {
#define IMPORT_COLUMN(table, column, kind, most, bad, absent) #column,
#include "tables/imports.def"
};

const enum import_column import_first_columns[IMPORT_TABLE_COUNT + 1] = {
#define IMPORT_TABLE(table) (enum import_column) IN_##table##_FIRST,
#include "tables/imports.def"
    IMPORT_COLUMN_COUNT,
};

struct import_source {
    struct arena *arena;
    const char *file;
    sqlite3 *database;
};

const char *import_source_error(struct import_source *source)
{
    return sqlite3_errmsg(source->database);
}

void import_source_close(struct import_source *source)
{
    if (source != NULL) {
        sqlite3_close_v2(source->database);
    }
}

static bool run(struct import_source *source, const char *sql)
{
    return sqlite3_exec(source->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static sqlite3_stmt *prepare(struct import_source *source, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    return sqlite3_prepare_v2(source->database, sql, -1, &statement, NULL) == SQLITE_OK ? statement : NULL;
}

/* ---- what there is in the file ---- */

/* True where the file has this column. `known_r` is false where SQLite can't tell. */
static bool has_column(struct import_source *source, const char *table, const char *column, bool *known_r)
{
    sqlite3_stmt *statement =
        prepare(source, "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, 'main') WHERE name = ?2 COLLATE NOCASE)");
    bool found = false;
    *known_r = false;
    if (statement != NULL && sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(statement, 2, column, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        found = sqlite3_column_int(statement, 0) != 0;
        *known_r = true;
    }
    sqlite3_finalize(statement);
    return found;
}

/* A file that is no database of the kind that is meant: *fault_r says what it lacks. */
static bool is_known(struct import_source *source, const char **fault_r)
{
    static const struct {
        const char *table, *column;
    } needed[] = {{"user", "id"},   {"user", "email"}, {"user", "name"},
                  {"user", "role"}, {"auth", "id"},    {"auth", "password"}};
    bool known = true;
    for (size_t i = 0; known && i < sizeof needed / sizeof needed[0]; i++) {
        if (!has_column(source, needed[i].table, needed[i].column, &known) && known) {
            *fault_r = text_format(source->arena,
                                   "no database of Open WebUI, or of a release too old to be read: it has no %s.%s",
                                   needed[i].table, needed[i].column)
                           .data;
            return false;
        }
    }
    return known;
}

/* ---- copying ---- */

/* An older column that stands in where a new one is missing. */
static const struct {
    enum import_column column;
    const char *older, *expression;
} older_columns[] = {
    {IN_user_oauth, "oauth_sub",
     "CASE WHEN oauth_sub IS NULL OR oauth_sub = '' THEN NULL WHEN instr(oauth_sub, '@') > 1 THEN "
     "json_object(substr(oauth_sub, 1, instr(oauth_sub, '@') - 1), "
     "json_object('sub', substr(oauth_sub, instr(oauth_sub, '@') + 1))) "
     "ELSE json_object('oidc', json_object('sub', oauth_sub)) END"},
};

static bool add_column(struct import_source *source, struct buffer *sql, enum import_table table,
                       enum import_column column)
{
    bool known;
    const char *name = import_column_names[column];
    bool present = has_column(source, import_table_names[table], name, &known);
    const char *expression = NULL;
    for (size_t i = 0; known && !present && i < sizeof older_columns / sizeof older_columns[0]; i++) {
        if (older_columns[i].column == column &&
            has_column(source, import_table_names[table], older_columns[i].older, &known)) {
            expression = older_columns[i].expression;
        }
    }
    if (present) {
        buffer_add_format(sql, "\"%s\"", name);
    } else {
        buffer_add_format(sql, "%s AS \"%s\"", expression != NULL ? expression : "NULL", name);
    }
    return known;
}

/* Copies a table's columns; an empty one where the file has no such table. */
static bool copy_table(struct import_source *source, enum import_table table, bool is_there)
{
    struct buffer sql;
    const char *name = import_table_names[table];
    enum import_column first = import_first_columns[table];
    bool good = true;
    buffer_init(&sql, source->arena);
    buffer_add_format(&sql, "CREATE TEMP TABLE \"i_%s\" AS SELECT ", name);
    for (size_t i = 0; good && i < import_column_count(table); i++) {
        buffer_add_string(&sql, i > 0 ? ", " : "");
        good = add_column(source, &sql, table, (enum import_column)(first + (int)i));
    }
    if (is_there) {
        buffer_add_format(&sql, " FROM main.\"%s\"", name);
    } else {
        buffer_add_literal(&sql, " WHERE FALSE");
    }
    return good && run(source, buffer_text(&sql).data);
}

/* Lists of members that stand in the rows of groups. */
static bool copy_older_members(struct import_source *source)
{
    return run(source,
               "INSERT INTO i_group_member (group_id, user_id, created_at, updated_at) "
               "SELECT DISTINCT g.id, j.value, g.updated_at, g.updated_at FROM main.\"group\" AS g, json_each(CASE "
               "WHEN "
               "json_valid(g.user_ids) THEN CASE json_type(g.user_ids) WHEN 'array' THEN g.user_ids ELSE '[]' END ELSE "
               "'[]' END) AS j") &&
           run(source, "CREATE TEMP TABLE i_bad_members AS SELECT id FROM main.\"group\" AS g WHERE g.user_ids IS NOT "
                       "NULL AND CASE WHEN json_valid(g.user_ids) THEN json_type(g.user_ids) NOT IN ('array', 'null') "
                       "ELSE TRUE END");
}

static bool copy_older_keys(struct import_source *source)
{
    return run(source, "INSERT INTO i_api_key (id, user_id, key, created_at, updated_at) "
                       "SELECT 'key_' || id, id, api_key, updated_at, updated_at FROM main.user AS u "
                       "WHERE api_key IS NOT NULL AND api_key <> '' "
                       "AND NOT EXISTS (SELECT 1 FROM i_api_key AS k WHERE k.id = 'key_' || u.id)");
}

static bool copy_config(struct import_source *source, bool is_there)
{
    bool known;
    if (!is_there) {
        return run(source, "CREATE TEMP TABLE i_config AS SELECT NULL AS data, NULL AS changed WHERE FALSE");
    }
    bool has_updated = has_column(source, "config", "updated_at", &known);
    bool has_created = known && has_column(source, "config", "created_at", &known);
    struct buffer sql;
    buffer_init(&sql, source->arena);
    buffer_add_literal(&sql, "CREATE TEMP TABLE i_config AS SELECT data, substr(coalesce(NULL");
    buffer_add_string(&sql, has_updated ? ", updated_at" : "");
    buffer_add_string(&sql, has_created ? ", created_at" : "");
    buffer_add_literal(&sql, ", ''), 1, 19) AS changed FROM main.config ORDER BY id DESC LIMIT 1");
    return known && run(source, buffer_text(&sql).data);
}

/* ---- damage ---- */

static bool get_number(struct import_source *source, const char *sql, int64_t *number_r)
{
    sqlite3_stmt *statement = prepare(source, sql);
    bool got = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;
    *number_r = got ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return got;
}

/* What is missing from the last page of a file that was cut off would read as zeros. */
static bool is_whole(struct import_source *source, const char **fault_r)
{
    struct stat status;
    int64_t page_bytes;
    if (!get_number(source, "PRAGMA main.page_size", &page_bytes)) {
        return false;
    }
    if (stat(source->file, &status) == 0 && page_bytes > 0 && status.st_size % page_bytes != 0) {
        *fault_r = "damaged: it ends within a page";
        return false;
    }
    return true;
}

/* Reading alone does not notice everything. Values that a column should not hold are no damage: they are judged one by
 * one. */
static bool check_table(struct import_source *source, enum import_table table, const char **fault_r)
{
    static const char *const harmless[] = {"ok", "NULL value in ", "CHECK constraint failed in ", "NUMERIC value in ",
                                           "TEXT value in "};
    const char *sql = text_format(source->arena, "PRAGMA main.quick_check(\"%s\")", import_table_names[table]).data;
    sqlite3_stmt *statement = prepare(source, sql);
    int step = SQLITE_ERROR;
    while (statement != NULL && *fault_r == NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        bool is_harmless = false;
        for (size_t i = 0; line != NULL && i < sizeof harmless / sizeof harmless[0]; i++) {
            is_harmless = is_harmless || strncmp(line, harmless[i], strlen(harmless[i])) == 0;
        }
        if (!is_harmless) {
            *fault_r = text_format(source->arena, "damaged: the table %s does not pass SQLite's quick_check",
                                   import_table_names[table])
                           .data;
        }
    }
    sqlite3_finalize(statement);
    return *fault_r == NULL && step == SQLITE_DONE;
}

/* Chats are left out of it: they are nearly all of a file, and what is taken of them is little. */
static bool check(struct import_source *source, const char **fault_r)
{
    bool good = is_known(source, fault_r) && is_whole(source, fault_r);
    for (int i = 0; good && i < IMPORT_TABLE_COUNT; i++) {
        enum import_table table = (enum import_table)i;
        bool known;
        if (table != IMPORT_chat && has_column(source, import_table_names[table], "id", &known)) {
            good = check_table(source, table, fault_r);
        }
    }
    return good;
}

/* ---- opening ---- */

/* Within a read transaction: all that is wanted. */
static bool copy(struct import_source *source)
{
    bool good = true;
    bool has_older_members = false;
    for (int i = 0; good && i < IMPORT_TABLE_COUNT; i++) {
        enum import_table table = (enum import_table)i;
        bool known;
        bool is_there = has_column(source, import_table_names[table], table == IMPORT_config ? "data" : "id", &known);
        good = known && (table == IMPORT_config ? copy_config(source, is_there) : copy_table(source, table, is_there));
        if (good && table == IMPORT_group_member && !is_there && has_column(source, "group", "user_ids", &known)) {
            has_older_members = true;
            good = copy_older_members(source);
        }
        if (good && table == IMPORT_api_key && has_column(source, "user", "api_key", &known)) {
            good = copy_older_keys(source);
        }
    }
    if (good && !has_older_members) {
        good = run(source, "CREATE TEMP TABLE i_bad_members (id)");
    }
    return good;
}

/* What is needed to read in the right order. */
static bool prepare_reading(struct import_source *source)
{
    return run(source, "CREATE INDEX temp.i_auth_by_id ON i_auth (id)") &&
           run(source, "CREATE INDEX temp.i_chat_by_id ON i_chat (id)") &&
           run(source, "CREATE TEMP TABLE i_order AS SELECT u.rowid AS user_rowid FROM i_user AS u ORDER BY "
                       "EXISTS (SELECT 1 FROM i_auth AS a WHERE a.id = u.id AND length(a.password) > 0) DESC, "
                       "u.last_active_at DESC, u.created_at, u.id");
}

static const char *explain(struct import_source *source, const char *fault)
{
    struct arena *arena = source->arena;
    const char *file = source->file;
    if (fault != NULL) {
        return text_format(arena, "%s is %s", file, fault).data;
    }
    switch (sqlite3_errcode(source->database)) {
    case SQLITE_NOTADB:
        return text_format(arena, "%s is no SQLite database", file).data;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return text_format(arena, "%s stays locked: another program writes to it; try again", file).data;
    case SQLITE_CORRUPT:
        return text_format(arena, "%s is damaged: %s", file, sqlite3_errmsg(source->database)).data;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return text_format(
                   arena,
                   "%s can't be read as it is (%s): it may have a journal that another program has left behind, "
                   "or its directory can't be written to; start and stop that program, or copy the file with "
                   "`sqlite3 FILE .backup'",
                   file, sqlite3_errmsg(source->database))
            .data;
    default:
        return text_format(arena, "%s: %s", file, sqlite3_errmsg(source->database)).data;
    }
}

/* SQLite's own words for these would be 'unable to open database file'. */
static const char *look_at(struct arena *arena, const char *file)
{
    struct stat status;
    if (stat(file, &status) != 0) {
        return text_format(arena, "%s: %s", file, strerror(errno)).data;
    }
    if (!S_ISREG(status.st_mode)) {
        return text_format(arena, "%s is no file", file).data;
    }
    if (access(file, R_OK) != 0) {
        return text_format(arena, "%s: %s", file, strerror(errno)).data;
    }
    return NULL;
}

struct import_source *import_source_open(struct arena *arena, const char *file, const char **error_r)
{
    *error_r = look_at(arena, file);
    if (*error_r != NULL) {
        return NULL;
    }
    struct import_source *source = arena_zero(arena, 1, sizeof *source);
    const char *fault = NULL;
    source->arena = arena;
    source->file = file;
    int opened = sqlite3_open_v2(file, &source->database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    invariant(source->database != NULL);
    /* The schema of the file is not ours: what it defines may call no function that does something. */
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_busy_timeout(source->database, BUSY_MILLISECONDS);
    if (opened == SQLITE_OK && run(source, "PRAGMA temp_store = FILE") &&
        run(source, "PRAGMA temp.journal_mode = OFF") && run(source, "PRAGMA temp.cache_size = -65536") &&
        check(source, &fault) && run(source, "BEGIN") && copy(source) && run(source, "COMMIT") &&
        prepare_reading(source)) {
        return source;
    }
    *error_r = explain(source, fault);
    import_source_close(source);
    return NULL;
}

/* ---- reading ---- */

int64_t import_source_count(struct import_source *source, enum import_table table)
{
    const char *sql = text_format(source->arena, "SELECT COUNT(*) FROM temp.\"i_%s\"", import_table_names[table]).data;
    sqlite3_stmt *statement = prepare(source, sql);
    int64_t count = -1;
    if (statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
        count = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return count;
}

sqlite3_stmt *import_source_read(struct import_source *source, enum import_table table)
{
    struct buffer sql;
    enum import_column first = import_first_columns[table];
    buffer_init(&sql, source->arena);
    buffer_add_literal(&sql, "SELECT ");
    for (size_t i = 0; i < import_column_count(table); i++) {
        buffer_add_format(&sql, "%st.\"%s\"", i > 0 ? ", " : "", import_column_names[first + (int)i]);
    }
    switch (table) {
    case IMPORT_user:
        buffer_add_literal(&sql,
                           " FROM i_order AS o CROSS JOIN i_user AS t ON t.rowid = o.user_rowid ORDER BY o.rowid");
        break;
    case IMPORT_group:
        buffer_add_literal(&sql, ", t.id IN (SELECT b.id FROM i_bad_members AS b) FROM i_group AS t");
        break;
    case IMPORT_chat:
        buffer_add_literal(&sql,
                           ", CASE WHEN t.user_id LIKE 'shared-%' THEN (SELECT o.user_id FROM i_chat AS o "
                           "WHERE o.id = substr(t.user_id, 8)) ELSE t.user_id END FROM i_chat AS t ORDER BY t.id");
        break;
    case IMPORT_config:
        buffer_add_literal(&sql, "t.data, t.changed FROM i_config AS t");
        break;
    case IMPORT_group_member: /* in an order in which MariaDB's indexes grow at few places */
        buffer_add_literal(&sql, " FROM i_group_member AS t ORDER BY t.user_id, t.group_id, t.id");
        break;
    default:
        buffer_add_format(&sql, " FROM \"i_%s\" AS t ORDER BY t.id", import_table_names[table]);
    }
    return prepare(source, buffer_text(&sql).data);
}
