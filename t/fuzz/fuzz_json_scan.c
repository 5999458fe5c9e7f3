/* fuzz_json_scan.c: JSON that comes in, and goes out.
 *
 * What the scan lets pass json-c must be able to parse, and what it refuses it must refuse at a place that exists. Any
 * bytes that go out as a JSON string must pass the scan. */
#include <json-c/json.h>

#include "base/json_scan.h"
#include "base/json_writer.h"
#include "fuzz.h"

enum { DEPTH_MAX = 64 };

static bool json_c_parses(struct text document)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX + 1);
    struct json_object *object;
    enum json_tokener_error error;

    require(tokener != NULL);
    json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, document.data, (int)document.length);
    error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A number or a word at the very end: only its NUL says that it is over. */
        json_object_put(object);
        object = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    json_object_put(object);
    json_tokener_free(tokener);
    return error == json_tokener_success;
}

static void fuzz_input(struct arena *arena, struct text body)
{
    struct json_scan scan = json_scan(arena, body, DEPTH_MAX);
    struct json_writer json;

    require((scan.verdict == JSON_GOOD) == (scan.reason == NULL));
    require((scan.verdict != JSON_NOT_UTF8) == text_is_utf8(body));
    if (scan.verdict == JSON_GOOD) {
        require(json_c_parses(scan.document));
    } else {
        require(scan.bad_strings == NULL);
    }
    if (scan.verdict != JSON_NOT_UTF8) {
        require(scan.offset <= text_count_characters(scan.document));
    }
    for (const struct json_bad_string *bad = scan.bad_strings; bad != NULL; bad = bad->next) {
        require(bad->element < 0 || !bad->nested);
    }

    json_start(&json, arena);
    json_add_text(&json, body);
    require(json_scan(arena, json_finish(&json), 0).verdict == JSON_GOOD);
}
