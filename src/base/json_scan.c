/* json_scan.c: the grammar of RFC 8259, with the error positions of Python's json module. Some are unusual: an invalid
 * \u
 * escape is reported at its u, an unterminated string at its first quote. */
#include "base/json_scan.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hex.h"
#include "base/word.h"

enum { INTEGER_DIGITS_MAX = 300 };

struct scanner {
    struct arena *arena;
    const char *at; /* the next byte */
    const char *end;
    unsigned depth; /* number of open containers */
    unsigned depth_max;
    struct json_scan *scan;
    const char *fault_at;

    /* The position, for bad strings. */
    unsigned value_depth; /* the depth inside the value of a member (2), or inside the outermost value (1) */
    struct text member;
    struct json_bad_string **last_bad;
    struct json_bad_string *newest_bad;
};

static bool scan_value(struct scanner *scanner, long element);

static bool fail(struct scanner *scanner, enum json_verdict verdict, const char *fault_at, const char *reason)
{
    scanner->scan->verdict = verdict;
    scanner->scan->reason = reason;
    scanner->fault_at = fault_at;
    return false;
}

static bool fail_invalid(struct scanner *scanner, const char *fault_at, const char *reason)
{
    return fail(scanner, JSON_INVALID, fault_at, reason);
}

/* True where the next byte is `byte`. Does not consume it. */
static bool sees(const struct scanner *scanner, char byte)
{
    return scanner->at < scanner->end && *scanner->at == byte;
}

static bool sees_digit(const struct scanner *scanner)
{
    return scanner->at < scanner->end && ascii_is_digit(*scanner->at);
}

static bool take(struct scanner *scanner, char byte)
{
    if (!sees(scanner, byte)) {
        return false;
    }
    scanner->at++;
    return true;
}

static void skip_white(struct scanner *scanner)
{
    while (sees(scanner, ' ') || sees(scanner, '\n') || sees(scanner, '\r') || sees(scanner, '\t')) {
        scanner->at++;
    }
}

static size_t take_digits(struct scanner *scanner)
{
    const char *first = scanner->at;

    while (sees_digit(scanner)) {
        scanner->at++;
    }
    return (size_t)(scanner->at - first);
}

static void add_bad_string(struct scanner *scanner, long element, bool nested)
{
    struct json_bad_string *newest = scanner->newest_bad;

    if (newest != NULL && nested && newest->nested && newest->member.data == scanner->member.data) {
        return;
    }
    struct json_bad_string *bad = arena_alloc(scanner->arena, sizeof *bad);
    *bad = (struct json_bad_string){scanner->member, element, nested, NULL};
    *scanner->last_bad = bad;
    scanner->last_bad = &bad->next;
    scanner->newest_bad = bad;
}

/* Four hexadecimal digits at `at`, or -1. */
static long hex_of(const char *at, const char *end)
{
    return hex_number((struct text){at, (size_t)(end - at)}, 4);
}

static bool is_high_surrogate(long unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(long unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Scans an escape from its backslash on. Sets *bad_r where no text column stores its character. */
static bool scan_escape(struct scanner *scanner, const char *quote, bool *bad_r)
{
    const char *backslash = scanner->at;

    scanner->at++;
    if (scanner->at == scanner->end) {
        return fail_invalid(scanner, quote, "this string does not end");
    }
    if (*scanner->at != 'u') {
        if (*scanner->at == '\0' || strchr("\"\\/bfnrt", *scanner->at) == NULL) {
            return fail_invalid(scanner, backslash, "there is no such escape");
        }
        scanner->at++;
        return true;
    }
    long unit = hex_of(scanner->at + 1, scanner->end);
    if (unit < 0 || scanner->end - scanner->at == 5) {
        return fail_invalid(scanner, scanner->at, "four hexadecimal digits and the rest of the string must follow \\u");
    }
    scanner->at += 5;
    if (is_high_surrogate(unit) && scanner->end - scanner->at > 6 && scanner->at[0] == '\\' && scanner->at[1] == 'u') {
        long second = hex_of(scanner->at + 2, scanner->end);
        if (is_low_surrogate(second)) {
            scanner->at += 6;
            return true;
        }
        /* Otherwise the next escape stands alone, or is invalid: it is scanned next. */
    }
    if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit)) {
        *bad_r = true;
    }
    return true;
}

/* Scans a string from its first quote on. *content_r: the text between its quotes. */
static bool scan_string(struct scanner *scanner, struct text *content_r, bool *bad_r)
{
    const char *quote = scanner->at;

    *bad_r = false;
    scanner->at++;
    for (;;) {
        const char *at = scanner->at;

        while ((size_t)(scanner->end - at) >= sizeof(uint64_t) && word_has_json_special(word_load(at)) == 0) {
            at += sizeof(uint64_t);
        }
        while (at < scanner->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) {
            at++;
        }
        scanner->at = at;
        if (at == scanner->end) {
            return fail_invalid(scanner, quote, "this string does not end");
        }
        if (*at == '"') {
            break;
        }
        if (*at != '\\') {
            return fail_invalid(scanner, at, "a control character in a string must be escaped");
        }
        if (!scan_escape(scanner, quote, bad_r)) {
            return false;
        }
    }
    *content_r = (struct text){quote + 1, (size_t)(scanner->at - quote - 1)};
    scanner->at++;
    return true;
}

/* Scans a number. Incomplete fractions and exponents are not part of it: "1.x" is the number 1, then an error. */
static bool scan_number(struct scanner *scanner)
{
    const char *start = scanner->at;

    take(scanner, '-');
    if (!sees_digit(scanner)) {
        return fail_invalid(scanner, start, "a value must stand here");
    }
    size_t digits = 1;
    if (!take(scanner, '0')) {
        digits = take_digits(scanner);
    }

    const char *whole = scanner->at;
    bool is_integer = true;
    if (take(scanner, '.')) {
        if (take_digits(scanner) > 0) {
            is_integer = false;
        } else {
            scanner->at = whole;
        }
    }
    whole = scanner->at;
    if (take(scanner, 'e') || take(scanner, 'E')) {
        if (!take(scanner, '+')) {
            take(scanner, '-');
        }
        if (take_digits(scanner) > 0) {
            is_integer = false;
        } else {
            scanner->at = whole;
        }
    }
    if (is_integer && digits > INTEGER_DIGITS_MAX) {
        return fail(scanner, JSON_INTEGER_TOO_LONG, start, "this integer has more than 300 digits");
    }
    if (is_integer && *start == '-' &&
        (digits > 19 || (digits == 19 && memcmp(start + 1, "9223372036854775808", 19) > 0))) {
        scanner->scan->below_64_bits = true;
    }
    return true;
}

/* Scans the name of a member, and its colon. */
static bool scan_name(struct scanner *scanner)
{
    if (!sees(scanner, '"')) {
        return fail_invalid(scanner, scanner->at, "a name in double quotes must stand here");
    }
    struct text name;
    bool bad;
    if (!scan_string(scanner, &name, &bad)) {
        return false;
    }
    if (scanner->depth < scanner->value_depth) {
        scanner->member = name;
    }
    if (bad) {
        add_bad_string(scanner, -1, true);
    }
    skip_white(scanner);
    if (!take(scanner, ':')) {
        return fail_invalid(scanner, scanner->at, "a colon must stand here");
    }
    skip_white(scanner);
    return true;
}

/* Scans an object or an array from its bracket on. */
static bool scan_container(struct scanner *scanner)
{
    bool is_object = *scanner->at == '{';
    char closing = is_object ? '}' : ']';

    if (scanner->depth >= scanner->depth_max) {
        return fail(scanner, JSON_TOO_DEEP, scanner->at, "this is nested too deep");
    }
    scanner->depth++;
    scanner->at++;
    skip_white(scanner);
    if (!sees(scanner, closing)) {
        for (long element = 0;; element++) {
            if (is_object && !scan_name(scanner)) {
                return false;
            }
            if (!scan_value(scanner, is_object ? -1 : element)) {
                return false;
            }
            skip_white(scanner);
            if (sees(scanner, closing)) {
                break;
            }
            if (!take(scanner, ',')) {
                return fail_invalid(scanner, scanner->at, "a comma or the closing bracket must stand here");
            }
            skip_white(scanner);
        }
    }
    scanner->at++;
    scanner->depth--;
    return true;
}

static bool take_word(struct scanner *scanner, struct text word)
{
    if (!text_starts_with((struct text){scanner->at, (size_t)(scanner->end - scanner->at)}, word.data)) {
        return false;
    }
    scanner->at += word.length;
    return true;
}

/* Scans a value. `element`: its index in an array, or -1. */
static bool scan_value(struct scanner *scanner, long element)
{
    if (sees(scanner, '"')) {
        struct text content;
        bool bad;
        if (!scan_string(scanner, &content, &bad)) {
            return false;
        }
        if (bad) {
            bool nested =
                scanner->depth > scanner->value_depth || (scanner->depth == scanner->value_depth && element < 0);
            add_bad_string(scanner, nested ? -1 : element, nested);
        }
        return true;
    }
    if (sees(scanner, '{') || sees(scanner, '[')) {
        return scan_container(scanner);
    }
    if (take_word(scanner, TEXT("null")) || take_word(scanner, TEXT("true")) || take_word(scanner, TEXT("false"))) {
        return true;
    }
    return scan_number(scanner);
}

struct json_scan json_scan(struct arena *arena, struct text body, unsigned depth_max)
{
    struct json_scan scan = {.verdict = JSON_GOOD, .document = body};
    struct scanner scanner = {.arena = arena, .depth_max = depth_max, .scan = &scan, .last_bad = &scan.bad_strings};

    if (body.data == NULL) {
        scan.document = TEXT("");
    }
    if (!text_is_utf8(body)) {
        scan.verdict = JSON_NOT_UTF8;
        scan.reason = "the body is no UTF-8";
        return scan;
    }
    if (text_starts_with(body, "\xEF\xBB\xBF")) {
        scan.document.data += 3;
        scan.document.length -= 3;
    }
    const char *start = scan.document.data;
    scanner.at = start;
    scanner.end = start + scan.document.length;
    skip_white(&scanner);
    scanner.value_depth = sees(&scanner, '{') ? 2 : 1;
    if (scan_value(&scanner, -1)) {
        skip_white(&scanner);
        if (scanner.at < scanner.end) {
            fail_invalid(&scanner, scanner.at, "nothing may stand behind the value");
        }
    }
    if (scan.verdict != JSON_GOOD) {
        scan.bad_strings = NULL;
        scan.offset = text_count_characters((struct text){start, (size_t)(scanner.fault_at - start)});
    }
    return scan;
}
