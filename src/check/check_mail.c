#include "check/check_mail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mail_template.h"

static void check_program(struct findings *findings, const struct config *config, const char *program)
{
    if (faccessat(AT_FDCWD, program, X_OK, AT_EACCESS) != 0) {
        findings_add(findings, FINDING_ERROR,
                     "sendmail_command: %s can't be run: %s; install a mail program, as msmtp-mta, set the path of "
                     "yours, or leave the directive empty for no mails",
                     program, strerror(errno));
    } else {
        findings_add(findings, FINDING_GOOD, "mails are handed to %s", config->sendmail_command);
    }
}

static void check_templates(struct arena *arena, struct findings *findings, const struct config *config)
{
    struct mail_template template;
    struct error error;
    for (enum mail_kind kind = 0; kind < MAIL_KINDS; kind++) {
        if (!mail_template_read(arena, config->mail_directory, config->mail_language, kind, &template, &error)) {
            findings_add(findings, FINDING_ERROR, "mail_directory: %s", error.text);
        }
    }
}

void check_mail(struct findings *findings, const struct config *config, const struct process_user *user)
{
    struct arena *arena = arena_new(0);
    struct text rest = text_of(config->sendmail_command);
    const char *program = text_to_string(arena, text_take(&rest, ' '));
    if (!config->sends_mail) {
        if (config->public_url[0] == '\0' && *program != '\0' && access(program, X_OK) == 0) {
            findings_add(findings, FINDING_GOOD,
                         "no mails are sent: set public_url, of which their links are made, as no request may choose "
                         "where they lead");
        }
    } else if (process_user_act_as(user)) {
        check_program(findings, config, program);
        check_templates(arena, findings, config);
        process_user_act_as_root(user);
    }
    arena_free(arena);
}
