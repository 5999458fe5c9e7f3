#include "store/rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define USER_COLUMN(name, sql, type, place) {#name, sql, COLUMN_##type, COLUMN_##place},
const struct column_row user_columns[USER_COLUMNS] = {
#include "tables/columns.def"
};

#define INFO_ROW_INFO(name, sql, type) {#name, sql, COLUMN_##type, COLUMN_INFO},
#define INFO_ROW_OPEN(name, sql, type)
#define INFO_ROW_PRIVATE(name, sql, type)
#define USER_COLUMN(name, sql, type, place) INFO_ROW_##place(name, sql, type)
const struct column_row user_info_columns[USER_INFO_COLUMNS] = {
#include "tables/columns.def"
};

#define GROUP_COLUMN(name, sql, type) {#name, sql, COLUMN_##type, COLUMN_OPEN},
const struct column_row group_columns[GROUP_COLUMNS] = {
#include "tables/columns.def"
};

#define OAUTH_SESSION_COLUMN(name, sql, type) {#name, sql, COLUMN_##type, COLUMN_OPEN},
const struct column_row oauth_session_columns[OAUTH_SESSION_COLUMNS] = {
#include "tables/columns.def"
};

#define SESSION_COLUMN(name, sql, type) {#name, sql, COLUMN_##type, COLUMN_OPEN},
const struct column_row session_columns[SESSION_COLUMNS] = {
#include "tables/columns.def"
};

/* The lists that were made, by the table that they are of. */
static struct {
    const struct column_row *columns;
    char *list;
} lists[8];

const char *rows_list(const struct column_row *columns, size_t count)
{
    size_t slot = 0;
    while (lists[slot].columns != NULL && lists[slot].columns != columns) {
        slot++;
        invariant(slot < sizeof lists / sizeof lists[0]);
    }
    if (lists[slot].columns == NULL) {
        size_t size = 1;
        for (size_t i = 0; i < count; i++) {
            size += strlen(columns[i].sql) + 2;
        }
        char *list = malloc(size);
        invariant(list != NULL);
        char *end = list;
        *end = '\0';
        for (size_t i = 0; i < count; i++) {
            end += sprintf(end, "%s%s", i > 0 ? ", " : "", columns[i].sql);
        }
        lists[slot].columns = columns;
        lists[slot].list = list;
    }
    return lists[slot].list;
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
