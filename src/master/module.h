/* module.h: a part of the program that has something to set up; the ordered list of them is in main.c. */
#ifndef ROSTER_MASTER_MODULE_H
#define ROSTER_MASTER_MODULE_H

#include <stdbool.h>

#include "config/config.h"

/* Each function may be NULL. */
struct module {
    const char *name;

    /* In the master, at the start and at each reload, with the new configuration, in the list's order. False with
     * *error_r refuses it: at the start the master ends, at a reload the old configuration stays, and the function is
     * called once more with that. */
    bool (*init_master)(const struct config *config, const char **error_r);

    /* In each worker, before its first request, with the user already changed. False with *error_r ends the worker. */
    bool (*init_worker)(const struct config *config, enum pool pool, const char **error_r);

    /* In each worker, behind its last request, in the reverse order. */
    void (*exit_worker)(void);
};

#endif
