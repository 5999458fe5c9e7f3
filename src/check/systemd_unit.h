/* systemd_unit.h: how systemd starts the service, as its unit files say: for checks by root, who may do what the
 * service may not.
 *
 * They are read from the directories of systemd.unit(5): $SYSTEMD_UNIT_PATH, or those of the system. The settings of
 * roster.service and roster.socket are those of the first directory that has the file, then of the drop-ins. */
#ifndef ROSTER_CHECK_SYSTEMD_UNIT_H
#define ROSTER_CHECK_SYSTEMD_UNIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum { SYSTEMD_SOCKETS_MAX = 32 };

struct systemd_unit {
    const char *file;  /* of roster.service; NULL: there is none, or it uses another configuration */
    const char *user;  /* User=; NULL: root */
    const char *group; /* Group=; NULL: that of the user */
    const char *sockets[SYSTEMD_SOCKETS_MAX]; /* ListenStream= of roster.socket */
    size_t socket_count;
};

/* Reads the units, if roster.service starts the service with this configuration file. All texts are in the arena. */
void systemd_unit_read(struct arena *arena, const char *config_path, struct systemd_unit *unit_r);

/* Whether systemd makes the socket with this path. */
bool systemd_unit_makes(const struct systemd_unit *unit, const char *path);

#endif
