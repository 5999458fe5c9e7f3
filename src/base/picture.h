/* picture.h: what an uploaded picture really is: by its first bytes, never by what its sender says. */
#ifndef ROSTER_BASE_PICTURE_H
#define ROSTER_BASE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

enum picture_type { PICTURE_NONE, PICTURE_PNG, PICTURE_JPEG, PICTURE_GIF, PICTURE_WEBP, PICTURE_TYPE_COUNT };

struct picture {
    enum picture_type type;
    struct text bytes;      /* decoded; in the arena */
    uint32_t width, height; /* pixels, never 0; of GIF the logical screen */
    struct text hash;       /* SHA-256 of bytes, 64 hexadecimal digits */
};

/* "image/png", … and "png", "jpeg", "gif", "webp"; NULL for PICTURE_NONE. The reverse takes these four words only. */
const char *picture_media_type(enum picture_type type);
const char *picture_extension(enum picture_type type);
enum picture_type picture_type_of_extension(struct text extension);

/* The type by the first bytes; PICTURE_NONE where it is none of the four. */
enum picture_type picture_sniff(struct text bytes);

/* Decodes `data:image/…;base64,…` (RFC 2397; white space and line ends within the base64 are allowed, other stray characters are not), finds type and dimensions, hashes. False where it is no data URI, does not
 * decode, is none of the four types, or its dimensions can't be read. Limits of size are the caller's. */
bool picture_of_data_uri(struct arena *arena, struct text uri, struct picture *picture_r);

/* True where `text` starts with "data:" in any case. */
bool picture_is_data_uri(struct text text);

/* What may stand in profile_image_url besides a data URI: http(s)://…, a relative path (`/…`, but neither `//…` nor `/\…`, which lead to another
 * host; or `x.png`), or nothing. No control characters. */
bool picture_is_address(struct text text);

/* True for http(s)://… (in any case) that picture_is_address takes. */
bool picture_is_remote(struct text text);

#endif
