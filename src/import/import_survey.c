/* import_survey.c: finds tables and columns of an import's file that have no place here, counts the rows that have a
 * value
 * in them, and finds the users and groups that have a value in a column of a newer release. */
#include "import/import_survey.h"

#include "base/arena.h"
#include "base/array.h"
#include "base/buffer.h"
#include "import/import_sqlite.h"

enum { UNMAPPED_MAX = 1000 };

static const struct {
    enum import_table table;
    const char *column;
    bool is_read; /* imported by other code */
} known_columns[] = {
#define IMPORT_COLUMN(table, column, kind, max, bad, absent) {IMPORT_##table, #column, true},
#define IMPORT_OLDER_COLUMN(table, column) {IMPORT_##table, #column, true},
#define IMPORT_ELSEWHERE_COLUMN(table, column) {IMPORT_##table, #column, false},
#include "tables/imports.def"
};

static const char *const elsewhere_tables[] = {
#define IMPORT_ELSEWHERE(table) #table,
#include "tables/imports.def"
};

/* The column with the id of the user that a row belongs to. IMPORT_COLUMN_COUNT: there is none. */
static const struct {
    enum import_table table;
    enum import_column user_id;
} person_tables[] = {
    {IMPORT_user, IN_user_id},
    {IMPORT_auth, IN_auth_id},
    {IMPORT_group, IMPORT_COLUMN_COUNT},
    {IMPORT_group_member, IN_group_member_user_id},
    {IMPORT_api_key, IN_api_key_user_id},
    {IMPORT_oauth_session, IN_oauth_session_user_id},
};

const struct import_unmapped *import_source_unmapped(const struct import_source *source, size_t *count_r)
{
    *count_r = source->unmapped_count;
    return source->unmapped;
}

/* A name, quoted for a statement. */
static struct text quote(struct arena *arena, struct text name)
{
    struct buffer quoted;
    buffer_init(&quoted, arena);
    buffer_add_byte(&quoted, '"');
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] == '"') {
            buffer_add_byte(&quoted, '"');
        }
        buffer_add_byte(&quoted, name.data[i]);
    }
    buffer_add_byte(&quoted, '"');
    return buffer_text(&quoted);
}

/* Adds an entry. No release has more than UNMAPPED_MAX; further ones are only missing from the list. */
static void note(struct import_source *source, struct text table, struct text column, int64_t rows, bool is_known)
{
    if (source->unmapped == NULL) {
        source->unmapped = arena_zero(source->arena, UNMAPPED_MAX, sizeof *source->unmapped);
    }
    if (rows != 0 && source->unmapped_count < UNMAPPED_MAX) {
        source->unmapped[source->unmapped_count++] = (struct import_unmapped){table, column, rows, is_known};
    }
}

static struct text column_text(struct import_source *source, sqlite3_stmt *statement, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    return text_copy(source->arena, (struct text){bytes != NULL ? bytes : "",
                                                  bytes != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0});
}

/* ---- tables ---- */

static bool is_ours(struct text table)
{
    for (int i = 0; i < IMPORT_TABLE_COUNT; i++) {
        if (text_is_ignoring_case(table, import_table_names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_elsewhere(struct text table)
{
    for (size_t i = 0; i < ARRAY_COUNT(elsewhere_tables); i++) {
        if (text_is_ignoring_case(table, elsewhere_tables[i])) {
            return true;
        }
    }
    return false;
}

/* Tables whose rows can't be counted are listed, too: they may be damaged, or need a library that is missing here. */
static void survey_table(struct import_source *source, struct text table, bool is_plain)
{
    int64_t rows = -1;
    if (is_plain) {
        const char *sql =
            text_format(source->arena, "SELECT COUNT(*) FROM main.%s", quote(source->arena, table).data).data;
        if (!import_source_get_number(source, sql, &rows)) {
            rows = -1;
        }
    }
    note(source, table, TEXT_NULL, rows, is_elsewhere(table));
}

bool import_survey_tables(struct import_source *source)
{
    sqlite3_stmt *statement = import_source_prepare(
        source, "SELECT name, sql NOT LIKE 'CREATE VIRTUAL%' FROM main.sqlite_schema WHERE type = 'table' AND "
                "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name");
    int step = SQLITE_ERROR;
    while (statement != NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct text name = column_text(source, statement, 0);
        if (!is_ours(name)) {
            survey_table(source, name, sqlite3_column_int(statement, 1) != 0);
        }
    }
    sqlite3_finalize(statement);
    return step == SQLITE_DONE;
}

/* ---- columns ---- */

static bool is_known(enum import_table table, struct text column, bool *is_read_r)
{
    for (size_t i = 0; i < ARRAY_COUNT(known_columns); i++) {
        if (known_columns[i].table == table && text_is_ignoring_case(column, known_columns[i].column)) {
            *is_read_r = known_columns[i].is_read;
            return true;
        }
    }
    return false;
}

/* The condition that a column has a value. For chats any value counts, since long ones must not be read. */
static struct text condition_of(struct import_source *source, enum import_table table, struct text quoted)
{
    return table == IMPORT_chat
               ? text_format(source->arena, "%s IS NOT NULL", quoted.data)
               : text_format(source->arena, "%s IS NOT NULL AND CAST(%s AS TEXT) NOT IN ('', 'null', '{}', '[]')",
                             quoted.data, quoted.data);
}

/* Copies the rows that have a value in an unknown column. */
static bool note_people(struct import_source *source, enum import_table table, struct text column,
                        const char *condition)
{
    for (size_t i = 0; i < ARRAY_COUNT(person_tables); i++) {
        if (person_tables[i].table != table) {
            continue;
        }
        enum import_column user_id = person_tables[i].user_id;
        const char *sql =
            text_format(source->arena, "INSERT INTO i_unmapped SELECT %d, ?1, id, %s FROM main.\"%s\" WHERE %s",
                        (int)table, user_id < IMPORT_COLUMN_COUNT ? import_column_names[user_id] : "NULL",
                        import_table_names[table], condition)
                .data;
        sqlite3_stmt *statement = import_source_prepare(source, sql);
        bool good = statement != NULL &&
                    sqlite3_bind_text(statement, 1, column.data, (int)column.length, SQLITE_STATIC) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_finalize(statement);
        return good;
    }
    return true;
}

static bool survey_column(struct import_source *source, enum import_table table, struct text column)
{
    const char *name = import_table_names[table];
    bool is_read = false;
    bool known = is_known(table, column, &is_read);
    if (is_read) {
        return true;
    }
    struct text condition = condition_of(source, table, quote(source->arena, column));
    const char *sql =
        text_format(source->arena, "SELECT COUNT(*) FROM main.\"%s\" WHERE %s", name, condition.data).data;
    int64_t rows;
    if (!import_source_get_number(source, sql, &rows)) {
        return false;
    }
    note(source, text_of(name), column, rows, known);
    return known || rows == 0 || note_people(source, table, column, condition.data);
}

static bool survey_columns(struct import_source *source, enum import_table table)
{
    sqlite3_stmt *statement =
        import_source_prepare(source, "SELECT name FROM pragma_table_info(?1, 'main') ORDER BY cid");
    int step = SQLITE_ERROR;
    bool good =
        statement != NULL && sqlite3_bind_text(statement, 1, import_table_names[table], -1, SQLITE_STATIC) == SQLITE_OK;
    while (good && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        good = survey_column(source, table, column_text(source, statement, 0));
    }
    sqlite3_finalize(statement);
    return good && step == SQLITE_DONE;
}

bool import_survey_columns(struct import_source *source)
{
    bool good = import_source_run(source, "CREATE TEMP TABLE i_unmapped (tab INTEGER, col TEXT, id, user_id)");
    for (int table = 0; good && table < IMPORT_TABLE_COUNT; table++) {
        good = table == IMPORT_config || survey_columns(source, (enum import_table)table);
    }
    return good;
}

sqlite3_stmt *import_source_read_unmapped(struct import_source *source, enum import_table table)
{
    const char *sql =
        text_format(source->arena, "SELECT col, id, user_id FROM temp.i_unmapped WHERE tab = %d ORDER BY id, col",
                    (int)table)
            .data;
    return import_source_prepare(source, sql);
}
