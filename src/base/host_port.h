/* host_port.h: splits a host and a port, as in Host, URLs (RFC 3986, section 3.2) and roster.conf. */
#ifndef ROSTER_BASE_HOST_PORT_H
#define ROSTER_BASE_HOST_PORT_H

#include <stdbool.h>

#include "base/text.h"

struct arena;

struct host_port {
    struct text host;  /* not validated, without brackets */
    struct text port;  /* the text after the colon, not validated; the null text: no colon */
    bool has_brackets; /* the host must be an IPv6 address */
};

/* Splits HOST, HOST:PORT, [IPV6] and [IPV6]:PORT.
 * A text with two colons and no brackets is a host: an IPv6 address without a port.
 * The parts point into `text`.
 * False where a bracket is not closed, or a character other than a colon follows the closing bracket. */
bool host_port_split(struct text text, struct host_port *parts_r);

/* The host of a value that has been validated, NUL-terminated, in the arena.
 * *port_r: the port, or `otherwise` where the value has no port. */
const char *host_port_read(struct arena *arena, const char *value, uint16_t otherwise, uint16_t *port_r);

#endif
