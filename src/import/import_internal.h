/* import_internal.h: what the files of the import share. */
#ifndef ROSTER_IMPORT_IMPORT_INTERNAL_H
#define ROSTER_IMPORT_IMPORT_INTERNAL_H

#include <json.h>

#include "base/picture.h"
#include "import/import.h"
#include "import/import_index.h"
#include "store/database.h"

enum import_fate { FATE_NEW, FATE_CHANGED, FATE_UNCHANGED, FATE_LEFT_OUT };

enum { IMPORT_KEYS = 3 };

/* A row that is being imported. */
struct import_row {
    struct parameter *values; /* of the table's columns */
    bool *keeps;              /* of each column: the file has no valid value, the row here keeps its own */
    const struct picture *picture, *banner; /* to be stored with the row, or NULL */
    struct text suffix;                     /* of a key */
    const struct value *here;               /* the row here, with the same columns; NULL: there is none */
    const struct value *more;               /* the additional columns of the query, see import_table_row */
    enum import_fate fate;
};

struct import {
    struct context *context; /* with the arena of the batch */
    struct import_source *source;
    const struct import_options *options;
    struct import_report *report;
    size_t packet_bytes; /* max_allowed_packet of MariaDB */

    struct arena *index_arena;         /* of one attempt of the transaction */
    struct import_index users, groups; /* of the file, by id; name: for the report; note of a user: the email address */
    struct import_index emails;        /* of imported users, by weight string; the note is the user's id */
    struct import_index pictures;      /* already stored, by hash */

    struct arena *table_arena; /* of one table */
    enum import_table table;
    struct import_index ids, others; /* of the rows that were read */
};

/* Adds a finding about a row of the current table. `id` is that of the row. */
void import_add_finding(struct import *import, enum import_finding_kind kind, struct text id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The name of the current row for the report: of a user or a group, from its columns; of other tables null.
 * In the arena of the context. */
struct text import_row_name(struct import *import, sqlite3_stmt *statement);

/* The name of the user or group that a row belongs to, for the report, by its id. Null where it is unknown. */
struct text import_owner_name(const struct import *import, const struct import_row *row);

/* Sets the name in the findings from the index `first` on. */
void import_name_findings(struct import *import, size_t first, struct text name);

/* Adds a finding about each row of the current table that has a value in an unknown column.
 * False where SQLite fails. */
bool import_report_unmapped(struct import *import);

/* Reads and checks the columns of a row.
 * False where the row is left out; a finding is added. */
bool import_read_row(struct import *import, sqlite3_stmt *statement, struct import_row *row);

/* Decodes JSON that may be nested in JSON strings.
 * Returns NULL, with the JSON in *document_r, or the reason why it is not JSON (static). */
const char *import_decode_json(struct arena *arena, struct text text, struct text *document_r);

/* The same for an object. *object_r becomes the null text for JSON's null. */
const char *import_decode_object(struct arena *arena, struct text text, struct text *object_r);

/* Removes values that are neither true nor false from an object of permissions, and adds findings.
 * `id` is that of the row.
 * True where a value was removed. */
bool import_clean_permissions(struct import *import, struct text id, json_object *permissions);

/* The rules of a table. */
struct import_table_row {
    /* The keys of a row, and the SQL condition that finds the row here (t) by them (j.a, j.b and j.c). */
    void (*keys)(const struct import_row *row, struct text keys_r[IMPORT_KEYS]);
    const char *match;
    const char *more, *joins; /* additional columns and tables of the query, or "" */
    /* Fills in columns that are not in the file, after the row was read.
     * False where the row is left out; a finding is added. */
    bool (*complete)(struct import *import, sqlite3_stmt *statement, struct import_row *row);
    /* Compares the row with the one here, after each query: NEW, CHANGED or UNCHANGED. */
    enum import_fate (*compare)(struct import *import, struct import_row *row);
    /* Checks a new or changed row for conflicts with other rows, once. May be NULL.
     * False where there is a conflict; a finding is added. */
    bool (*admit)(struct import *import, struct import_row *row);
    /* Notes the result, when the fate of the row is known. May be NULL. */
    void (*settle)(struct import *import, const struct import_row *row);
    /* Notes that a row is left out because only its id could be read. May be NULL. */
    void (*drop)(struct import *import, struct text id);
};
extern const struct import_table_row import_tables[IMPORT_TABLE_COUNT];

/* Reads the settings of the file, converted to the names and types of Roster. Adds findings about invalid ones.
 * *moment_r: time of the last change, as `YYYY-MM-DD HH:MM:SS`. Null, or in another form, where it is unknown.
 * BROKEN: they can't be read; a finding is added.
 * FAILED: SQLite failed. */
enum import_reading { IMPORT_READING_DONE, IMPORT_READING_BROKEN, IMPORT_READING_FAILED };
enum import_reading import_read_settings(struct import *import, json_object **document_r, struct text *moment_r);

/* Imports the settings. */
enum outcome import_config(struct import *import);

#endif
