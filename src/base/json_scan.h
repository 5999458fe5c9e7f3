/* json_scan.h: checks a JSON text (RFC 8259) before json-c parses it.
 *
 * It accepts the same texts as Python's json module, except NaN and Infinity.
 * It reports the same error at the same offset: clients get the offset (roster-api(7), Faults of validation).
 * json-c alone accepts single quotes, control characters and overlong UTF-8, and silently saturates large integers. */
#ifndef ROSTER_BASE_JSON_SCAN_H
#define ROSTER_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

enum json_verdict {
    JSON_GOOD,
    JSON_NOT_UTF8,         /* anywhere in the body; checked first */
    JSON_TOO_DEEP,         /* nested deeper than depth_max */
    JSON_INTEGER_TOO_LONG, /* an integer of more than 300 digits */
    JSON_INVALID           /* not JSON: `offset` and `reason` say where and why */
};

/* A string with a lone surrogate (\ud800) or a NUL (\u0000). Both are valid JSON, but no text column stores them.
 * The string is in the value of a member of the outermost object (at any depth), or is the name of a member, or is in
 * an outermost value that is not an object.
 * One entry represents a series of nested strings.
 * The scan ignores repeated names. For the parser the last value of a name counts. */
struct json_bad_string {
    /* the name of the member between its quotes, with its escapes; null where the outermost value is not an object */
    struct text member;
    long element; /* the index of the string, if the value is an array that holds it; else -1 */
    /* the string is deeper than the value and its elements, or it is a name: in the value, or `member` itself */
    bool nested;
    struct json_bad_string *next;
};

struct json_scan {
    enum json_verdict verdict;
    size_t offset;                       /* of the error, in characters after a byte order mark; 0 for JSON_NOT_UTF8 */
    const char *reason;                  /* static; NULL for JSON_GOOD */
    struct text document;                /* the text without a byte order mark */
    struct json_bad_string *bad_strings; /* in order; in the arena; NULL unless JSON_GOOD */
    bool below_64_bits;                  /* the text has an integer below -2^63: json-c parses it as -2^63 */
};

/* Checks `body`. The verdict is in the result.
 * depth_max limits the recursion. The outermost container has depth 1. */
struct json_scan json_scan(struct arena *arena, struct text body, unsigned depth_max);

#endif
