/* fastcgi_client.h: sends one request to a pool's socket, as nginx does (FastCGI 1.0, role responder). */
#ifndef ROSTER_CTL_FASTCGI_CLIENT_H
#define ROSTER_CTL_FASTCGI_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct arena;

struct fastcgi_answer {
    int status;          /* HTTP status */
    struct text headers; /* unparsed lines, each with its line end */
    struct text body;
};

/* Sends GET `target` ("/status?format=json") and reads the whole answer into the arena.
 * False, with *error set: the socket can't be opened, the answer is invalid, or it does not arrive within
 * `timeout_milliseconds`. */
bool fastcgi_get(struct arena *arena, const char *socket_path, const char *target, int timeout_milliseconds,
                 struct fastcgi_answer *answer_r, struct error *error);

/* Tells the service that this process is about to write over a connection to MariaDB: nothing that was kept of people
 * counts until that connection is closed. False where nobody answers within the time. */
bool fastcgi_hold(struct arena *arena, const char *socket_path, uint64_t connection, int timeout_milliseconds,
                  struct error *error);

#endif
