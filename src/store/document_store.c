#include "store/document_store.h"

#include "base/log.h"
#include "base/problem.h"
#include "config/config.h"
#include "store/prefetch.h"
#include "store/row_cache.h"

static bool is_document(enum user_column column)
{
    return user_columns[column].type == COLUMN_DOCUMENT;
}

/* A document is kept beside the user's row, which is kept as a whole or not at all. */
static struct table_key key_of(struct context *context, struct text user_id, enum user_column column)
{
    _Static_assert(USER_COLUMNS <= 'Z' - 'A' + 1, "each column has a letter");
    return row_cache_row_key(context, (char)('A' + column), user_id);
}

static enum outcome read_document(struct context *context, struct text user_id, enum user_column column,
                                  const struct table_key *key, struct text *json_r)
{
    static const char *sql[USER_COLUMNS];
    struct result result;
    rows_statement(&sql[column], "SELECT %s FROM user WHERE id = ?", user_columns[column].name);
    *json_r = TEXT_NULL;
    enum outcome outcome = row_cache_execute(context, key, sql[column], PARAMETERS(BIND_TEXT(user_id)), &result);
    if (outcome == OK && result.row_count == 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    *json_r = outcome == OK ? result_row(&result, 0)->text : TEXT_NULL;
    return outcome;
}

/* As it was read with the caller. */
static bool take_document(struct context *context, struct text user_id, enum user_column column, struct text *json_r)
{
    struct result rows;
    if ((column == USER_settings && prefetch_take(context, PREFETCH_SETTINGS, user_id, &rows)) ||
        (column == USER_info && prefetch_take(context, PREFETCH_INFO, user_id, &rows))) {
        *json_r = rows.values->text;
        return true;
    }
    return false;
}

enum outcome document_store_get(struct context *context, struct text user_id, enum user_column column,
                                struct text *json_r)
{
    invariant(is_document(column));
    if (take_document(context, user_id, column, json_r)) {
        return OK;
    }
    const struct table_key key = key_of(context, user_id, column);
    return read_document(context, user_id, column, &key, json_r);
}

/* A document that is left out is an empty text, which no document is. */
static bool is_left_out(const struct value *row, enum user_column column)
{
    return is_document(column) && !row[column].is_null && row[column].text.length == 0;
}

bool document_store_is_complete(const struct value *row)
{
    for (enum user_column column = 0; column < USER_COLUMNS; column++) {
        if (is_left_out(row, column)) {
            return false;
        }
    }
    return true;
}

const struct value *document_store_complete(struct context *context, const struct value *row)
{
    struct value *complete = NULL;
    for (enum user_column column = 0; column < USER_COLUMNS; column++) {
        if (!is_left_out(row, column)) {
            continue;
        }
        if (complete == NULL) {
            complete = arena_zero(context->arena, USER_COLUMNS, sizeof *complete);
            memcpy(complete, row, USER_COLUMNS * sizeof *complete);
            row = complete;
        }
        const struct problem problem = context->problem;
        struct text json;
        if (document_store_get(context, row[USER_id].text, column, &json) == FAULT) {
            log_error(context, "%s of the user %.*s can't be read: it is shown as null", user_columns[column].name,
                      (int)row[USER_id].text.length, row[USER_id].text.data);
        }
        context->problem = problem;
        complete[column] = (struct value){json, 0, json.data == NULL};
    }
    return row;
}

struct text document_store_settings(struct arena *arena, struct text settings)
{
    struct json_members members;
    if (!json_text_members(arena, settings, &members)) {
        return TEXT_NULL;
    }
    for (size_t i = 0; i < members.count; i++) {
        if (text_is(members.items[i].name, "ui")) {
            return settings;
        }
    }
    struct json_member ui = json_text_member(arena, "ui", TEXT("{}"));
    return json_text_merge(arena, &members, &(struct json_members){&ui, 1});
}

/* ---- changes ---- */

enum {
    SWAPS_MAX = 3,        /* attempts without a lock */
    SWAP_BYTES = 64 << 10 /* a larger document is not sent back for the comparison */
};

struct merge {
    struct text user_id;
    enum user_column column;
    const struct json_members *members;
    const struct json_members *ui; /* NULL: none */
    struct text whole;             /* the new document */
};

/* Parses the stored document. If it is invalid, nothing is changed. */
static enum outcome read_members(struct context *context, const struct merge *merge, struct text stored,
                                 struct json_members *members_r)
{
    struct text json;
    enum json_state state = json_text_read(context->arena, stored, &json);
    *members_r = (struct json_members){NULL, 0};
    if (state == JSON_ABSENT || (state == JSON_WHOLE && json_text_members(context->arena, json, members_r))) {
        return OK;
    }
    log_error(
        context,
        "column %s of the user %.*s is not a valid JSON object: the change was refused; fix the row in table user",
        user_columns[merge->column].name, (int)merge->user_id.length, merge->user_id.data);
    return problem_set_fault(context, ERROR_INTERNAL_ERROR);
}

/* A document that was too large before may become smaller. */
static enum outcome check_size(struct context *context, struct text whole, struct text stored)
{
    int64_t max = context->config->document_size_limit;
    if ((int64_t)whole.length <= max || whole.length < stored.length) {
        return OK;
    }
    return problem_set_detail(
        context, ERROR_CONTENT_TOO_LARGE, 0,
        text_format(context->arena, "Together with what is stored already this has %zu bytes; this server takes %lld.",
                    whole.length, (long long)max)
            .data);
}

/* The member `ui` of a stored document with the changes of its members: what is null is removed. */
static struct text change_ui(struct arena *arena, const struct json_members *stored, const struct json_members *changes)
{
    struct json_members ui = {NULL, 0}, kept;
    for (size_t i = 0; i < stored->count; i++) {
        if (text_is(stored->items[i].name, "ui")) {
            ui = json_text_members(arena, stored->items[i].value, &ui) ? ui : (struct json_members){NULL, 0};
        }
    }
    json_text_members(arena, json_text_merge(arena, &ui, changes), &kept);
    size_t count = 0;
    for (size_t i = 0; i < kept.count; i++) {
        bool is_removed = false;
        for (size_t c = 0; c < changes->count; c++) {
            is_removed = text_equal(changes->items[c].name, kept.items[i].name)
                             ? text_is(changes->items[c].value, "null")
                             : is_removed;
        }
        if (!is_removed) {
            kept.items[count++] = kept.items[i];
        }
    }
    kept.count = count;
    return json_text_merge(arena, &(struct json_members){NULL, 0}, &kept);
}

/* Makes the new document from the stored one. */
static enum outcome make_whole(struct context *context, struct merge *merge, struct text stored)
{
    struct json_members members;
    enum outcome outcome = read_members(context, merge, stored, &members);
    if (outcome != OK) {
        return outcome;
    }
    merge->whole = json_text_merge(context->arena, &members, merge->members);
    if (merge->ui != NULL && merge->ui->count > 0) {
        struct json_member ui = json_text_member(context->arena, "ui", change_ui(context->arena, &members, merge->ui));
        json_text_members(context->arena, merge->whole, &members);
        merge->whole = json_text_merge(context->arena, &members, &(struct json_members){&ui, 1});
    }
    if (merge->column == USER_settings) {
        merge->whole = document_store_settings(context->arena, merge->whole);
    }
    return check_size(context, merge->whole, stored);
}

/* Writes the new document where the stored one is still that which it was made from, to the byte. *is_done_r is false
 * where it is not, or where that is not known: to merge the same members once more does no harm. */
static enum outcome swap(struct context *context, const struct merge *merge, const struct table_key *key,
                         struct text stored, bool *is_done_r)
{
    static const char *sql[USER_COLUMNS];
    const char *name = user_columns[merge->column].name;
    rows_statement(&sql[merge->column],
                   "UPDATE user SET " USER_NAMES_KEPT
                   ", %s = ?, updated_at = ? WHERE id = ? AND CAST(%s AS BINARY) <=> CAST(? AS BINARY)",
                   name, name);
    struct result result;
    const struct text row_name = row_cache_row_name(context, merge->user_id);
    const struct table_stamp stamp = row_cache_stamp(context, key);
    database_concerns(row_name);
    bool is_unknown;
    enum outcome outcome = database_execute_once(context, sql[merge->column],
                                                 PARAMETERS(BIND_TEXT(merge->whole), BIND_INTEGER(context->now_seconds),
                                                            BIND_TEXT(merge->user_id), BIND_TEXT(stored)),
                                                 &result, &is_unknown);
    *is_done_r = outcome == OK && result.affected_rows > 0;
    if (*is_done_r) {
        row_cache_put_written(context, key, &stamp, row_name, merge->whole);
    }
    return is_unknown ? OK : outcome;
}

/* One statement, and one more where the document is neither kept nor was read with the caller. *is_done_r: false where
 * other clients changed the document meanwhile, each time, or where it is too large to be sent back for the comparison.
 */
static enum outcome merge_without_lock(struct context *context, struct merge *merge, bool *is_done_r)
{
    const struct table_key key = key_of(context, merge->user_id, merge->column);
    *is_done_r = false;
    for (unsigned attempt = 0; attempt < SWAPS_MAX && !*is_done_r; attempt++) {
        struct text stored;
        enum outcome outcome = take_document(context, merge->user_id, merge->column, &stored)
                                   ? OK
                                   : read_document(context, merge->user_id, merge->column, &key, &stored);
        if (outcome != OK || stored.length > SWAP_BYTES) {
            return outcome;
        }
        outcome = make_whole(context, merge, stored);
        if (outcome == OK) {
            outcome = swap(context, merge, &key, stored, is_done_r);
        }
        if (outcome != OK) {
            return outcome;
        }
    }
    return OK;
}

static enum outcome merge_within(struct context *context, void *argument)
{
    static const char *lock_sql[USER_COLUMNS], *set_sql[USER_COLUMNS];
    struct merge *merge = argument;
    struct text stored;
    const char *name = user_columns[merge->column].name;
    rows_statement(&lock_sql[merge->column], "SELECT %s FROM user WHERE id = ? FOR UPDATE", name);
    rows_statement(&set_sql[merge->column], "UPDATE user SET " USER_NAMES_KEPT ", %s = ?, updated_at = ? WHERE id = ?",
                   name);
    enum outcome outcome = database_get_text(context, lock_sql[merge->column], PARAMETERS(BIND_TEXT(merge->user_id)),
                                             &stored, ERROR_USER_NOT_FOUND);
    if (outcome == OK) {
        outcome = make_whole(context, merge, stored);
    }
    if (outcome != OK) {
        return outcome;
    }
    return database_execute(
        context, set_sql[merge->column],
        PARAMETERS(BIND_TEXT(merge->whole), BIND_INTEGER(context->now_seconds), BIND_TEXT(merge->user_id)), NULL,
        ERROR_NONE);
}

enum outcome document_store_merge(struct context *context, struct text user_id, enum user_column column,
                                  const struct json_members *members, const struct json_members *ui,
                                  struct text *json_r)
{
    struct merge merge = {user_id, column, members, ui, TEXT_NULL};
    bool is_done;
    invariant(is_document(column));
    enum outcome outcome = merge_without_lock(context, &merge, &is_done);
    if (outcome == OK && !is_done) {
        database_concerns(row_cache_row_name(context, user_id));
        outcome = database_transaction(context, merge_within, &merge);
    }
    *json_r = merge.whole;
    return outcome;
}
