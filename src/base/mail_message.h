/* mail_message.h: a mail as it is given to sendmail(1): header fields (RFC 5322), and plain text with HTML beside it
 * (RFC 2046, multipart/alternative). */
#ifndef ROSTER_BASE_MAIL_MESSAGE_H
#define ROSTER_BASE_MAIL_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

struct mail_message {
    struct text from; /* the address */
    struct text site; /* the name beside it */
    struct text to;   /* the address */
    struct text host; /* of the Message-ID */
    struct text subject;
    struct text text;
    struct text html; /* empty: none */
    int64_t date;     /* epoch seconds */
};

/* The message, with lines that end with a LF, in the arena. The null text: `to' can't stand in a header field, as it
 * would have to be quoted, or could be read as several addresses.
 * No value adds a line or a field: what is not ASCII is encoded (RFC 2047), and control characters are left out. */
struct text mail_message_compose(struct arena *arena, const struct mail_message *message);

/* A moment as in the texts of mails: "2026-11-27 18:04 UTC", in the arena. */
struct text mail_message_moment(struct arena *arena, int64_t seconds);

#endif
