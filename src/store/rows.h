/* rows.h: columns.def as C: the order of the columns in a row, and the lists for SELECT. */
#ifndef ROSTER_STORE_ROWS_H
#define ROSTER_STORE_ROWS_H

#include "store/database.h"

enum user_column {
#define USER_COLUMN(name, sql, type, place) USER_##name,
#include "tables/columns.def"
    USER_COLUMNS
};

enum group_column {
#define GROUP_COLUMN(name, sql, type) GROUP_##name,
#include "tables/columns.def"
    GROUP_COLUMNS
};

enum oauth_session_column {
#define OAUTH_SESSION_COLUMN(name, sql, type) OAUTH_SESSION_##name,
#include "tables/columns.def"
    OAUTH_SESSION_COLUMNS
};

enum session_column {
#define SESSION_COLUMN(name, sql, type) SESSION_##name,
#include "tables/columns.def"
    SESSION_COLUMNS
};

/* The columns of UserInfo, in the order of their rows. */
enum user_info_column {
#define USER_INFO_PLACE_INFO(name) USER_INFO_##name,
#define USER_INFO_PLACE_OPEN(name)
#define USER_INFO_PLACE_PRIVATE(name)
#define USER_COLUMN(name, sql, type, place) USER_INFO_PLACE_##place(name)
#include "tables/columns.def"
    USER_INFO_COLUMNS
};

enum column_type { COLUMN_TEXT, COLUMN_INTEGER, COLUMN_JSON, COLUMN_DATE };
enum column_place { COLUMN_INFO, COLUMN_OPEN, COLUMN_PRIVATE };

struct column_row {
    const char *name;
    const char *sql;
    enum column_type type;
    enum column_place place;
};

extern const struct column_row user_columns[USER_COLUMNS];
extern const struct column_row user_info_columns[USER_INFO_COLUMNS];
extern const struct column_row group_columns[GROUP_COLUMNS];
extern const struct column_row oauth_session_columns[OAUTH_SESSION_COLUMNS];
extern const struct column_row session_columns[SESSION_COLUMNS];

/* "u.id, u.email, …" for SELECT; made once per process, never freed. */
const char *rows_list(const struct column_row *columns, size_t count);
#define rows_list_of(columns) rows_list((columns), sizeof(columns) / sizeof((columns)[0]))

/* A statement's text, made by printf at its first use and kept for the life of the process in *kept. Only for what is the same each time: lists of columns. */
const char *rows_statement(const char **kept, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
