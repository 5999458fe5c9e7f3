/* openapi.h: the interface as an OpenAPI 3.1 document, from the tables alone. */
#ifndef ROSTER_WORKER_OPENAPI_H
#define ROSTER_WORKER_OPENAPI_H

#include "base/text.h"

struct arena;

/* The document, in the arena. `server_url` is the address that it names; NULL or empty: "/", so that whoever serves
 * it is meant. */
struct text openapi_document(struct arena *arena, const char *server_url);

#endif
