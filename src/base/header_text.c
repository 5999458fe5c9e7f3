/* header_text.c: percent-encoding, encoded words and Latin-1. */
#include "base/header_text.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/percent.h"

/* ---- character sets ---- */

/* windows-1252 from 0x80 to 0x9f (https://encoding.spec.whatwg.org/index-windows-1252.txt). Undefined bytes stay C1
 * controls. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
};

static void add_latin1(struct buffer *out, struct text bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        buffer_add_character(out, byte >= 0x80 && byte < 0xa0 ? windows_1252[byte - 0x80] : byte);
    }
}

/* Adds bytes in a character set. False where the set is unknown, or the bytes are invalid in it. */
static bool add_of_charset(struct buffer *out, struct text charset, struct text bytes)
{
    bool is_utf8 = text_is_ignoring_case(charset, "utf-8") || text_is_ignoring_case(charset, "us-ascii");
    if (is_utf8 && text_is_utf8(bytes)) {
        buffer_add_text(out, bytes);
        return true;
    }
    if (text_is_ignoring_case(charset, "iso-8859-1") || text_is_ignoring_case(charset, "windows-1252")) {
        add_latin1(out, bytes);
        return true;
    }
    return false;
}

/* ---- encoded words ---- */

/* Removes the text before the next `?` from *rest. The null text where there is no `?`. */
static struct text take_part(struct text *rest)
{
    return rest->length > 0 && memchr(rest->data, '?', rest->length) != NULL ? text_take(rest, '?') : TEXT_NULL;
}

/* Decodes the encoded word at the start of `text`: `=?CHARSET?B?…?=` or `…?Q?…?=`, where CHARSET may have a language
 * (RFC 2231, section 5). Returns its length. 0 where there is no encoded word. */
static size_t add_encoded_word(struct arena *arena, struct buffer *out, struct text text)
{
    if (text.length < 2 || text.data[0] != '=' || text.data[1] != '?') {
        return 0;
    }
    struct text rest = {text.data + 2, text.length - 2};
    struct text charset = take_part(&rest);
    struct text encoding = take_part(&rest);
    struct text encoded = take_part(&rest);
    if (encoded.data == NULL || encoding.length != 1 || rest.length == 0 || rest.data[0] != '=') {
        return 0;
    }
    charset = text_take(&charset, '*');
    struct text decoded = text_is_ignoring_case(encoding, "b")   ? base64_decode(arena, BASE64_ANY_PADDED, encoded)
                          : text_is_ignoring_case(encoding, "q") ? percent_decode_q(arena, encoded)
                                                                 : TEXT_NULL;
    if (decoded.data == NULL || !add_of_charset(out, charset, decoded)) {
        return 0;
    }
    return (size_t)(rest.data + 1 - text.data);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* White space between two encoded words is not part of the text (RFC 2047, section 6.2). */
static struct text decode_words(struct arena *arena, struct text text)
{
    struct buffer out;
    size_t blanks = 0; /* since the last encoded word */
    bool behind_word = false;

    buffer_init(&out, arena);
    for (size_t at = 0; at < text.length;) {
        size_t before = out.length;
        size_t word = add_encoded_word(arena, &out, (struct text){text.data + at, text.length - at});
        if (word > 0) {
            if (blanks > 0 && behind_word) {
                memmove(out.data + before - blanks, out.data + before, out.length - before);
                out.length -= blanks;
            }
            behind_word = true;
            blanks = 0;
            at += word;
        } else {
            bool blank = is_blank(text.data[at]);
            behind_word = behind_word && blank;
            blanks = blank ? blanks + 1 : 0;
            buffer_add_byte(&out, text.data[at++]);
        }
    }
    return out.length > 0 ? buffer_text(&out) : TEXT("");
}

/* ---- fields ---- */

/* The bytes of the field as UTF-8. */
static struct text read_bytes(struct arena *arena, struct text field, enum header_encoding encoding)
{
    if (encoding != HEADER_ENCODING_LATIN1 && text_is_utf8(field)) {
        return field;
    }
    if (encoding == HEADER_ENCODING_UTF8) {
        return TEXT_NULL;
    }
    struct buffer out;
    buffer_init(&out, arena);
    add_latin1(&out, field);
    return out.length > 0 ? buffer_text(&out) : TEXT("");
}

struct text header_text_decode(struct arena *arena, struct text field, enum header_encoding encoding)
{
    if (field.data == NULL) {
        return field;
    }
    struct text text = read_bytes(arena, field, encoding);
    if (text.data == NULL) {
        return text;
    }
    text = decode_words(arena, text);
    return text.length > 0 && memchr(text.data, '\0', text.length) != NULL ? TEXT_NULL : text;
}

struct text header_text_decode_percent(struct arena *arena, struct text field, enum header_encoding encoding)
{
    if (field.data == NULL) {
        return field;
    }
    struct text plain = percent_decode(arena, field);
    bool was_encoded =
        plain.length < field.length && text_is_utf8(plain) && memchr(plain.data, '\0', plain.length) == NULL;
    return header_text_decode(arena, was_encoded ? plain : field, was_encoded ? HEADER_ENCODING_UTF8 : encoding);
}
