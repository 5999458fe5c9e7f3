/* people.h: reads files of people: CSV, and those of htpasswd(1). What a file says is not judged here, only whether it
 * can be read.
 *
 * CSV begins with a line of the columns' names. Case, spaces and punctuation in them do not count: E-Mail is email. An
 * empty field is as one that is not there.
 * A line of htpasswd is `name:hash`, as in /etc/shadow, where more may follow. */
#ifndef ROSTER_IMPORT_PEOPLE_H
#define ROSTER_IMPORT_PEOPLE_H

#include "base/context.h"
#include "base/error.h"

/* The columns that are read; and from PEOPLE_IGNORED on, those that are passed over without a word: an export has
 * them. */
enum people_column {
    PEOPLE_email,
    PEOPLE_name,
    PEOPLE_role,
    PEOPLE_groups,
    PEOPLE_timezone,
    PEOPLE_disabled,
    PEOPLE_password,
    PEOPLE_password_hash,
    PEOPLE_IGNORED,
    PEOPLE_id = PEOPLE_IGNORED,
    PEOPLE_created_at,
    PEOPLE_last_active_at,
    PEOPLE_last_sign_in_at,
    PEOPLE_COLUMN_COUNT
};

/* Their names: "email". */
extern const char *const people_column_names[PEOPLE_COLUMN_COUNT];

struct person {
    size_t line;                             /* from 1 */
    struct text values[PEOPLE_COLUMN_COUNT]; /* trimmed, but for a password; null: not there, or empty */
    const char *fault;                       /* why the line can't be read; NULL: it can */
};

enum people_format { PEOPLE_AUTO, PEOPLE_CSV, PEOPLE_HTPASSWD };

struct people {
    enum people_format format; /* as it was found, never PEOPLE_AUTO */
    struct person *items;
    size_t count;
    struct text unknown; /* names of columns that are not read, separated by commas; empty: none */
};

/* Reads a file. PEOPLE_AUTO: htpasswd where a colon comes before any comma, semicolon or tab.
 * False: it can't be read at all. The error begins with the line, as "3: ", where it is about one. */
bool people_read(struct context *context, struct text content, enum people_format format, struct people *people_r,
                 struct error *error);

#endif
