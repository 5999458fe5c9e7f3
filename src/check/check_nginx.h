/* check_nginx.h: compares nginx's configuration with roster.conf. */
#ifndef ROSTER_CHECK_CHECK_NGINX_H
#define ROSTER_CHECK_CHECK_NGINX_H

#include <stdint.h>

#include "check/findings.h"
#include "config/config.h"

#define CHECK_NGINX_DIRECTORY "/etc/nginx"

/* Checks whether roster-upstream.conf, in its usual places below /etc/nginx, names each socket.
 * Reports nothing where the file is missing: nginx may run on another machine. */
void check_nginx_upstream(const struct config *config, struct findings *findings);

/* What nginx's files say of the site that passes requests to Roster. */
struct nginx_site {
    bool is_there; /* nginx.conf is in the directory, and a site passes requests on */
    char path[512];
    bool has_name, has_tls, has_proxy_protocol;
    char name[256];   /* the first server_name; "localhost" where it has none */
    char listen[256]; /* the address with TLS, else another one; "": none was found */
    char pid_path[512];
    char changed_path[512]; /* the file of ours that was changed last */
    int64_t changed_at;     /* epoch seconds */
};

/* Compares all of nginx's configuration in `directory` with roster.conf: sockets, limits, placeholders that are not
 * filled in. */
void check_nginx(const struct config *config, const char *directory, struct findings *findings,
                 struct nginx_site *site_r);

#endif
