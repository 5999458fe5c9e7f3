/* json_writer.h: writes JSON (RFC 8259) into a buffer, piece by piece.
 *
 *     struct json_writer json;
 *     json_start(&json, arena);
 *     json_begin_object(&json);
 *     json_member_text(&json, "id", id);
 *     json_member_array(&json, "groups");
 *     json_add_text(&json, name);
 *     json_end_array(&json);
 *     json_end_object(&json);
 *     struct text whole = json_finish(&json);
 *
 * The writer adds the commas.
 * It adds no white space.
 * It allocates no memory for its state: each level has one bit for a due comma, and one for an object.
 * Calls that would write invalid JSON are bugs, and abort: a value without a name in an object, a name in an array, a
 * name without a value, the wrong end, a second outermost value, more levels than JSON_DEPTH. */
#ifndef ROSTER_BASE_JSON_WRITER_H
#define ROSTER_BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { JSON_DEPTH = 63 };

struct json_writer {
    struct buffer *buffer; /* the output: `own`, or that of json_start_in or json_switch */
    struct buffer own;
    unsigned depth;        /* number of open containers */
    uint64_t comma_is_due; /* one bit for each level */
    uint64_t is_object;    /* one bit for each level */
    bool has_name;         /* a name was written, its value is due */
};

/* Starts a text in a new buffer in `arena`.
 * The writer must not move in memory afterwards. */
void json_start(struct json_writer *json, struct arena *arena);

/* Starts a text at the end of `buffer`. */
void json_start_in(struct json_writer *json, struct buffer *buffer);

/* Continues the same text in another buffer: for output that is sent piece by piece. */
void json_switch(struct json_writer *json, struct buffer *buffer);

/* The content of the buffer. A NUL follows the length.
 * The text must be complete.
 * Valid as long as the buffer. */
struct text json_finish(struct json_writer *json);

/* True where one complete value was written. */
bool json_is_whole(const struct json_writer *json);

/* Containers. */
void json_begin_object(struct json_writer *json);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json);
void json_end_array(struct json_writer *json);

/* Begins an object with what was written of it earlier: `{` and members, without its end. */
void json_reopen_object(struct json_writer *json, struct text begun);

/* Values. */

/* A string.
 * Control characters (C0, DEL, C1, which terminals interpret) are escaped, other UTF-8 is written unchanged.
 * Bytes that are not UTF-8 become U+FFFD.
 * The null text becomes `null`. */
void json_add_text(struct json_writer *json, struct text text);

/* The same for a NUL-terminated string. NULL becomes `null`. */
void json_add_string(struct json_writer *json, const char *string);

void json_add_integer(struct json_writer *json, int64_t integer);
void json_add_boolean(struct json_writer *json, bool boolean);
void json_add_null(struct json_writer *json);

/* A value that is JSON already. It is written unchanged. */
void json_add_raw(struct json_writer *json, struct text value);

/* An array of strings. */
void json_add_texts(struct json_writer *json, const struct text *texts, size_t count);

/* The same as a complete text, in `arena`: for a parameter of JSON_TABLE. */
struct text json_list_of_texts(struct arena *arena, const struct text *texts, size_t count);

/* Names of members. */

/* A name with its comma, quotes and colon, so that it is written by one copy. */
struct json_name {
    const char *data;
    size_t length;
};

/* The name of a string literal that needs no escapes. Also in initialisers. */
#define JSON_NAME(literal) ((struct json_name){",\"" literal "\":", sizeof(",\"" literal "\":") - 1})

/* The name of the next value. */
void json_add_name(struct json_writer *json, struct json_name name);

/* The same for a NUL-terminated string, with the escapes of json_add_text. */
void json_add_name_string(struct json_writer *json, const char *name);

/* The same for a name that is JSON already, with its quotes. */
void json_add_name_raw(struct json_writer *json, struct text quoted);

/* A member: a literal as the name, and a value. `json` is evaluated twice. */
#define json_name(json, literal) json_add_name((json), JSON_NAME(literal))
#define json_member_text(json, literal, text) (json_name(json, literal), json_add_text((json), (text)))
#define json_member_string(json, literal, string) (json_name(json, literal), json_add_string((json), (string)))
#define json_member_integer(json, literal, integer) (json_name(json, literal), json_add_integer((json), (integer)))
#define json_member_boolean(json, literal, boolean) (json_name(json, literal), json_add_boolean((json), (boolean)))
#define json_member_null(json, literal) (json_name(json, literal), json_add_null(json))
#define json_member_raw(json, literal, value) (json_name(json, literal), json_add_raw((json), (value)))

/* A member that is a container. json_end_object or json_end_array ends it. */
#define json_member_object(json, literal) (json_name(json, literal), json_begin_object(json))
#define json_member_array(json, literal) (json_name(json, literal), json_begin_array(json))

#endif
