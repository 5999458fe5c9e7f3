/* return_url.h: where a browser may go after it has signed in: roster-api(7), Going back after signing in.
 *
 * Whoever writes a link to the sign-in page chooses the address. So an address is taken apart by the rules here and put
 * together again, and what a browser could read in another way (the URL Standard, https://url.spec.whatwg.org) is
 * refused. */
#ifndef ROSTER_BASE_RETURN_URL_H
#define ROSTER_BASE_RETURN_URL_H

#include <stdbool.h>

#include "base/text.h"

struct arena;

struct return_rules {
    struct text own; /* the service as browsers see it: http:// or https://, a host, a port or none, a path or none */
    const char *domain;       /* cookie_domain; "": none */
    const char *const *hosts; /* return_hosts: HOST or HOST:PORT */
    size_t host_count;
};

/* The longest address that is accepted, in bytes. */
enum { RETURN_URL_BYTES = 4096 };

/* Finds the address in the query string of the sign-in page, in the arena.
 * nginx can't encode it: an address that begins with `/`, `http://` or `https://` ends with the query, whatever it
 * contains. Any other one is decoded, and ends with its parameter.
 * The null text where there is no parameter `rd`. */
struct text return_url_find(struct arena *arena, struct text query);

/* The address to go to, in ASCII, in the arena; the null text where it is not allowed.
 * Allowed are a path of this site, and http or https at: this site; a host that `domain` covers, or one of `hosts`.
 * http only where this site has http itself.
 * Without a port in the rule, the port must be that of the scheme, or of this site.
 * Never the sign-in page itself, nor a path that signs out. */
struct text return_url_check(struct arena *arena, const struct return_rules *rules, struct text address);

/* True where `host` is `domain`, or ends with a dot and it, ignoring the case of letters. False where `host` is an IP
 * address, or `domain` is empty. */
bool return_url_domain_covers(struct text domain, struct text host);

#endif
