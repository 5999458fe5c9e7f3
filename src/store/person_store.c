/* person_store.c: see person_store.h. */
#include "store/person_store.h"

#include <string.h>

#include "base/array.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "base/picture.h"
#include "base/problem.h"
#include "store/audit_store.h"
#include "store/picture_store.h"
#include "store/rows.h"
#include "store/user_store.h"

enum kind { KIND_TEXT, KIND_INTEGER, KIND_JSON };

static const struct {
    const char *name, *sql, *condition;
} tables[PERSON_TABLES] = {
#define PERSON_TABLE(name, sql, condition) [PERSON_##name] = {#name, sql, condition},
#include "tables/persons.def"
};

static const struct {
    enum person_table table;
    const char *name;
    enum kind kind;
} columns[] = {
#define PERSON_COLUMN(table, name, kind) {PERSON_##table, #name, KIND_##kind},
#include "tables/persons.def"
};

const char *person_store_name(enum person_table table)
{
    return tables[table].name;
}

static struct text statement_of(struct context *context, enum person_table table)
{
    struct buffer sql;
    const char *separator = "SELECT ";
    buffer_init(&sql, context->arena);
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        if (columns[i].table == table) {
            buffer_add_format(&sql, "%sx.`%s`", separator, columns[i].name);
            separator = ", ";
        }
    }
    buffer_add_format(&sql, " FROM `%s` x WHERE %s", tables[table].sql, tables[table].condition);
    return buffer_text(&sql);
}

enum outcome person_store_each(struct context *context, enum person_table table, struct text user_id,
                               enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                               void *argument)
{
    const struct parameter ids[] = {BIND_TEXT(user_id), BIND_TEXT(user_id)};
    const bool is_twice = strchr(tables[table].condition, '?') != strrchr(tables[table].condition, '?');
    return database_stream(context, statement_of(context, table).data, ids, is_twice ? 2 : 1, each, argument);
}

static void put_json(struct json_writer *json, struct arena *arena, struct text stored)
{
    struct text text;
    switch (json_text_read(arena, stored, &text)) {
    case JSON_WHOLE:
        json_add_raw(json, text);
        break;
    case JSON_ABSENT:
        json_add_null(json);
        break;
    case JSON_BROKEN: /* what is held is exported, whatever it is */
        json_add_text(json, stored);
        break;
    }
}

void person_store_put(struct json_writer *json, struct arena *arena, enum person_table table, const struct value *row)
{
    json_begin_object(json);
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        if (columns[i].table != table) {
            continue;
        }
        json_add_name_string(json, columns[i].name);
        if (row->is_null) {
            json_add_null(json);
        } else if (columns[i].kind == KIND_INTEGER) {
            json_add_integer(json, row->integer);
        } else if (columns[i].kind == KIND_JSON) {
            put_json(json, arena, row->text);
        } else {
            json_add_text(json, row->text);
        }
        row++;
    }
    json_end_object(json);
}

static enum outcome put_picture(struct context *context, struct text address, struct json_writer *json)
{
    enum picture_type type;
    struct text hash, bytes;
    if (address.data == NULL || !picture_store_parse_address(address, &hash, &type)) {
        return OK; /* stored elsewhere, or in the row itself */
    }
    const struct problem problem = context->problem;
    enum outcome outcome = picture_store_read(context, hash, &type, &bytes);
    if (outcome == PROBLEM) {
        context->problem = problem;
        return OK;
    }
    if (outcome == OK) {
        char *encoded = arena_alloc(context->arena, bytes.length / 3 * 4 + 5);
        base64_encode(BASE64_PADDED, (const unsigned char *)bytes.data, bytes.length, encoded);
        json_begin_object(json);
        json_member_text(json, "address", address);
        json_member_string(json, "type", picture_media_type(type));
        json_member_string(json, "data", encoded);
        json_end_object(json);
    }
    return outcome;
}

enum outcome person_store_put_pictures(struct context *context, struct text user_id, struct json_writer *json)
{
    const struct value *row;
    enum outcome outcome = database_get_row(context,
                                            "SELECT LEFT(profile_image_url, 255), LEFT(profile_banner_image_url, 255) "
                                            "FROM user WHERE id = ?",
                                            PARAMETERS(BIND_TEXT(user_id)), &row, ERROR_USER_NOT_FOUND);
    for (size_t i = 0; outcome == OK && i < 2; i++) {
        outcome = put_picture(context, row[i].text, json);
    }
    return outcome;
}

enum outcome person_store_note_export(struct context *context, struct text user_id)
{
    int64_t last_active_at;
    enum outcome outcome = user_store_last_active(context, user_id, &last_active_at);
    if (outcome == OK && last_active_at < 0) {
        return problem_set(context, ERROR_USER_NOT_FOUND);
    }
    return outcome == OK ? audit_store_write(context, &(struct audit_note){AUDIT_user_export, .subject_id = user_id})
                         : outcome;
}
