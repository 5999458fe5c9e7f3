#include "base/json_writer.h"

#include "base/log.h"
#include "base/word.h"

void json_start(struct json_writer *json, struct arena *arena)
{
    json_start_in(json, &json->own);
    buffer_init(&json->own, arena);
}

void json_start_in(struct json_writer *json, struct buffer *buffer)
{
    *json = (struct json_writer){.buffer = buffer};
}

void json_switch(struct json_writer *json, struct buffer *buffer)
{
    json->buffer = buffer;
}

bool json_is_whole(const struct json_writer *json)
{
    return json->depth == 0 && (json->comma_is_due & 1) != 0;
}

struct text json_finish(struct json_writer *json)
{
    invariant(json_is_whole(json));
    return buffer_text(json->buffer);
}

/* Called before each value. */
static void begin_value(struct json_writer *json)
{
    uint64_t level = (uint64_t)1 << json->depth;
    if (json->is_object & level) {
        invariant(json->has_name);
        json->has_name = false;
        return;
    }
    if (json->comma_is_due & level) {
        invariant(json->depth > 0);
        buffer_add_byte(json->buffer, ',');
    }
    json->comma_is_due |= level;
}

static void begin_container(struct json_writer *json, bool is_object)
{
    begin_value(json);
    invariant(json->depth < JSON_DEPTH);
    uint64_t level = (uint64_t)1 << ++json->depth;
    json->comma_is_due &= ~level;
    json->is_object = is_object ? json->is_object | level : json->is_object & ~level;
    buffer_add_byte(json->buffer, is_object ? '{' : '[');
}

static void end_container(struct json_writer *json, bool is_object)
{
    uint64_t level = (uint64_t)1 << json->depth;
    invariant(json->depth > 0 && ((json->is_object & level) != 0) == is_object && !json->has_name);
    json->depth--;
    buffer_add_byte(json->buffer, is_object ? '}' : ']');
}

void json_begin_object(struct json_writer *json)
{
    begin_container(json, true);
}

void json_end_object(struct json_writer *json)
{
    end_container(json, true);
}

void json_reopen_object(struct json_writer *json, struct text begun)
{
    invariant(begun.length > 1 && begun.data[0] == '{');
    json_begin_object(json);
    buffer_add(json->buffer, begun.data + 1, begun.length - 1);
    json->comma_is_due |= (uint64_t)1 << json->depth;
}

void json_begin_array(struct json_writer *json)
{
    begin_container(json, false);
}

void json_end_array(struct json_writer *json)
{
    end_container(json, false);
}

/* Called before each name. True where a comma is due. */
static bool begin_name(struct json_writer *json)
{
    uint64_t level = (uint64_t)1 << json->depth;
    bool comma_is_due = (json->comma_is_due & level) != 0;
    invariant((json->is_object & level) && !json->has_name);
    json->has_name = true;
    json->comma_is_due |= level;
    return comma_is_due;
}

void json_add_name(struct json_writer *json, struct json_name name)
{
    size_t skipped = begin_name(json) ? 0 : 1;
    buffer_add(json->buffer, name.data + skipped, name.length - skipped);
}

/* Called before each name that does not include its comma. */
static void separate_name(struct json_writer *json)
{
    if (begin_name(json)) {
        buffer_add_byte(json->buffer, ',');
    }
}

void json_add_name_raw(struct json_writer *json, struct text quoted)
{
    separate_name(json);
    buffer_add_text(json->buffer, quoted);
    buffer_add_byte(json->buffer, ':');
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* Adds the escape of a control character, a quote or a backslash. */
static void add_escape(struct buffer *buffer, uint32_t character)
{
    static const char letters[] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    if (character < sizeof letters && letters[character] != 0) {
        buffer_add(buffer, (char[]){'\\', letters[character]}, 2);
    } else {
        char escape[TEXT_ESCAPE_SIZE];
        buffer_add_string(buffer, text_escape(character, escape));
    }
}

/* Whether one of eight bytes is not is_plain. */
static bool has_special(uint64_t word)
{
    return (word_has_high(word) | word_has_less(word, 0x20) | word_has(word, '"') | word_has(word, '\\') |
            word_has(word, 0x7F)) != 0;
}

/* Copies bytes to `to` as long as they are plain, and gives their number. */
static size_t copy_plain(char *to, const char *from, size_t length)
{
    size_t done = 0;
    while (length - done >= sizeof(uint64_t)) {
        const uint64_t word = word_load(from + done);
        if (has_special(word)) {
            break;
        }
        memcpy(to + done, &word, sizeof word);
        done += sizeof word;
    }
    while (done < length && is_plain((unsigned char)from[done])) {
        to[done] = from[done];
        done++;
    }
    return done;
}

/* Adds the first character of a text, which is not plain, as it stands or as its escape. Gives its length. */
static size_t add_special(struct buffer *buffer, const char *at, size_t length)
{
    uint32_t character;
    const size_t size = text_utf8_step(at, length, &character);
    if (size == 0) {
        buffer_add_literal(buffer, "\xEF\xBF\xBD"); /* U+FFFD */
        return 1;
    }
    if (character >= 0xA0) {
        buffer_add(buffer, at, size);
    } else {
        add_escape(buffer, character);
    }
    return size;
}

static void add_quoted(struct buffer *buffer, struct text text)
{
    size_t done = 0;
    buffer_reserve(buffer, text.length + 2);
    buffer_add_byte(buffer, '"');
    while (done < text.length) {
        const size_t rest = text.length - done;
        const size_t plain = copy_plain(buffer_reserve(buffer, rest), text.data + done, rest);
        buffer->length += plain;
        done += plain;
        while (done < text.length && !is_plain((unsigned char)text.data[done])) {
            done += add_special(buffer, text.data + done, text.length - done);
        }
    }
    buffer_add_byte(buffer, '"');
}

void json_add_name_string(struct json_writer *json, const char *name)
{
    separate_name(json);
    add_quoted(json->buffer, text_of(name));
    buffer_add_byte(json->buffer, ':');
}

void json_add_text(struct json_writer *json, struct text text)
{
    begin_value(json);
    if (text.data != NULL) {
        add_quoted(json->buffer, text);
    } else {
        buffer_add_literal(json->buffer, "null");
    }
}

void json_add_string(struct json_writer *json, const char *string)
{
    json_add_text(json, text_of(string));
}

void json_add_integer(struct json_writer *json, int64_t integer)
{
    begin_value(json);
    buffer_add_integer(json->buffer, integer);
}

void json_add_boolean(struct json_writer *json, bool boolean)
{
    json_add_raw(json, boolean ? TEXT("true") : TEXT("false"));
}

void json_add_null(struct json_writer *json)
{
    json_add_raw(json, TEXT("null"));
}

void json_add_raw(struct json_writer *json, struct text value)
{
    invariant(value.length > 0);
    begin_value(json);
    buffer_add_text(json->buffer, value);
}

void json_add_texts(struct json_writer *json, const struct text *texts, size_t count)
{
    json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        json_add_text(json, texts[i]);
    }
    json_end_array(json);
}

struct text json_list_of_texts(struct arena *arena, const struct text *texts, size_t count)
{
    struct json_writer json;
    json_start(&json, arena);
    json_add_texts(&json, texts, count);
    return json_finish(&json);
}
