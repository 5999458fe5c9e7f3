/* check_protect.h: what is wrong with applications that nginx/roster/ protects, in what `nginx -T` prints. */
#ifndef ROSTER_CHECK_CHECK_PROTECT_H
#define ROSTER_CHECK_CHECK_PROTECT_H

#include "base/text.h"
#include "check/findings.h"
#include "config/config.h"

/* Looks for what lets everybody in, what makes people sign in for ever, and what lets a client say who it is:
 * rosterctl(8), nginx check. */
void check_protect(const struct config *config, struct text dump, struct findings *findings);

#endif
