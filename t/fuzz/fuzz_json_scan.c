/* fuzz_json_scan.c: a harness for libFuzzer. Build it with -fsanitize=fuzzer,address,undefined, or with replay.c.
 *
 * What the scan lets pass json-c must be able to parse, and what it refuses it must refuse at a place that exists. Any
 * bytes that go out as a JSON string must pass the scan. */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/json_writer.h"

enum { DEPTH_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct text body = {(const char *)data, size};
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
    arena_free(arena);
    return 0;
}
