/* config_logs.c: see config_logs.h. */
#include "config/config_logs.h"

#include "base/log.h"

bool config_open_logs(const struct config *config, struct error *error)
{
    return log_open(config->error_log, config->access_log, config->log_level, config->log_format, error) &&
           log_open_audit(config->audit_log, error);
}
