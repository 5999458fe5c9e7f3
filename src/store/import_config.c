/* import_config.c: the settings of an import: one document on each side. */
#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "store/config_store.h"
#include "store/import_internal.h"

enum { JSON_DEPTH_MOST = 64 };

/* A moment as `YYYY-MM-DD HH:MM:SS`, which sorts as it stands. */
static bool is_moment(struct text text)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    if (text.length != strlen(shape)) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (shape[i] == 'd' ? !is_digit : text.data[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

/* Puts what `from` has over `into`, object by object; where both have something else, `wins` says whether that of `from` counts. True where anything changed. */
static bool merge(json_object *into, json_object *from, bool wins)
{
    bool changed = false;
    json_object_object_foreach(from, key, value)
    {
        json_object *present;
        if (!json_object_object_get_ex(into, key, &present)) {
            json_object_object_add(into, key, json_object_get(value));
            changed = true;
        } else if (json_object_get_type(present) == json_type_object &&
                   json_object_get_type(value) == json_type_object) {
            changed = merge(present, value, wins) || changed;
        } else if (wins && !json_object_equal(present, value)) {
            json_object_object_add(into, key, json_object_get(value));
            changed = true;
        }
    }
    return changed;
}

/* The document of the file: NULL where it is no good (the finding is made). */
static json_object *read_document(struct import *import, struct text text)
{
    struct arena *arena = import->context->arena;
    struct json_scan scan = json_scan(arena, text, JSON_DEPTH_MOST);
    json_object *document = scan.verdict == JSON_GOOD ? json_parse(arena, scan.document) : NULL;
    if (json_object_get_type(document) != json_type_object) {
        import_find(import, IMPORT_BROKEN, (struct text){NULL, 0}, "data: no JSON object");
        return NULL;
    }
    json_object *permissions = config_store_at(document, "user.permissions");
    if (json_object_get_type(permissions) == json_type_object) {
        import_mend_permissions(import, (struct text){NULL, 0}, permissions);
    }
    return document;
}

static enum outcome read_here(struct import *import, struct result *result_r)
{
    const char *sql = import->dry_run
                          ? "SELECT data, DATE_FORMAT(COALESCE(updated_at, created_at), '%Y-%m-%d %H:%i:%s'), id "
                            "FROM config ORDER BY id DESC LIMIT 1"
                          : "SELECT data, DATE_FORMAT(COALESCE(updated_at, created_at), '%Y-%m-%d %H:%i:%s'), id "
                            "FROM config ORDER BY id DESC LIMIT 1 FOR UPDATE";
    return database_execute(import->context, sql, NULL, 0, result_r, ERROR_NONE);
}

/* The moment of the last change is taken over, so that the next import finds what was changed since. */
static enum outcome write(struct import *import, json_object *document, struct parameter moment,
                          const struct value *here)
{
    struct parameter data = BIND_TEXT(json_print(import->context->arena, document));
    if (import->dry_run) {
        return OK;
    }
    if (here == NULL) {
        const struct parameter parameters[] = {data, moment, moment};
        return database_execute(import->context,
                                "INSERT INTO config (id, data, version, created_at, updated_at) VALUES "
                                "(1, ?, 0, COALESCE(?, UTC_TIMESTAMP()), ?)",
                                parameters, 3, NULL, ERROR_NONE);
    }
    const struct parameter parameters[] = {data, moment, BIND_INTEGER(here[2].integer)};
    return database_execute(import->context,
                            "UPDATE config SET data = ?, updated_at = COALESCE(?, updated_at) WHERE id = ?", parameters,
                            3, NULL, ERROR_NONE);
}

static enum outcome bring(struct import *import, struct text text, struct text moment)
{
    struct import_count *counts = &import->report->counts[IMPORT_config];
    json_object *document = read_document(import, text);
    struct result result;
    if (document == NULL) {
        counts->left_out++;
        return OK;
    }
    enum outcome outcome = read_here(import, &result);
    if (outcome != OK) {
        return outcome;
    }
    struct parameter changed = is_moment(moment) ? BIND_TEXT(moment) : BIND_NULL;
    if (result.row_count == 0) {
        counts->fresh++;
        return write(import, document, changed, NULL);
    }
    const struct value *here = result_row(&result, 0);
    json_object *merged = config_store_parse(import->context, here[0].text);
    /* At the same second it is the same change, or one that came just after the last import. */
    bool is_newer = is_moment(moment) && memcmp(moment.data, here[1].text.data, moment.length) >= 0;
    if (!merge(merged, document, is_newer)) {
        counts->unchanged++;
        return OK;
    }
    counts->changed++;
    return write(import, merged, is_newer ? changed : BIND_TEXT(here[1].text), here);
}

enum outcome import_config(struct import *import)
{
    sqlite3_stmt *statement = import_source_read(import->source, IMPORT_config);
    int step = statement != NULL ? sqlite3_step(statement) : SQLITE_ERROR;
    enum outcome outcome = OK;
    if (step == SQLITE_ROW) {
        struct text parts[2];
        for (int i = 0; i < 2; i++) {
            const char *bytes = (const char *)sqlite3_column_text(statement, i);
            struct text part = {bytes != NULL ? bytes : "",
                                bytes != NULL ? (size_t)sqlite3_column_bytes(statement, i) : 0};
            parts[i] = text_copy(import->context->arena, part);
        }
        outcome = bring(import, parts[0], parts[1]);
        arena_reset(import->context->arena);
    } else if (step != SQLITE_DONE) {
        log_error(import->context, "SQLite failed while the copy of the file was read: %s",
                  import_source_error(import->source));
        outcome = problem_set_fault(import->context, ERROR_INTERNAL_ERROR);
    }
    sqlite3_finalize(statement);
    return outcome;
}
