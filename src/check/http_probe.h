/* http_probe.h: sends one HTTP request to a site and reads the header of the answer, as check_site.h needs it. */
#ifndef ROSTER_CHECK_HTTP_PROBE_H
#define ROSTER_CHECK_HTTP_PROBE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

struct arena;

struct http_target {
    bool tls;
    const char *host; /* without brackets */
    const char *port;
    const char *authority; /* for Host */
    const char *path;      /* with the query; at least "/" */
};

struct http_answer {
    int status;
    struct text location; /* null: none */
};

/* Takes an http or https URL apart, in the arena. False with the reason. */
bool http_target_read(struct arena *arena, const char *url, struct http_target *target_r, struct error *error);

/* Sends METHOD and path over a connection of its own. `fields`: further header fields, each with its line end.
 * The certificate is not verified: nothing that is sent is of use to anyone.
 * False with the reason where there is no answer within ten seconds, or one that is no HTTP. */
bool http_probe(struct arena *arena, const struct http_target *target, const char *method, const char *path,
                const char *fields, struct http_answer *answer_r, struct error *error);

#endif
