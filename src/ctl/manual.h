/* manual.h: the parts of the manual pages that are generated from the tables, in mdoc(7). Each function appends to
 * `out`. */
#ifndef ROSTER_CTL_MANUAL_H
#define ROSTER_CTL_MANUAL_H

#include "base/buffer.h"

/* roster.conf(5). */
void manual_directives(struct buffer *out);
void manual_mails(struct buffer *out);
void manual_mail_values(struct buffer *out);

/* rosterctl(8). */
void manual_global_options(struct buffer *out);
void manual_commands(struct buffer *out);
void manual_exit_status(struct buffer *out);

/* roster-api(7). */
void manual_routes(struct buffer *out);
void manual_bodies(struct buffer *out);
void manual_shapes(struct buffer *out);
void manual_permissions(struct buffer *out);
void manual_behaviours(struct buffer *out);
void manual_errors(struct buffer *out);
void manual_limits(struct buffer *out);
void manual_faults(struct buffer *out);

/* Both. */
void manual_audit(struct buffer *out);

#endif
