/* import_value.c: reads and checks the columns of the file. They may hold any value: SQLite enforces neither types nor
 * lengths. */

#include "base/array.h"
#include "base/calendar.h"
#include "base/email.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/permission_table.h"
#include "import/import_internal.h"
#include "store/factor_account.h"
#include "store/key_store.h"
#include "store/picture_store.h"

enum kind {
    KIND_ID,
    KIND_EMAIL,
    KIND_ROLE,
    KIND_WORD,
    KIND_PROSE,
    KIND_NAME,
    KIND_INTEGER,
    KIND_BOOLEAN,
    KIND_DATE,
    KIND_OBJECT,
    KIND_SETTINGS,
    KIND_PERMISSIONS,
    KIND_FACTOR,
    KIND_PICTURE,
    KIND_BANNER,
    KIND_PASSWORD,
    KIND_KEY,
    KIND_OURS
};

static const struct rule {
    enum kind kind;
    size_t max;
    enum { BAD_ROW, BAD_DROP, BAD_CUT } bad;
    enum { ABSENT_NOTHING, ABSENT_EMPTY, ABSENT_ROW, ABSENT_LATER } absent;
} rules[IMPORT_COLUMN_COUNT] = {
#define IMPORT_COLUMN(table, column, kind, max, bad, absent) {KIND_##kind, max, BAD_##bad, ABSENT_##absent},
#include "tables/imports.def"
};

enum {
    CHARACTERS_MAX = 255,   /* limits up to this are in characters, larger ones in bytes */
    PICTURE_MAX = 16777215, /* MEDIUMBLOB */
    ADDRESS_MAX = 2048,     /* Roster does not accept longer ones */
    KEY_MAX = 4096,
    PACKET_RESERVE = 65536
};

/* A value that is being checked. The functions below return the reason why it is invalid, or NULL. */
struct cell {
    struct import *import;
    const struct rule *rule;
    struct import_row *row;
    struct text text;
    struct parameter value; /* the value to write; NULL: missing */
    bool is_cut;
};

static struct arena *arena_of(const struct cell *cell)
{
    return cell->import->context->arena;
}

static size_t length_in(const struct rule *rule, struct text text)
{
    return rule->max <= CHARACTERS_MAX ? text_count_characters(text) : text.length;
}

/* The start of a text, truncated to the limit. */
static struct text cut(const struct rule *rule, struct text text)
{
    return rule->max <= CHARACTERS_MAX ? text_cut_characters(text, rule->max) : text_cut_bytes(text, rule->max);
}

static const char *check_length(struct cell *cell)
{
    if (length_in(cell->rule, cell->text) <= cell->rule->max) {
        cell->value = BIND_TEXT(cell->text);
        return NULL;
    }
    if (cell->rule->bad == BAD_CUT) {
        cell->value = BIND_TEXT(cut(cell->rule, cell->text));
        cell->is_cut = true;
    }
    return text_format(arena_of(cell), "longer than %zu %s", cell->rule->max,
                       cell->rule->max <= CHARACTERS_MAX ? "characters" : "bytes")
        .data;
}

static const char *check_id(struct cell *cell)
{
    if (cell->text.length == 0) {
        return "empty";
    }
    return text_is_plain(cell->text) ? check_length(cell) : "holds control characters";
}

/* NUL is not allowed: a client could not send such a text back. */
static const char *check_prose(struct cell *cell)
{
    return memchr(cell->text.data, '\0', cell->text.length) != NULL ? "holds NUL" : check_length(cell);
}

static const char *check_email(struct cell *cell)
{
    cell->text = email_fold(arena_of(cell), cell->text);
    const char *fault = check_id(cell);
    return fault == NULL && !email_is_valid(cell->text) ? "not an email address such as name@example.org" : fault;
}

/* Removes characters that are not allowed in a name here, and adds a finding. */
static const char *check_name(struct cell *cell)
{
    if (!text_is_plain(cell->text)) {
        import_add_finding(cell->import, IMPORT_PARTIAL, cell->row->values[0].text,
                           "name: holds control characters, line separators or characters that change the direction of "
                           "writing; left out");
        cell->text = text_trim_unicode(text_without_odd(arena_of(cell), cell->text));
        if (cell->text.length == 0) {
            return "no valid characters";
        }
    }
    return check_length(cell);
}

static const char *check_role(struct cell *cell)
{
    cell->value = BIND_TEXT(cell->text);
    if (text_is(cell->text, "admin") || text_is(cell->text, "user") || text_is(cell->text, "pending")) {
        return NULL;
    }
    return "not admin, user or pending; replaced by pending";
}

static const char *check_date(struct cell *cell)
{
    struct calendar_day day;
    if (cell->text.length != 10 || !calendar_read(cell->text, &day) || !calendar_has(day) || day.year == 0) {
        return "not a date";
    }
    cell->value = BIND_TEXT(cell->text);
    return NULL;
}

/* An object, unchanged. */
static const char *check_object(struct cell *cell)
{
    struct text object;
    const char *fault = import_decode_object(arena_of(cell), cell->text, &object);
    cell->value = fault == NULL ? BIND_TEXT(object) : BIND_NULL;
    return fault;
}

/* A second factor is imported unchanged, even one that can't be parsed: without it the account would be less safe. */
static const char *check_factor(struct cell *cell)
{
    struct text document;
    if (import_decode_json(arena_of(cell), cell->text, &document) == NULL &&
        (text_is(document, "null") || text_is(document, "{}"))) {
        return NULL;
    }
    if (text_trim(cell->text).length == 0) {
        return NULL;
    }
    if (!factor_account_reads(cell->import->context, cell->text)) {
        import_add_finding(cell->import, IMPORT_IDLE, cell->row->values[0].text,
                           "mfa: none of the secret keys opens this second factor: only its codes for an emergency "
                           "count, or `rosterctl user mfa reset'");
    }
    return check_length(cell);
}

/* Settings always have `ui` here. */
static const char *check_settings(struct cell *cell)
{
    const char *fault = check_object(cell);
    struct json_members members;
    if (fault != NULL || cell->value.kind == PARAMETER_NULL ||
        !json_text_members(arena_of(cell), cell->value.text, &members)) {
        return fault;
    }
    for (size_t i = 0; i < members.count; i++) {
        if (text_is(members.items[i].name, "ui")) {
            return NULL;
        }
    }
    struct json_member ui = json_text_member(arena_of(cell), "ui", TEXT("{}"));
    struct json_members added = {&ui, 1};
    cell->value = BIND_TEXT(json_text_merge(arena_of(cell), &members, &added));
    return NULL;
}

static const char *check_permissions(struct cell *cell)
{
    const char *fault = check_object(cell);
    if (fault != NULL || cell->value.kind == PARAMETER_NULL) {
        return fault;
    }
    json_object *permissions = json_parse(arena_of(cell), cell->value.text);
    if (permissions == NULL) {
        cell->value = BIND_NULL;
        return "nested too deeply";
    }
    if (import_clean_permissions(cell->import, cell->row->values[0].text, permissions)) {
        cell->value = BIND_TEXT(json_print(arena_of(cell), permissions));
    }
    return NULL;
}

/* True for an address of Roster whose picture does not exist here: a row must not refer to a picture that another user
 * may
 * upload later. */
static bool is_missing_here(struct cell *cell)
{
    struct text hash;
    enum picture_type type;
    bool exists = false;
    return picture_store_parse_address(cell->text, &hash, &type) &&
           (picture_store_exists(cell->import->context, hash, type, &exists) != OK || !exists);
}

static const char *check_address(struct cell *cell)
{
    if (!picture_is_address(cell->text)) {
        return "not the address of a picture; replaced by the default picture";
    }
    if (cell->text.length > ADDRESS_MAX) {
        return "an address of more than 2048 bytes; replaced by the default picture";
    }
    if (is_missing_here(cell)) {
        return "the address of a picture that is not here; replaced by the default picture";
    }
    cell->value = BIND_TEXT(cell->text);
    return NULL;
}

static const char *check_image(struct cell *cell, const struct picture **picture_r)
{
    if (cell->text.length == 0) {
        return NULL;
    }
    if (!picture_is_data_uri(cell->text)) {
        return check_address(cell);
    }
    struct picture *picture = arena_zero(arena_of(cell), 1, sizeof *picture);
    if (!picture_of_data_uri(arena_of(cell), cell->text, picture)) {
        return "not a PNG, JPEG, GIF or WebP that can be decoded; replaced by the default picture";
    }
    if (picture->bytes.length > PICTURE_MAX || picture->bytes.length + PACKET_RESERVE > cell->import->packet_bytes) {
        return "a picture larger than MariaDB accepts; replaced by the default picture";
    }
    *picture_r = picture;
    cell->value = BIND_TEXT(picture_store_address(arena_of(cell), picture));
    return NULL;
}

static const char *check_picture(struct cell *cell)
{
    return check_image(cell, &cell->row->picture);
}

/* Like a picture, but without a default. */
static const char *check_banner(struct cell *cell)
{
    const char *fault = check_image(cell, &cell->row->banner);
    return fault != NULL ? text_format(arena_of(cell), "%.*s", (int)strcspn(fault, ";"), fault).data : NULL;
}

static const char *check_password(struct cell *cell)
{
    struct import *import = cell->import;
    if (cell->text.length == 0) {
        return "empty";
    }
    const char *fault = check_length(cell);
    const char *reason = fault == NULL ? import->options->check_hash(import->context, cell->text) : NULL;
    if (reason != NULL) {
        import_add_finding(import, IMPORT_PARTIAL, cell->row->values[0].text,
                           "password: %s; the account needs a new one", reason);
    }
    return fault;
}

/* Only the hash of a key is stored. */
static const char *check_key(struct cell *cell)
{
    struct text text = cell->text;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return "not an API key";
        }
    }
    if (text.length == 0 || text.length > KEY_MAX) {
        return "not an API key";
    }
    cell->value = BIND_TEXT(key_store_hash(cell->import->context, text));
    cell->row->suffix = key_store_suffix(text);
    return NULL;
}

static const char *check_text(struct cell *cell)
{
    if (!text_is_utf8(cell->text)) {
        return "not UTF-8";
    }
    switch (cell->rule->kind) {
    case KIND_ID:
        return check_id(cell);
    case KIND_EMAIL:
        return check_email(cell);
    case KIND_NAME:
        return check_name(cell);
    case KIND_ROLE:
        return check_role(cell);
    case KIND_DATE:
        return check_date(cell);
    case KIND_OBJECT:
        return check_object(cell);
    case KIND_SETTINGS:
        return check_settings(cell);
    case KIND_PERMISSIONS:
        return check_permissions(cell);
    case KIND_FACTOR:
        return check_factor(cell);
    case KIND_PICTURE:
        return check_picture(cell);
    case KIND_BANNER:
        return check_banner(cell);
    case KIND_PASSWORD:
        return check_password(cell);
    case KIND_KEY:
        return check_key(cell);
    default:
        return check_prose(cell);
    }
}

static const char *check_integer(struct cell *cell, sqlite3_stmt *statement, int column)
{
    int64_t integer = 0;
    double real;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(statement, column);
        break;
    case SQLITE_FLOAT:
        real = sqlite3_column_double(statement, column);
        if (!(real > -9e18 && real < 9e18)) {
            return "not a number";
        }
        integer = (int64_t)real;
        break;
    case SQLITE_TEXT:
        if (!text_to_integer(text_trim(cell->text), &integer)) {
            return "not a number";
        }
        break;
    default:
        return "not a number";
    }
    cell->value = BIND_INTEGER(integer);
    return NULL;
}

static const char *check_boolean(struct cell *cell, sqlite3_stmt *statement, int column)
{
    bool is_text = sqlite3_column_type(statement, column) == SQLITE_TEXT;
    if (is_text && (text_is_ignoring_case(cell->text, "true") || text_is_ignoring_case(cell->text, "false"))) {
        cell->value = BIND_INTEGER(text_is_ignoring_case(cell->text, "true"));
        return NULL;
    }
    if (check_integer(cell, statement, column) != NULL) {
        return "neither true nor false";
    }
    cell->value.integer = cell->value.integer != 0;
    return NULL;
}

/* Copies the text of SQLite, which is valid only until the next row. False where there is no memory, or the file is
 * damaged. */
static bool take_text(struct cell *cell, sqlite3_stmt *statement, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    if (bytes == NULL) {
        return false;
    }
    cell->text = text_copy(arena_of(cell), (struct text){bytes, (size_t)sqlite3_column_bytes(statement, column)});
    return true;
}

static const char *check(struct cell *cell, sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL || cell->rule->kind == KIND_OURS) {
        return NULL;
    }
    if (sqlite3_column_type(statement, column) == SQLITE_BLOB) {
        return "not text";
    }
    if (!take_text(cell, statement, column)) {
        return "can't be read";
    }
    switch (cell->rule->kind) {
    case KIND_INTEGER:
        return check_integer(cell, statement, column);
    case KIND_BOOLEAN:
        return check_boolean(cell, statement, column);
    default:
        return check_text(cell);
    }
}

static struct parameter empty_of(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_BOOLEAN ? BIND_INTEGER(0) : BIND_TEXT(TEXT(""));
}

/* Adds a finding about a value that is imported but not used yet. */
static void report_kept(struct import *import, enum import_column column, const struct import_row *row)
{
    static const struct {
        enum import_column column;
        const char *text;
    } kept[] = {
#define IMPORT_KEPT(table, column, text) {IN_##table##_##column, text},
#include "tables/imports.def"
    };
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
        if (kept[i].column == column &&
            !text_is(row->values[column - import_first_columns[import->table]].text, "{}")) {
            import_add_finding(import, IMPORT_IDLE, row->values[0].text, "%s: %s", import_column_names[column],
                               kept[i].text);
        }
    }
}

bool import_read_row(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    enum import_column first = import_first_columns[import->table];
    row->keeps = arena_zero(import->context->arena, import_column_count(import->table), sizeof *row->keeps);
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        const struct rule *rule = &rules[first + (int)i];
        const char *name = import_column_names[first + (int)i];
        struct cell cell = {.import = import, .rule = rule, .row = row, .value = BIND_NULL};
        const char *fault = check(&cell, statement, (int)i);
        struct text id = i > 0 ? row->values[0].text : TEXT_NULL;
        if (fault != NULL) {
            bool skips_row = rule->bad == BAD_ROW;
            import_add_finding(import, skips_row ? IMPORT_BROKEN : IMPORT_PARTIAL, id, "%s: %s%s", name, fault,
                               cell.is_cut ? "; truncated" : "");
            if (skips_row) {
                return false;
            }
            cell.value = cell.is_cut ? cell.value : BIND_NULL;
            row->keeps[i] = !cell.is_cut;
        }
        if (!import_source_has(import->source, first + (int)i) && rule->kind != KIND_OURS) {
            row->keeps[i] = true;
        }
        if (cell.value.kind == PARAMETER_NULL && rule->absent == ABSENT_ROW) {
            import_add_finding(import, IMPORT_BROKEN, id, "%s: missing", name);
            return false;
        }
        if (cell.value.kind == PARAMETER_NULL && rule->absent == ABSENT_EMPTY) {
            cell.value = empty_of(rule->kind);
        }
        row->values[i] = cell.value;
        if (cell.value.kind != PARAMETER_NULL) {
            report_kept(import, first + (int)i, row);
        }
    }
    return true;
}

/* ---- permissions ---- */

/* A section holds booleans and, with names that are unknown here, objects. */
static bool clean(struct import *import, struct text id, json_object *object, const char *path, unsigned level)
{
    struct arena *arena = import->context->arena;
    size_t count = 0;
    const char **names = arena_zero(arena, (size_t)json_object_object_length(object) + 1, sizeof *names);
    bool changed = false;
    json_object_object_foreach(object, key, value)
    {
        const char *here = text_format(arena, "%s%s%s", path, level > 0 ? "." : "", key).data;
        bool is_object = json_object_get_type(value) == json_type_object;
        bool may_be_object = level != 1 || permission_find(path, key) == NULL;
        bool may_be_boolean = level > 0 || !permission_is_section(key);
        if (is_object && may_be_object) {
            changed = clean(import, id, value, here, level + 1) || changed;
        } else if (json_object_get_type(value) != json_type_boolean || !may_be_boolean) {
            import_add_finding(import, IMPORT_PARTIAL, id, "permissions: %s is neither true nor false; left out", here);
            names[count++] = text_to_string(arena, text_of(key));
        }
    }
    for (size_t i = 0; i < count; i++) {
        json_object_object_del(object, names[i]);
    }
    return changed || count > 0;
}

bool import_clean_permissions(struct import *import, struct text id, json_object *permissions)
{
    return clean(import, id, permissions, "", 0);
}
