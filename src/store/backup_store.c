#include "store/backup_store.h"

#include <string.h>

#include "base/array.h"
#include "base/buffer.h"

/* What no backup has. schema_migration: the files of the program tell it. deleted_user: whom the directory of a running
 * service is to forget. mail, one_time_link: what was sent or used since must not be sent again, nor be valid again.
 * audit: what was done stays as it was told, whatever is restored (`rosterctl audit export'). */
static const char *const left_out[] = {"schema_migration", "deleted_user", "mail",
                                       "one_time_link",    "audit",        "audit_head"};

/* user.changed_at is when this server changed a row: a row that is restored changes now, and the directory of a running
 * service finds it by that. */
static const struct {
    const char *table, *column;
} columns_left_out[] = {{"user", "changed_at"}};

enum { TABLES_MAX = 1000 };

static bool is_left_out(const char *table)
{
    for (size_t i = 0; i < ARRAY_COUNT(left_out); i++) {
        if (strcmp(left_out[i], table) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_column_left_out(const char *table, const char *column)
{
    for (size_t i = 0; i < ARRAY_COUNT(columns_left_out); i++) {
        if (strcmp(columns_left_out[i].table, table) == 0 && strcmp(columns_left_out[i].column, column) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Which tables there are ---- */

static enum backup_kind kind_of(struct text type)
{
    static const char *const integers[] = {"tinyint", "smallint", "mediumint", "int", "bigint", "year"};
    static const char *const bytes[] = {"tinyblob", "blob", "mediumblob", "longblob", "binary", "varbinary"};
    for (size_t i = 0; i < ARRAY_COUNT(integers); i++) {
        if (text_is(type, integers[i])) {
            return BACKUP_INTEGER;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(bytes); i++) {
        if (text_is(type, bytes[i])) {
            return BACKUP_BYTES;
        }
    }
    return BACKUP_TEXT;
}

static enum outcome read_columns(struct context *context, struct backup_table *table)
{
    struct result result;
    enum outcome outcome = database_execute(
        context,
        "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME "
        "= ? AND IS_GENERATED = 'NEVER' ORDER BY ORDINAL_POSITION",
        PARAMETERS(BIND_TEXT(text_of(table->name))), &result, ERROR_NONE);
    if (outcome != OK) {
        return outcome;
    }
    struct backup_column *columns = arena_zero(context->arena, result.row_count + 1, sizeof *columns);
    for (size_t i = 0; i < result.row_count; i++) {
        const struct value *row = result_row(&result, i);
        if (!is_column_left_out(table->name, row[0].text.data)) {
            columns[table->column_count++] = (struct backup_column){row[0].text.data, kind_of(row[1].text)};
        }
    }
    table->columns = columns;
    return OK;
}

static bool has_table(const struct backup_table *tables, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_is(name, tables[i].name)) {
            return true;
        }
    }
    return false;
}

/* Whether all tables that `name` refers to, other than itself, are among those taken. */
static bool is_next(const struct result *references, const char *name, const struct backup_table *taken, size_t count)
{
    for (size_t i = 0; i < references->row_count; i++) {
        const struct value *row = result_row(references, i);
        if (text_is(row[0].text, name) && !has_table(taken, count, row[1].text)) {
            return false;
        }
    }
    return true;
}

enum outcome backup_store_tables(struct context *context, struct backup_table **tables_r, size_t *count_r)
{
    struct result names, references;
    *count_r = 0;
    enum outcome outcome =
        database_execute(context,
                         "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
                         "TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME LIMIT 1000",
                         NO_PARAMETERS, &names, ERROR_NONE);
    if (outcome == OK) {
        outcome =
            database_execute(context,
                             "SELECT TABLE_NAME, REFERENCED_TABLE_NAME FROM "
                             "information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND "
                             "TABLE_NAME <> REFERENCED_TABLE_NAME",
                             NO_PARAMETERS, &references, ERROR_NONE);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct backup_table *tables = arena_zero(context->arena, names.row_count + 1, sizeof *tables);
    bool taken[TABLES_MAX] = {false};
    size_t before;
    do { /* a circle of references would leave tables over: they come last, and MariaDB refuses their rows */
        before = *count_r;
        for (size_t i = 0; i < names.row_count; i++) {
            const char *name = result_row(&names, i)->text.data;
            taken[i] = taken[i] || is_left_out(name);
            if (!taken[i] && is_next(&references, name, tables, *count_r)) {
                tables[(*count_r)++].name = name;
                taken[i] = true;
            }
        }
    } while (*count_r > before);
    for (size_t i = 0; i < names.row_count; i++) {
        if (!taken[i]) {
            tables[(*count_r)++].name = result_row(&names, i)->text.data;
        }
    }
    for (size_t i = 0; outcome == OK && i < *count_r; i++) {
        outcome = read_columns(context, &tables[i]);
    }
    *tables_r = tables;
    return outcome;
}

/* ---- Rows ---- */

/* `name`, quoted. Names come from information_schema, or were compared with it. */
static void add_name(struct buffer *sql, const char *name)
{
    buffer_add_byte(sql, '`');
    for (; *name != '\0'; name++) {
        buffer_add_string(sql, *name == '`' ? "``" : (char[]){*name, '\0'});
    }
    buffer_add_byte(sql, '`');
}

static void add_columns(struct buffer *sql, const struct backup_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_add_string(sql, i > 0 ? ", " : "");
        add_name(sql, table->columns[i].name);
    }
}

enum outcome backup_store_each(struct context *context, const struct backup_table *table,
                               enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                               void *argument)
{
    struct buffer sql;
    buffer_init(&sql, context->arena);
    buffer_add_string(&sql, "SELECT ");
    add_columns(&sql, table);
    buffer_add_string(&sql, " FROM ");
    add_name(&sql, table->name);
    return database_stream(context, buffer_text(&sql).data, NO_PARAMETERS, each, argument);
}

enum outcome backup_store_count(struct context *context, const char *table, int64_t *count_r)
{
    struct buffer sql;
    buffer_init(&sql, context->arena);
    buffer_add_string(&sql, "SELECT COUNT(*) FROM ");
    add_name(&sql, table);
    return database_get_integer(context, buffer_text(&sql).data, NO_PARAMETERS, 0, count_r);
}

enum outcome backup_store_has_people(struct context *context, bool *has_people_r)
{
    return database_find_row(context, "(SELECT 1 FROM user LIMIT 1) UNION ALL (SELECT 1 FROM `group` LIMIT 1)",
                             NO_PARAMETERS, has_people_r);
}

enum outcome backup_store_clear(struct context *context, const struct backup_table *tables, size_t count)
{
    enum outcome outcome =
        database_execute(context,
                         "INSERT INTO deleted_user (id) SELECT id FROM user ON DUPLICATE KEY UPDATE deleted_at = "
                         "CURRENT_TIMESTAMP(6)",
                         NO_PARAMETERS, NULL, ERROR_NONE);
    for (size_t i = count; outcome == OK && i-- > 0;) {
        struct buffer sql;
        buffer_init(&sql, context->arena);
        buffer_add_string(&sql, "DELETE FROM ");
        add_name(&sql, tables[i].name);
        outcome = database_execute(context, buffer_text(&sql).data, NO_PARAMETERS, NULL, ERROR_NONE);
    }
    return outcome;
}

static enum outcome insert(struct context *context, const struct backup_table *table, const struct parameter *values,
                           size_t row_count)
{
    struct buffer sql;
    buffer_init(&sql, context->arena);
    buffer_add_string(&sql, "INSERT INTO ");
    add_name(&sql, table->name);
    buffer_add_string(&sql, " (");
    add_columns(&sql, table);
    buffer_add_string(&sql, ") VALUES ");
    for (size_t row = 0; row < row_count; row++) {
        buffer_add_string(&sql, row > 0 ? ", (" : "(");
        for (size_t i = 0; i < table->column_count; i++) {
            buffer_add_string(&sql, i > 0 ? ", ?" : "?");
        }
        buffer_add_byte(&sql, ')');
    }
    return database_execute(context, buffer_text(&sql).data, values, row_count * table->column_count, NULL, ERROR_NONE);
}

/* Two statements for each table, so that both stay prepared: one for a full batch, one for a single row. */
enum outcome backup_store_insert(struct context *context, const struct backup_table *table,
                                 const struct parameter *values, size_t row_count)
{
    if (row_count == BACKUP_BATCH_ROWS) {
        return insert(context, table, values, row_count);
    }
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < row_count; i++) {
        outcome = insert(context, table, values + i * table->column_count, 1);
    }
    return outcome;
}
