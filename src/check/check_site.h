/* check_site.h: nginx as it runs: its processes, its user, and one request by the site's name. */
#ifndef ROSTER_CHECK_CHECK_SITE_H
#define ROSTER_CHECK_CHECK_SITE_H

#include "check/check_nginx.h"

/* Checks that nginx runs, that it has read its files since they were changed, that its user can connect to each socket
 * (tried as that user, where root calls this), and that one request by the site's name is answered by Roster: with its
 * certificate and the clock. Logs the request at nginx; changes nothing. */
void check_site(const struct config *config, const struct nginx_site *site, struct findings *findings);

#endif
