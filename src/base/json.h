/* json.h: json-c with an arena: what the parser makes dies with the request. */
#ifndef ROSTER_BASE_JSON_H
#define ROSTER_BASE_JSON_H

#include <json.h>

#include "base/text.h"

struct arena;

/* Has the reference to `object` dropped with the arena's next reset; gives the same object. NULL is allowed. */
json_object *json_keep(struct arena *arena, json_object *object);

/* The text of a JSON string, owned by the object. The null text where it is no string. */
struct text json_text(json_object *object);

/* `object` as JSON, without white space and needless escapes, copied into the arena. */
struct text json_print(struct arena *arena, json_object *object);

/* About how many bytes json-c takes for the tree of a JSON text, before it is parsed: an empty object takes several hundred times its text. */
size_t json_tree_bytes(struct text text);

/* Parses JSON that was stored, so is known to be good; NULL where it is not, or is null. Kept in the arena. */
json_object *json_parse(struct arena *arena, struct text text);

/* A JSON list of texts, for a parameter of JSON_TABLE. */
struct text json_list_of_texts(struct arena *arena, const struct text *texts, size_t count);

#endif
