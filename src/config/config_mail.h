/* config_mail.h: what the configuration says of mails. */
#ifndef ROSTER_CONFIG_CONFIG_MAIL_H
#define ROSTER_CONFIG_CONFIG_MAIL_H

#include <stdbool.h>

#include "base/mail_table.h"
#include "config/config.h"

/* Whether mails are sent, and mail_notices has this word. MAIL_NOTICE_NONE is in no list, but always wanted. */
bool config_mail_wants(const struct config *config, enum mail_notice notice);

/* The host of public_url as the domain of an address: without a port, an IP address as [192.0.2.1]. In the arena. */
struct text config_mail_host(struct arena *arena, const struct config *config);

/* The address that mails come from, in the arena. */
struct text config_mail_from(struct arena *arena, const struct config *config);

/* The address of a link, in the arena. Its secret stands in the fragment, which browsers send to nobody. */
struct text config_mail_link(struct arena *arena, const struct config *config, enum mail_link link, struct text secret);

/* How long a link of this purpose is valid, in seconds. */
int64_t config_mail_lifetime(const struct config *config, enum mail_link link);

#endif
