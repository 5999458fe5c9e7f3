/* config_network.c: addresses and networks. IPv4 is kept as mapped IPv6 (RFC 4291, 2.5.5.2). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_internal.h"

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum { MAPPED_BITS = 96, ALL_BITS = 128 };

/* The first byte shows which it was: *bits_r is 32 or 128, the number of bits of a whole address. */
static bool parse_address(const char *string, unsigned char address_r[static 16], unsigned *bits_r)
{
    *bits_r = 32;
    memcpy(address_r, mapped_prefix, sizeof mapped_prefix);
    if (inet_pton(AF_INET, string, address_r + sizeof mapped_prefix) == 1)
        return true;
    *bits_r = ALL_BITS;
    return inet_pton(AF_INET6, string, address_r) == 1;
}

/* Clears the bits behind the prefix; true where any was set. */
static bool mask(struct network *network)
{
    bool changed = false;
    unsigned bit;

    for (bit = network->prefix_bits; bit < ALL_BITS; bit++) {
        unsigned char one = (unsigned char)(0x80u >> (bit % 8));
        if (network->address[bit / 8] & one) {
            network->address[bit / 8] = (unsigned char)(network->address[bit / 8] & ~one);
            changed = true;
        }
    }
    return changed;
}

static bool is_mapped(const struct network *network)
{
    return network->prefix_bits >= MAPPED_BITS && memcmp(network->address, mapped_prefix, sizeof mapped_prefix) == 0;
}

void network_print(FILE *out, const struct network *network)
{
    char string[INET6_ADDRSTRLEN];

    if (is_mapped(network)) {
        fputs(inet_ntop(AF_INET, network->address + sizeof mapped_prefix, string, sizeof string), out);
        if (network->prefix_bits < ALL_BITS)
            fprintf(out, "/%u", network->prefix_bits - MAPPED_BITS);
    } else {
        fputs(inet_ntop(AF_INET6, network->address, string, sizeof string), out);
        if (network->prefix_bits < ALL_BITS)
            fprintf(out, "/%u", network->prefix_bits);
    }
}

bool network_parse(struct text text, struct network *network_r, struct config_message *message)
{
    char string[INET6_ADDRSTRLEN + 8], shown[INET6_ADDRSTRLEN + 8], *slash, *printed = NULL;
    unsigned bits;
    int64_t prefix;
    size_t size;
    FILE *out;

    if (text.length >= sizeof string)
        goto bad_address;
    memcpy(string, text.data, text.length);
    string[text.length] = '\0';
    memcpy(shown, string, sizeof shown);
    slash = strchr(string, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (!parse_address(string, network_r->address, &bits))
        goto bad_address;
    prefix = bits;
    if (slash != NULL && (*slash < '0' || *slash > '9' || !text_to_integer(text_of(slash), &prefix) || prefix > bits)) {
        config_message_set(message, "the prefix of %s must be a number from 0 to %u", shown, bits);
        return false;
    }
    network_r->prefix_bits = (unsigned)prefix + ALL_BITS - bits;
    if (mask(network_r)) {
        out = open_memstream(&printed, &size);
        if (out != NULL) {
            network_print(out, network_r);
            fclose(out);
        }
        config_message_set(message, "%s has bits set behind its prefix: write %s, or the address without a prefix",
                           shown, printed != NULL ? printed : "the network's first address");
        free(printed);
        return false;
    }
    return true;

bad_address:
    config_message_set(message,
                       "\"%.*s\" is no address: write addresses and networks as 192.0.2.1, 10.0.0.0/8, 2001:db8::1 "
                       "or fd00::/8, separated by spaces",
                       text.length > 80 ? 80 : (int)text.length, text.data);
    return false;
}

static bool lies_in(const struct network *network, const unsigned char address[static 16])
{
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;

    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || ((network->address[whole] ^ address[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool networks_contain(const struct networks *networks, const char *address)
{
    unsigned char bytes[16];
    unsigned bits;
    size_t i;

    if (address == NULL || !parse_address(address, bytes, &bits))
        return false;
    for (i = 0; i < networks->count; i++)
        if (lies_in(&networks->items[i], bytes))
            return true;
    return false;
}
