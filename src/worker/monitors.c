#include "worker/monitors.h"

static bool is_loopback(const char *address)
{
    return strcmp(address, "127.0.0.1") == 0 || strcmp(address, "::1") == 0;
}

bool monitors_may(const struct request *request)
{
    const struct networks *allowed = &request->context.config->status_allow;
    const char *client = request->context.client_address;
    if (client == NULL) {
        return request->fcgi == NULL;
    }
    const char *peer = request->peer_address.length > 0 ? request->peer_address.data : client;
    /* A proxy has forwarded the request, and its client is not known: real_ip is not set for it. */
    if (request->is_forwarded && strcmp(peer, client) == 0) {
        return false;
    }
    if (is_loopback(peer) && is_loopback(client)) {
        return !request->is_forwarded;
    }
    return (is_loopback(peer) || networks_contain(allowed, peer)) && networks_contain(allowed, client);
}
