#include "base/mail_table.h"

const struct mail_row mail_rows[MAIL_KINDS] = {
#define MAIL(name, link, notice, text) {#name, MAIL_LINK_##link, MAIL_NOTICE_##notice, text},
#include "tables/mails.def"
};

const char *const mail_link_names[MAIL_LINKS] = {
    NULL,
#define MAIL_LINK(name, page, lifetime) #name,
#include "tables/mails.def"
};

const char *const mail_link_pages[MAIL_LINKS] = {
    NULL,
#define MAIL_LINK(name, page, lifetime) page,
#include "tables/mails.def"
};

const char *const mail_notice_words[MAIL_NOTICES] = {
    NULL,
#define MAIL_NOTICE(name) #name,
#include "tables/mails.def"
};

const struct mail_value_row mail_value_rows[MAIL_VALUES] = {
#define MAIL_VALUE(name, text) {#name, text},
#include "tables/mails.def"
};

enum mail_kind mail_find(struct text name)
{
    enum mail_kind kind = 0;
    while (kind < MAIL_KINDS && !text_is(name, mail_rows[kind].name)) {
        kind++;
    }
    return kind;
}
