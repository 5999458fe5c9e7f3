#include "worker/serialise.h"

#include "base/array.h"
#include "base/json_text.h"
#include "base/log.h"
#include "config/compatibility.h"
#include "store/session_limit.h"
#include "store/user_store.h"
#include "worker/shape.h"

void serialise_document(struct json_writer *json, const char *table, const char *column, struct text id,
                        struct text stored)
{
    struct text document;
    switch (json_text_read(json->buffer->arena, stored, &document)) {
    case JSON_WHOLE:
        json_add_raw(json, document);
        return;
    case JSON_BROKEN:
        log_error(NULL, "%s.%s of %.*s is invalid JSON and is shown as null; fix the row", table, column,
                  (int)id.length, id.data);
        break;
    case JSON_ABSENT:
        break;
    }
    json_add_null(json);
}

void serialise_integer(struct json_writer *json, const struct value *value)
{
    if (value->is_null) {
        json_add_null(json);
    } else {
        json_add_integer(json, value->integer);
    }
}

/* `table` and `id` are for the log. */
static void serialise_column(struct json_writer *json, const char *table, struct text id,
                             const struct column_row *column, const struct value *value)
{
    json_add_name(json, column->member);
    if (value->is_null) {
        json_add_null(json);
    } else if (column->type == COLUMN_INTEGER) {
        json_add_integer(json, value->integer);
    } else if (column->type == COLUMN_JSON || column->type == COLUMN_DOCUMENT) {
        serialise_document(json, table, column->name, id, value->text);
    } else {
        json_add_text(json, value->text);
    }
}

/* The first column must be the id. */
static void serialise_columns(struct json_writer *json, const char *table, const struct column_row *columns,
                              size_t count, const struct value *row)
{
    for (size_t i = 0; i < count; i++) {
        serialise_column(json, table, row[0].text, &columns[i], &row[i]);
    }
}

/* The same of those columns that the configuration's compatibility shows. */
static void serialise_shown(const struct context *context, struct json_writer *json, const char *table,
                            const struct column_row *columns, size_t count, const struct value *row)
{
    for (size_t i = 0; i < count; i++) {
        if (config_has(context->config, columns[i].since)) {
            serialise_column(json, table, row[0].text, &columns[i], &row[i]);
        }
    }
}

void serialise_user_column(struct json_writer *json, const struct value *user, enum user_column column)
{
    serialise_column(json, "user", user[USER_id].text, &user_columns[column], &user[column]);
}

void serialise_user_members(const struct context *context, struct json_writer *json, const struct value *user,
                            bool show_private)
{
    for (enum user_column i = 0; i < USER_COLUMNS; i++) {
        if (!config_has(context->config, user_columns[i].since)) {
            continue;
        }
        if (user_columns[i].place == COLUMN_PRIVATE && !show_private) {
            json_add_name(json, user_columns[i].member);
            json_add_null(json);
        } else {
            serialise_user_column(json, user, i);
        }
    }
}

bool serialise_is_active(const struct context *context, int64_t last_active_at)
{
    return last_active_at >= context->now_seconds - USER_ACTIVE_SECONDS;
}

/* What is no column of UserInfo. */
static void serialise_info_rest(const struct context *context, struct json_writer *json, const struct value *info)
{
    const struct value *groups = &info[USER_INFO_groups];
    json_member_raw(json, "groups", groups->is_null ? TEXT("[]") : groups->text);
    json_member_boolean(json, "is_active", serialise_is_active(context, info[USER_INFO_last_active_at].integer));
}

void serialise_info_card(const struct context *context, struct json_writer *json, const struct value *info)
{
    serialise_columns(json, "user", user_info_columns, USER_INFO_COLUMNS, info);
    serialise_info_rest(context, json, info);
}

void serialise_user_info(const struct context *context, struct json_writer *json, const struct value *info)
{
    json_begin_object(json);
    serialise_shown(context, json, "user", user_info_columns, USER_INFO_COLUMNS, info);
    if (config_has(context->config, (enum compatibility)SINCE_UserInfo_groups)) {
        serialise_info_rest(context, json, info);
    }
    json_end_object(json);
}

void serialise_card_members(struct json_writer *json, const struct value *user)
{
    for (enum user_column i = 0; i < USER_COLUMNS; i++) {
        if (user_columns[i].place == COLUMN_INFO || user_columns[i].place == COLUMN_CARD) {
            serialise_user_column(json, user, i);
        }
    }
}

void serialise_group_members(const struct context *context, struct json_writer *json, const struct value *group)
{
    serialise_shown(context, json, "group", group_columns, GROUP_COLUMNS, group);
}

void serialise_group(const struct context *context, struct json_writer *json, const struct value *group)
{
    json_begin_object(json);
    serialise_group_members(context, json, group);
    json_end_object(json);
}

void serialise_group_names(struct json_writer *json, const struct result *groups)
{
    json_begin_array(json);
    for (size_t i = 0; i < groups->row_count; i++) {
        const struct value *group = result_row(groups, i);
        json_begin_object(json);
        json_member_text(json, "id", group[0].text);
        json_member_text(json, "name", group[1].text);
        json_end_object(json);
    }
    json_end_array(json);
}

void serialise_no_resources(struct json_writer *json)
{
    static const char *const kinds[] = {"models", "knowledge", "tools"};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        json_add_name_string(json, kinds[i]);
        json_begin_object(json);
        json_member_array(json, "items");
        json_end_array(json);
        json_member_integer(json, "total", 0);
        json_end_object(json);
    }
}

void serialise_oauth_session(struct json_writer *json, const struct value *session)
{
    json_begin_object(json);
    serialise_columns(json, "oauth_session", oauth_session_columns, OAUTH_SESSION_COLUMNS, session);
    json_end_object(json);
}

void serialise_session_members(const struct context *context, struct json_writer *json, const struct value *session,
                               struct text present_jti)
{
    const int64_t idle_at = session_limit_idle_end(context, session[SESSION_last_seen_at].integer);
    serialise_columns(json, "session", session_columns, SESSION_COLUMNS, session);
    json_name(json, "idle_at");
    if (idle_at < 0) {
        json_add_null(json);
    } else {
        json_add_integer(json, idle_at);
    }
    json_member_boolean(json, "current", text_equal(session[SESSION_jti].text, present_jti));
}

void serialise_session(const struct context *context, struct json_writer *json, const struct value *session,
                       struct text present_jti)
{
    json_begin_object(json);
    serialise_session_members(context, json, session, present_jti);
    json_end_object(json);
}
