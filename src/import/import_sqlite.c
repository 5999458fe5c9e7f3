/* import_sqlite.c: see import_sqlite.h. */
#include "import/import_sqlite.h"

bool import_source_run(struct import_source *source, const char *sql)
{
    return sqlite3_exec(source->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3_stmt *import_source_prepare(struct import_source *source, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    return sqlite3_prepare_v2(source->database, sql, -1, &statement, NULL) == SQLITE_OK ? statement : NULL;
}

bool import_source_get_number(struct import_source *source, const char *sql, int64_t *number_r)
{
    sqlite3_stmt *statement = import_source_prepare(source, sql);
    bool got = statement != NULL && sqlite3_step(statement) == SQLITE_ROW;
    *number_r = got ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return got;
}
