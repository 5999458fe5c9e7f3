/* fastcgi_client.h: one request to a pool's socket (FastCGI 1.0, responder), as nginx would send it. */
#ifndef ROSTER_CTL_FASTCGI_CLIENT_H
#define ROSTER_CTL_FASTCGI_CLIENT_H

#include <stdbool.h>

#include "base/text.h"

struct arena;

struct fastcgi_answer {
    int status;          /* HTTP status */
    struct text headers; /* as they came, each line with its end */
    struct text body;
    struct text errors; /* what came on standard error */
};

/* GET `target` ("/status?format=json"). False with *error_r (in the arena, or static) where nobody answers within the
 * time. */
bool fastcgi_get(struct arena *arena, const char *socket_path, const char *target, int timeout_milliseconds,
                 struct fastcgi_answer *answer_r, const char **error_r);

#endif
