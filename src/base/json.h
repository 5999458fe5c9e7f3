/* json.h: json-c with an arena: the arena frees the objects at the end of the request. */
#ifndef ROSTER_BASE_JSON_H
#define ROSTER_BASE_JSON_H

#include <json.h>
#include <stdbool.h>

#include "base/text.h"

struct arena;

/* Releases the reference to `object` at the next reset of the arena. Returns `object`. NULL is allowed. */
json_object *json_keep(struct arena *arena, json_object *object);

/* The text of a JSON string, owned by the object. The null text where it is not a string. */
struct text json_text(json_object *object);

/* `object` as JSON, without white space and unnecessary escapes, in the arena. */
struct text json_print(struct arena *arena, json_object *object);

/* An estimate of the bytes that json-c allocates to parse a text. An empty object takes several hundred times the bytes
 * of its text. */
size_t json_tree_bytes(struct text text);

/* Whether all of `part` is in `whole`: of objects each member, all else is equal. */
bool json_includes(json_object *whole, json_object *part);

/* Parses stored JSON. The arena owns the object.
 * NULL where the text is not valid JSON, or is null. */
json_object *json_parse(struct arena *arena, struct text text);

#endif
