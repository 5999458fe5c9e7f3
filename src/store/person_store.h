/* person_store.h: everything that is held about a person: tables/persons.def. */
#ifndef ROSTER_STORE_PERSON_STORE_H
#define ROSTER_STORE_PERSON_STORE_H

#include "base/json_writer.h"
#include "store/database.h"

enum person_table {
#define PERSON_TABLE(name, sql, condition) PERSON_##name,
#include "tables/persons.def"
    PERSON_TABLES
};

/* The name of its member in an export. */
const char *person_store_name(enum person_table table);

/* The rows of a person in a table: see database_stream. */
enum outcome person_store_each(struct context *context, enum person_table table, struct text user_id,
                               enum outcome (*each)(struct context *context, const struct value *row, void *argument),
                               void *argument);

/* Adds such a row as an object. */
void person_store_put(struct json_writer *json, struct arena *arena, enum person_table table, const struct value *row);

/* The pictures that the account has, as it is stored: {"address": …, "type": "image/png", "data": base64}. Adds the
 * ones that there are to a list. PROBLEM USER_NOT_FOUND. */
enum outcome person_store_put_pictures(struct context *context, struct text user_id, struct json_writer *json);

/* Notes that a person was exported. It is written before the first row goes out. */
enum outcome person_store_note_export(struct context *context, struct text user_id);

#endif
