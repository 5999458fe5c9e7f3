/* json_scan.h: one pass over a JSON text (RFC 8259) before a library parses it.
 *
 * It accepts what Python's json module accepts, less NaN and Infinity, and finds the same error at the same offset, since existing
 * clients are told the offset (api.md, 'Errors'). json-c alone would let single quotes, control characters and overlong UTF-8 pass, and would
 * saturate large integers in silence. */
#ifndef ROSTER_BASE_JSON_SCAN_H
#define ROSTER_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;

enum json_verdict {
    JSON_GOOD,
    JSON_NOT_UTF8,        /* anywhere in the body: looked at first */
    JSON_TOO_DEEP,        /* nested deeper than depth_most */
    JSON_INTEGER_TOO_LONG, /* an integer of more than 300 digits */
    JSON_INVALID          /* no JSON: `offset` and `reason` say where and why */
};

/* A string with a lone surrogate (\ud800) or a NUL (\u0000); both are legal JSON that no text column takes. It lies, at any depth, in the value
 * of a member of the outermost object, or is the name of one, or lies in an outermost value that is no object. One entry stands for all
 * nested ones in a row. Where a name is repeated, the last value counts; the scan does not look at that. */
struct json_bad_string {
    struct text member;   /* the member's name as it stands between its quotes, escapes not resolved; null where the outermost value is no object */
    long element;         /* index where the value is a list and the string an element of it, else -1 */
    bool nested;          /* the string lies deeper than the value itself or its elements, or is a name: one in the value, or `member` */
    struct json_bad_string *next;
};

struct json_scan {
    enum json_verdict verdict;
    size_t offset;        /* of the fault, in characters (not bytes), behind a byte order mark; 0 for JSON_NOT_UTF8 */
    const char *reason;   /* static, our words; NULL for JSON_GOOD */
    struct text document; /* the text without a byte order mark */
    struct json_bad_string *bad_strings; /* in order; in the arena; NULL unless JSON_GOOD */
    bool below_64_bits;   /* an integer below -2^63 stands somewhere: json-c reads it as -2^63 */
};

/* Scans `body`. Never fails otherwise; recursion is bounded by depth_most (the outermost container has depth 1). */
struct json_scan json_scan(struct arena *arena, struct text body, unsigned depth_most);

#endif
