/* import.c: see import.h. Rows are processed in batches: read and checked, looked up here by one statement, and written
 * by as few statements as possible. Only rows that change are locked. */
#include "import/import.h"

#include "base/array.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/problem.h"
#include "config/config.h"
#include "import/import_internal.h"
#include "store/account_store.h"
#include "store/audit_store.h"
#include "store/picture_store.h"

enum {
    BATCH_ROWS = 256,
    BATCH_BYTES = 4 * 1024 * 1024,
    PACKET_RESERVE = 65536,
    STATEMENT_SECONDS = 3600, /* counting the rows of a large table may take long */
};

/* Numbers of rows of one INSERT: a statement is prepared for each. */
static const size_t sizes[] = {64, 8, 1};

struct batch {
    struct import_row *rows;
    size_t count;
    size_t bytes;
};

/* ---- looking up ---- */

/* The query for the rows here: n, the columns of the row, the additional columns of the table.
 * With `locks`: without the additional columns, FOR UPDATE. */
static const char *look_up_statement(struct import *import, bool locks)
{
    const struct import_table_row *rules = &import_tables[import->table];
    struct buffer sql;
    buffer_init(&sql, import->context->arena);
    buffer_add_literal(&sql, "SELECT j.n");
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        enum import_column column = (enum import_column)(import_first_columns[import->table] + (int)i);
        const char *name = import_column_names[column];
        if (column == IN_user_profile_image_url || column == IN_user_profile_banner_image_url) {
            /* a picture in the row always differs, and may be large: do not read it */
            buffer_add_format(&sql, ", IF(LOWER(LEFT(t.`%s`, 5)) = 'data:', 'data:', t.`%s`)", name, name);
        } else {
            buffer_add_format(&sql, ", t.`%s`", name);
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

/* Looks up the rows here, and sets `here` and `more` of each. */
static enum outcome look_up(struct import *import, struct import_row **rows, size_t count, bool locks)
{
    struct json_writer keys;
    json_start(&keys, import->context->arena);
    json_begin_array(&keys);
    for (size_t i = 0; i < count; i++) {
        struct text parts[IMPORT_KEYS] = {TEXT_NULL};
        import_tables[import->table].keys(rows[i], parts);
        rows[i]->here = rows[i]->more = NULL;
        json_add_texts(&keys, parts, IMPORT_KEYS);
    }
    json_end_array(&keys);
    struct result result;
    enum outcome outcome = database_execute(import->context, look_up_statement(import, locks),
                                            PARAMETERS(BIND_TEXT(json_finish(&keys))), &result, ERROR_NONE);
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

/* The number of rows for the next statement: one of `sizes`. */
static size_t chunk_of(const struct import *import, struct import_row *const *rows, size_t count)
{
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
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

/* Inserts rows, or with `replaces` updates rows that are here and locked. The id exists here then, so ON DUPLICATE KEY
 * applies to the id and to no other key. */
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

static enum outcome keep_picture(struct import *import, const struct picture *picture)
{
    bool is_new = false;
    if (picture != NULL) {
        import_index_add(&import->pictures, picture->hash, &is_new);
    }
    return is_new ? picture_store_keep(import->context, picture) : OK;
}

static enum outcome keep_pictures(struct import *import, struct import_row **rows, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < count; i++) {
        outcome = keep_picture(import, rows[i]->picture);
        if (outcome == OK) {
            outcome = keep_picture(import, rows[i]->banner);
        }
    }
    return outcome;
}

static enum outcome drop_pictures(struct import *import, struct import_row **rows, size_t count)
{
    static const int columns[] = {IMPORT_AT(user, profile_image_url), IMPORT_AT(user, profile_banner_image_url)};
    enum outcome outcome = OK;
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; outcome == OK && c < ARRAY_COUNT(columns); c++) {
            struct text old = rows[i]->here[columns[c]].text;
            if (!text_equal(old, rows[i]->values[columns[c]].text)) {
                outcome = picture_store_drop_unused(import->context, old);
            }
        }
    }
    return outcome;
}

/* Ends sessions that the other program has started, for accounts with a new session stamp. */
static enum outcome end_sessions(struct import *import, struct import_row **rows, size_t count)
{
    enum outcome outcome = OK;
    for (size_t i = 0; outcome == OK && i < count; i++) {
        struct text stamp = rows[i]->values[IMPORT_AT(auth, session_stamp)].text;
        const struct value *here = rows[i]->here;
        if (stamp.data == NULL || (here != NULL && text_equal(stamp, here[IMPORT_AT(auth, session_stamp)].text))) {
            continue;
        }
        outcome = database_execute(
            import->context, "UPDATE user SET " USER_NAMES_KEPT ", sessions_ended_at = ? WHERE id = ?",
            PARAMETERS(BIND_INTEGER(import->context->now_seconds), rows[i]->values[0]), NULL, ERROR_NONE);
    }
    return outcome;
}

/* ---- a batch ---- */

/* Keeps the values here of columns for which the file has no value. */
static void keep_here(const struct import *import, struct import_row *row)
{
    for (size_t i = 0; row->here != NULL && i < import_column_count(import->table); i++) {
        const struct value *here = &row->here[i];
        if (row->keeps[i]) {
            row->values[i] = here->is_null             ? BIND_NULL
                             : here->text.data != NULL ? BIND_TEXT(here->text)
                                                       : BIND_INTEGER(here->integer);
        }
    }
}

static enum import_fate compare(struct import *import, struct import_row *row)
{
    keep_here(import, row);
    return import_tables[import->table].compare(import, row);
}

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

/* Locks the rows that change, and reads them again: another connection may have changed them. */
static enum outcome lock_changed(struct import *import, struct batch *batch, struct import_row **rows)
{
    size_t count = collect(batch, FATE_CHANGED, rows);
    if (count == 0) {
        return OK;
    }
    enum outcome outcome = look_up(import, rows, count, true);
    for (size_t i = 0; outcome == OK && i < count; i++) {
        rows[i]->fate = compare(import, rows[i]);
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
    if (outcome == OK && import->table == IMPORT_auth) {
        outcome = end_sessions(import, rows, count);
    }
    count = collect(batch, FATE_NEW, rows);
    if (outcome == OK && has_pictures) {
        outcome = keep_pictures(import, rows, count);
    }
    if (outcome == OK) {
        outcome = write_rows(import, rows, count, false);
    }
    return outcome == OK && import->table == IMPORT_auth ? end_sessions(import, rows, count) : outcome;
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
    import_add_finding(import, IMPORT_BROKEN, row->values[0].text, "larger than MariaDB's max_allowed_packet");
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
        size_t first = import->report->finding_count;
        row->fate = compare(import, row);
        if ((row->fate == FATE_NEW || row->fate == FATE_CHANGED) &&
            (is_too_large(import, row) || (rules->admit != NULL && !rules->admit(import, row)))) {
            row->fate = FATE_LEFT_OUT;
            import_name_findings(import, first, import_owner_name(import, row));
        }
    }
    if (outcome == OK && !import->options->dry_run) {
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

/* Stores the name of a user or a group, for findings about its other rows. The first row with an id sets it. */
static void remember_name(struct import *import, const struct import_row *row, struct text name)
{
    struct text id = row->values[0].text;
    struct import_entry *entry =
        name.data != NULL && id.data != NULL
            ? import_index_find(import->table == IMPORT_user ? &import->users : &import->groups, id)
            : NULL;
    if (entry != NULL && entry->name.data == NULL) {
        entry->name = text_copy(import->index_arena, name);
    }
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
    size_t first = import->report->finding_count;
    *row = (struct import_row){.values = arena_zero(arena, import_column_count(import->table), sizeof *row->values)};
    struct text name = import_row_name(import, statement);
    if (!import_read_row(import, statement, row)) {
        if (rules->drop != NULL && row->values[0].kind == PARAMETER_TEXT) {
            rules->drop(import, row->values[0].text);
        }
        import->report->counts[import->table].left_out++;
    } else if (!rules->complete(import, statement, row)) {
        import->report->counts[import->table].left_out++;
    } else {
        batch->count++;
    }
    remember_name(import, row, name);
    import_name_findings(import, first, name.data != NULL ? name : import_owner_name(import, row));
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
    return outcome == OK && !import_report_unmapped(import) ? fail_source(import) : outcome;
}

static enum outcome count_here(struct import *import, enum import_table table)
{
    struct import_count *counts = &import->report->counts[table];
    int64_t here;
    const char *sql = text_format(import->context->arena, "SELECT COUNT(*) FROM `%s`", import_table_names[table]).data;
    enum outcome outcome = database_get_integer(import->context, sql, NO_PARAMETERS, 0, &here);
    if (outcome == OK) {
        counts->here = here + (import->options->dry_run ? counts->fresh + counts->added : 0);
    }
    return outcome;
}

/* ---- all of it ---- */

/* While there are no accounts, the next sign-up would become the administrator: lock it out (see account_store_add). */
static enum outcome lock_first(struct import *import)
{
    bool found;
    enum outcome outcome = database_find_row(import->context, "SELECT 1 FROM user LIMIT 1", NO_PARAMETERS, &found);
    return outcome == OK && !found && !import->options->dry_run ? account_store_lock_first(import->context) : outcome;
}

/* One attempt of the transaction; each starts from the beginning. */
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
    if (outcome == OK && !import->options->dry_run) {
        audit_store_note(import->context, &(struct audit_note){.action = AUDIT_import});
    }
    return outcome;
}

enum outcome import_run(struct context *context, struct import_source *source, const struct import_options *options,
                        struct import_report *report)
{
    struct arena *arena = context->arena;
    const struct config *config = context->config;
    struct config unlimited = *config;
    struct import import = {.context = context, .source = source, .options = options, .report = report};
    *report = (struct import_report){.arena = arena_new(0)};
    import.index_arena = arena_new(0);
    import.table_arena = arena_new(0);

    /* This is not a request: BATCH_BYTES limits the memory, and a new connection has a long timeout. */
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
