/* header_text.h: decodes text in HTTP header fields. Fields are ASCII by design; programs encode other characters in
 * several ways. */
#ifndef ROSTER_BASE_HEADER_TEXT_H
#define ROSTER_BASE_HEADER_TEXT_H

#include "base/enums.h"
#include "base/text.h"

/* The text of a field as UTF-8, in the arena.
 * Encoded words (RFC 2047: `=?UTF-8?B?…?=`, `=?ISO-8859-1?Q?…?=`) are decoded. The character set must be UTF-8,
 * US-ASCII, ISO-8859-1 or windows-1252; otherwise the word stays unchanged.
 * Other bytes are decoded as `encoding`. Latin-1 has the characters of windows-1252 instead of C1 controls, as in the
 * WHATWG Encoding Standard.
 * The null text where the bytes are not valid in `encoding`, or the result holds a NUL. */
struct text header_text_decode(struct arena *arena, struct text field, enum header_encoding encoding);

/* The same for a field that may also be percent-encoded (RFC 3986, section 2.1).
 * A field that does not decode to UTF-8 is taken as not encoded. */
struct text header_text_decode_percent(struct arena *arena, struct text field, enum header_encoding encoding);

#endif
