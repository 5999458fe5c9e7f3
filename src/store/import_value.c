/* import_value.c: what stands in a column of the file, and whether it can stand here. The file may hold anything: SQLite
 * looks at neither types nor lengths. */
#include <stdio.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/log.h"
#include "store/import_internal.h"
#include "store/key_store.h"
#include "store/picture_store.h"

enum kind {
    KIND_ID,
    KIND_EMAIL,
    KIND_ROLE,
    KIND_WORD,
    KIND_PROSE,
    KIND_INTEGER,
    KIND_BOOLEAN,
    KIND_DATE,
    KIND_OBJECT,
    KIND_SETTINGS,
    KIND_PERMISSIONS,
    KIND_PICTURE,
    KIND_PASSWORD,
    KIND_KEY,
    KIND_OURS
};

static const struct rule {
    enum kind kind;
    size_t most;
    enum { BAD_ROW, BAD_DROP, BAD_CUT } bad;
    enum { ABSENT_NOTHING, ABSENT_EMPTY, ABSENT_ROW, ABSENT_LATER } absent;
} rules[IMPORT_COLUMN_COUNT] = {
#define IMPORT_COLUMN(table, column, kind, most, bad, absent) {KIND_##kind, most, BAD_##bad, ABSENT_##absent},
#include "tables/imports.def"
};

enum {
    CHARACTERS_MOST = 255,   /* up to here a limit is one of characters */
    JSON_DEPTH_MOST = 64,    /* as in bodies of requests */
    PICTURE_MOST = 16777215, /* MEDIUMBLOB */
    ADDRESS_MOST = 65535,
    KEY_MOST = 4096,
    BCRYPT_LENGTH = 60,
    PACKET_RESERVE = 65536
};

/* A value that is being judged. */
struct look {
    struct import *import;
    const struct rule *rule;
    struct import_row *row;
    struct text text;
    struct parameter value; /* what comes of it; NULL: absent */
    bool is_cut;
};

static struct arena *arena_of(const struct look *look)
{
    return look->import->context->arena;
}

static size_t length_in(const struct rule *rule, struct text text)
{
    return rule->most <= CHARACTERS_MOST ? text_count_characters(text) : text.length;
}

/* The first characters of a text, as many as fit. */
static struct text cut(const struct rule *rule, struct text text)
{
    size_t length = 0;
    uint32_t character;
    for (size_t count = 0; length < text.length; count++) {
        size_t step = text_utf8_step(text.data + length, text.length - length, &character);
        if (rule->most <= CHARACTERS_MOST ? count == rule->most : length + step > rule->most) {
            break;
        }
        length += step;
    }
    return (struct text){text.data, length};
}

static const char *judge_length(struct look *look)
{
    if (length_in(look->rule, look->text) <= look->rule->most) {
        look->value = BIND_TEXT(look->text);
        return NULL;
    }
    if (look->rule->bad == BAD_CUT) {
        look->value = BIND_TEXT(cut(look->rule, look->text));
        look->is_cut = true;
    }
    return text_format(arena_of(look), "longer than %zu %s", look->rule->most,
                       look->rule->most <= CHARACTERS_MOST ? "characters" : "bytes")
        .data;
}

static const char *judge_id(struct look *look)
{
    return look->text.length > 0 ? judge_length(look) : "empty";
}

static bool has_controls(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *judge_email(struct look *look)
{
    look->text = text_to_lower(arena_of(look), text_trim(look->text));
    return has_controls(look->text) ? "holds control characters" : judge_id(look);
}

static const char *judge_role(struct look *look)
{
    look->value = BIND_TEXT(look->text);
    if (text_is(look->text, "admin") || text_is(look->text, "user") || text_is(look->text, "pending")) {
        return NULL;
    }
    return "not admin, user or pending; taken for pending";
}

static const char *judge_date(struct look *look)
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    int length = 0;
    struct text text = look->text;
    char copy[16];
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-' ||
        memchr(text.data, '\0', text.length) != NULL) {
        return "no date";
    }
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    for (size_t i = 0; i < text.length; i++) {
        if (i != 4 && i != 7 && (copy[i] < '0' || copy[i] > '9')) {
            return "no date";
        }
    }
    if (sscanf(copy, "%4u-%2u-%2u%n", &year, &month, &day, &length) != 3 || length != 10 || year < 1 || month < 1 ||
        month > 12 || day < 1 || day > days[month - 1] ||
        (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))) {
        return "no date";
    }
    look->value = BIND_TEXT(text);
    return NULL;
}

/* An object, as it stands; printed anew only where MariaDB would not take it for JSON (half a surrogate pair, which
 * becomes U+FFFD). */
static const char *judge_object(struct look *look)
{
    struct text text = text_trim(look->text);
    struct json_scan scan = json_scan(arena_of(look), text, JSON_DEPTH_MOST);
    if (text_is(text, "null")) {
        return NULL;
    }
    if (scan.verdict == JSON_TOO_DEEP) {
        return "nests deeper than 64";
    }
    if (scan.verdict != JSON_GOOD) {
        return "no JSON";
    }
    text = text_trim(scan.document);
    if (text.data[0] != '{') {
        return "no JSON object";
    }
    if (scan.bad_strings != NULL) {
        text = json_print(arena_of(look), json_parse(arena_of(look), text));
    }
    look->value = BIND_TEXT(text);
    return NULL;
}

/* Wherever settings are shown, they have `ui`. */
static const char *judge_settings(struct look *look)
{
    static const char name[] = "\"ui\"";
    const char *fault = judge_object(look);
    struct text text = look->value.text;
    if (fault != NULL || look->value.kind == PARAMETER_NULL ||
        memmem(text.data, text.length, name, strlen(name)) != NULL) {
        return fault;
    }
    json_object *settings = json_parse(arena_of(look), text);
    json_object_object_add(settings, "ui", json_object_new_object());
    look->value = BIND_TEXT(json_print(arena_of(look), settings));
    return NULL;
}

static const char *judge_permissions(struct look *look)
{
    const char *fault = judge_object(look);
    if (fault != NULL || look->value.kind == PARAMETER_NULL) {
        return fault;
    }
    json_object *permissions = json_parse(arena_of(look), look->value.text);
    if (import_mend_permissions(look->import, look->row->values[0].text, permissions)) {
        look->value = BIND_TEXT(json_print(arena_of(look), permissions));
    }
    return NULL;
}

static const char *judge_picture(struct look *look)
{
    struct text text = look->text;
    if (text.length == 0) {
        return NULL;
    }
    if (!picture_is_data_uri(text)) {
        if (text.length > ADDRESS_MOST || !picture_is_address(text)) {
            return "no address of a picture; the default one takes its place";
        }
        look->value = BIND_TEXT(text);
        return NULL;
    }
    struct picture *picture = arena_zero(arena_of(look), 1, sizeof *picture);
    if (!picture_of_data_uri(arena_of(look), text, picture)) {
        return "no PNG, JPEG, GIF or WebP that can be decoded; the default picture takes its place";
    }
    if (picture->bytes.length > PICTURE_MOST || picture->bytes.length + PACKET_RESERVE > look->import->packet_bytes) {
        return "a picture larger than MariaDB takes; the default one takes its place";
    }
    look->row->picture = picture;
    look->value = BIND_TEXT(picture_store_address(arena_of(look), picture));
    return NULL;
}

static const char *judge_password(struct look *look)
{
    struct text text = look->text;
    bool is_bcrypt = text.length == BCRYPT_LENGTH && (text_starts_with(text, "$2a$") ||
                                                      text_starts_with(text, "$2b$") || text_starts_with(text, "$2y$"));
    if (text.length == 0) {
        return "empty";
    }
    const char *fault = judge_length(look);
    if (fault == NULL && !is_bcrypt && !text_starts_with(text, "$s1$")) {
        import_find(look->import, IMPORT_MENDED, look->row->values[0].text,
                    "password: hashed in a way that can't be verified here; the account needs a new one");
    }
    return fault;
}

/* Only its hash is kept. */
static const char *judge_key(struct look *look)
{
    struct text text = look->text;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return "no key";
        }
    }
    if (text.length == 0 || text.length > KEY_MOST) {
        return "no key";
    }
    look->value = BIND_TEXT(key_store_hash(look->import->context, text));
    look->row->suffix = key_store_suffix(text);
    return NULL;
}

static const char *judge_text(struct look *look)
{
    if (!text_is_utf8(look->text)) {
        return "no UTF-8";
    }
    switch (look->rule->kind) {
    case KIND_ID:
        return judge_id(look);
    case KIND_EMAIL:
        return judge_email(look);
    case KIND_ROLE:
        return judge_role(look);
    case KIND_DATE:
        return judge_date(look);
    case KIND_OBJECT:
        return judge_object(look);
    case KIND_SETTINGS:
        return judge_settings(look);
    case KIND_PERMISSIONS:
        return judge_permissions(look);
    case KIND_PICTURE:
        return judge_picture(look);
    case KIND_PASSWORD:
        return judge_password(look);
    case KIND_KEY:
        return judge_key(look);
    default:
        return judge_length(look);
    }
}

static const char *judge_integer(struct look *look, sqlite3_stmt *statement, int column)
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
            return "no number";
        }
        integer = (int64_t)real;
        break;
    case SQLITE_TEXT:
        if (!text_to_integer(text_trim(look->text), &integer)) {
            return "no number";
        }
        break;
    default:
        return "no number";
    }
    look->value = BIND_INTEGER(integer);
    return NULL;
}

static const char *judge_boolean(struct look *look, sqlite3_stmt *statement, int column)
{
    bool is_text = sqlite3_column_type(statement, column) == SQLITE_TEXT;
    if (is_text && (text_is_ignoring_case(look->text, "true") || text_is_ignoring_case(look->text, "false"))) {
        look->value = BIND_INTEGER(text_is_ignoring_case(look->text, "true"));
        return NULL;
    }
    if (judge_integer(look, statement, column) != NULL) {
        return "neither true nor false";
    }
    look->value.integer = look->value.integer != 0;
    return NULL;
}

/* Copies what SQLite has, since it is gone with the next row. False where there is no memory, or the file is damaged. */
static bool take_text(struct look *look, sqlite3_stmt *statement, int column)
{
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    if (bytes == NULL) {
        return false;
    }
    look->text = text_copy(arena_of(look), (struct text){bytes, (size_t)sqlite3_column_bytes(statement, column)});
    return true;
}

static const char *judge(struct look *look, sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL || look->rule->kind == KIND_OURS) {
        return NULL;
    }
    if (sqlite3_column_type(statement, column) == SQLITE_BLOB) {
        return "no text";
    }
    if (!take_text(look, statement, column)) {
        return "can't be read";
    }
    switch (look->rule->kind) {
    case KIND_INTEGER:
        return judge_integer(look, statement, column);
    case KIND_BOOLEAN:
        return judge_boolean(look, statement, column);
    default:
        return judge_text(look);
    }
}

static struct parameter empty_of(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_BOOLEAN ? BIND_INTEGER(0) : BIND_TEXT(TEXT(""));
}

bool import_read_row(struct import *import, sqlite3_stmt *statement, struct import_row *row)
{
    enum import_column first = import_first_columns[import->table];
    for (size_t i = 0; i < import_column_count(import->table); i++) {
        const struct rule *rule = &rules[first + (int)i];
        const char *name = import_column_names[first + (int)i];
        struct look look = {.import = import, .rule = rule, .row = row, .value = BIND_NULL};
        const char *fault = judge(&look, statement, (int)i);
        struct text id = i > 0 ? row->values[0].text : (struct text){NULL, 0};
        if (fault != NULL) {
            bool leaves = rule->bad == BAD_ROW;
            import_find(import, leaves ? IMPORT_BROKEN : IMPORT_MENDED, id, "%s: %s%s", name, fault,
                        look.is_cut ? "; cut" : "");
            if (leaves) {
                return false;
            }
            look.value = look.is_cut ? look.value : BIND_NULL;
        }
        if (look.value.kind == PARAMETER_NULL && rule->absent == ABSENT_ROW) {
            import_find(import, IMPORT_BROKEN, id, "%s: absent", name);
            return false;
        }
        if (look.value.kind == PARAMETER_NULL && rule->absent == ABSENT_EMPTY) {
            look.value = empty_of(rule->kind);
        }
        row->values[i] = look.value;
    }
    return true;
}

/* ---- permissions ---- */

static bool is_section(const char *name)
{
#define PERMISSION_SECTION(section)    \
    if (strcmp(name, #section) == 0) { \
        return true;                   \
    }
#include "tables/permissions.def"
    return false;
}

static bool is_permission(const char *section_name, const char *name)
{
#define PERMISSION(section, key, absent, fresh)                           \
    if (strcmp(section_name, #section) == 0 && strcmp(name, #key) == 0) { \
        return true;                                                      \
    }
#include "tables/permissions.def"
    return false;
}

/* What stands in a section is a boolean or, under a name that is not known here, an object of its own. */
static bool mend(struct import *import, struct text id, json_object *object, const char *path, unsigned level)
{
    struct arena *arena = import->context->arena;
    size_t count = 0;
    const char **names = arena_zero(arena, (size_t)json_object_object_length(object) + 1, sizeof *names);
    bool mended = false;
    json_object_object_foreach(object, key, value)
    {
        const char *here = text_format(arena, "%s%s%s", path, level > 0 ? "." : "", key).data;
        bool is_object = json_object_get_type(value) == json_type_object;
        bool may_be_object = level != 1 || !is_permission(path, key);
        bool may_be_boolean = level > 0 || !is_section(key);
        if (is_object && may_be_object) {
            mended = mend(import, id, value, here, level + 1) || mended;
        } else if (json_object_get_type(value) != json_type_boolean || !may_be_boolean) {
            import_find(import, IMPORT_MENDED, id, "permissions: %s is neither true nor false; left away", here);
            names[count++] = text_to_string(arena, text_of(key));
        }
    }
    for (size_t i = 0; i < count; i++) {
        json_object_object_del(object, names[i]);
    }
    return mended || count > 0;
}

bool import_mend_permissions(struct import *import, struct text id, json_object *permissions)
{
    return mend(import, id, permissions, "", 0);
}
