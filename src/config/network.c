/* network.c: addresses and networks. IPv4 is stored as mapped IPv6 (RFC 4291, 2.5.5.2). */
#include "config/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/ascii.h"

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum { MAPPED_BITS = 96, ALL_BITS = 128 };

/* Parses an IPv4 or IPv6 address. *bits_r is the number of its bits: 32 or 128. */
static bool parse_address(const char *string, unsigned char address_r[static 16], unsigned *bits_r)
{
    *bits_r = 32;
    memcpy(address_r, mapped_prefix, sizeof mapped_prefix);
    if (inet_pton(AF_INET, string, address_r + sizeof mapped_prefix) == 1) {
        return true;
    }
    *bits_r = ALL_BITS;
    return inet_pton(AF_INET6, string, address_r) == 1;
}

/* Clears the bits after the prefix; true where any was set. */
static bool mask(struct network *network)
{
    bool changed = false;

    for (unsigned bit = network->prefix_bits; bit < ALL_BITS; bit++) {
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

enum { NETWORK_TEXT_SIZE = INET6_ADDRSTRLEN + 8 };

static const char *network_text(const struct network *network, char text_r[static NETWORK_TEXT_SIZE])
{
    bool mapped = is_mapped(network);
    unsigned hidden_bits = mapped ? MAPPED_BITS : 0;
    inet_ntop(mapped ? AF_INET : AF_INET6, network->address + hidden_bits / 8, text_r, NETWORK_TEXT_SIZE);
    if (network->prefix_bits < ALL_BITS) {
        size_t length = strlen(text_r);
        snprintf(text_r + length, NETWORK_TEXT_SIZE - length, "/%u", network->prefix_bits - hidden_bits);
    }
    return text_r;
}

void network_print(FILE *out, const struct network *network)
{
    char text[NETWORK_TEXT_SIZE];
    fputs(network_text(network, text), out);
}

static bool bad_address(struct text text, struct error *error)
{
    return error_set(error,
                     "\"%.*s\" is not an address: write addresses and networks like 192.0.2.1, 10.0.0.0/8, 2001:db8::1 "
                     "or fd00::/8, separated by spaces",
                     text.length > 80 ? 80 : (int)text.length, text.data);
}

bool network_parse(struct text text, struct network *network_r, struct error *error)
{
    char string[NETWORK_TEXT_SIZE], shown[NETWORK_TEXT_SIZE];
    if (text.length >= sizeof string) {
        return bad_address(text, error);
    }
    memcpy(string, text.data, text.length);
    string[text.length] = '\0';
    memcpy(shown, string, sizeof shown);
    char *slash = strchr(string, '/');
    if (slash != NULL) {
        *slash++ = '\0';
    }
    unsigned bits;
    if (!parse_address(string, network_r->address, &bits)) {
        return bad_address(text, error);
    }
    int64_t prefix = bits;
    if (slash != NULL && (!ascii_is_digit(*slash) || !text_to_integer(text_of(slash), &prefix) || prefix > bits)) {
        return error_set(error, "the prefix of %s must be a number from 0 to %u", shown, bits);
    }
    network_r->prefix_bits = (unsigned)prefix + ALL_BITS - bits;
    if (mask(network_r)) {
        return error_set(error, "%s has bits set after its prefix: write %s, or the address without a prefix", shown,
                         network_text(network_r, string));
    }
    return true;
}

static bool lies_in(const struct network *network, const unsigned char address[static 16])
{
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;

    if (memcmp(network->address, address, whole) != 0) {
        return false;
    }
    return rest == 0 || ((network->address[whole] ^ address[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool networks_contain(const struct networks *networks, const char *address)
{
    unsigned char bytes[16];
    unsigned bits;

    if (address == NULL || !parse_address(address, bytes, &bits)) {
        return false;
    }
    for (size_t i = 0; i < networks->count; i++) {
        if (lies_in(&networks->items[i], bytes)) {
            return true;
        }
    }
    return false;
}

void network_name(const char *address, char name_r[static NETWORK_NAME_SIZE])
{
    enum { CUSTOMER_BITS = 64 };
    unsigned char bytes[16];
    unsigned bits;

    if (address == NULL || !parse_address(address, bytes, &bits)) {
        snprintf(name_r, NETWORK_NAME_SIZE, "%s", address != NULL ? address : "-");
    } else if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        inet_ntop(AF_INET, bytes + sizeof mapped_prefix, name_r, NETWORK_NAME_SIZE);
    } else {
        memset(bytes + CUSTOMER_BITS / 8, 0, sizeof bytes - CUSTOMER_BITS / 8);
        inet_ntop(AF_INET6, bytes, name_r, NETWORK_NAME_SIZE);
        snprintf(name_r + strlen(name_r), NETWORK_NAME_SIZE - strlen(name_r), "/%d", CUSTOMER_BITS);
    }
}
