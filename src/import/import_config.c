/* import_config.c: merges the settings of the file, which import_settings.c reads, into the settings here. */
#include "base/ascii.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/problem.h"
#include "import/import_internal.h"
#include "store/config_store.h"

#define NO_ID (TEXT_NULL)

/* True for a time as `YYYY-MM-DD HH:MM:SS`. Such times are compared as texts. */
static bool is_moment(struct text text)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    if (text.length != strlen(shape)) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (shape[i] == 'd' ? !ascii_is_digit(text.data[i]) : text.data[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

/* Merges `from` into `into`, recursively for objects. Where other values differ, `wins` says whether `from` replaces
 * `into`. True where a value changed. */
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

/* *row_r: data, the time of the last change, and id. NULL where there are no settings yet. */
static enum outcome read_here(struct import *import, const struct value **row_r)
{
    const char *sql = import->options->dry_run
                          ? "SELECT data, DATE_FORMAT(COALESCE(updated_at, created_at), '%Y-%m-%d %H:%i:%s'), id "
                            "FROM config ORDER BY id DESC LIMIT 1"
                          : "SELECT data, DATE_FORMAT(COALESCE(updated_at, created_at), '%Y-%m-%d %H:%i:%s'), id "
                            "FROM config ORDER BY id DESC LIMIT 1 FOR UPDATE";
    return database_get_row(import->context, sql, NO_PARAMETERS, row_r, ERROR_NONE);
}

/* Writes the settings with the time of their last change, so that the next import sees later changes. */
static enum outcome write(struct import *import, json_object *document, struct parameter moment,
                          const struct value *here)
{
    struct text before = TEXT_NULL;
    if (here != NULL) {
        json_text_read(import->context->arena, here[0].text, &before);
    }
    struct parameter data = BIND_TEXT(json_text_rewrite(import->context->arena, before, document));
    if (import->options->dry_run) {
        return OK;
    }
    if (here == NULL) {
        return database_execute(import->context,
                                "INSERT INTO config (id, data, version, created_at, updated_at) VALUES "
                                "(1, ?, 0, COALESCE(?, UTC_TIMESTAMP()), ?)",
                                PARAMETERS(data, moment, moment), NULL, ERROR_NONE);
    }
    return database_execute(import->context,
                            "UPDATE config SET data = ?, updated_at = COALESCE(?, updated_at) WHERE id = ?",
                            PARAMETERS(data, moment, BIND_INTEGER(here[2].integer)), NULL, ERROR_NONE);
}

/* ---- settings that an import resets ---- */

static bool says(json_object *document, const char *path, bool wanted)
{
    json_object *value = config_store_at(document, path);
    return json_object_is_type(value, json_type_boolean) && (json_object_get_boolean(value) != 0) == wanted;
}

/* Sign-up stays open only if the file says so: it may have been closed at the other program. */
static void close_sign_up(struct import *import, json_object *document, json_object *here, json_object *file)
{
    const char *path = setting_rows[SETTING_ENABLE_SIGNUP].path;
    bool is_open_there = says(file, path, true);
    if (!is_open_there && says(here, path, true)) {
        import_add_finding(import, IMPORT_IDLE, text_of(path), "sign-up was open here: it is closed, as the file %s",
                           says(file, path, false) ? "has it closed" : "does not say that it is open");
    } else if (!is_open_there && !says(file, path, false)) {
        import_add_finding(import, IMPORT_IDLE, text_of(path),
                           "the file does not say whether sign-up is open: it is closed");
    }
    if (!is_open_there) {
        config_store_put(document, path, json_object_new_boolean(false));
    }
}

/* With a missing default group every later change of the settings would fail. */
static enum outcome check_default_group(struct import *import, json_object *document)
{
    const char *path = setting_rows[SETTING_DEFAULT_GROUP_ID].path;
    struct text id = json_text(config_store_at(document, path));
    const struct import_entry *entry = id.length > 0 ? import_index_find(&import->groups, id) : NULL;
    if (id.length == 0 || (entry != NULL && entry->present)) {
        return OK;
    }
    bool found;
    enum outcome outcome =
        database_find_row(import->context, "SELECT 1 FROM `group` WHERE id = ?", PARAMETERS(BIND_TEXT(id)), &found);
    if (outcome == OK && !found) {
        import_add_finding(import, IMPORT_PARTIAL, text_of(path),
                           "the group %.*s is neither in the file nor here; left empty", (int)id.length, id.data);
        config_store_put(document, path, json_object_new_string(""));
    }
    return outcome;
}

/* ---- all of it ---- */

static void count(struct import_count *counts, bool has_settings, bool is_new, bool changed)
{
    int64_t *count = is_new ? &counts->fresh : changed ? &counts->changed : &counts->unchanged;
    if (has_settings) {
        (*count)++;
    } else if (is_new) {
        counts->added++;
    }
}

static enum outcome bring(struct import *import, json_object *file, bool has_settings, struct text moment)
{
    struct import_count *counts = &import->report->counts[IMPORT_config];
    json_object *document;
    const struct value *here;
    enum outcome outcome = read_here(import, &here);
    struct text stored = here != NULL ? here[0].text : NO_ID;
    if (outcome == OK) {
        outcome = config_store_parse(import->context, stored, &document);
    }
    json_object *before;
    if (outcome == OK) {
        outcome = config_store_parse(import->context, stored, &before);
    }
    if (outcome != OK) {
        return outcome;
    }
    struct parameter changed_at = is_moment(moment) ? BIND_TEXT(moment) : BIND_NULL;
    /* At the same second it is the same change, or one just after the last import. */
    bool is_newer = here == NULL || (is_moment(moment) && memcmp(moment.data, here[1].text.data, moment.length) >= 0);
    merge(document, file, is_newer);
    close_sign_up(import, document, before, file);
    outcome = check_default_group(import, document);
    if (outcome != OK) {
        return outcome;
    }
    bool changed = !json_object_equal(document, before);
    count(counts, has_settings, here == NULL, changed);
    if (!changed) {
        return OK;
    }
    return write(import, document, here == NULL || is_newer ? changed_at : BIND_TEXT(here[1].text), here);
}

enum outcome import_config(struct import *import)
{
    struct import_count *counts = &import->report->counts[IMPORT_config];
    struct arena *arena = import->context->arena;
    bool has_settings = import_source_settings(import->source) != IMPORT_SETTINGS_NONE;
    if (import->options->settings.data != NULL) {
        has_settings = true;
        counts->there = 1;
    }
    json_object *file = NULL;
    struct text moment = NO_ID;
    switch (import_read_settings(import, &file, &moment)) {
    case IMPORT_READING_FAILED:
        log_error(import->context, "SQLite failed while the copy of the file was read: %s",
                  import_source_error(import->source));
        return problem_set_fault(import->context, ERROR_INTERNAL_ERROR);
    case IMPORT_READING_BROKEN:
        counts->left_out++;
        has_settings = false;
        file = json_keep(arena, json_object_new_object());
        moment = NO_ID;
        break;
    case IMPORT_READING_DONE:
        break;
    }
    if (import->options->settings.data != NULL) {
        moment = import->options->settings_changed;
    }
    enum outcome outcome = bring(import, file, has_settings, moment);
    arena_reset(arena);
    return outcome;
}
