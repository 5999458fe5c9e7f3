#include "base/log_line.h"

#include <stdarg.h>
#include <stdio.h>

/* What a byte is in a value. */
enum {
    BARE = 1,     /* needs no quotes around the value */
    PLAIN = 2,    /* is written as it is, without quotes */
    QUOTABLE = 4, /* the same between quotes */
};

enum { ANYWHERE = BARE | PLAIN | QUOTABLE };

static const unsigned char kinds[256] = {
    [' '] = PLAIN | QUOTABLE, ['!'] = ANYWHERE,         ['"'] = PLAIN,  ['#' ... '<'] = ANYWHERE,
    ['='] = PLAIN | QUOTABLE, ['>' ... '['] = ANYWHERE, ['\\'] = PLAIN, [']' ... '~'] = ANYWHERE,
    [0x7F ... 0xFF] = BARE, /* the characters are looked at one by one */
};

/* What all bytes of a text are. */
static unsigned kind_of(struct text text)
{
    unsigned kind = ANYWHERE;
    for (size_t i = 0; i < text.length; i++) {
        kind &= kinds[(unsigned char)text.data[i]];
    }
    return kind;
}

bool log_is_bare(struct text text)
{
    return text.length > 0 && kind_of(text) == ANYWHERE;
}

bool log_needs_quotes(struct text text)
{
    return text.length == 0 || (kind_of(text) & BARE) == 0;
}

bool log_line_add_integer(struct log_line *line, int64_t integer)
{
    char digits[TEXT_INTEGER_SIZE];
    struct text text = text_of_integer(integer, digits);
    return log_line_add_bytes(line, text.data, text.length);
}

bool log_line_add_format(struct log_line *line, const char *format, ...)
{
    char part[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    return length > 0 &&
           log_line_add_bytes(line, part, (size_t)length < sizeof part ? (size_t)length : sizeof part - 1);
}

/* Each byte as \xHH. */
static void escape_bytes(const unsigned char *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++) {
        snprintf(out + 4 * i, 5, "\\x%02X", bytes[i]);
    }
}

/* Escapes the next character of `bytes` into `out`. Returns its number of bytes.
 * Characters that a terminal may interpret (text_character_is_odd), and bytes that are not UTF-8, become \xHH. */
static size_t escape_character(const unsigned char *bytes, size_t length, enum log_escaping escaping,
                               char out[static 16])
{
    uint32_t character = 0;
    size_t size = text_utf8_step((const char *)bytes, length, &character);
    unsigned char byte = bytes[0];

    if (size == 0) {
        snprintf(out, 16, escaping == LOG_ESCAPE_JSON ? "\\\\x%02X" : "\\x%02X", byte);
        return 1;
    }
    if (text_character_is_odd(character)) {
        if (escaping == LOG_ESCAPE_JSON) {
            text_escape(character, out);
        } else {
            escape_bytes(bytes, size, out);
        }
        return size;
    }
    if (escaping != LOG_ESCAPE_PLAIN && (byte == '"' || byte == '\\')) {
        snprintf(out, 16, "\\%c", byte);
        return 1;
    }
    memcpy(out, bytes, size);
    out[size] = '\0';
    return size;
}

/* The length of the run at the start that is written as it is. */
static size_t plain_run(const unsigned char *bytes, size_t length, enum log_escaping escaping)
{
    const unsigned char wanted = escaping == LOG_ESCAPE_PLAIN ? PLAIN : QUOTABLE;
    size_t run = 0;
    while (run < length && (kinds[bytes[run]] & wanted) != 0) {
        run++;
    }
    return run;
}

void log_line_add_escaped(struct log_line *line, struct text text, enum log_escaping escaping, size_t max)
{
    static const char ellipsis[] = "…";
    enum { ELLIPSIS_LENGTH = sizeof ellipsis - 1 };
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t room = line->limit - line->length;

    if (room > max) {
        room = max;
    }
    const size_t end = line->length + room;
    size_t cut = line->length; /* the last position where the ellipsis fits, between two characters */
    size_t offset = 0;
    char out[16];
    while (offset < text.length) {
        size_t run = plain_run(bytes + offset, text.length - offset, escaping);
        const char *piece = (const char *)bytes + offset;
        size_t length = run;
        if (run == 0) {
            offset += escape_character(bytes + offset, text.length - offset, escaping, out);
            piece = out;
            length = strlen(out);
        }
        offset += run;
        if (length > end - line->length) {
            if (run > 0 && line->length + ELLIPSIS_LENGTH <= end) {
                cut = end - ELLIPSIS_LENGTH;
                memcpy(line->data + line->length, piece, cut - line->length);
            }
            line->length = cut;
            if (room >= ELLIPSIS_LENGTH) {
                log_line_add(line, ellipsis);
            }
            return;
        }
        const size_t before = line->length;
        log_line_add_bytes(line, piece, length);
        if (line->length + ELLIPSIS_LENGTH <= end) {
            cut = line->length;
        } else if (run > 0 && before + ELLIPSIS_LENGTH <= end) {
            cut = end - ELLIPSIS_LENGTH;
        }
    }
}
