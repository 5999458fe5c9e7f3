/* sockets.h: the listening sockets: made here, or taken from systemd (sd_listen_fds(3), the protocol of LISTEN_FDS). */
#ifndef ROSTER_MASTER_SOCKETS_H
#define ROSTER_MASTER_SOCKETS_H

#include <stdbool.h>
#include <sys/types.h>

enum { SOCKETS_FIRST_INHERITED = 3 };

struct listener {
    int descriptor; /* -1: closed. Non-blocking, closed on exec */
    bool inherited; /* came from systemd, which keeps it open beyond our end */
    char *path;     /* owned */
    dev_t device;   /* of the file that we made, to remove no other's */
    ino_t inode;
};

/* What a socket is made with. */
struct listener_options {
    const char *path;
    uid_t owner; /* (uid_t)-1: leave it */
    gid_t group; /* (gid_t)-1: leave it */
    mode_t mode;
    int backlog;
};

/* Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment and remembers the descriptors, where they are
 * meant for this process. Called once, before anything forks or opens. */
void sockets_take_inherited(void);

/* The inherited socket whose path is the same, or else a new one. A socket file that nobody listens on any more is
 * replaced; one that somebody listens on, and any file that is no socket, is left alone and refused. The file never has
 * a wider mode than asked for. False with *error_r (kept until the next call). */
bool sockets_open(const struct listener_options *options, struct listener *listener_r, const char **error_r);

/* Closes the inherited descriptors that no sockets_open took, and calls `report` (may be NULL) with the path of
 * each. */
void sockets_close_unused(void (*report)(const char *path));

/* True while connections wait to be accepted. */
bool sockets_has_waiting(const struct listener *listener);

/* Removes the file where we made it, so that nobody connects any more; what waits can still be accepted. */
void sockets_remove_file(struct listener *listener);

/* Closes it in this process; the file stays. */
void sockets_close(struct listener *listener);

#endif
