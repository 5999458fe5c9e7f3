/* network.h: addresses and networks, IPv4 and IPv6. */
#ifndef ROSTER_CONFIG_NETWORK_H
#define ROSTER_CONFIG_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

/* A network or a single address (IPv4 as mapped IPv6). */
struct network {
    unsigned char address[16];
    unsigned prefix_bits; /* of 128 */
};

struct networks {
    struct network *items;
    size_t count;
};

/* Parses an address or a network: "10.0.0.0/8", "192.0.2.1", "fd00::/8". */
bool network_parse(struct text text, struct network *network_r, struct error *error);

/* Prints a network so that network_parse reads it back. */
void network_print(FILE *out, const struct network *network);

/* True where `address` (the text of an IPv4 or IPv6 address) is in one of the networks. False for "unix:" and NULL. */
bool networks_contain(const struct networks *networks, const char *address);

enum { NETWORK_NAME_SIZE = 64 };

/* Writes the name under which rate limits count an address.
 * IPv4, also mapped into IPv6: the IPv4 address.
 * IPv6: its /64 network, as one customer usually has all of it: "2001:db8:1:2::/64".
 * Other texts ("unix:"): unchanged, truncated to the size. NULL: "-". */
void network_name(const char *address, char name_r[static NETWORK_NAME_SIZE]);

#endif
