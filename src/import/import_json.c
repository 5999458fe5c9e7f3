/* import_json.c: JSON of an import's file. The migration of one release wrapped JSON into a JSON string, again each
 * time
 * that it ran. So strings that hold JSON are decoded repeatedly. */
#include "base/json.h"
#include "base/json_scan.h"
#include "base/json_text.h"
#include "import/import_internal.h"

enum { DEPTH_MAX = 256 /* of json-c */ };

const char *import_decode_json(struct arena *arena, struct text text, struct text *document_r)
{
    switch (json_text_read(arena, text, document_r)) {
    case JSON_ABSENT:
        *document_r = TEXT("null");
        return NULL;
    case JSON_BROKEN:
        text = text_trim(text);
        return text.length > 0 && text.data[0] == '"' ? "not a JSON object" : "not JSON";
    case JSON_WHOLE:
        break;
    }
    struct json_scan scan = json_scan(arena, *document_r, DEPTH_MAX);
    if (scan.verdict == JSON_GOOD && scan.bad_strings != NULL) {
        /* MariaDB does not accept a lone surrogate in JSON: it becomes U+FFFD */
        *document_r = json_print(arena, json_parse(arena, *document_r));
    }
    return scan.verdict == JSON_GOOD || scan.verdict == JSON_TOO_DEEP ? NULL : "not JSON";
}

const char *import_decode_object(struct arena *arena, struct text text, struct text *object_r)
{
    const char *fault = import_decode_json(arena, text, object_r);
    if (fault == NULL && text_is(*object_r, "null")) {
        *object_r = TEXT_NULL;
    } else if (fault == NULL && object_r->data[0] != '{') {
        return "not a JSON object";
    }
    return fault;
}
