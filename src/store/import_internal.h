/* import_internal.h: what the files of the import share. */
#ifndef ROSTER_STORE_IMPORT_INTERNAL_H
#define ROSTER_STORE_IMPORT_INTERNAL_H

#include <json.h>

#include "base/picture.h"
#include "store/database.h"
#include "store/import.h"
#include "store/import_index.h"

enum import_fate { FATE_NEW, FATE_CHANGED, FATE_UNCHANGED, FATE_LEFT_OUT };

enum { IMPORT_KEYS = 3 };

/* A row on its way. */
struct import_row {
    struct parameter *values;      /* of the table's columns */
    const struct picture *picture; /* to be stored with it, or NULL */
    struct text suffix;            /* of a key */
    const struct value *here;      /* the row here, in the same order; NULL: there is none */
    const struct value *more;      /* what else the look-up gave; see the tables */
    enum import_fate fate;
};

struct import {
    struct context *context; /* its arena is that of the batch */
    struct import_source *source;
    bool dry_run;
    struct import_report *report;
    size_t packet_bytes; /* what MariaDB takes at once */

    struct arena *index_arena;         /* of one attempt */
    struct import_index users, groups; /* of the file, by id; a user's note is the email address that the account has */
    struct import_index emails;        /* of users who come, by their weights; the note is the id */
    struct import_index pictures;      /* that are stored already, by hash */

    struct arena *table_arena; /* of one table */
    enum import_table table;
    struct import_index ids, others; /* of the rows so far */
};

/* Adds a finding about a row of the table under way. */
void import_find(struct import *import, enum import_finding_kind kind, struct text id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads a row's columns and judges each: false where the row is left out (the finding is made). */
bool import_read_row(struct import *import, sqlite3_stmt *statement, struct import_row *row);

/* Takes out of an object of permissions what is neither true nor false. True where something was; `id` is that of the row. */
bool import_mend_permissions(struct import *import, struct text id, json_object *permissions);

/* What is particular to a table. */
struct import_table_row {
    /* What the look-up asks for, and how it finds the row here (t) by j.a, j.b and j.c. */
    void (*keys)(const struct import_row *row, struct text keys_r[IMPORT_KEYS]);
    const char *match;
    const char *more, *joins; /* further columns and tables; or "" */
    /* A row that was read: fills what is not in the file. False where it is left out (the finding is made). */
    bool (*complete)(struct import *import, sqlite3_stmt *statement, struct import_row *row);
    /* After each look-up: NEW, CHANGED or UNCHANGED. */
    enum import_fate (*compare)(struct import *import, struct import_row *row);
    /* Once, for those that are new or changed: false where another row is in the way (the finding is made). May be NULL. */
    bool (*admit)(struct import *import, struct import_row *row);
    /* Once its fate is known. May be NULL. */
    void (*settle)(struct import *import, const struct import_row *row);
    /* A row that could not be read but for its id. May be NULL. */
    void (*lose)(struct import *import, struct text id);
};
extern const struct import_table_row import_tables[IMPORT_TABLE_COUNT];

/* The settings. */
enum outcome import_config(struct import *import);

#endif
