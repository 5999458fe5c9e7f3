/* percent.h: percent-encoding (RFC 3986, section 2.1), and two similar encodings. */
#ifndef ROSTER_BASE_PERCENT_H
#define ROSTER_BASE_PERCENT_H

#include "base/text.h"

struct arena;
struct buffer;

/* Replaces each escape by its byte. A `%` that is not part of an escape stays.
 * In the arena. A NUL follows the length.
 * The result may hold NUL, and may be invalid UTF-8. */
struct text percent_decode(struct arena *arena, struct text text);

/* The same for names and values of a query (application/x-www-form-urlencoded): a `+` is a space. */
struct text percent_decode_query(struct arena *arena, struct text text);

/* The same for encoded words with the encoding Q (RFC 2047, section 4.2): escapes start with `=`, a `_` is a space. */
struct text percent_decode_q(struct arena *arena, struct text text);

/* Adds a text as one segment of a path. All characters but the unreserved ones (RFC 3986, section 2.3) are escaped. */
void percent_add_segment(struct buffer *buffer, struct text text);

/* A URI for a header field, in the arena. Characters that are not allowed in a URI are escaped. Escapes stay. */
struct text percent_encode_uri(struct arena *arena, struct text uri);

#endif
