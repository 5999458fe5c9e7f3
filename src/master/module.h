/* module.h: the hooks of a module. The ordered list of modules is in roster.c. */
#ifndef ROSTER_MASTER_MODULE_H
#define ROSTER_MASTER_MODULE_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

/* Each function may be NULL. */
struct module {
    /* Called in the master at the start and at each reload, with the new configuration, in the list's order.
     * False refuses the configuration. At the start the master then exits. At a reload the old configuration stays in
     * use, and the function is called again with it. */
    bool (*init_master)(const struct config *config, struct error *error);

    /* Called in each worker after its last request, in reverse order. */
    void (*exit_worker)(void);
};

#endif
