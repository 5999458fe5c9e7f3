/* openapi.h: the interface as an OpenAPI 3.1 document, made from the tables alone. */
#ifndef ROSTER_WORKER_OPENAPI_H
#define ROSTER_WORKER_OPENAPI_H

#include "base/enums.h"
#include "base/text.h"

struct arena;

/* Returns the document, in the arena. `compatibility`: the fields of which value of the directive.
 * `server_url` becomes the address of the server; NULL or empty: "/", the server that the document was read from. */
struct text openapi_document(struct arena *arena, const char *server_url, enum compatibility compatibility);

#endif
