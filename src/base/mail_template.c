#include "base/mail_template.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/file.h"

/* Finds the next {{name}}. *before_r: what stands before it; *rest: what follows.
 * False: there is no other one; *before_r is the whole rest. */
static bool next_place(struct text *rest, struct text *before_r, struct text *name_r)
{
    const char *open = rest->length > 0 ? memmem(rest->data, rest->length, "{{", 2) : NULL;
    const char *end = rest->data + rest->length;
    const char *close = open != NULL ? memmem(open + 2, (size_t)(end - open - 2), "}}", 2) : NULL;
    if (close == NULL) {
        *before_r = *rest;
        return false;
    }
    *before_r = (struct text){rest->data, (size_t)(open - rest->data)};
    *name_r = text_trim((struct text){open + 2, (size_t)(close - open - 2)});
    *rest = (struct text){close + 2, (size_t)(end - close - 2)};
    return true;
}

static enum mail_value find_value(struct text name)
{
    enum mail_value value = 0;
    while (value < MAIL_VALUES && !text_is(name, mail_value_rows[value].name)) {
        value++;
    }
    return value;
}

static unsigned line_of(struct text content, const char *place)
{
    unsigned line = 1;
    for (const char *at = content.data; at < place; at++) {
        line += *at == '\n';
    }
    return line;
}

/* Whether each {{name}} is one of the values. *has_link_r: one of them is the link. */
static bool check_values(const char *path, struct text content, enum mail_kind kind, bool *has_link_r,
                         struct error *error)
{
    struct text rest = content, before, name;
    *has_link_r = false;
    while (next_place(&rest, &before, &name)) {
        const enum mail_value value = find_value(name);
        if (value == MAIL_VALUES) {
            return error_set(error, "%s:%u: there is no value {{%.*s}}: see MAIL in roster.conf(5)", path,
                             line_of(content, name.data), name.length > 60 ? 60 : (int)name.length, name.data);
        }
        if (value == MAIL_VALUE_link && mail_rows[kind].link == MAIL_LINK_NONE) {
            return error_set(error, "%s:%u: this mail carries no link: remove {{link}}", path,
                             line_of(content, name.data));
        }
        *has_link_r = *has_link_r || value == MAIL_VALUE_link;
    }
    const char *open = before.length > 0 ? memmem(before.data, before.length, "{{", 2) : NULL;
    if (open != NULL) {
        return error_set(error, "%s:%u: }} is missing behind {{", path, line_of(content, open));
    }
    return true;
}

static bool read_file(struct arena *arena, const char *path, enum mail_kind kind, struct text *content_r,
                      struct error *error)
{
    bool has_link;
    if (!file_read(arena, path, content_r)) {
        return error_set(error, "%s: can't be read: %s", path, strerror(errno));
    }
    if (!text_is_utf8(*content_r)) {
        return error_set(error, "%s: is no UTF-8", path);
    }
    if (!check_values(path, *content_r, kind, &has_link, error)) {
        return false;
    }
    if (mail_rows[kind].link != MAIL_LINK_NONE && !has_link && content_r->length > 0) {
        return error_set(error, "%s: {{link}} is missing, so nobody could follow it", path);
    }
    return true;
}

/* Takes the line of the subject, and the empty one below it. */
static bool take_subject(const char *path, struct text *text, struct text *subject_r, struct error *error)
{
    static const char name[] = "Subject:";
    struct text line = text_take(text, '\n');
    if (!text_starts_with_ignoring_case(line, name)) {
        return error_set(error, "%s:1: write the line `Subject: …' first", path);
    }
    *subject_r = text_trim((struct text){line.data + sizeof name - 1, line.length - (sizeof name - 1)});
    if (subject_r->length == 0) {
        return error_set(error, "%s:1: the subject is empty", path);
    }
    if (text_trim(text_take(text, '\n')).length > 0) {
        return error_set(error, "%s:2: write an empty line behind the subject", path);
    }
    return true;
}

bool mail_template_read(struct arena *arena, const char *directory, const char *language, enum mail_kind kind,
                        struct mail_template *template_r, struct error *error)
{
    const char *between = *language != '\0' ? "/" : "";
    const char *text_path =
        text_format(arena, "%s%s%s/%s.txt", directory, between, language, mail_rows[kind].name).data;
    const char *html_path =
        text_format(arena, "%s%s%s/%s.html", directory, between, language, mail_rows[kind].name).data;
    return read_file(arena, text_path, kind, &template_r->text, error) &&
           take_subject(text_path, &template_r->text, &template_r->subject, error) &&
           read_file(arena, html_path, kind, &template_r->html, error);
}

static void add_escaped(struct buffer *buffer, struct text value)
{
    static const struct {
        char byte;
        const char *escape;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; i < value.length; i++) {
        const char *escape = NULL;
        for (size_t j = 0; j < ARRAY_COUNT(escapes); j++) {
            escape = escapes[j].byte == value.data[i] ? escapes[j].escape : escape;
        }
        if (escape != NULL) {
            buffer_add_string(buffer, escape);
        } else {
            buffer_add_byte(buffer, value.data[i]);
        }
    }
}

struct text mail_template_fill(struct arena *arena, struct text text, const struct text values[static MAIL_VALUES],
                               bool is_html)
{
    struct buffer buffer;
    struct text before, name;
    bool goes_on;
    buffer_init(&buffer, arena);
    do {
        goes_on = next_place(&text, &before, &name);
        buffer_add_text(&buffer, before);
        if (goes_on) {
            const struct text value = text_without_odd(arena, values[find_value(name)]);
            if (is_html) {
                add_escaped(&buffer, value);
            } else {
                buffer_add_text(&buffer, value);
            }
        }
    } while (goes_on);
    return buffer_text(&buffer);
}
