/* mail_template.h: the texts of mails, as an administrator may change them.
 *
 * A mail has two files: NAME.txt begins with the line `Subject: …' and an empty line, behind which the text follows;
 * NAME.html is the same text in HTML. An empty NAME.html: the mail is plain text alone. {{name}} stands for a value
 * of mails.def. */
#ifndef ROSTER_BASE_MAIL_TEMPLATE_H
#define ROSTER_BASE_MAIL_TEMPLATE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mail_table.h"

struct arena;

struct mail_template {
    struct text subject;
    struct text text;
    struct text html; /* empty: none */
};

/* Reads and checks both files of a kind. `language`: a directory below `directory`, or "".
 * False: a file can't be read, is no UTF-8, has no subject, names a value that there is not, or lacks the link that it
 * has to carry. The error begins with FILE: or FILE:LINE: */
bool mail_template_read(struct arena *arena, const char *directory, const char *language, enum mail_kind kind,
                        struct mail_template *template_r, struct error *error);

/* The text with the values in their places, in the arena. In HTML they are escaped, for text and for attributes in
 * quotes. Else control characters are left out, but line ends in no value either: no value begins a line. */
struct text mail_template_fill(struct arena *arena, struct text text, const struct text values[static MAIL_VALUES],
                               bool is_html);

#endif
