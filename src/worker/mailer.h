/* mailer.h: the process that sends mails: it looks once a second which are due (store/mail_store.h), renders their
 * templates, and hands them to sendmail_command. It is the only one that executes a program. */
#ifndef ROSTER_WORKER_MAILER_H
#define ROSTER_WORKER_MAILER_H

#include "config/config.h"

/* Whether this process is wanted. */
bool mailer_is_wanted(const struct config *config);

/* Runs until SIGQUIT or SIGTERM, which are blocked by the caller, as SIGUSR1 is (it opens the logs anew). Where mails
 * are off, it only waits. Returns the exit status of the process. */
int mailer_run(const struct config *config);

#endif
