/* rows.h: columns.def as C: the order of the columns in a row, and the lists for SELECT. */
#ifndef ROSTER_STORE_ROWS_H
#define ROSTER_STORE_ROWS_H

#include "base/enums.h"
#include "base/json_writer.h"
#include "store/database.h"

enum user_column {
#define USER_COLUMN(name, type, place, null, since, text) USER_##name,
#include "tables/columns.def"
    USER_COLUMNS
};

/* The columns of UserInfo, in the order of their rows, and one more: the groups as JSON, or NULL where compatibility
 * has no such member. */
enum user_info_column {
#define USER_INFO_PLACE_INFO(name) USER_INFO_##name,
#define USER_INFO_PLACE_CARD(name) USER_INFO_##name,
#define USER_INFO_PLACE_OPEN(name)
#define USER_INFO_PLACE_PRIVATE(name)
#define USER_COLUMN(name, type, place, null, since, text) USER_INFO_PLACE_##place(name)
#include "tables/columns.def"
    USER_INFO_COLUMNS,
    USER_INFO_groups = USER_INFO_COLUMNS
};

enum group_column {
#define GROUP_COLUMN(name, type, null, since, text) GROUP_##name,
#include "tables/columns.def"
    GROUP_COLUMNS
};

enum oauth_session_column {
#define OAUTH_SESSION_COLUMN(name, type, null, text) OAUTH_SESSION_##name,
#include "tables/columns.def"
    OAUTH_SESSION_COLUMNS
};

enum session_column {
#define SESSION_COLUMN(name, type, null, text) SESSION_##name,
#include "tables/columns.def"
    SESSION_COLUMNS
};

enum key_column {
#define KEY_COLUMN(name, type) KEY_##name,
#include "tables/columns.def"
};

enum column_type {
    COLUMN_TEXT,
    COLUMN_ROLE,
    COLUMN_INTEGER,
    COLUMN_DATE,
    COLUMN_JSON,
    COLUMN_DOCUMENT,
    COLUMN_PICTURE,
    COLUMN_BANNER
};
enum column_place { COLUMN_INFO, COLUMN_CARD, COLUMN_OPEN, COLUMN_PRIVATE };

struct column_row {
    const char *name;
    struct json_name member; /* the name in JSON */
    enum column_type type;
    enum column_place place;
    bool may_be_null;
    enum compatibility since; /* of user_info_columns: when it came into UserInfo */
    const char *text;         /* description, for the manual */
};

extern const struct column_row user_columns[USER_COLUMNS];
extern const struct column_row user_info_columns[USER_INFO_COLUMNS];
extern const struct column_row group_columns[GROUP_COLUMNS];
extern const struct column_row oauth_session_columns[OAUTH_SESSION_COLUMNS];
extern const struct column_row session_columns[SESSION_COLUMNS];

/* Columns of a SELECT, in the order of the enumerators: "u.id, u.email, ...". Aliases of the tables: u (user), g
 * (group), o (oauth_session), s (session) and k (api_key). */
extern const char *const rows_of_user;
extern const char *const rows_of_group;
extern const char *const rows_of_oauth_session;
extern const char *const rows_of_session;
extern const char *const rows_of_key;

/* Those of UserInfo. What a value of compatibility does not show is not read: it is NULL. */
const char *rows_of_user_info(enum compatibility compatibility);

/* The same for one row, as `u` and as `c`: cheaper for the server, since only the beginning of what may be long is
 * read, and rows_finish_user makes of it what columns.def says. */
extern const char *const rows_of_one_user;
extern const char *const rows_of_caller;
void rows_finish_user(struct value *row);

/* Who a user is, and the picture. */
enum portrait_column { PORTRAIT_id, PORTRAIT_name, PORTRAIT_picture, PORTRAIT_COLUMNS };
extern const char *const rows_of_portrait;
void rows_finish_portrait(struct value *row);

/* For an UPDATE of `user` that changes neither name, email nor created_at: nobody has to read the row again for them
 * (directory_feed.h). */
#define USER_NAMES_KEPT "changed_at = changed_at"

/* Formats the text of a statement at its first use, and keeps it in *kept until the process exits.
 * Only for arguments that never change: lists and names of columns. */
const char *rows_statement(const char **kept, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
