#include "import/import_source.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/log.h"
#include "import/import_sqlite.h"
#include "import/import_survey.h"

enum { BUSY_MILLISECONDS = 20000, VALUE_BYTES_MAX = 64 * 1024 * 1024 };

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

bool import_source_has(const struct import_source *source, enum import_column column)
{
    return source->has[column];
}

enum import_settings import_source_settings(const struct import_source *source)
{
    return source->settings;
}

/* ---- the schema of the file ---- */

/* True where the file has this column. `known_r` is false where SQLite can't tell. */
static bool has_column(struct import_source *source, const char *table, const char *column, bool *known_r)
{
    sqlite3_stmt *statement = import_source_prepare(
        source, "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, 'main') WHERE name = ?2 COLLATE NOCASE)");
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

/* False where it is not a database of Open WebUI. `fault` says which column is missing. */
static bool is_known(struct import_source *source, struct error *fault)
{
    static const struct {
        const char *table, *column;
    } needed[] = {{"user", "id"},   {"user", "email"}, {"user", "name"},
                  {"user", "role"}, {"auth", "id"},    {"auth", "password"}};
    bool known = true;
    for (size_t i = 0; known && i < ARRAY_COUNT(needed); i++) {
        if (!has_column(source, needed[i].table, needed[i].column, &known) && known) {
            return error_set(fault,
                             "not a database of Open WebUI, or one of an unsupported old release: it has no %s.%s",
                             needed[i].table, needed[i].column);
        }
    }
    return known;
}

/* ---- copying ---- */

/* SQL expressions for missing columns, from an older column, or (older NULL) the value that all accounts had then. */
static const struct {
    enum import_column column;
    const char *older, *expression;
} older_columns[] = {
    {IN_user_oauth, "oauth_sub",
     "CASE WHEN oauth_sub IS NULL OR oauth_sub = '' THEN NULL WHEN instr(oauth_sub, '@') > 1 THEN "
     "json_object(substr(oauth_sub, 1, instr(oauth_sub, '@') - 1), "
     "json_object('sub', substr(oauth_sub, instr(oauth_sub, '@') + 1))) "
     "ELSE json_object('oidc', json_object('sub', oauth_sub)) END"},
    {IN_auth_active, NULL, "1"},
};

static bool add_column(struct import_source *source, struct buffer *sql, enum import_table table,
                       enum import_column column)
{
    bool known;
    const char *name = import_column_names[column];
    bool present = has_column(source, import_table_names[table], name, &known);
    const char *expression = NULL;
    for (size_t i = 0; known && !present && i < ARRAY_COUNT(older_columns); i++) {
        if (older_columns[i].column == column &&
            (older_columns[i].older == NULL ||
             has_column(source, import_table_names[table], older_columns[i].older, &known))) {
            expression = older_columns[i].expression;
        }
    }
    source->has[column] = present || expression != NULL;
    if (present) {
        buffer_add_format(sql, "\"%s\"", name);
    } else {
        buffer_add_format(sql, "%s AS \"%s\"", expression != NULL ? expression : "NULL", name);
    }
    return known;
}

/* Copies the columns of a table. Creates an empty one where the file has no such table. */
static bool copy_table(struct import_source *source, enum import_table table, bool is_there)
{
    struct buffer sql;
    const char *name = import_table_names[table];
    enum import_column first = import_first_columns[table];
    buffer_init(&sql, source->arena);
    buffer_add_format(&sql, "CREATE TEMP TABLE \"i_%s\" AS SELECT ", name);
    bool good = true;
    for (size_t i = 0; good && i < import_column_count(table); i++) {
        buffer_add_string(&sql, i > 0 ? ", " : "");
        good = add_column(source, &sql, table, (enum import_column)(first + (int)i));
    }
    if (is_there) {
        buffer_add_format(&sql, " FROM main.\"%s\"", name);
    } else {
        buffer_add_literal(&sql, " WHERE FALSE");
    }
    return good && import_source_run(source, buffer_text(&sql).data);
}

/* Copies members from the lists in the rows of groups. A list in a JSON string is decoded, as in import_json.c. */
static bool copy_older_members(struct import_source *source)
{
    enum { WRAPPINGS_MAX = 8 };
    bool good = import_source_run(source, "CREATE TEMP TABLE i_user_ids AS SELECT id, user_ids AS list, updated_at "
                                          "FROM main.\"group\" WHERE user_ids IS NOT NULL");
    for (int i = 0; good && i < WRAPPINGS_MAX; i++) {
        good =
            import_source_run(source, "UPDATE i_user_ids SET list = json_extract(list, '$') "
                                      "WHERE CASE WHEN json_valid(list) THEN json_type(list) = 'text' ELSE FALSE END");
    }
    return good &&
           import_source_run(source, "INSERT INTO i_group_member (group_id, user_id, created_at, updated_at) "
                                     "SELECT DISTINCT g.id, j.value, g.updated_at, g.updated_at FROM i_user_ids AS g, "
                                     "json_each(CASE WHEN json_valid(g.list) THEN CASE json_type(g.list) WHEN 'array' "
                                     "THEN g.list ELSE '[]' END ELSE '[]' END) AS j") &&
           import_source_run(source, "CREATE TEMP TABLE i_bad_members AS SELECT id FROM i_user_ids WHERE CASE WHEN "
                                     "json_valid(list) THEN json_type(list) NOT IN ('array', 'null') ELSE TRUE END");
}

static bool copy_older_keys(struct import_source *source)
{
    return import_source_run(source, "INSERT INTO i_api_key (id, user_id, key, created_at, updated_at) "
                                     "SELECT 'key_' || id, id, api_key, updated_at, updated_at FROM main.user AS u "
                                     "WHERE api_key IS NOT NULL AND api_key <> '' "
                                     "AND NOT EXISTS (SELECT 1 FROM i_api_key AS k WHERE k.id = 'key_' || u.id)");
}

/* Copies settings of both formats as rows of (key, value, changed). A document has no key. */
static bool copy_config(struct import_source *source)
{
    static const char *const times[] = {"updated_at", "created_at"};
    bool known, has_key = false;
    bool has_document = has_column(source, "config", "data", &known);
    if (known && !has_document) {
        has_key = has_column(source, "config", "key", &known) && known && has_column(source, "config", "value", &known);
    }
    struct buffer changed;
    buffer_init(&changed, source->arena);
    buffer_add_literal(&changed, "coalesce(NULL");
    for (size_t i = 0; known && (has_document || has_key) && i < ARRAY_COUNT(times); i++) {
        if (has_column(source, "config", times[i], &known)) {
            buffer_add_format(&changed,
                              ", CASE WHEN typeof(%s) IN ('integer', 'real') THEN "
                              "strftime('%%Y-%%m-%%d %%H:%%M:%%S', %s, 'unixepoch') ELSE substr(%s, 1, 19) END",
                              times[i], times[i], times[i]);
        }
    }
    buffer_add_literal(&changed, ", '')");
    source->settings = has_document ? IMPORT_SETTINGS_DOCUMENT : has_key ? IMPORT_SETTINGS_ROWS : IMPORT_SETTINGS_NONE;
    struct buffer sql;
    buffer_init(&sql, source->arena);
    buffer_add_literal(&sql, "CREATE TEMP TABLE i_config AS SELECT ");
    if (has_document) {
        buffer_add_format(&sql, "NULL AS key, data AS value, %s AS changed FROM main.config ORDER BY id DESC LIMIT 1",
                          buffer_text(&changed).data);
    } else if (has_key) {
        buffer_add_format(&sql, "key, value, %s AS changed FROM main.config WHERE key IS NOT NULL",
                          buffer_text(&changed).data);
    } else {
        buffer_add_literal(&sql, "NULL AS key, NULL AS value, NULL AS changed WHERE FALSE");
    }
    int64_t count = 0;
    bool good = known && import_source_run(source, buffer_text(&sql).data) &&
                import_source_get_number(source, "SELECT COUNT(*) FROM temp.i_config", &count);
    if (count == 0) {
        source->settings = IMPORT_SETTINGS_NONE;
    }
    return good;
}

/* ---- damage ---- */

/* SQLite would read the missing part of a truncated last page as zeros. */
static bool is_whole(struct import_source *source, struct error *fault)
{
    int64_t page_bytes;
    if (!import_source_get_number(source, "PRAGMA main.page_size", &page_bytes)) {
        return false;
    }
    struct stat status;
    if (stat(source->file, &status) == 0 && page_bytes > 0 && status.st_size % page_bytes != 0) {
        return error_set(fault, "damaged: it ends within a page");
    }
    return true;
}

/* Checks for damage that reading does not notice. Invalid values of columns are no damage: each is checked later. */
static bool check_table(struct import_source *source, enum import_table table, struct error *fault)
{
    static const char *const harmless[] = {"ok", "NULL value in ", "CHECK constraint failed in ", "NUMERIC value in ",
                                           "TEXT value in "};
    const char *sql = text_format(source->arena, "PRAGMA main.quick_check(\"%s\")", import_table_names[table]).data;
    sqlite3_stmt *statement = import_source_prepare(source, sql);
    int step = SQLITE_ERROR;
    bool is_damaged = false;
    while (statement != NULL && !is_damaged && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        bool is_harmless = false;
        for (size_t i = 0; line != NULL && i < ARRAY_COUNT(harmless); i++) {
            is_harmless = is_harmless || strncmp(line, harmless[i], strlen(harmless[i])) == 0;
        }
        if (!is_harmless) {
            is_damaged = true;
            error_set(fault, "damaged: the table %s does not pass SQLite's quick_check", import_table_names[table]);
        }
    }
    sqlite3_finalize(statement);
    return !is_damaged && step == SQLITE_DONE;
}

/* False where one of our tables is not a plain table: a view can run any query for any time; a virtual table needs a
 * library. *is_there_r: something with this name exists. */
static bool is_plain(struct import_source *source, enum import_table table, bool *is_there_r, struct error *fault)
{
    const char *name = import_table_names[table];
    sqlite3_stmt *statement = import_source_prepare(
        source, "SELECT type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' FROM main.sqlite_schema "
                "WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view') LIMIT 1");
    int step = SQLITE_ERROR;
    bool is_table = true;
    if (statement != NULL && sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK) {
        step = sqlite3_step(statement);
        is_table = step != SQLITE_ROW || sqlite3_column_int(statement, 0) != 0;
    }
    sqlite3_finalize(statement);
    *is_there_r = step == SQLITE_ROW;
    if (!is_table) {
        error_set(fault, "not a database that Open WebUI has created: its %s is not a plain table", name);
    }
    return is_table && (step == SQLITE_ROW || step == SQLITE_DONE);
}

/* Chats are not checked for damage: they are most of the file, and only a small part of them is imported. */
static bool check(struct import_source *source, struct error *fault)
{
    bool is_there[IMPORT_TABLE_COUNT] = {false};
    bool good = true;
    for (int i = 0; good && i < IMPORT_TABLE_COUNT; i++) {
        good = is_plain(source, (enum import_table)i, &is_there[i], fault);
    }
    good = good && is_known(source, fault) && is_whole(source, fault);
    for (int i = 0; good && i < IMPORT_TABLE_COUNT; i++) {
        if (i != IMPORT_chat && is_there[i]) {
            good = check_table(source, (enum import_table)i, fault);
        }
    }
    return good;
}

/* ---- opening ---- */

/* Copies everything that is needed, within a read transaction. */
static bool copy(struct import_source *source)
{
    bool good = true;
    bool has_older_members = false;
    for (int i = 0; good && i < IMPORT_TABLE_COUNT; i++) {
        enum import_table table = (enum import_table)i;
        bool known;
        bool is_there = has_column(source, import_table_names[table], "id", &known);
        good = known && (table == IMPORT_config ? copy_config(source) : copy_table(source, table, is_there));
        if (good && table == IMPORT_group_member && !is_there && has_column(source, "group", "user_ids", &known)) {
            has_older_members = true;
            good = copy_older_members(source);
        }
        if (good && table == IMPORT_api_key && has_column(source, "user", "api_key", &known)) {
            good = copy_older_keys(source);
        }
    }
    if (good && !has_older_members) {
        good = import_source_run(source, "CREATE TEMP TABLE i_bad_members (id)");
    }
    return good;
}

/* Finds groups that can't be below the group that the file has above them: i_circle has those that are above
 * themselves, and i_placed the number of groups above each other one, once the circles are broken. Circles of more
 * groups than a hierarchy has levels, which are not looked for, and what is below them, are not in i_placed. The first
 * row of an id counts. */
static bool place_groups(struct import_source *source)
{
    return import_source_run(source, "CREATE TEMP TABLE i_line AS SELECT MIN(rowid) AS first, id, parent_group_id AS "
                                     "above FROM i_group WHERE id IS NOT NULL GROUP BY id") &&
           import_source_run(source, "CREATE UNIQUE INDEX temp.i_line_by_id ON i_line (id)") &&
           import_source_run(source, "CREATE INDEX temp.i_line_by_above ON i_line (above)") &&
           import_source_run(source,
                             "CREATE TEMP TABLE i_circle AS WITH RECURSIVE up (id, above, level) AS ("
                             "SELECT id, above, 1 FROM i_line WHERE above IS NOT NULL UNION ALL "
                             "SELECT u.id, l.above, u.level + 1 FROM up AS u JOIN i_line AS l ON l.id = u.above "
                             "WHERE u.level < 64 AND u.above <> u.id AND l.above IS NOT NULL) "
                             "SELECT id FROM up WHERE above = id") &&
           import_source_run(source, "CREATE TEMP TABLE i_placed AS WITH RECURSIVE down (id, level) AS ("
                                     "SELECT id, 0 FROM i_line WHERE above IS NULL OR above NOT IN "
                                     "(SELECT id FROM i_line) OR id IN (SELECT id FROM i_circle) UNION ALL "
                                     "SELECT l.id, d.level + 1 FROM down AS d JOIN i_line AS l ON l.above = d.id "
                                     "WHERE l.id NOT IN (SELECT id FROM i_circle)) SELECT id, level FROM down") &&
           import_source_run(source, "CREATE INDEX temp.i_placed_by_id ON i_placed (id)");
}

/* Creates the indexes for the order of reading. */
static bool prepare_reading(struct import_source *source)
{
    return place_groups(source) && import_source_run(source, "CREATE INDEX temp.i_auth_by_id ON i_auth (id)") &&
           import_source_run(source, "CREATE INDEX temp.i_chat_by_id ON i_chat (id)") &&
           import_source_run(source,
                             "CREATE TEMP TABLE i_order AS SELECT u.rowid AS user_rowid FROM i_user AS u ORDER BY "
                             "EXISTS (SELECT 1 FROM i_auth AS a WHERE a.id = u.id AND length(a.password) > 0) DESC, "
                             "u.last_active_at DESC, u.created_at, u.id");
}

/* Sets the error: the fault of the file, or the error of SQLite. */
static void explain(struct import_source *source, const struct error *fault, struct error *error)
{
    const char *file = source->file;
    if (fault->text[0] != '\0') {
        error_set(error, "%s is %s", file, fault->text);
        return;
    }
    switch (sqlite3_errcode(source->database)) {
    case SQLITE_NOTADB:
        error_set(error, "%s is not a SQLite database", file);
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_set(error, "%s stays locked: another program writes to it; try again", file);
        break;
    case SQLITE_CORRUPT:
        error_set(error, "%s is damaged: %s", file, sqlite3_errmsg(source->database));
        break;
    case SQLITE_TOOBIG:
        error_set(error, "%s holds a value of more than %d MiB, which no release writes", file,
                  VALUE_BYTES_MAX / 1024 / 1024);
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        error_set(error,
                  "%s can't be read as it is (%s): it may have a journal that another program has left behind, "
                  "or its directory can't be written to; start and stop that program, or copy the file with "
                  "`sqlite3 FILE .backup'",
                  file, sqlite3_errmsg(source->database));
        break;
    default:
        error_set(error, "%s: %s", file, sqlite3_errmsg(source->database));
        break;
    }
}

/* SQLite would only say 'unable to open database file'. */
static bool is_readable_file(const char *file, struct error *error)
{
    struct stat status;
    if (stat(file, &status) != 0) {
        return error_set(error, "%s: %s", file, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(error, "%s is not a regular file", file);
    }
    if (access(file, R_OK) != 0) {
        return error_set(error, "%s: %s", file, strerror(errno));
    }
    return true;
}

struct import_source *import_source_open(struct arena *arena, const char *file, struct error *error)
{
    if (!is_readable_file(file, error)) {
        return NULL;
    }
    struct import_source *source = arena_zero(arena, 1, sizeof *source);
    source->arena = arena;
    source->file = file;
    int opened = sqlite3_open_v2(file, &source->database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    invariant(source->database != NULL);
    /* The schema of the file is not trusted: it must not call functions with side effects. */
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(source->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(source->database, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_busy_timeout(source->database, BUSY_MILLISECONDS);
    struct error fault = {""};
    if (opened == SQLITE_OK && import_source_run(source, "PRAGMA temp_store = FILE") &&
        import_source_run(source, "PRAGMA cell_size_check = ON") &&
        import_source_run(source, "PRAGMA temp.journal_mode = OFF") &&
        import_source_run(source, "PRAGMA temp.cache_size = -65536") && import_source_run(source, "BEGIN") &&
        check(source, &fault) && copy(source) && import_survey_columns(source) && import_source_run(source, "COMMIT") &&
        import_survey_tables(source) && prepare_reading(source)) {
        return source;
    }
    explain(source, &fault, error);
    import_source_close(source);
    return NULL;
}

/* ---- reading ---- */

int64_t import_source_count(struct import_source *source, enum import_table table)
{
    const char *sql =
        table == IMPORT_config
            ? "SELECT EXISTS (SELECT 1 FROM temp.i_config)"
            : text_format(source->arena, "SELECT COUNT(*) FROM temp.\"i_%s\"", import_table_names[table]).data;
    sqlite3_stmt *statement = import_source_prepare(source, sql);
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
        /* the last column: enum import_parent. Each 64th level begins a hierarchy of its own. */
        buffer_add_literal(&sql,
                           ", t.id IN (SELECT b.id FROM i_bad_members AS b), CASE WHEN t.parent_group_id IS NULL "
                           "THEN 0 WHEN t.parent_group_id NOT IN (SELECT id FROM i_line) THEN 1 "
                           "WHEN t.id IN (SELECT id FROM i_circle) THEN 2 WHEN EXISTS (SELECT 1 FROM i_placed AS p "
                           "WHERE p.id = t.id AND p.level % 64 <> 0) THEN 0 ELSE 3 END FROM i_group AS t");
        break;
    case IMPORT_chat:
        buffer_add_literal(&sql,
                           ", CASE WHEN t.user_id LIKE 'shared-%' THEN (SELECT o.user_id FROM i_chat AS o "
                           "WHERE o.id = substr(t.user_id, 8)) ELSE t.user_id END FROM i_chat AS t ORDER BY t.id");
        break;
    case IMPORT_config:
        buffer_add_literal(&sql, "t.key, t.value, t.changed FROM i_config AS t ORDER BY t.key");
        break;
    case IMPORT_group_member: /* in the order of the index in MariaDB */
        buffer_add_literal(&sql, " FROM i_group_member AS t ORDER BY t.user_id, t.group_id, t.id");
        break;
    default:
        buffer_add_format(&sql, " FROM \"i_%s\" AS t ORDER BY t.id", import_table_names[table]);
    }
    return import_source_prepare(source, buffer_text(&sql).data);
}
