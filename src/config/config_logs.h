/* config_logs.h: the logs that roster.conf names. */
#ifndef ROSTER_CONFIG_CONFIG_LOGS_H
#define ROSTER_CONFIG_CONFIG_LOGS_H

#include "base/error.h"
#include "config/config.h"

/* Opens all logs, or opens them anew: see log_open. */
bool config_open_logs(const struct config *config, struct error *error);

#endif
