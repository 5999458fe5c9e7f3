/* database_statement.c: the cache of prepared statements, and the execution of one. */
#include "store/database_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "config/config.h"

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        bytes += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, length);
    hash = (hash ^ rest) * 0xff51afd7ed558ccdu;
    return hash ^ (hash >> 29);
}

void database_close_handle(struct statement *statement)
{
    if (statement->handle != NULL) {
        mysql_stmt_close(statement->handle);
        statement->handle = NULL;
    }
    free(statement->parameters);
    free(statement->slots);
    statement->parameters = NULL;
    statement->slots = NULL;
}

void database_forget_statement(struct statement *statement)
{
    struct statement **link = &database.buckets[statement->hash % STATEMENT_BUCKETS];
    while (*link != statement) {
        link = &(*link)->next;
    }
    *link = statement->next;
    database.statement_count--;
    database_close_handle(statement);
    free(statement->sql);
    free(statement);
}

static void forget_oldest_statement(void)
{
    struct statement *oldest = NULL;
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        for (struct statement *statement = database.buckets[bucket]; statement != NULL; statement = statement->next) {
            if (oldest == NULL || statement->used < oldest->used) {
                oldest = statement;
            }
        }
    }
    if (oldest != NULL) {
        database_forget_statement(oldest);
    }
}

static bool text_reads(const char *sql)
{
    const size_t prefix = sizeof DATABASE_BRIEFLY - 1;
    sql += strncmp(sql, DATABASE_BRIEFLY, prefix) == 0 ? prefix : 0;
    sql += strspn(sql, " \t\r\n(");
    return strncasecmp(sql, "SELECT", 6) == 0 || strncasecmp(sql, "SHOW", 4) == 0;
}

/* True where a text names a table, with or without quotes. */
static bool text_names(const char *sql, const char *table)
{
    const size_t length = strlen(table);
    for (const char *at = sql; (at = strstr(at, table)) != NULL; at += length) {
        if (at > sql && strchr(" `.,(", at[-1]) != NULL &&
            (at[length] == '\0' || strchr(" `.,()", at[length]) != NULL)) {
            return true;
        }
    }
    return false;
}

/* The cache entry of a text. A new entry is not prepared yet. */
struct statement *database_find_statement(const char *sql)
{
    const size_t length = strlen(sql);
    const uint64_t hash = hash_of(sql, length);
    struct statement **bucket = &database.buckets[hash % STATEMENT_BUCKETS];
    struct statement *statement = *bucket;
    while (statement != NULL &&
           (statement->hash != hash || statement->length != length || memcmp(statement->sql, sql, length) != 0)) {
        statement = statement->next;
    }
    if (statement == NULL) {
        if (database.statement_count >= STATEMENTS_MAX) {
            forget_oldest_statement();
        }
        statement = calloc(1, sizeof *statement);
        invariant(statement != NULL);
        statement->sql = malloc(length + 1);
        invariant(statement->sql != NULL);
        memcpy(statement->sql, sql, length + 1);
        statement->length = length;
        statement->hash = hash;
        statement->is_read = text_reads(sql);
        statement->concerns[CONCERNS_GROUPS] =
            !statement->is_read && (text_names(sql, "group") || text_names(sql, "group_member"));
        statement->concerns[CONCERNS_SETTINGS] = !statement->is_read && text_names(sql, "config");
        statement->concerns[CONCERNS_ADDRESSES] = strncmp(sql, ADDRESS_UPDATE, strlen(ADDRESS_UPDATE)) == 0;
        statement->next = *bucket;
        *bucket = statement;
        database.statement_count++;
    }
    statement->used = ++database.tick;
    return statement;
}

static bool type_is_integer(enum enum_field_types type)
{
    return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
           type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

/* Binds the columns of the result to slots, as long as the statement is prepared. Called again if the server describes
 * the columns only when it executes the statement (RETURNING). */
static bool bind_columns(struct statement *statement)
{
    free(statement->slots);
    statement->slots = NULL;
    statement->column_count = mysql_stmt_field_count(statement->handle);
    if (statement->column_count == 0) {
        return true;
    }
    MYSQL_RES *metadata = mysql_stmt_result_metadata(statement->handle);
    if (metadata == NULL) {
        return false;
    }
    statement->slots = calloc(statement->column_count, sizeof *statement->slots);
    MYSQL_BIND *columns = calloc(statement->column_count, sizeof *columns);
    invariant(statement->slots != NULL && columns != NULL);
    const MYSQL_FIELD *fields = mysql_fetch_fields(metadata);
    for (unsigned i = 0; i < statement->column_count; i++) {
        struct slot *slot = &statement->slots[i];
        slot->is_integer = type_is_integer(fields[i].type);
        columns[i].is_null = &slot->is_null;
        columns[i].error = &slot->is_truncated;
        columns[i].length = &slot->length;
        if (slot->is_integer) {
            columns[i].buffer_type = MYSQL_TYPE_LONGLONG;
            columns[i].buffer = &slot->integer;
            columns[i].buffer_length = sizeof slot->integer;
        } else {
            columns[i].buffer_type = MYSQL_TYPE_STRING;
            columns[i].buffer = slot->bytes;
            columns[i].buffer_length = SCRATCH_BYTES;
        }
    }
    mysql_free_result(metadata);
    bool bound = mysql_stmt_bind_result(statement->handle, columns) == 0; /* copies the array */
    free(columns);
    return bound;
}

static bool prepare(struct statement *statement, struct failure *failure)
{
    database_close_handle(statement);
    statement->handle = mysql_stmt_init(database.mysql);
    invariant(statement->handle != NULL);
    if (mysql_stmt_prepare(statement->handle, statement->sql, statement->length) != 0 || !bind_columns(statement)) {
        database_fail_statement(failure, statement->handle);
        database_close_handle(statement);
        return false;
    }
    statement->parameter_count = (unsigned)mysql_stmt_param_count(statement->handle);
    if (statement->parameter_count > 0) {
        statement->parameters = calloc(statement->parameter_count, sizeof *statement->parameters);
        invariant(statement->parameters != NULL);
    }
    return true;
}

/* Closes all statements of this connection, since the server has too many. */
void database_close_all_handles(void)
{
    for (size_t bucket = 0; bucket < STATEMENT_BUCKETS; bucket++) {
        for (struct statement *statement = database.buckets[bucket]; statement != NULL; statement = statement->next) {
            database_close_handle(statement);
        }
    }
}

/* ---- One statement, once ---- */

static void note_packet(size_t bytes)
{
    if (bytes > database.packet_max_bytes) {
        database.packet_max_bytes = bytes;
    }
}

static void bind_parameters(struct statement *statement, const struct parameter *parameters, size_t *bytes_r)
{
    size_t bytes = statement->length;
    for (unsigned i = 0; i < statement->parameter_count; i++) {
        MYSQL_BIND *bind = &statement->parameters[i];
        const struct parameter *parameter = &parameters[i];
        switch (parameter->kind) {
        case PARAMETER_NULL:
            bind->buffer_type = MYSQL_TYPE_NULL;
            bind->buffer = NULL;
            bind->buffer_length = 0;
            break;
        case PARAMETER_INTEGER:
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = (void *)(uintptr_t)&parameter->integer;
            bind->buffer_length = sizeof parameter->integer;
            break;
        case PARAMETER_TEXT:
            bind->buffer_type = MYSQL_TYPE_STRING;
            bind->buffer = (void *)(uintptr_t)parameter->text.data;
            bind->buffer_length = parameter->text.length;
            bytes += parameter->text.length;
            break;
        }
    }
    *bytes_r = bytes + 16 * (size_t)statement->parameter_count;
    note_packet(*bytes_r);
}

/* Copies the row in the slots into the arena. False: a column can't be read. */
static bool copy_row(struct context *context, struct statement *statement, struct value *values)
{
    const unsigned count = statement->column_count;
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct slot *slot = &statement->slots[i];
        bytes += slot->is_integer || slot->is_null ? 0 : slot->length + 1;
    }
    note_packet(bytes + 16 * (size_t)count);
    char *end = arena_alloc(context->arena, bytes);
    for (unsigned i = 0; i < count; i++) {
        struct slot *slot = &statement->slots[i];
        struct value *value = &values[i];
        *value = (struct value){TEXT_NULL, 0, slot->is_null != 0};
        if (slot->is_null) {
            continue;
        }
        if (slot->is_integer) {
            value->integer = slot->integer;
            continue;
        }
        const size_t length = slot->length;
        if (length <= SCRATCH_BYTES) {
            memcpy(end, slot->bytes, length);
        } else {
            unsigned long whole = 0;
            my_bool is_null = 0;
            my_bool is_truncated = 0;
            MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING,
                               .buffer = end,
                               .buffer_length = length,
                               .length = &whole,
                               .is_null = &is_null,
                               .error = &is_truncated};
            if (mysql_stmt_fetch_column(statement->handle, &bind, i, 0) != 0 || whole != length) {
                return false;
            }
        }
        /* it may have contained a password hash, or settings with a password */
        explicit_bzero(slot->bytes, length < SCRATCH_BYTES ? length : SCRATCH_BYTES);
        end[length] = '\0';
        value->text = (struct text){end, length};
        end += length + 1;
    }
    return true;
}

static void reserve_rows(size_t values)
{
    if (values > database.rows_capacity) {
        size_t capacity = database.rows_capacity > 0 ? database.rows_capacity : 64;
        while (capacity < values) {
            capacity *= 2;
        }
        database.rows = realloc(database.rows, capacity * sizeof *database.rows);
        invariant(database.rows != NULL);
        database.rows_capacity = capacity;
    }
}

/* Passes the rows to `each` as they arrive. */
static void stream_rows(struct context *context, struct statement *statement, struct failure *failure)
{
    struct database_sink *sink = database.sink;
    struct arena *arena = context->arena;
    while (sink->outcome == OK) {
        int got = mysql_stmt_fetch(statement->handle);
        if (got == MYSQL_NO_DATA) {
            return;
        }
        if (got != 0 && got != MYSQL_DATA_TRUNCATED) {
            database_fail_statement(failure, statement->handle);
            return;
        }
        context->arena = sink->arena;
        struct value *row = arena_alloc(sink->arena, statement->column_count * sizeof *row);
        if (copy_row(context, statement, row)) {
            sink->rows++;
            sink->is_busy = true;
            sink->outcome = sink->each(context, row, sink->argument);
            sink->is_busy = false;
        } else {
            database_fail(failure, CR_MALFORMED_PACKET, "a column could not be read");
            sink->outcome = FAULT;
        }
        context->arena = arena;
        arena_reset(sink->arena);
    }
}

/* Reads all rows into database.rows. */
static void fetch_rows(struct context *context, struct statement *statement, size_t *row_count_r,
                       struct failure *failure)
{
    const unsigned columns = statement->column_count;
    const size_t ceiling = context->config != NULL ? (size_t)context->config->request_memory_limit : 0;
    size_t count = 0;
    for (;;) {
        int got = mysql_stmt_fetch(statement->handle);
        if (got == MYSQL_NO_DATA) {
            break;
        }
        if (got != 0 && got != MYSQL_DATA_TRUNCATED) {
            database_fail_statement(failure, statement->handle);
            break;
        }
        reserve_rows((count + 1) * columns);
        if (!copy_row(context, statement, database.rows + count * columns)) {
            database_fail(failure, CR_MALFORMED_PACKET, "a column could not be read");
            break;
        }
        count++;
        const size_t row_bytes = count * columns * sizeof *database.rows;
        if (arena_exceeded(context->arena) || (ceiling > 0 && arena_used(context->arena) + row_bytes > ceiling)) {
            database_fail_own(failure, FAILURE_MEMORY, "");
            break;
        }
    }
    *row_count_r = count;
}

/* Prepares a statement if needed, executes it, and reads the result. failure->kind is FAILURE_NONE on success. */
void database_run(struct context *context, struct statement *statement, const struct parameter *parameters,
                  size_t parameter_count, struct result *result_r, struct failure *failure)
{
    if (!database_ensure_connection(context, statement->is_read, failure)) {
        return;
    }
    if (database.is_writing && !database.in_transaction) {
        database_tell_connection(context);
    }
    if (statement->handle == NULL && !prepare(statement, failure)) {
        return;
    }
    invariant(statement->parameter_count == parameter_count);
    size_t bytes = 0;
    bind_parameters(statement, parameters, &bytes);
    if (bytes > database.packet_bytes) {
        database_fail_own(failure, FAILURE_TOO_LARGE, "");
        return;
    }
    context->statement_count++;
    MYSQL_STMT *handle = statement->handle;
    if ((parameter_count > 0 && mysql_stmt_bind_param(handle, statement->parameters) != 0) ||
        mysql_stmt_execute(handle) != 0) {
        database_fail_statement(failure, handle);
        if (failure->code == CR_NEW_STMT_METADATA && !statement->is_read) {
            failure->kind = FAILURE_LOST; /* it was executed, but its rows can't be read */
        }
        return;
    }
    if (mysql_stmt_field_count(handle) != statement->column_count && !bind_columns(statement)) {
        database_fail_statement(failure, handle);
        return;
    }
    size_t row_count = 0;
    uint64_t affected_rows = 0;
    if (statement->column_count > 0) {
        if (database.sink != NULL) {
            stream_rows(context, statement, failure);
        } else {
            fetch_rows(context, statement, &row_count, failure);
        }
        affected_rows = row_count;
        mysql_stmt_free_result(handle); /* discards unread rows, too */
    } else {
        affected_rows = mysql_stmt_affected_rows(handle);
    }
    if (failure->kind == FAILURE_NONE && result_r != NULL) {
        const size_t size = row_count * statement->column_count * sizeof *database.rows;
        *result_r = (struct result){NULL, row_count, statement->column_count, affected_rows};
        if (size > 0) {
            result_r->values = arena_alloc(context->arena, size);
            memcpy(result_r->values, database.rows, size);
        }
    }
    if (database.rows_capacity * sizeof *database.rows > SCRATCH_ROWS_BYTES) {
        free(database.rows);
        database.rows = NULL;
        database.rows_capacity = 0;
    }
}
