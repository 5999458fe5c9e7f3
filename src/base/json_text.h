/* json_text.h: stored JSON as text (RFC 8259). JSON of a column is sent and merged without parsing it to objects: its
 * depth is not limited, and its numbers stay as they were written.
 *
 * Invalid JSON is not the same as no JSON: code that changes a column must refuse to change invalid JSON. */
#ifndef ROSTER_BASE_JSON_TEXT_H
#define ROSTER_BASE_JSON_TEXT_H

#include <json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

enum json_state {
    JSON_ABSENT, /* SQL's NULL, or JSON's null */
    JSON_WHOLE,
    JSON_BROKEN /* not JSON */
};

/* Checks a stored document of any depth.
 * *json_r: its text. Where the document is a JSON string that holds JSON, the decoded JSON. */
enum json_state json_text_read(struct arena *arena, struct text stored, struct text *json_r);

/* Like json_text_read, but parses the document with json-c. The arena owns the object.
 * JSON_BROKEN also where the document is nested deeper than 256.
 * *object_r: NULL unless JSON_WHOLE. */
enum json_state json_text_parse(struct arena *arena, struct text stored, json_object **object_r);

/* The content of a valid JSON string with its quotes. Without escapes it is a part of `quoted`, else in the arena. */
struct text json_text_string(struct arena *arena, struct text quoted);

/* One member of an object. */
struct json_member {
    struct text name;   /* decoded */
    struct text quoted; /* the name with its quotes and escapes */
    struct text value;
};

struct json_members {
    struct json_member *items; /* in the arena; in order, with repeated names */
    size_t count;
};

/* The members of the outermost object of a valid JSON text. False where it is not an object. */
bool json_text_members(struct arena *arena, struct text json, struct json_members *members_r);

/* An object with the members of `stored`, replaced and extended by those of `changes`.
 * Each name occurs once, with its last value.
 * Unchanged values keep their bytes. */
struct text json_text_merge(struct arena *arena, const struct json_members *stored, const struct json_members *changes);

/* A member for json_text_merge. `name` must not need escapes. */
struct json_member json_text_member(struct arena *arena, const char *name, struct text value);

/* The same JSON without white space. */
struct text json_text_compact(struct arena *arena, struct text json);

/* Prints `after`, which was parsed from the JSON `before` and then changed.
 * Unchanged values are written as in `before`: json-c alone would lose integers of more than 64 bits. */
struct text json_text_rewrite(struct arena *arena, struct text before, json_object *after);

#endif
