#include "base/host_port.h"

static bool split_brackets(struct text text, struct host_port *parts_r)
{
    const char *close = memchr(text.data, ']', text.length);
    if (close == NULL) {
        return false;
    }
    struct text behind = {close + 1, text.length - (size_t)(close + 1 - text.data)};
    *parts_r = (struct host_port){{text.data + 1, (size_t)(close - text.data) - 1}, TEXT_NULL, true};
    if (behind.length == 0) {
        return true;
    }
    parts_r->port = (struct text){behind.data + 1, behind.length - 1};
    return behind.data[0] == ':';
}

bool host_port_split(struct text text, struct host_port *parts_r)
{
    *parts_r = (struct host_port){text, TEXT_NULL, false};
    if (text.length == 0) {
        return true;
    }
    if (text.data[0] == '[') {
        return split_brackets(text, parts_r);
    }
    const char *colon = memchr(text.data, ':', text.length);
    if (colon != NULL && memchr(colon + 1, ':', text.length - (size_t)(colon + 1 - text.data)) == NULL) {
        parts_r->host.length = (size_t)(colon - text.data);
        parts_r->port = (struct text){colon + 1, text.length - parts_r->host.length - 1};
    }
    return true;
}

const char *host_port_read(struct arena *arena, const char *value, uint16_t otherwise, uint16_t *port_r)
{
    struct host_port parts;
    int64_t number;
    bool has_port = host_port_split(text_of(value), &parts) && text_to_integer(parts.port, &number) && number > 0 &&
                    number <= UINT16_MAX;
    *port_r = has_port ? (uint16_t)number : otherwise;
    return text_to_string(arena, parts.host);
}
