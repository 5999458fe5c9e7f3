/* findings.h: what a walk over the installation finds: good, to be looked at, or to be mended. */
#ifndef ROSTER_CTL_FINDINGS_H
#define ROSTER_CTL_FINDINGS_H

#include "ctl/ctl.h"
#include "ctl/sheet.h"

enum finding_state { FINDING_GOOD, FINDING_WARNING, FINDING_ERROR };

struct findings {
    const struct invocation *invocation;
    struct sheet sheet;
    size_t error_count, warning_count;
};

void findings_init(struct findings *findings, const struct invocation *invocation);

/* One finding about `subject`. It is printed at once, unless --json waits for the end; with --quiet good ones are
 * passed over. */
void findings_add(struct findings *findings, enum finding_state state, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The end: JSON, or the sum. EXIT_DONE, or EXIT_FAILED where something is to be mended. */
int findings_finish(struct findings *findings);

/* nginx's configuration in `directory` beside roster.conf. */
void findings_of_nginx(struct findings *findings, const char *directory);

#endif
