/* check_mail.h: whether mails can be sent: the program, and the templates. */
#ifndef ROSTER_CHECK_CHECK_MAIL_H
#define ROSTER_CHECK_CHECK_MAIL_H

#include "base/process_user.h"
#include "check/findings.h"
#include "config/config.h"

/* With the rights of the user that sends them. */
void check_mail(struct findings *findings, const struct config *config, const struct process_user *user);

#endif
