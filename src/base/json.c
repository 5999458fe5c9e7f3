#include "base/json.h"

#include "base/arena.h"
#include "base/log.h"

static void drop(void *object)
{
    json_object_put(object);
}

json_object *json_keep(struct arena *arena, json_object *object)
{
    if (object != NULL) {
        arena_cleanup(arena, drop, object);
    }
    return object;
}

struct text json_text(json_object *object)
{
    if (json_object_get_type(object) != json_type_string) {
        return TEXT_NULL;
    }
    return (struct text){json_object_get_string(object), (size_t)json_object_get_string_len(object)};
}

struct text json_print(struct arena *arena, json_object *object)
{
    size_t length = 0;
    const char *text =
        json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    invariant(text != NULL);
    return text_copy(arena, (struct text){text, length});
}

size_t json_tree_bytes(struct text text)
{
    /* json-c allocates 16 members for each object and 32 elements for each array */
    enum { OBJECT_BYTES = 900, LIST_BYTES = 400, VALUE_BYTES = 100 };
    size_t bytes = text.length;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        bytes += byte == '{' ? OBJECT_BYTES : byte == '[' ? LIST_BYTES : byte == ',' || byte == ':' ? VALUE_BYTES : 0;
    }
    return bytes;
}

json_object *json_parse(struct arena *arena, struct text text)
{
    if (text.data == NULL) {
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(256);
    invariant(tokener != NULL);
    json_object *object = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    /* a number, true, null at the top level ends only with the text */
    if (json_tokener_get_error(tokener) == json_tokener_continue) {
        object = json_tokener_parse_ex(tokener, "", 1);
    }
    json_tokener_free(tokener);
    arena_account(arena, json_tree_bytes(text));
    return json_keep(arena, object);
}

bool json_includes(json_object *whole, json_object *part)
{
    if (json_object_get_type(part) != json_type_object || json_object_get_type(whole) != json_type_object) {
        return json_object_equal(whole, part) != 0;
    }
    json_object_object_foreach(part, key, value)
    {
        json_object *present;
        if (!json_object_object_get_ex(whole, key, &present) || !json_includes(present, value)) {
            return false;
        }
    }
    return true;
}
