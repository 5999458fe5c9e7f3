/* json_text.c: a second parser beside json_scan.c. json_scan reports the position of an error, and limits the depth.
 * This
 * one has no recursion, so stored JSON of any depth passes, and reports only valid or invalid. */
#include "base/json_text.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buffer.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/word.h"

/* The maximum number of JSON strings around JSON. */
enum { WRAPPINGS_MAX = 8 };

struct cursor {
    const char *at, *end;
};

static inline bool sees(const struct cursor *cursor, char byte)
{
    return cursor->at < cursor->end && *cursor->at == byte;
}

static inline bool take(struct cursor *cursor, char byte)
{
    bool there = sees(cursor, byte);
    cursor->at += there;
    return there;
}

static inline bool is_white(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline void skip_white(struct cursor *cursor)
{
    while (cursor->at < cursor->end && is_white(*cursor->at)) {
        cursor->at++;
    }
}

static bool skip_digits(struct cursor *cursor)
{
    const char *first = cursor->at;
    while (cursor->at < cursor->end && ascii_is_digit(*cursor->at)) {
        cursor->at++;
    }
    return cursor->at > first;
}

static bool skip_number(struct cursor *cursor)
{
    take(cursor, '-');
    if (!take(cursor, '0') && !skip_digits(cursor)) {
        return false;
    }
    if (take(cursor, '.') && !skip_digits(cursor)) {
        return false;
    }
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+')) {
            take(cursor, '-');
        }
        return skip_digits(cursor);
    }
    return true;
}

/* Four hexadecimal digits, or -1. */
static long hexadecimal(const struct cursor *cursor)
{
    return hex_number((struct text){cursor->at, (size_t)(cursor->end - cursor->at)}, 4);
}

static bool is_plain(char byte)
{
    return (unsigned char)byte >= 0x20 && byte != '"' && byte != '\\';
}

/* Skips bytes of a string that are neither its end nor an escape nor a control character. */
static void skip_plain(struct cursor *cursor)
{
    while ((size_t)(cursor->end - cursor->at) >= sizeof(uint64_t)) {
        const uint64_t word = word_load(cursor->at);
        if (word_has_json_special(word) != 0) {
            break;
        }
        cursor->at += sizeof word;
    }
    while (cursor->at < cursor->end && is_plain(*cursor->at)) {
        cursor->at++;
    }
}

static bool skip_escape(struct cursor *cursor)
{
    if (!take(cursor, '\\') || cursor->at == cursor->end || *cursor->at == '\0' ||
        strchr("\"\\/bfnrtu", *cursor->at) == NULL) {
        return false;
    }
    if (*cursor->at++ == 'u') {
        if (hexadecimal(cursor) < 0) {
            return false;
        }
        cursor->at += 4;
    }
    return true;
}

static bool skip_string(struct cursor *cursor)
{
    if (!take(cursor, '"')) {
        return false;
    }
    skip_plain(cursor);
    while (!sees(cursor, '"')) {
        if (!skip_escape(cursor)) {
            return false;
        }
        skip_plain(cursor);
    }
    return take(cursor, '"');
}

static bool skip_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

/* Skips a name and its colon. */
static bool skip_name(struct cursor *cursor)
{
    skip_white(cursor);
    if (!skip_string(cursor)) {
        return false;
    }
    skip_white(cursor);
    return take(cursor, ':');
}

static bool skip_scalar(struct cursor *cursor)
{
    if (sees(cursor, '"')) {
        return skip_string(cursor);
    }
    return skip_word(cursor, "null") || skip_word(cursor, "true") || skip_word(cursor, "false") || skip_number(cursor);
}

/* After a value: closes the containers that end here. False where the next byte is invalid.
 * *more_r: another value of an open container follows. */
static bool close_containers(struct cursor *cursor, struct buffer *open, bool *more_r)
{
    *more_r = false;
    while (open->length > 0) {
        char closing = open->data[open->length - 1];
        skip_white(cursor);
        if (take(cursor, closing)) {
            open->length--;
            continue;
        }
        *more_r = true;
        return take(cursor, ',') && (closing == ']' || skip_name(cursor));
    }
    return true;
}

/* Skips a value with its content. `open` holds the closing brackets of open containers; it is empty before and after.
 * */
static bool skip_value(struct cursor *cursor, struct buffer *open)
{
    bool more = true;
    while (more) {
        skip_white(cursor);
        if (sees(cursor, '{') || sees(cursor, '[')) {
            char closing = *cursor->at++ == '{' ? '}' : ']';
            skip_white(cursor);
            if (!take(cursor, closing)) {
                buffer_add_byte(open, closing);
                if (closing == '}' && !skip_name(cursor)) {
                    return false;
                }
                continue;
            }
        } else if (!skip_scalar(cursor)) {
            return false;
        }
        if (!close_containers(cursor, open, &more)) {
            return false;
        }
    }
    return true;
}

/* Decodes an escape after `\u`. A lone surrogate becomes U+FFFD. */
static void add_escaped(struct buffer *buffer, struct cursor *cursor)
{
    long unit = hexadecimal(cursor);
    cursor->at += 4;
    if (unit >= 0xD800 && unit <= 0xDBFF && cursor->end - cursor->at >= 6 && cursor->at[0] == '\\' &&
        cursor->at[1] == 'u') {
        struct cursor behind = {cursor->at + 2, cursor->end};
        long second = hexadecimal(&behind);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            cursor->at += 6;
            buffer_add_character(buffer, (uint32_t)(0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00)));
            return;
        }
    }
    buffer_add_character(buffer, unit >= 0xD800 && unit <= 0xDFFF ? 0xFFFD : (uint32_t)unit);
}

struct text json_text_string(struct arena *arena, struct text quoted)
{
    static const char escapes[] = "bfnrt", controls[] = "\b\f\n\r\t";
    struct text inner = {quoted.data + 1, quoted.length - 2};
    if (memchr(inner.data, '\\', inner.length) == NULL) {
        return inner;
    }
    struct cursor cursor = {inner.data, inner.data + inner.length};
    struct buffer buffer;
    buffer_init(&buffer, arena);
    while (cursor.at < cursor.end) {
        char byte = *cursor.at++;
        if (byte != '\\') {
            buffer_add_byte(&buffer, byte);
            continue;
        }
        byte = *cursor.at++;
        const char *escape = strchr(escapes, byte);
        if (byte == 'u') {
            add_escaped(&buffer, &cursor);
        } else {
            buffer_add_byte(&buffer, escape != NULL ? controls[escape - escapes] : byte);
        }
    }
    return buffer_text(&buffer);
}

enum json_state json_text_read(struct arena *arena, struct text stored, struct text *json_r)
{
    *json_r = TEXT_NULL;
    if (stored.data == NULL) {
        return JSON_ABSENT;
    }
    for (int wrapping = 0; wrapping <= WRAPPINGS_MAX; wrapping++) {
        struct cursor cursor = {stored.data, stored.data + stored.length};
        skip_white(&cursor);
        struct text text = {cursor.at, 0};
        struct buffer open;
        buffer_init(&open, arena);
        if (!text_is_utf8(stored) || !skip_value(&cursor, &open)) {
            return JSON_BROKEN;
        }
        text.length = (size_t)(cursor.at - text.data);
        skip_white(&cursor);
        if (cursor.at != cursor.end) {
            return JSON_BROKEN;
        }
        if (text_is(text, "null")) {
            return JSON_ABSENT;
        }
        if (text.data[0] != '"') {
            *json_r = text;
            return JSON_WHOLE;
        }
        stored = json_text_string(arena, text);
    }
    return JSON_BROKEN;
}

enum json_state json_text_parse(struct arena *arena, struct text stored, json_object **object_r)
{
    struct text json;
    enum json_state state = json_text_read(arena, stored, &json);
    *object_r = state == JSON_WHOLE ? json_parse(arena, json) : NULL;
    return state == JSON_WHOLE && *object_r == NULL ? JSON_BROKEN : state;
}

bool json_text_members(struct arena *arena, struct text json, struct json_members *members_r)
{
    struct cursor cursor = {json.data, json.data + json.length};
    *members_r = (struct json_members){NULL, 0};
    skip_white(&cursor);
    if (!take(&cursor, '{')) {
        return false;
    }
    struct buffer open;
    buffer_init(&open, arena);
    skip_white(&cursor);
    size_t capacity = 0;
    while (!sees(&cursor, '}')) {
        struct json_member member;
        skip_white(&cursor);
        member.quoted.data = cursor.at;
        if (!skip_string(&cursor)) {
            return false;
        }
        member.quoted.length = (size_t)(cursor.at - member.quoted.data);
        member.name = json_text_string(arena, member.quoted);
        skip_white(&cursor);
        take(&cursor, ':');
        skip_white(&cursor);
        member.value.data = cursor.at;
        if (!skip_value(&cursor, &open)) {
            return false;
        }
        member.value.length = (size_t)(cursor.at - member.value.data);
        if (members_r->count == capacity) {
            size_t wanted = capacity == 0 ? 8 : 2 * capacity;
            members_r->items = arena_grow(arena, members_r->items, capacity * sizeof member, wanted * sizeof member);
            capacity = wanted;
        }
        members_r->items[members_r->count++] = member;
        skip_white(&cursor);
        if (!take(&cursor, ',')) {
            break;
        }
    }
    return sees(&cursor, '}');
}

/* ---- merging ---- */

/* A member of one of the merged objects. Sorted by name and place, so that repeated names are adjacent. */
struct candidate {
    const struct json_member *member;
    size_t place;
};

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *one = left, *other = right;
    int order = text_compare(one->member->name, other->member->name);
    return order != 0 ? order : (one->place > other->place) - (one->place < other->place);
}

/* The value for each place. The null text where the name occurs at an earlier place. */
static struct text *choose_values(struct arena *arena, struct candidate *candidates, size_t count)
{
    struct text *values = arena_zero(arena, count, sizeof *values);
    qsort(candidates, count, sizeof *candidates, compare_candidates);
    for (size_t i = 0; i < count;) {
        size_t last = i;
        while (last + 1 < count && text_equal(candidates[last + 1].member->name, candidates[i].member->name)) {
            last++;
        }
        values[candidates[i].place] = candidates[last].member->value;
        i = last + 1;
    }
    return values;
}

struct text json_text_merge(struct arena *arena, const struct json_members *stored, const struct json_members *changes)
{
    size_t count = stored->count + changes->count;
    struct candidate *candidates = arena_zero(arena, count, sizeof *candidates);
    const struct json_member **members = arena_zero(arena, count, sizeof *members);
    for (size_t i = 0; i < count; i++) {
        members[i] = i < stored->count ? &stored->items[i] : &changes->items[i - stored->count];
        candidates[i] = (struct candidate){members[i], i};
    }
    const struct text *values = choose_values(arena, candidates, count);
    struct json_writer merged;
    json_start(&merged, arena);
    json_begin_object(&merged);
    for (size_t i = 0; i < count; i++) {
        if (values[i].data != NULL) {
            json_add_name_raw(&merged, members[i]->quoted);
            json_add_raw(&merged, values[i]);
        }
    }
    json_end_object(&merged);
    return json_finish(&merged);
}

struct json_member json_text_member(struct arena *arena, const char *name, struct text value)
{
    return (struct json_member){text_of(name), text_format(arena, "\"%s\"", name), value};
}

struct text json_text_compact(struct arena *arena, struct text json)
{
    char *bytes = arena_alloc(arena, json.length + 1);
    size_t length = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.length; i++) {
        char byte = json.data[i];
        if (!in_string && is_white(byte)) {
            continue;
        }
        bytes[length++] = byte;
        if (in_string && byte == '\\') {
            bytes[length++] = json.data[++i];
        } else if (byte == '"') {
            in_string = !in_string;
        }
    }
    bytes[length] = '\0';
    return (struct text){bytes, length};
}

/* ---- printing changed JSON ---- */

static void rewrite_value(struct arena *arena, struct json_writer *out, struct text before, json_object *after);

static bool is_among(const struct json_members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++) {
        if (text_is(members->items[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void rewrite_members(struct arena *arena, struct json_writer *out, const struct json_members *before,
                            json_object *after)
{
    json_begin_object(out);
    for (size_t i = 0; i < before->count; i++) {
        const struct json_member *member = &before->items[i];
        json_object *value = NULL;
        /* names in json-c end at a NUL: such a member can't have been changed */
        bool is_hidden = memchr(member->name.data, '\0', member->name.length) != NULL;
        if (!is_hidden && !json_object_object_get_ex(after, text_to_string(arena, member->name), &value)) {
            continue;
        }
        json_add_name_raw(out, member->quoted);
        if (is_hidden) {
            json_add_raw(out, member->value);
        } else {
            rewrite_value(arena, out, member->value, value);
        }
    }
    json_object_object_foreach(after, name, value)
    {
        if (!is_among(before, name)) {
            json_add_name_string(out, name);
            json_add_raw(out, json_print(arena, value));
        }
    }
    json_end_object(out);
}

static void rewrite_value(struct arena *arena, struct json_writer *out, struct text before, json_object *after)
{
    struct json_members members;
    json_object *parsed = json_parse(arena, before);
    const struct json_members nothing = {NULL, 0};
    if (json_object_equal(parsed, after)) {
        json_add_raw(out, before);
    } else if (json_object_get_type(after) == json_type_object && json_text_members(arena, before, &members)) {
        struct text once = json_text_merge(arena, &members, &nothing); /* no name twice */
        json_text_members(arena, once, &members);
        rewrite_members(arena, out, &members, after);
    } else {
        json_add_raw(out, json_print(arena, after));
    }
}

struct text json_text_rewrite(struct arena *arena, struct text before, json_object *after)
{
    struct json_writer out;
    json_start(&out, arena);
    rewrite_value(arena, &out, before.data != NULL ? before : TEXT("{}"), after);
    return json_finish(&out);
}
