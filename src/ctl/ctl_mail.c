/* ctl_mail.c: rosterctl mail …: the mails that wait, and why. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/email.h"
#include "ctl/ctl.h"
#include "ctl/sheet.h"
#include "store/mail_store.h"

int command_mail_list(struct invocation *invocation)
{
    static const struct sheet_column columns[] = {
        {"id", "ID", SHEET_INTEGER},        {"kind", "MAIL", SHEET_TEXT},        {"to", "TO", SHEET_TEXT},
        {"created_at", "MADE", SHEET_TIME}, {"next_at", "NEXT TRY", SHEET_TIME}, {"attempts", "TRIES", SHEET_INTEGER},
        {"error", "WHY", SHEET_TEXT},
    };
    struct result mails;
    if (mail_store_list(&invocation->context, &mails) != OK) {
        return ctl_problem(invocation, "mails");
    }
    struct sheet sheet;
    sheet_init(&sheet, invocation->context.arena, columns, ARRAY_COUNT(columns));
    for (size_t i = 0; i < mails.row_count; i++) {
        struct sheet_cell *row = sheet_add(&sheet);
        for (size_t column = 0; column < ARRAY_COUNT(columns); column++) {
            row[column] = sheet_value(&result_row(&mails, i)[column]);
        }
    }
    sheet_print(invocation, &sheet);
    return EXIT_DONE;
}

int command_mail_retry(struct invocation *invocation)
{
    int64_t id = -1, count;
    const char *argument = ctl_argument(invocation, 0);
    if (argument != NULL && (!text_to_integer(text_of(argument), &id) || id < 0)) {
        return ctl_fail(EXIT_USAGE, "%s: give the id of a mail, as `mail list' shows it", argument);
    }
    if (mail_store_retry(&invocation->context, id, &count) != OK) {
        return ctl_problem(invocation, "mails");
    }
    if (id >= 0 && count == 0) {
        return ctl_fail(EXIT_NOT_FOUND, "%s: there is no such mail", argument);
    }
    ctl_say(invocation, "%" PRId64 " to be tried again now.", count);
    return EXIT_DONE;
}

/* Waits until the service has sent the mail, or has told why not. */
static int wait_for(struct invocation *invocation, int64_t id)
{
    enum { WAIT_SECONDS = 90, POLL_MILLISECONDS = 200 };
    const int64_t end = clock_monotonic_microseconds() + WAIT_SECONDS * INT64_C(1000000);
    while (clock_monotonic_microseconds() < end) {
        const struct value *row;
        if (mail_store_show(&invocation->context, id, &row) != OK) {
            return ctl_problem(invocation, "the mail");
        }
        if (row == NULL) {
            ctl_say(invocation, "%s has taken the mail.", invocation->config->sendmail_command);
            return EXIT_DONE;
        }
        if (!row[MAIL_COLUMN_error].is_null) {
            return ctl_fail(EXIT_FAILED, "mail %" PRId64 " was not sent: %s", id, row[MAIL_COLUMN_error].text.data);
        }
        poll(NULL, 0, POLL_MILLISECONDS);
    }
    return ctl_fail(EXIT_AWAY,
                    "mail %" PRId64 " still waits: does the service run? (under systemd, roster-mail.service)", id);
}

int command_mail_test(struct invocation *invocation)
{
    struct context *context = &invocation->context;
    const struct text address = email_fold(context->arena, text_of(ctl_argument(invocation, 0)));
    int64_t id = 0;
    if (!invocation->config->sends_mail) {
        return ctl_fail(EXIT_CONFIGURATION, "no mails are sent here: set sendmail_command and public_url");
    }
    if (!email_is_valid(address)) {
        return ctl_fail(EXIT_USAGE, "%s is not an email address", ctl_argument(invocation, 0));
    }
    const struct mail_new mail = {.kind = MAIL_test, .address = address};
    if (mail_store_add(context, &mail) != OK || mail_store_last_id(context, &id) != OK) {
        return ctl_problem(invocation, "the mail");
    }
    return wait_for(invocation, id);
}
