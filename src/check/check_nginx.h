/* check_nginx.h: compares nginx's configuration with roster.conf. */
#ifndef ROSTER_CHECK_CHECK_NGINX_H
#define ROSTER_CHECK_CHECK_NGINX_H

#include "check/findings.h"
#include "config/config.h"

#define CHECK_NGINX_DIRECTORY "/etc/nginx"

/* Checks whether roster-upstream.conf, in its usual places below /etc/nginx, names each socket.
 * Reports nothing where the file is missing: nginx may run on another machine. */
void check_nginx_upstream(const struct config *config, struct findings *findings);

/* Compares all of nginx's configuration in `directory` with roster.conf: sockets, limits, placeholders that are not
 * filled in. */
void check_nginx(const struct config *config, const char *directory, struct findings *findings);

#endif
