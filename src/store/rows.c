#include "store/rows.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/picture.h"

enum { NEVER = false, MAYBE = true };

#define ROW(name, type, place, null, since, text) \
    {#name, JSON_NAME(#name), COLUMN_##type, COLUMN_##place, null, COMPATIBILITY_##since, text},

const struct column_row user_columns[USER_COLUMNS] = {
#define USER_COLUMN(name, type, place, null, since, text) ROW(name, type, place, null, since, text)
#include "tables/columns.def"
};

/* What stands for a column in UserInfo: `of_info', or `of_card' where it came into it later. */
#define IF_INFO(of_info, of_card) of_info
#define IF_CARD(of_info, of_card) of_card
#define IF_OPEN(of_info, of_card)
#define IF_PRIVATE(of_info, of_card)

const struct column_row user_info_columns[USER_INFO_COLUMNS] = {
#define USER_COLUMN(name, type, place, null, since, text) \
    IF_##place(ROW(name, type, place, null, since, text), ROW(name, type, place, null, 0_12, text))
#include "tables/columns.def"
};

const struct column_row group_columns[GROUP_COLUMNS] = {
#define GROUP_COLUMN(name, type, null, since, text) ROW(name, type, OPEN, null, since, text)
#include "tables/columns.def"
};

const struct column_row oauth_session_columns[OAUTH_SESSION_COLUMNS] = {
#define OAUTH_SESSION_COLUMN(name, type, null, text) ROW(name, type, OPEN, null, 0_6, text)
#include "tables/columns.def"
};

const struct column_row session_columns[SESSION_COLUMNS] = {
#define SESSION_COLUMN(name, type, null, text) ROW(name, type, OPEN, null, 0_6, text)
#include "tables/columns.def"
};

/* The expression that reads a column, by its type. */
#define READ_TEXT(column) column
#define READ_ROLE(column) column
#define READ_INTEGER(column) column
#define READ_DATE(column) column
#define READ_JSON(column) column
#define READ_DOCUMENT(column) "IF(LENGTH(" column ") > 16384, '', " column ")"
#define READ_ADDRESS(column, too_long)                                                                          \
    "CASE WHEN LOWER(LEFT(" column ", 5)) = 'data:' THEN 'data:' WHEN LENGTH(" column ") > 2048 THEN " too_long \
    " ELSE " column " END"
#define READ_PICTURE(column) READ_ADDRESS(column, "'/user.png'")
#define READ_BANNER(column) READ_ADDRESS(column, "NULL")
_Static_assert(PICTURE_ADDRESS_MAX == 2048, "READ_ADDRESS leaves out texts longer than the longest valid address");

/* The same for one row. So many characters have at least as many bytes: what is too long stays too long. */
enum { DOCUMENT_MAX = 16384 };
#define BEGIN_TEXT(column) column
#define BEGIN_ROLE(column) column
#define BEGIN_INTEGER(column) column
#define BEGIN_DATE(column) column
#define BEGIN_DOCUMENT(column) "LEFT(" column ", 16385)"
#define BEGIN_PICTURE(column) "LEFT(" column ", 2049)"
#define BEGIN_BANNER(column) BEGIN_PICTURE(column)

/* The lists. Each column has a comma before it. */

static const char user_list[] =
#define USER_COLUMN(name, type, place, null, since, text) ", " READ_##type("u." #name)
#include "tables/columns.def"
    ;

static const char one_user_list[] =
#define USER_COLUMN(name, type, place, null, since, text) ", " BEGIN_##type("u." #name)
#include "tables/columns.def"
    ;

static const char caller_list[] =
#define USER_COLUMN(name, type, place, null, since, text) ", " BEGIN_##type("c." #name)
#include "tables/columns.def"
    ;

static const char user_info_list[] =
#define USER_COLUMN(name, type, place, null, since, text) IF_##place(", " READ_##type("u." #name), ", NULL")
#include "tables/columns.def"
    ", NULL";

/* No id or name of a group can make this too long for MariaDB: see database_connection.c. */
#define GROUPS_OF_USER                                                                                     \
    "(SELECT JSON_ARRAYAGG(JSON_OBJECT('id', xg.id, 'name', xg.name) ORDER BY xg.updated_at DESC, xg.id) " \
    "FROM group_member xm JOIN `group` xg ON xg.id = xm.group_id WHERE xm.user_id = u.id)"

static const char user_card_list[] =
#define USER_COLUMN(name, type, place, null, since, text) \
    IF_##place(", " READ_##type("u." #name), ", " READ_##type("u." #name))
#include "tables/columns.def"
    ", " GROUPS_OF_USER;

static const char group_list[] =
#define GROUP_COLUMN(name, type, null, since, text) ", " READ_##type("g." #name)
#include "tables/columns.def"
    ;

static const char oauth_session_list[] =
#define OAUTH_SESSION_COLUMN(name, type, null, text) ", " READ_##type("o." #name)
#include "tables/columns.def"
    ;

static const char session_list[] =
#define SESSION_COLUMN(name, type, null, text) ", " READ_##type("s." #name)
#include "tables/columns.def"
    ;

static const char key_list[] =
#define KEY_COLUMN(name, type) ", " READ_##type("k." #name)
#include "tables/columns.def"
    ;

enum { COMMA_LENGTH = 2 };
const char *const rows_of_user = user_list + COMMA_LENGTH;
const char *const rows_of_one_user = one_user_list + COMMA_LENGTH;
const char *const rows_of_caller = caller_list + COMMA_LENGTH;
const char *const rows_of_portrait = "u.id, u.name, " BEGIN_PICTURE("u.profile_image_url");
const char *const rows_of_group = group_list + COMMA_LENGTH;
const char *const rows_of_oauth_session = oauth_session_list + COMMA_LENGTH;
const char *const rows_of_session = session_list + COMMA_LENGTH;
const char *const rows_of_key = key_list + COMMA_LENGTH;

const char *rows_of_user_info(enum compatibility compatibility)
{
    return (compatibility >= COMPATIBILITY_0_12 ? user_card_list : user_info_list) + COMMA_LENGTH;
}

const char *rows_statement(const char **kept, const char *format, ...)
{
    if (*kept == NULL) {
        va_list arguments;
        va_start(arguments, format);
        char *text = NULL;
        int length = vasprintf(&text, format, arguments);
        va_end(arguments);
        invariant(length >= 0);
        *kept = text;
    }
    return *kept;
}

/* ---- rows that were read in part ---- */

static void finish_address(struct value *value, struct value too_long)
{
    if (value->text.length >= 5 && text_is_ignoring_case((struct text){value->text.data, 5}, "data:")) {
        value->text = TEXT("data:");
    } else if (value->text.length > PICTURE_ADDRESS_MAX) {
        *value = too_long;
    }
}

static void finish_picture(struct value *value)
{
    finish_address(value, (struct value){.text = TEXT("/user.png")});
}

void rows_finish_user(struct value *row)
{
    for (unsigned i = 0; i < USER_COLUMNS; i++) {
        struct value *value = &row[i];
        if (user_columns[i].type == COLUMN_DOCUMENT && value->text.length > DOCUMENT_MAX) {
            value->text = TEXT("");
        } else if (user_columns[i].type == COLUMN_PICTURE) {
            finish_picture(value);
        } else if (user_columns[i].type == COLUMN_BANNER) {
            finish_address(value, (struct value){.is_null = true});
        }
    }
}

void rows_finish_portrait(struct value *row)
{
    finish_picture(&row[PORTRAIT_picture]);
}
