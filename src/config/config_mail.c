#include "config/config_mail.h"

#include <string.h>

#include "base/arena.h"
#include "base/host_port.h"
#include "config/network.h"

bool config_mail_wants(const struct config *config, enum mail_notice notice)
{
    bool is_wanted = notice == MAIL_NOTICE_NONE;
    for (size_t i = 0; !is_wanted && i < config->mail_notices.count; i++) {
        is_wanted = strcmp(config->mail_notices.items[i], mail_notice_words[notice]) == 0;
    }
    return config->sends_mail && is_wanted;
}

struct text config_mail_host(struct arena *arena, const struct config *config)
{
    const char *scheme_end = strstr(config->public_url, "://");
    const char *host = scheme_end != NULL ? scheme_end + 3 : "localhost";
    struct host_port parts;
    struct network network;
    if (!host_port_split((struct text){host, strcspn(host, "/")}, &parts)) {
        return TEXT("localhost"); /* config_check has refused it */
    }
    if (!network_parse(parts.host, &network, NULL)) {
        return text_copy(arena, parts.host);
    }
    return text_format(arena, "[%s%.*s]", parts.has_brackets ? "IPv6:" : "", (int)parts.host.length, parts.host.data);
}

struct text config_mail_from(struct arena *arena, const struct config *config)
{
    return config->mail_from[0] != '\0' ? text_of(config->mail_from)
                                        : text_format(arena, "noreply@%s", config_mail_host(arena, config).data);
}

struct text config_mail_link(struct arena *arena, const struct config *config, enum mail_link link, struct text secret)
{
    return text_format(arena, "%s/account/%s#%.*s", config->public_url, mail_link_pages[link], (int)secret.length,
                       secret.data);
}

int64_t config_mail_lifetime(const struct config *config, enum mail_link link)
{
    switch (link) {
#define MAIL_LINK(name, page, lifetime) \
    case MAIL_LINK_##name:              \
        return config->lifetime;
#include "tables/mails.def"
    default:
        return 0;
    }
}
