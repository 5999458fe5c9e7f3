/* sendmail.h: hands a mail to the program of sendmail_command. */
#ifndef ROSTER_WORKER_SENDMAIL_H
#define ROSTER_WORKER_SENDMAIL_H

#include "base/error.h"
#include "worker/helper_process.h"

enum sendmail_result {
    SENDMAIL_TAKEN,   /* the program has taken it */
    SENDMAIL_LATER,   /* it has not: something is wrong with the machine, or for the moment */
    SENDMAIL_REFUSED, /* it never will: the address or the mail is wrong (EX_DATAERR, EX_NOUSER, EX_NOHOST) */
    SENDMAIL_ENDS     /* this process was told to end, so the program was killed */
};

/* Runs the program with the message on its standard input, as a child, without a shell: nothing but sendmail_command
 * and mail_from stands on its command line, where all users of the machine could read it. Unless it was taken, why_r
 * tells what the program wrote, or how it ended. */
enum sendmail_result sendmail_run(struct helper_process *process, struct text message, struct error *why_r);

/* How long one call takes at most, in seconds. */
int64_t sendmail_seconds(const struct config *config);

#endif
