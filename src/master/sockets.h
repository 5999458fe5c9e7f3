/* sockets.h: listening sockets: created here, or inherited from systemd (LISTEN_FDS, as in sd_listen_fds(3)). */
#ifndef ROSTER_MASTER_SOCKETS_H
#define ROSTER_MASTER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/safe_path.h"

enum { SOCKETS_FIRST_INHERITED = 3 };

/* The sockets of a pool; the second one is optional. */
enum { LISTENER_FIRST, LISTENER_SECOND, LISTENER_COUNT };

struct listener {
    int descriptor; /* -1: closed. Non-blocking, closed on exec */
    bool inherited; /* from systemd, which keeps it open after this process */
    char *path;     /* owned */
    dev_t device;   /* with inode: the file created here; no other file is removed */
    ino_t inode;
};

/* How a socket is created. */
struct listener_options {
    const char *path;
    uid_t owner; /* (uid_t)-1: unchanged */
    gid_t group; /* (gid_t)-1: unchanged */
    mode_t mode;
    int backlog;
    enum safe_path_depth depth; /* what root checks before it creates the file */
};

/* Reads LISTEN_PID and LISTEN_FDS, and removes them and LISTEN_FDNAMES from the environment.
 * Keeps the descriptors if LISTEN_PID is this process.
 * Called once, before any fork and any open. */
void sockets_take_inherited(void);

/* Whether any sockets were inherited. */
bool sockets_were_inherited(void);

/* Writes at most `max` inherited descriptors that are still open to *descriptors_r, and makes them non-blocking.
 * Returns their number. */
size_t sockets_list_inherited(int *descriptors_r, size_t max);

/* Takes the inherited socket with the same path, else creates one.
 * A socket file on which no process listens is replaced.
 * Fails where a process listens on it, or where the file is not a socket.
 * The file never has a wider mode than `mode`, and links are never followed.
 * Root creates it only where no other user can replace it (base/safe_path.h), and creates a missing directory.
 * Close it with sockets_close. */
bool sockets_open(const struct listener_options *options, struct listener *listener_r, struct error *error);

/* Closes the inherited descriptors that sockets_open has not taken.
 * Calls `report` (may be NULL) with the path of each. */
void sockets_close_unused(void (*report)(const char *path));

/* True while connections are in the queue. */
bool sockets_has_waiting(const struct listener *listener);

/* Removes the file if it was created here, which ends new connections. Queued ones can still be accepted. */
void sockets_remove_file(struct listener *listener);

/* Closes the socket in this process, and frees its path; the file stays. */
void sockets_close(struct listener *listener);

#endif
