/* mail_table.h: mails.def as C: the kinds of mail, the links that they carry, and what templates may hold. */
#ifndef ROSTER_BASE_MAIL_TABLE_H
#define ROSTER_BASE_MAIL_TABLE_H

#include <stddef.h>

#include "base/text.h"

enum mail_kind {
#define MAIL(name, link, notice, text) MAIL_##name,
#include "tables/mails.def"
    MAIL_KINDS
};

/* What a one-time link is for. MAIL_LINK_NONE: no link. */
enum mail_link {
    MAIL_LINK_NONE,
#define MAIL_LINK(name, page, lifetime) MAIL_LINK_##name,
#include "tables/mails.def"
    MAIL_LINKS
};

/* The words of mail_notices, as indices of mail_notice_words. */
enum mail_notice {
    MAIL_NOTICE_NONE,
#define MAIL_NOTICE(name) MAIL_NOTICE_##name,
#include "tables/mails.def"
    MAIL_NOTICES
};

enum mail_value {
#define MAIL_VALUE(name, text) MAIL_VALUE_##name,
#include "tables/mails.def"
    MAIL_VALUES
};

struct mail_row {
    const char *name;
    enum mail_link link;
    enum mail_notice notice;
    const char *text; /* for the manual */
};
extern const struct mail_row mail_rows[MAIL_KINDS];

/* MAIL_KINDS: there is no such kind. */
enum mail_kind mail_find(struct text name);

/* "reset"; NULL for MAIL_LINK_NONE. */
extern const char *const mail_link_names[MAIL_LINKS];

/* The page under /account/ that the link leads to. */
extern const char *const mail_link_pages[MAIL_LINKS];

/* "password"; NULL for MAIL_NOTICE_NONE. */
extern const char *const mail_notice_words[MAIL_NOTICES];

struct mail_value_row {
    const char *name;
    const char *text; /* for the manual */
};
extern const struct mail_value_row mail_value_rows[MAIL_VALUES];

#endif
