/* import_report.c: the findings of an import, and the names in them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "import/import_internal.h"

enum { NAME_BYTES_MAX = 254 };

void import_add_finding(struct import *import, enum import_finding_kind kind, struct text id, const char *format, ...)
{
    struct import_report *report = import->report;
    va_list arguments;
    char *text;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    invariant(length >= 0);
    if (report->finding_count == report->finding_capacity) {
        size_t size = sizeof *report->findings;
        size_t capacity = report->finding_capacity == 0 ? 64 : 2 * report->finding_capacity;
        report->findings =
            arena_grow(report->arena, report->findings, report->finding_capacity * size, capacity * size);
        report->finding_capacity = capacity;
    }
    report->findings[report->finding_count++] = (struct import_finding){
        .kind = kind,
        .table = import->table,
        .id = id.data != NULL ? text_copy(report->arena, id) : id,
        .text = text_copy(report->arena, (struct text){text, (size_t)length}),
    };
    report->kind_counts[kind]++;
    free(text);
}

void import_report_free(struct import_report *report)
{
    arena_free(report->arena);
    *report = (struct import_report){.arena = NULL};
}

/* A value for the report: of a long one the start; the null text where it is not text. */
static struct text shown(struct import *import, sqlite3_stmt *statement, int column)
{
    struct text text = TEXT_NULL;
    const char *bytes = (const char *)sqlite3_column_text(statement, column);
    if (bytes == NULL) {
        return text;
    }
    text = text_trim((struct text){bytes, (size_t)sqlite3_column_bytes(statement, column)});
    size_t length = 0;
    while (length < text.length && length < NAME_BYTES_MAX) {
        uint32_t character;
        size_t step = text_utf8_step(text.data + length, text.length - length, &character);
        if (step == 0) {
            break;
        }
        length += step;
    }
    return length > 0 ? text_copy(import->context->arena, (struct text){text.data, length}) : TEXT_NULL;
}

struct text import_row_name(struct import *import, sqlite3_stmt *statement)
{
    struct arena *arena = import->context->arena;
    if (import->table == IMPORT_group) {
        return shown(import, statement, IMPORT_AT(group, name));
    }
    if (import->table != IMPORT_user) {
        return TEXT_NULL;
    }
    struct text name = shown(import, statement, IMPORT_AT(user, name));
    struct text email = shown(import, statement, IMPORT_AT(user, email));
    if (name.data == NULL || email.data == NULL) {
        return name.data == NULL ? email : name;
    }
    return text_format(arena, "%.*s <%.*s>", (int)name.length, name.data, (int)email.length, email.data);
}

struct text import_owner_name(const struct import *import, const struct import_row *row)
{
    static const struct {
        enum import_table table;
        int column;
    } owners[] = {
        {IMPORT_user, IMPORT_AT(user, id)},
        {IMPORT_auth, IMPORT_AT(auth, id)},
        {IMPORT_group, IMPORT_AT(group, id)},
        {IMPORT_group_member, IMPORT_AT(group_member, user_id)},
        {IMPORT_api_key, IMPORT_AT(api_key, user_id)},
        {IMPORT_oauth_session, IMPORT_AT(oauth_session, user_id)},
        {IMPORT_chat, IMPORT_AT(chat, user_id)},
    };
    for (size_t i = 0; i < ARRAY_COUNT(owners); i++) {
        struct text id = row->values[owners[i].column].text;
        if (owners[i].table == import->table && id.data != NULL) {
            const struct import_entry *entry =
                import_index_find(import->table == IMPORT_group ? &import->groups : &import->users, id);
            return entry != NULL ? entry->name : TEXT_NULL;
        }
    }
    return TEXT_NULL;
}

void import_name_findings(struct import *import, size_t first, struct text name)
{
    struct import_report *report = import->report;
    for (size_t i = first; name.data != NULL && i < report->finding_count; i++) {
        report->findings[i].name = text_copy(report->arena, name);
    }
}

bool import_report_unmapped(struct import *import)
{
    sqlite3_stmt *statement = import_source_read_unmapped(import->source, import->table);
    int step = SQLITE_ERROR;
    while (statement != NULL && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        size_t first = import->report->finding_count;
        struct text column = shown(import, statement, 0);
        struct text id = shown(import, statement, 1);
        struct text owner = import->table == IMPORT_group ? id : shown(import, statement, 2);
        const struct import_entry *entry =
            owner.data == NULL
                ? NULL
                : import_index_find(import->table == IMPORT_group ? &import->groups : &import->users, owner);
        if (entry != NULL && entry->present) {
            import_add_finding(import, IMPORT_PARTIAL, id, "%.*s: has no place here; left in the file",
                               (int)column.length, column.data != NULL ? column.data : "");
            import_name_findings(import, first, entry->name);
        }
        arena_reset(import->context->arena);
    }
    sqlite3_finalize(statement);
    return step == SQLITE_DONE;
}
