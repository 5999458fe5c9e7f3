/* accept.h: which media type of a response a client prefers (RFC 9110, section 12.5.1). */
#ifndef ROSTER_WORKER_ACCEPT_H
#define ROSTER_WORKER_ACCEPT_H

#include <stddef.h>

#include "base/text.h"

/* A media type that the service can send. */
struct media_offer {
    const char *type; /* "text/plain" */
    /* what a client's parameter `version` must be, where one is sent; NULL: the type has no versions; "": any */
    const char *version;
};

/* Returns the index of the offer with the highest quality in a header field Accept; of equals the first.
 * Returns 0 where the field is absent (null or empty), is malformed, or accepts no offer: an answer is better than 406.
 */
size_t accept_choose(struct text accept, const struct media_offer *offers, size_t count);

#endif
