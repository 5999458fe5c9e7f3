#include "worker/serialise.h"

void serialise_key(struct buffer *buffer, const char *key, bool first)
{
    if (!first) {
        buffer_add_byte(buffer, ',');
    }
    buffer_add_byte(buffer, '"');
    buffer_add_string(buffer, key);
    buffer_add_literal(buffer, "\":");
}

void serialise_text_member(struct buffer *buffer, const char *key, struct text text, bool first)
{
    serialise_key(buffer, key, first);
    buffer_add_json(buffer, text);
}

void serialise_integer_member(struct buffer *buffer, const char *key, int64_t integer, bool first)
{
    serialise_key(buffer, key, first);
    buffer_add_integer(buffer, integer);
}

static void serialise_column(struct buffer *buffer, const struct column_row *column, const struct value *value, bool first)
{
    serialise_key(buffer, column->name, first);
    if (value->is_null) {
        buffer_add_literal(buffer, "null");
    } else if (column->type == COLUMN_INTEGER) {
        buffer_add_integer(buffer, value->integer);
    } else if (column->type == COLUMN_JSON) {
        buffer_add_text(buffer, value->text);
    } else {
        buffer_add_json(buffer, value->text);
    }
}

static void serialise_columns(struct buffer *buffer, const struct column_row *columns, size_t count, const struct value *row)
{
    for (size_t i = 0; i < count; i++) {
        serialise_column(buffer, &columns[i], &row[i], i == 0);
    }
}

void serialise_user_members(struct buffer *buffer, const struct value *user, bool show_private)
{
    static const struct value null_value = {{NULL, 0}, 0, true};
    for (size_t i = 0; i < USER_COLUMNS; i++) {
        bool hidden = user_columns[i].place == COLUMN_PRIVATE && !show_private;
        serialise_column(buffer, &user_columns[i], hidden ? &null_value : &user[i], i == 0);
    }
}

void serialise_user(struct buffer *buffer, const struct value *user, bool show_private)
{
    buffer_add_byte(buffer, '{');
    serialise_user_members(buffer, user, show_private);
    buffer_add_byte(buffer, '}');
}

void serialise_user_info(struct buffer *buffer, const struct value *info)
{
    buffer_add_byte(buffer, '{');
    serialise_columns(buffer, user_info_columns, USER_INFO_COLUMNS, info);
    buffer_add_byte(buffer, '}');
}

void serialise_group_members(struct buffer *buffer, const struct value *group)
{
    serialise_columns(buffer, group_columns, GROUP_COLUMNS, group);
}

void serialise_groups(struct buffer *buffer, const struct result *groups)
{
    buffer_add_byte(buffer, '[');
    for (size_t i = 0; i < groups->row_count; i++) {
        buffer_add_string(buffer, i > 0 ? ",{" : "{");
        serialise_group_members(buffer, result_row(groups, i));
        buffer_add_byte(buffer, '}');
    }
    buffer_add_byte(buffer, ']');
}

void serialise_oauth_session(struct buffer *buffer, const struct value *session)
{
    buffer_add_byte(buffer, '{');
    serialise_columns(buffer, oauth_session_columns, OAUTH_SESSION_COLUMNS, session);
    buffer_add_byte(buffer, '}');
}

void serialise_session(struct buffer *buffer, const struct value *session, struct text present_jti)
{
    buffer_add_byte(buffer, '{');
    serialise_columns(buffer, session_columns, SESSION_COLUMNS, session);
    buffer_add_string(buffer, text_equal(session[SESSION_jti].text, present_jti) ? ",\"current\":true}" : ",\"current\":false}");
}
