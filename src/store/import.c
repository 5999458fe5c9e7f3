/* import.c: see import.h. Rows of the file are taken in batches: read and judged, looked up here in one statement, and
 * written in as few as possible. Only rows that are to be changed are locked. */
#include "store/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/log.h"
#include "config/config.h"
#include "store/import_internal.h"
#include "store/picture_store.h"

enum {
    BATCH_ROWS = 256,
    BATCH_BYTES = 4 * 1024 * 1024,
    PACKET_RESERVE = 65536,
    STATEMENT_SECONDS = 3600, /* counting the rows of a large table takes its time */
};

/* How many rows one statement writes: a text is prepared for each. */
static const size_t sizes[] = {64, 8, 1};

struct batch {
    struct import_row *rows;
    size_t count;
    size_t bytes;
};

/* ---- findings ---- */

void import_find(struct import *import, enum import_finding_kind kind, struct text id, const char *format, ...)
{
    struct import_report *report = import->report;
    va_list arguments;
    char *text;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    invariant(length >= 0);
    if (report->finding_count == report->finding_capacity) {
        size_t size = sizeof *report->findings;
        size_t capacity = report->finding_capacity == 0 ? 64 : 2 * report->finding_capacity;
        report->findings =
            arena_grow(report->arena, report->findings, report->finding_capacity * size, capacity * size);
        report->finding_capacity = capacity;
    }
    report->findings[report->finding_count++] = (struct import_finding){
        .kind = kind,
        .table = import->table,
        .id = id.data != NULL ? text_copy(report->arena, id) : id,
        .text = text_copy(report->arena, (struct text){text, (size_t)length}),
    };
    report->kind_counts[kind]++;
    free(text);
}

void import_report_free(struct import_report *report)
{
    arena_free(report->arena);
    *report = (struct import_report){.arena = NULL};
}

/* ---- looking up ---- */

/* [n, the row's columns, what else the table asks for] of each row that is asked for. With `locks`, the row here alone, locked. */
static const char *look_up_statement(struct import *import, bool locks)
{
    const struct import_table_row *rules = &import_tables[import->table];
    struct buffer sql;
    buffer_init(&sql, import->context->arena);
    buffer_add_literal(&sql, "SELECT j.n");
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        enum import_column column = (enum import_column)(import_first_columns[import->table] + (int)i);
        if (column == IN_user_profile_image_url) { /* one that lies in the row is never the same, and may be large */
            buffer_add_literal(&sql,
                               ", IF(LOWER(LEFT(t.profile_image_url, 5)) = 'data:', 'data:', t.profile_image_url)");
        } else {
            buffer_add_format(&sql, ", t.`%s`", import_column_names[column]);
        }
    }
    buffer_add_string(&sql, locks ? "" : rules->more);
    buffer_add_literal(&sql, " FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY");
    static const char column_names[IMPORT_KEYS] = {'a', 'b', 'c'};
    for (size_t i = 0; i < IMPORT_KEYS; i++) {
        buffer_add_format(&sql, ", %c VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PATH '$[%zu]'",
                          column_names[i], i);
    }
    buffer_add_literal(&sql,
                       ", email VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_ci PATH '$[1]'"
                       ")) AS j LEFT JOIN ");
    buffer_add_format(&sql, "`%s` AS t ON %s%s%s", import_table_names[import->table], rules->match,
                      locks ? "" : rules->joins, locks ? " FOR UPDATE" : "");
    return buffer_text(&sql).data;
}

/* Finds the rows here: sets `here` and `more` of each. */
static enum outcome look_up(struct import *import, struct import_row **rows, size_t count, bool locks)
{
    struct buffer keys;
    struct result result;
    buffer_init(&keys, import->context->arena);
    for (size_t i = 0; i < count; i++) {
        struct text parts[IMPORT_KEYS] = {{NULL, 0}};
        import_tables[import->table].keys(rows[i], parts);
        rows[i]->here = rows[i]->more = NULL;
        for (size_t part = 0; part < IMPORT_KEYS; part++) {
            buffer_add_string(&keys, part > 0 ? "," : i > 0 ? ",[" : "[[");
            buffer_add_json(&keys, parts[part]);
        }
        buffer_add_byte(&keys, ']');
    }
    buffer_add_byte(&keys, ']');
    const struct parameter parameters[] = {BIND_TEXT(buffer_text(&keys))};
    enum outcome outcome =
        database_execute(import->context, look_up_statement(import, locks), parameters, 1, &result, ERROR_NONE);
    for (size_t i = 0; outcome == OK && i < result.row_count; i++) {
        const struct value *values = result_row(&result, i);
        size_t n = (size_t)values[0].integer;
        invariant(n >= 1 && n <= count);
        const struct value *here = values + 1;
        rows[n - 1]->here = here[0].is_null ? NULL : here;
        rows[n - 1]->more = locks ? NULL : here + import_column_count(import->table);
    }
    return outcome;
}

/* ---- writing ---- */

static const char *write_statement(struct import *import, size_t rows, bool replaces)
{
    struct buffer sql;
    size_t columns = import_column_count(import->table);
    const char *const *names = &import_column_names[import_first_columns[import->table]];
    buffer_init(&sql, import->context->arena);
    buffer_add_format(&sql, "INSERT INTO `%s` (", import_table_names[import->table]);
    for (size_t i = 0; i < columns; i++) {
        buffer_add_format(&sql, "%s`%s`", i > 0 ? ", " : "", names[i]);
    }
    buffer_add_literal(&sql, ") VALUES ");
    for (size_t row = 0; row < rows; row++) {
        buffer_add_string(&sql, row > 0 ? ", (?" : "(?");
        for (size_t i = 1; i < columns; i++) {
            buffer_add_literal(&sql, ", ?");
        }
        buffer_add_byte(&sql, ')');
    }
    for (size_t i = 1; replaces && i < columns; i++) {
        buffer_add_format(&sql, "%s`%s` = VALUE(`%s`)", i > 1 ? ", " : " ON DUPLICATE KEY UPDATE ", names[i], names[i]);
    }
    return buffer_text(&sql).data;
}

static size_t bytes_of(const struct import *import, const struct import_row *row)
{
    size_t bytes = 0;
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        bytes += row->values[i].text.length + 16;
    }
    return bytes;
}

/* As many of the rows as one statement may take: one of `sizes`. */
static size_t chunk_of(const struct import *import, struct import_row *const *rows, size_t count)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = 0;
        for (size_t row = 0; row < sizes[i] && row < count; row++) {
            bytes += bytes_of(import, rows[row]);
        }
        if (sizes[i] == 1 || (sizes[i] <= count && bytes < import->packet_bytes / 2)) {
            return sizes[i];
        }
    }
    return 1;
}

/* Writes rows that are new, or, with `replaces`, over those that are here and locked: their id is there, so that no other key decides. */
static enum outcome write_rows(struct import *import, struct import_row **rows, size_t count, bool replaces)
{
    size_t columns = import_column_count(import->table);
    enum outcome outcome = OK;
    for (size_t done = 0; outcome == OK && done < count;) {
        size_t chunk = chunk_of(import, rows + done, count - done);
        struct parameter *parameters = arena_zero(import->context->arena, chunk * columns, sizeof *parameters);
        for (size_t row = 0; row < chunk; row++) {
            memcpy(parameters + row * columns, rows[done + row]->values, columns * sizeof *parameters);
        }
        outcome = database_execute(import->context, write_statement(import, chunk, replaces), parameters,
                                   chunk * columns, NULL, ERROR_NONE);
        done += chunk;
    }
    return outcome;
}

static enum outcome keep_pictures(struct import *import, struct import_row **rows, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < count; i++) {
        bool is_new = false;
        if (rows[i]->picture != NULL) {
            import_index_add(&import->pictures, rows[i]->picture->hash, &is_new);
        }
        outcome = is_new ? picture_store_keep(import->context, rows[i]->picture) : OK;
    }
    return outcome;
}

static enum outcome drop_pictures(struct import *import, struct import_row **rows, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < count; i++) {
        struct text old = rows[i]->here[IMPORT_AT(user, profile_image_url)].text;
        if (!text_equal(old, rows[i]->values[IMPORT_AT(user, profile_image_url)].text)) {
            outcome = picture_store_drop_unused(import->context, old);
        }
    }
    return outcome;
}

/* ---- a batch ---- */

static size_t collect(struct batch *batch, enum import_fate fate, struct import_row **rows_r)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->rows[i].fate == fate) {
            rows_r[count++] = &batch->rows[i];
        }
    }
    return count;
}

/* Locks the rows that are to be changed, and looks again: somebody may have changed them in the meantime. */
static enum outcome lock_changed(struct import *import, struct batch *batch, struct import_row **rows)
{
    size_t count = collect(batch, FATE_CHANGED, rows);
    if (count == 0) {
        return OK;
    }
    enum outcome outcome = look_up(import, rows, count, true);
    for (size_t i = 0; outcome == OK && i < count; i++) {
        rows[i]->fate = import_tables[import->table].compare(import, rows[i]);
    }
    return outcome;
}

static enum outcome write_batch(struct import *import, struct batch *batch, struct import_row **rows)
{
    bool has_pictures = import->table == IMPORT_user;
    size_t count = collect(batch, FATE_CHANGED, rows);
    enum outcome outcome = has_pictures ? keep_pictures(import, rows, count) : OK;
    if (outcome == OK) {
        outcome = write_rows(import, rows, count, true);
    }
    if (outcome == OK && has_pictures) {
        outcome = drop_pictures(import, rows, count);
    }
    count = collect(batch, FATE_NEW, rows);
    if (outcome == OK && has_pictures) {
        outcome = keep_pictures(import, rows, count);
    }
    return outcome == OK ? write_rows(import, rows, count, false) : outcome;
}

static void count_batch(struct import *import, const struct batch *batch)
{
    struct import_count *counts = &import->report->counts[import->table];
    for (size_t i = 0; i < batch->count; i++) {
        const struct import_row *row = &batch->rows[i];
        switch (row->fate) {
        case FATE_NEW:
            counts->fresh++;
            break;
        case FATE_CHANGED:
            counts->changed++;
            break;
        case FATE_UNCHANGED:
            counts->unchanged++;
            break;
        case FATE_LEFT_OUT:
            counts->left_out++;
            break;
        }
        if (import_tables[import->table].settle != NULL) {
            import_tables[import->table].settle(import, row);
        }
    }
}

static bool is_too_large(struct import *import, const struct import_row *row)
{
    if (bytes_of(import, row) + PACKET_RESERVE <= import->packet_bytes) {
        return false;
    }
    import_find(import, IMPORT_BROKEN, row->values[0].text, "larger than MariaDB's max_allowed_packet");
    return true;
}

static enum outcome settle_batch(struct import *import, struct batch *batch)
{
    const struct import_table_row *rules = &import_tables[import->table];
    if (batch->count == 0) {
        return OK;
    }
    struct import_row **rows = arena_zero(import->context->arena, batch->count, sizeof *rows);
    for (size_t i = 0; i < batch->count; i++) {
        rows[i] = &batch->rows[i];
    }
    enum outcome outcome = look_up(import, rows, batch->count, false);
    for (size_t i = 0; outcome == OK && i < batch->count; i++) {
        struct import_row *row = rows[i];
        row->fate = rules->compare(import, row);
        if ((row->fate == FATE_NEW || row->fate == FATE_CHANGED) &&
            (is_too_large(import, row) || (rules->admit != NULL && !rules->admit(import, row)))) {
            row->fate = FATE_LEFT_OUT;
        }
    }
    if (outcome == OK && !import->dry_run) {
        outcome = lock_changed(import, batch, rows);
        if (outcome == OK) {
            outcome = write_batch(import, batch, rows);
        }
    }
    if (outcome == OK) {
        count_batch(import, batch);
    }
    return outcome;
}

/* ---- a table ---- */

static enum outcome fail_source(struct import *import)
{
    log_error(import->context, "SQLite failed while the copy of the file was read: %s",
              import_source_error(import->source));
    return problem_set_fault(import->context, ERROR_INTERNAL_ERROR);
}

static void read_into(struct import *import, struct batch *batch, sqlite3_stmt *statement)
{
    const struct import_table_row *rules = &import_tables[import->table];
    struct arena *arena = import->context->arena;
    if (batch->rows == NULL) {
        batch->rows = arena_zero(arena, BATCH_ROWS, sizeof *batch->rows);
    }
    struct import_row *row = &batch->rows[batch->count];
    size_t used = arena_used(arena);
    *row = (struct import_row){.values = arena_zero(arena, import_column_count(import->table), sizeof *row->values)};
    if (!import_read_row(import, statement, row)) {
        if (rules->lose != NULL && row->values[0].kind == PARAMETER_TEXT) {
            rules->lose(import, row->values[0].text);
        }
        import->report->counts[import->table].left_out++;
    } else if (!rules->complete(import, statement, row)) {
        import->report->counts[import->table].left_out++;
    } else {
        batch->count++;
    }
    batch->bytes += arena_used(arena) - used;
}

static enum outcome bring_rows(struct import *import, sqlite3_stmt *statement)
{
    struct batch batch = {.count = 0};
    enum outcome outcome = OK;
    int step = SQLITE_ROW;
    while (outcome == OK && step == SQLITE_ROW) {
        step = sqlite3_step(statement);
        if (step == SQLITE_ROW) {
            read_into(import, &batch, statement);
        } else if (step != SQLITE_DONE) {
            outcome = fail_source(import);
        }
        if (outcome == OK && (step != SQLITE_ROW || batch.count == BATCH_ROWS || batch.bytes > BATCH_BYTES)) {
            outcome = settle_batch(import, &batch);
            arena_reset(import->context->arena);
            batch = (struct batch){.count = 0};
        }
    }
    return outcome;
}

static enum outcome bring_table(struct import *import, enum import_table table)
{
    struct import_count *counts = &import->report->counts[table];
    import->table = table;
    counts->there = import_source_count(import->source, table);
    if (counts->there < 0) {
        return fail_source(import);
    }
    if (table == IMPORT_config) {
        return import_config(import);
    }
    sqlite3_stmt *statement = import_source_read(import->source, table);
    if (statement == NULL) {
        return fail_source(import);
    }
    arena_reset(import->table_arena);
    import_index_init(&import->ids, import->table_arena);
    import_index_init(&import->others, import->table_arena);
    enum outcome outcome = bring_rows(import, statement);
    sqlite3_finalize(statement);
    return outcome;
}

static enum outcome count_here(struct import *import, enum import_table table)
{
    struct import_count *counts = &import->report->counts[table];
    struct result result;
    const char *sql = text_format(import->context->arena, "SELECT COUNT(*) FROM `%s`", import_table_names[table]).data;
    enum outcome outcome = database_execute(import->context, sql, NULL, 0, &result, ERROR_NONE);
    if (outcome == OK) {
        counts->here = result_row(&result, 0)->integer + (import->dry_run ? counts->fresh : 0);
    }
    return outcome;
}

/* ---- all of it ---- */

/* Where nobody is here yet, the next one to sign up would become the administrator: sign-up waits (see user_store_add). */
static enum outcome lock_first(struct import *import)
{
    struct result result;
    enum outcome outcome =
        database_execute(import->context, "SELECT EXISTS (SELECT 1 FROM user)", NULL, 0, &result, ERROR_NONE);
    if (outcome == OK && result_row(&result, 0)->integer == 0 && !import->dry_run) {
        outcome =
            database_execute(import->context, "SELECT number FROM schema_migration ORDER BY number LIMIT 1 FOR UPDATE",
                             NULL, 0, &result, ERROR_NONE);
    }
    return outcome;
}

/* Begins anew with each attempt of the transaction. */
static enum outcome import_within(struct context *context, void *argument)
{
    struct import *import = argument;
    struct import_report *report = import->report;
    arena_reset(report->arena);
    arena_reset(import->index_arena);
    arena_reset(context->arena);
    *report = (struct import_report){.arena = report->arena};
    import_index_init(&import->users, import->index_arena);
    import_index_init(&import->groups, import->index_arena);
    import_index_init(&import->emails, import->index_arena);
    import_index_init(&import->pictures, import->index_arena);

    enum outcome outcome = lock_first(import);
    for (int table = 0; outcome == OK && table < IMPORT_TABLE_COUNT; table++) {
        outcome = bring_table(import, (enum import_table)table);
    }
    for (int table = 0; outcome == OK && table < IMPORT_TABLE_COUNT; table++) {
        outcome = count_here(import, (enum import_table)table);
    }
    return outcome;
}

enum outcome import_run(struct context *context, struct import_source *source, bool dry_run,
                        struct import_report *report)
{
    struct arena *arena = context->arena;
    const struct config *config = context->config;
    struct config unlimited = *config;
    struct import import = {.context = context, .source = source, .dry_run = dry_run, .report = report};
    *report = (struct import_report){.arena = arena_new(0)};
    import.index_arena = arena_new(0);
    import.table_arena = arena_new(0);

    /* This is no request: a batch has its own measure, and a connection of its own is patient. */
    unlimited.request_memory_limit = 0;
    unlimited.database_read_timeout = STATEMENT_SECONDS;
    context->arena = arena_new(0);
    context->config = &unlimited;
    database_close();
    int64_t packet_bytes = database_server_variable(context, "max_allowed_packet");
    import.packet_bytes = packet_bytes > 2 * PACKET_RESERVE ? (size_t)packet_bytes : 1024 * 1024;
    enum outcome outcome = database_transaction(context, import_within, &import);
    database_close();
    arena_free(context->arena);
    context->arena = arena;
    context->config = config;
    arena_free(import.table_arena);
    arena_free(import.index_arena);
    return outcome;
}
