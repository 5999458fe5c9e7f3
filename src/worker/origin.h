/* origin.h: whether a page of another site sent a request: roster-api(7), Cross-site requests.
 *
 * Browsers send `Origin` (RFC 6454, the Fetch standard) and `Sec-Fetch-Site` (W3C Fetch Metadata). SameSite cookies
 * alone do not help against a page on another host of the same registrable domain. */
#ifndef ROSTER_WORKER_ORIGIN_H
#define ROSTER_WORKER_ORIGIN_H

#include "worker/request.h"

/* True where both are the same origin: scheme, host and port.
 * Ignores differences of spelling: case, the default port, a dot at the end of the host, the forms of an IPv6 address.
 * Ignores a path after `right`.
 * False where one of them is invalid or `null`. */
bool origin_is_same(struct arena *arena, struct text left, struct text right);

/* The site as browsers see it, in the arena: public_url, or else scheme and host as the request has them. */
struct text origin_of_site(const struct request *request);

/* Checks a request that the cookie authenticates.
 * OK, or PROBLEM with CROSS_SITE.
 * Logs a refusal, at most once a minute: a proxy in front that public_url does not name causes the same error. */
enum outcome origin_check(struct request *request);

#endif
