/* config_sandbox.h: the sandbox of a process, as roster.conf wants it. */
#ifndef ROSTER_CONFIG_CONFIG_SANDBOX_H
#define ROSTER_CONFIG_CONFIG_SANDBOX_H

#include <stdint.h>

#include "base/sandbox.h"
#include "config/config.h"

/* Enters the sandbox of this kind (base/sandbox.h), with the files and hosts that the configuration names, unless it
 * says `sandbox = no`. `niceness` is that of the pool, 0 for others. `may_gain`: see struct sandbox. What the kernel
 * refuses is logged, once an hour for all processes, and the process goes on without it. */
void config_sandbox_enter(const struct config *config, enum sandbox_kind kind, int64_t niceness, bool may_gain);

#endif
