#include "base/mail_message.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/hex.h"
#include "base/random.h"

enum { LINE_MAX_LENGTH = 76, WORD_BYTES = 45 /* of an encoded word, which may have 75 characters */ };

/* ---- Header fields ---- */

static bool is_alphanumeric(char byte)
{
    return ascii_is_letter(byte) || ascii_is_digit(byte);
}

static bool is_atom(char byte)
{
    return is_alphanumeric(byte) || (signed char)byte < 0 || memchr("!#$%&'*+-/=?^_`{|}~", byte, 19) != NULL;
}

static bool is_dot_atom(struct text text)
{
    bool was_dot = true;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '.' ? was_dot : !is_atom(text.data[i])) {
            return false;
        }
        was_dot = text.data[i] == '.';
    }
    return !was_dot;
}

static bool is_domain(struct text domain)
{
    if (domain.length > 2 && domain.data[0] == '[' && domain.data[domain.length - 1] == ']') {
        for (size_t i = 1; i + 1 < domain.length; i++) {
            if (!is_alphanumeric(domain.data[i]) && domain.data[i] != '.' && domain.data[i] != ':') {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i < domain.length; i++) {
        const char byte = domain.data[i];
        if (!is_alphanumeric(byte) && (signed char)byte >= 0 && byte != '.' && byte != '-') {
            return false;
        }
    }
    return domain.length > 0;
}

/* False: it can't stand in a header field. A local part that had to be quoted counts as such, since not all programs
 * read quotes: msmtp takes "a,b"@example.org for @example.org. */
static bool add_address(struct buffer *buffer, struct text address)
{
    const char *at = address.length > 0 ? memrchr(address.data, '@', address.length) : NULL;
    if (at == NULL || !text_is_plain(address)) {
        return false;
    }
    const struct text local = {address.data, (size_t)(at - address.data)};
    const struct text domain = {at + 1, address.length - local.length - 1};
    if (!is_dot_atom(local) || !is_domain(domain)) {
        return false;
    }
    buffer_add_text(buffer, address);
    return true;
}

static bool is_printable_ascii(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

/* Encoded words of whole characters, each on a line of its own (RFC 2047). */
static void add_encoded(struct buffer *buffer, struct text text)
{
    for (bool is_first = true; text.length > 0; is_first = false) {
        const struct text part = text_cut_bytes(text, WORD_BYTES);
        char encoded[WORD_BYTES * 2];
        base64_encode(BASE64_PADDED, (const unsigned char *)part.data, part.length, encoded);
        buffer_add_format(buffer, "%s=?UTF-8?B?%s?=", is_first ? "" : "\n ", encoded);
        text = (struct text){text.data + part.length, text.length - part.length};
    }
}

/* Free text. What looks like an encoded word is encoded, too. */
static void add_words(struct buffer *buffer, struct arena *arena, struct text text)
{
    enum { PLAIN_MAX = 200 };
    const struct text clean = text_trim(text_without_odd(arena, text));
    if (is_printable_ascii(clean) && clean.length <= PLAIN_MAX && memmem(clean.data, clean.length, "=?", 2) == NULL) {
        buffer_add_text(buffer, clean);
    } else {
        add_encoded(buffer, clean);
    }
}

/* A name before an address: a word, a quoted text, or encoded. */
static void add_phrase(struct buffer *buffer, struct arena *arena, struct text text)
{
    const struct text clean = text_trim(text_without_odd(arena, text));
    if (is_printable_ascii(clean) && memchr(clean.data, '"', clean.length) == NULL &&
        memchr(clean.data, '\\', clean.length) == NULL && memmem(clean.data, clean.length, "=?", 2) == NULL) {
        buffer_add_format(buffer, "\"%.*s\"", (int)clean.length, clean.data);
    } else {
        add_encoded(buffer, clean);
    }
}

static struct tm utc_of(int64_t seconds)
{
    const time_t moment = (time_t)seconds;
    struct tm utc = {0};
    gmtime_r(&moment, &utc);
    return utc;
}

static void add_date(struct buffer *buffer, int64_t seconds)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const struct tm utc = utc_of(seconds);
    buffer_add_format(buffer, "Date: %s, %d %s %d %02d:%02d:%02d +0000\n", days[utc.tm_wday], utc.tm_mday,
                      months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

struct text mail_message_moment(struct arena *arena, int64_t seconds)
{
    const struct tm utc = utc_of(seconds);
    return text_format(arena, "%04d-%02d-%02d %02d:%02d UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min);
}

/* ---- Bodies ---- */

/* Quoted-printable (RFC 2045, section 6.7): lines of 76 characters at most. */
static void add_quoted_printable(struct buffer *buffer, struct text text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        const bool ends_line = i + 1 == text.length || text.data[i + 1] == '\n' || text.data[i + 1] == '\r';
        const bool is_plain =
            (byte > ' ' && byte <= '~' && byte != '=') || ((byte == ' ' || byte == '\t') && !ends_line);
        if (byte == '\r' && ends_line) {
            continue;
        }
        if (byte == '\n') {
            buffer_add_byte(buffer, '\n');
            column = 0;
            continue;
        }
        const size_t width = is_plain ? 1 : 3;
        if (column + width > LINE_MAX_LENGTH - 1) {
            buffer_add_literal(buffer, "=\n");
            column = 0;
        }
        if (is_plain) {
            buffer_add_byte(buffer, (char)byte);
        } else {
            buffer_add_format(buffer, "=%02X", byte);
        }
        column += width;
    }
    if (column > 0) {
        buffer_add_byte(buffer, '\n');
    }
}

static void add_part(struct buffer *buffer, const char *type, struct text content)
{
    buffer_add_format(buffer,
                      "Content-Type: text/%s; charset=utf-8\n"
                      "Content-Transfer-Encoding: quoted-printable\n\n",
                      type);
    add_quoted_printable(buffer, content);
}

static struct text random_name(struct arena *arena)
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof bytes);
    return hex_encode(arena, bytes, sizeof bytes);
}

struct text mail_message_compose(struct arena *arena, const struct mail_message *message)
{
    struct buffer buffer;
    buffer_init(&buffer, arena);
    buffer_add_literal(&buffer, "To: ");
    if (!add_address(&buffer, message->to)) {
        return TEXT_NULL;
    }
    buffer_add_literal(&buffer, "\nFrom: ");
    add_phrase(&buffer, arena, message->site);
    buffer_add_literal(&buffer, "\n <");
    if (!add_address(&buffer, message->from)) {
        return TEXT_NULL;
    }
    buffer_add_literal(&buffer, ">\nSubject: ");
    add_words(&buffer, arena, message->subject);
    buffer_add_byte(&buffer, '\n');
    add_date(&buffer, message->date);
    const struct text name = random_name(arena);
    buffer_add_format(&buffer,
                      "Message-ID: <%s@%.*s>\nMIME-Version: 1.0\nAuto-Submitted: auto-generated\n"
                      "X-Auto-Response-Suppress: All\n",
                      name.data, (int)message->host.length, message->host.data);
    if (message->html.length == 0) {
        add_part(&buffer, "plain", message->text);
        return buffer_text(&buffer);
    }
    const char *boundary = random_name(arena).data; /* quoted-printable has no line that begins with -- and this */
    buffer_add_format(&buffer, "Content-Type: multipart/alternative; boundary=\"=_%s\"\n\n--=_%s\n", boundary,
                      boundary);
    add_part(&buffer, "plain", message->text);
    buffer_add_format(&buffer, "--=_%s\n", boundary);
    add_part(&buffer, "html", message->html);
    buffer_add_format(&buffer, "--=_%s--\n", boundary);
    return buffer_text(&buffer);
}
